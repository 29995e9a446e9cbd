"""Tune NES, SE and agent with BOHB."""
