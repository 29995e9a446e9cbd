"""Training sets of SEs: what is asked for, one process per SE, what is shown meanwhile.

`python -m se_hpo.train` is the command.
"""
