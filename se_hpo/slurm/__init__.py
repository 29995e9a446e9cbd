"""A run as SLURM jobs: scripts, submission, what the queue says, the end of it.

`python -m se_hpo.slurm` is the command.
"""
