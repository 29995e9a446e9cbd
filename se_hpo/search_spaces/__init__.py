"""Find, check and describe search spaces."""
