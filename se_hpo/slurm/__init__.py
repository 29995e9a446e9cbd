"""A run as SLURM jobs: scripts, submission, what the queue says, the end of it."""
