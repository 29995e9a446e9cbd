"""`python -m se_hpo.worker --run DIR`: evaluate trials of a run until it ends."""

if __name__ == "__main__":
    from se_hpo.machine.processes import end_in_order

    end_in_order()

    from se_hpo.optimize.worker import WorkerOptions, main
    from se_hpo.terminal.cli import run_command

    run_command(WorkerOptions, main)
