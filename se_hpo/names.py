"""Names that stand in files, tables and figures, with their order and their labels."""

from typing import Any

REAL = "real"
"""Agents are trained on the task itself."""

_WORDS = {
    REAL: ("real task", "the real task"),
    "se_varied": ("SE, varied", "SEs (varied agents)"),
    "se_fixed": ("SE, fixed", "SEs (fixed agents)"),
    "se_random": ("SE, random", "random SEs (control)"),
}
TRAIN_ENVS = tuple(_WORDS)
"""What agents are trained on, in the order of tables: the task; SEs learned with varied
or with fixed agents; random SEs, the control without NES."""

SE_TRAIN_ENVS = TRAIN_ENVS[1:]

STOP_REASONS = ("plateau", "solved", "train_episodes", "max_env_steps", "diverged")
"""Why the training of an agent ended."""


def train_env_label(name: str) -> str:
    """What agents were trained on, in a table or a figure."""
    return _WORDS.get(name, (name,))[0]


def train_env_prose(name: str) -> str:
    """What agents were trained on, in a sentence."""
    return _WORDS.get(name, (name,))[-1]


def with_train_env(data: Any) -> Any:
    """Stored data, also of before `train_env` had its name: it was `setting`."""
    if not isinstance(data, dict):
        return data
    return {
        "train_env" if key == "setting" else key: with_train_env(value)
        for key, value in data.items()
    }
