"""Files of a run: their names, how they are written, locked and read back checked."""
