"""The report of a run: one HTML file that opens from its path, without a network.

`python -m se_hpo.report` is the command, `se_hpo.report.run` the same from Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna


def run(run: str | Path, **flags: Any) -> Path:
    """Write figures and `report.html` of a run, as far as it has come; gives its path.

    Args:
        run: the run's folder.
        flags: those of the command by the names in `options.ReportOptions`:
            `figures=False, transition_agents=10, open=True`.

    Raises:
        UserError: the folder is no run, a flag is none, or matplotlib is missing.
    """
    # Imported here, so that only who calls it waits.
    import webbrowser

    from se_hpo.report.options import ReportOptions
    from se_hpo.report.report_file import write_report
    from se_hpo.terminal.from_python import options_of

    options = options_of(ReportOptions, {"run": run, **flags})
    path = write_report(options.run, options.figures, options.transition_agents)
    if options.open:
        webbrowser.open(path.resolve().as_uri())
    return path


def to_optuna(
    run: str | Path,
    storage: Any,
    name: str | None = None,
    objectives: Sequence[str] = ("loss",),
) -> optuna.Study:
    """Hand a search to Optuna and its dashboard; see `optuna_study.to_optuna`."""
    from se_hpo.report import optuna_study  # Optuna is an extra, and slow to import

    return optuna_study.to_optuna(run, storage, name, objectives)
