"""Hyperparameter optimization of synthetic environments for reinforcement learning."""

__version__ = "0.1.0"
