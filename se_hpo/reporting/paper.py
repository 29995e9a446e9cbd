"""What the paper reports for CartPole-v0, to set beside a run's own numbers.

Ferreira et al. (2022), Fig. 3: 400 agents with random hyperparameters per setting, 10
test episodes each, the paper's stopping rules.
"""

from __future__ import annotations

import pandas as pd

_COLUMNS = ["agent", "setting", "mean", "env_steps_mean", "env_steps_std", "saved"]
_FIG_3 = [
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


def paper_numbers(task: str | None, agents: list[str]) -> pd.DataFrame:
    """The paper's rows for a task and agents; none where it has none."""
    table = pd.DataFrame(_FIG_3, columns=_COLUMNS)
    here = table["agent"].isin(agents) & (task == "CartPole-v0")
    return table[here].reset_index(drop=True)
