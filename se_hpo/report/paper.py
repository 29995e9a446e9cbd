"""What the paper reports of phase 2, to set beside a run's own numbers.

Ferreira et al. (2022), Fig. 3 (CartPole-v0) and 7 (Acrobot-v1, env steps only): 400
agents with random hyperparameters per train_env, 10 test episodes each, the paper's
stopping rules.
"""

from __future__ import annotations

import pandas as pd

_COLUMNS = ["agent", "train_env", "mean", "env_steps_mean", "env_steps_std", "saved"]
_Row = tuple[str, str, float | None, int, int, float | None]
_FIG_3: list[_Row] = [
    ("ddqn", "real", 190.67, 16_888, 24_925, None),
    ("ddqn", "se_varied", 190.70, 6_819, 2_340, 0.596),
    ("ddqn", "se_fixed", 175.46, 6_380, 3_163, 0.622),
    ("dueling_ddqn", "real", 179.07, 12_745, 14_972, None),
    ("dueling_ddqn", "se_varied", 188.99, 6_781, 2_198, 0.468),
    ("dueling_ddqn", "se_fixed", 178.33, 6_503, 3_210, 0.490),
    ("td3_discrete", "real", 187.86, 17_875, 17_835, None),
    ("td3_discrete", "se_varied", 83.04, 5_832, 1_577, 0.674),
    ("td3_discrete", "se_fixed", 46.31, 5_371, 2_415, 0.700),
]
_FIG_7: list[_Row] = [
    ("ddqn", "real", None, 15_389, 12_820, None),
    ("ddqn", "se_varied", None, 18_240, 6_739, -0.185),
    ("ddqn", "se_fixed", None, 18_178, 8_802, -0.181),
    ("dueling_ddqn", "real", None, 29_531, 79_219, None),
    ("dueling_ddqn", "se_varied", None, 18_376, 6_402, 0.378),
    ("dueling_ddqn", "se_fixed", None, 18_541, 8_945, 0.372),
    ("td3_discrete", "real", None, 80_837, 100_188, None),
    ("td3_discrete", "se_varied", None, 14_138, 3_994, 0.825),
    ("td3_discrete", "se_fixed", None, 13_481, 5_740, 0.833),
]
_FIGURES = {"CartPole-v0": ("Fig. 3", _FIG_3), "Acrobot-v1": ("Fig. 7", _FIG_7)}


def paper_numbers(task: str | None, agents: list[str]) -> tuple[str, pd.DataFrame]:
    """The paper's figure for a task, and its rows for some agents; none without one."""
    nothing: tuple[str, list[_Row]] = ("", [])
    figure, rows = _FIGURES.get(task or "", nothing)
    table = pd.DataFrame(rows, columns=_COLUMNS).astype({"mean": float, "saved": float})
    return figure, table[table["agent"].isin(agents)].reset_index(drop=True)
