"""The flags of `python -m se_hpo.report`; the comment under a field is its help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class ReportOptions:
    """Write figures and report.html of a run, as far as it has come."""

    run: tyro.conf.Positional[Path]
    """Folder of the run: results/<run>."""
    figures: bool = True
    """Draw no figures: then it takes a second."""
    transition_agents: int = 0
    """Train so many agents on one SE for the histograms of its transitions, 10 say.
    Takes a minute or two once; the result is kept in transitions.csv of the run."""
    open: bool = False
    """Show the report in a browser."""
