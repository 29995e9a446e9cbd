"""What `python -m se_hpo.doctor` looks at: one file per concern, findings out.

Each check yields `Finding`s, one per line of the report; the command prints them.
"""
