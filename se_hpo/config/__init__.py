"""Frozen configurations, their flat names in a search space, and their variation."""
