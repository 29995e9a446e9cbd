"""Made-up frames of agents with learning curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from se_hpo.results.columns import tidy
from se_hpo.results.learning_curves import CURVE_COLUMNS
from tests.helpers.analysis_frames import evaluation_frame, evaluation_row

STEPS = 1000
ARMS = (
    *(("real", None), ("rn_fixed", "additive_potential"), ("rn_fixed", "exclusive")),
    ("rn_random", "exclusive"),
)


def curve_frames(
    solved: dict[Any, float | None],
    n_envs: int = 6,
    per_env: int = 3,
    arms: Sequence[tuple[str, str | None]] = ARMS,
    **changes: Any,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Agents and curves; an arm's agents solve the task after `solved` steps."""
    agents, curves = [], []
    for train_env, kind in arms:
        at = solved.get((train_env, kind), solved.get(kind))
        for pair in range(n_envs * per_env):
            rng = np.random.default_rng([pair, len(str(kind))])
            after = None if at is None else int(at + rng.integers(-20, 20))
            own = {"kind": kind, "variation": "default", "agent_values": "matched"}
            own |= {
                "max_env_steps": STEPS,
                "solved_after": after,
                "rule": "fixed_steps",
            }
            own |= {
                "area": 200.0 - (after or STEPS) / 5,
                "se_set": f"{train_env}-{kind}",
            }
            own |= changes
            if train_env == "real":
                own["se_set"] = None
            row = evaluation_row(train_env, pair, 150.0, pair // per_env, **own)
            agents.append(row)
            tests = [(after or STEPS, 10.0)] + [(STEPS, 200.0)] * (after is not None)
            curves += [row | {"step": s, "return": r} for s, r in tests]
    return evaluation_frame(agents), tidy(curves, CURVE_COLUMNS)
