"""This machine and its cluster: processes, addresses, SLURM's queue, provenance."""
