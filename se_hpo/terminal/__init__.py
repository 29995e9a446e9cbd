"""What all commands share on a terminal: flags, exit codes, live displays."""
