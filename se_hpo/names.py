"""Names that stand in files, tables and figures, with their order and their labels."""

from typing import Any

REAL = "real"
"""Agents are trained on the task itself."""

_WORDS = {
    REAL: ("real task", "the real task"),
    "se_varied": ("SE, varied", "SEs (varied agents)"),
    "se_fixed": ("SE, fixed", "SEs (fixed agents)"),
    "se_random": ("SE, random", "random SEs (control)"),
    "rn_varied": ("RN, varied", "RNs (varied agents)"),
    "rn_fixed": ("RN, fixed", "RNs (fixed agents)"),
    "rn_random": ("RN, random", "random RNs (control)"),
}
TRAIN_ENVS = tuple(_WORDS)
"""What agents are trained on, in the order of tables: the task; SEs learned with varied
or with fixed agents; random SEs, the control without NES; reward networks likewise."""

LEARNED_TRAIN_ENVS = TRAIN_ENVS[1:]

STOP_REASONS = (
    # On an SE: the mean return of the last `stop_window` = k episodes (10) differs by
    # less than `plateau_tolerance` (1 %) from that of the k before, relative to the
    # latter. First asked after episode `init_episodes` + k + 1: the 21st.
    "plateau",
    # On the task: the mean return of the last k training episodes reaches the solved
    # return; in tests while training, that of the last k tests, as soon as there are so
    # many. First asked after episode `init_episodes` + 1.
    "solved",
    # All `train_episodes` (1,000) are done.
    "train_episodes",
    # So many steps are taken. Asked after every step; the cut episode counts. Wins over
    # the rules above.
    "max_env_steps",
    # NaN or infinity in the SE's parameters (then nothing is trained), in an output of
    # SE or task, in a Q-value, in the sum of squared TD errors of a batch, in what an
    # actor gives, in the mean Q1 of a TD3's loss, or in PPO's loss. Every test return
    # is then the task's worst one.
    "diverged",
)
"""Why the training of an agent ended; docs/agents.md shows the comments."""


def is_random(train_env: str) -> bool:
    """Whether it is the control without NES."""
    return train_env.endswith("_random")


def noun_of(train_env: str) -> str:
    """What is learned: an `SE`, or an `RN`, a reward network.

    >>> noun_of("se_fixed"), noun_of("rn_random")
    ('SE', 'RN')
    """
    return "RN" if train_env.startswith("rn_") else "SE"


def train_env_label(name: str) -> str:
    """What agents were trained on, in a table or a figure."""
    return _WORDS.get(name, (name,))[0]


def arm_label(kind: str, train_env: str) -> str:
    """What agents were trained on, with the kind of a reward network.

    >>> arm_label("", "real"), arm_label("additive_potential", "rn_random")
    ('real task', 'additive potential RN, random')
    """
    named = train_env.startswith("rn_")
    return f"{kind.replace('_', ' ')} " * named + train_env_label(train_env)


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
