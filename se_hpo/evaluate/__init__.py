"""Phase 2: agents with random hyperparameters on SEs and on the task, in pairs.

`python -m se_hpo.evaluate` is the command.
"""
