"""What the doctor looks at: a file per concern, a `Finding` per line of its report."""
