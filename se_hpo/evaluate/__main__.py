"""`python -m se_hpo.evaluate --envs results/RUN`: agents on SEs and on the task.

See docs/evaluate.md for what is compared with what.
"""

# Imported here, so that the processes that train, which import this module, start fast.
if __name__ == "__main__":
    from se_hpo.machine.processes import end_in_order

    end_in_order()

    from se_hpo.evaluate.evaluation_run import main
    from se_hpo.evaluate.options import EvaluateOptions
    from se_hpo.terminal.cli import run_command

    run_command(EvaluateOptions, main)
