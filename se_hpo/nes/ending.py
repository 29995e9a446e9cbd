"""When an NES run ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from se_hpo.config.run import RunConfig
from se_hpo.nes.cost import too_costly
from se_hpo.nes.nes_state import NESState


def why_it_ends(
    config: RunConfig,
    state: NESState | None,
    history: Sequence[Mapping[str, Any]],
    budget: int,
) -> str | None:
    """`budget`, `solved`, `diverged: ...` or `stopped: ...`; None while it goes on.

    Args:
        config: of the run.
        state: after the last generation; None before there is one.
        history: the lines of `generations.jsonl`.
        budget: generations in all.
    """
    if state is None:
        return None
    if not np.isfinite(state.psi).all():
        after = state.generation
        return f"diverged: SE parameters are not finite after generation {after}"
    last = history[-1]
    if last["center_diverged"] == len(last["center_scores"]):
        where = state.generation
        return f"diverged: NaN or inf on the SE in all agents of generation {where}"
    if config.nes.stop_when_solved and state.solved_at is not None:
        return "solved"
    if state.generation >= budget:
        return "budget"
    return too_costly(config, len(state.psi), last)
