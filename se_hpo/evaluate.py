"""`python -m se_hpo.evaluate --envs results/RUN`: agents on SEs and on the task.

See docs/evaluate.md for what is compared with what.
"""

# Imported here, so that the processes that train, which import this module, start fast.
if __name__ == "__main__":
    from se_hpo.cli import run_command
    from se_hpo.phase2.options import EvaluateOptions
    from se_hpo.phase2.session import main

    run_command(EvaluateOptions, main)
