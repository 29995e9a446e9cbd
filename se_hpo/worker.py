"""`python -m se_hpo.worker --run DIR`: evaluate trials of a run until it ends."""

from se_hpo.optimize.worker import WorkerOptions, main
from se_hpo.terminal.cli import run_command

if __name__ == "__main__":
    run_command(WorkerOptions, main)
