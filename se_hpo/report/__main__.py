"""`python -m se_hpo.report results/<run>`: figures and one self-contained HTML file."""

from __future__ import annotations

import logging
import webbrowser

from rich.console import Console

from se_hpo.report.options import ReportOptions
from se_hpo.report.report_file import write_report
from se_hpo.terminal.cli import log_to_stderr, run_command


def main(options: ReportOptions) -> int:
    """Write the report; print where it is."""
    log_to_stderr(logging.INFO)
    path = write_report(options.run, options.figures, options.transition_agents)
    Console(highlight=False).print(str(path), soft_wrap=True)
    if options.open:
        webbrowser.open(path.resolve().as_uri())
    return 0


if __name__ == "__main__":
    run_command(ReportOptions, main)
