"""Which SE the histograms of transitions are of, and their cache with the figures."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from se_hpo.config import AgentConfig, run_config_from_dict
from se_hpo.errors import UserError
from se_hpo.reading import read_json
from se_hpo.reporting.data import RunData
from se_hpo.reporting.pictures import Transitions
from se_hpo.transitions import file_sha256, training_of, transition_counts

log = logging.getLogger(__name__)

_ORDER = ("se_varied", "se_fixed", "se_random")


@dataclass(frozen=True)
class _Source:
    checkpoint: Path
    agent: AgentConfig | None
    words: str


def transitions_of(data: RunData, n_agents: int) -> Transitions | None:
    """Histograms of one SE: the best solved one of the sets, or else of BOHB's best.

    They are kept in `figures/transitions.csv`, and counted anew only when the SE,
    `n_agents` or the steps of their training have changed. None where there is no SE;
    an SE that cannot be read is named in `data.unreadable`.
    """
    source = _source(data)
    if source is None:
        return None
    try:
        sha256 = file_sha256(source.checkpoint)
        made_of = (sha256, n_agents, training_of(source.agent).max_env_steps)
        cached = _cached(data.paths.figures / "transitions.csv", made_of)
        if cached is None:
            log.info("training %d agents on %s", n_agents, source.checkpoint)
            cached = transition_counts(source.checkpoint, source.agent, n_agents)
    except (UserError, OSError) as error:
        data.unreadable.append(str(error))
        return None
    return Transitions(cached, source.words)


def _source(data: RunData) -> _Source | None:
    if not data.ses.empty:
        rows = data.ses.dropna(subset=["checkpoint", "best_score"])
        rows = rows.assign(place=rows["setting"].map(_ORDER.index))
        rows = rows.sort_values(
            ["place", "solved", "best_score", "se"],
            ascending=[True, False, False, True],
            kind="stable",
        )
        for row in rows.head(1).to_dict("records"):
            config = next(s.config for s in data.sets if s.name == row["se_set"])
            how = "solved the task" if row["solved"] else "did not solve the task"
            words = (
                f"SE {row['se']} of the set {row['se_set']}, the best of it, which "
                f"{how}: score {row['best_score']:.1f}"
            )
            return _Source(Path(row["checkpoint"]), config.agent, words)
    best = data.incumbent
    if best is None or best.checkpoint is None:
        return None
    try:
        folder = best.checkpoint.parent
        agent = run_config_from_dict(read_json(folder / "config.json")).agent
    except UserError:
        agent = None
    score = best.record.score_best
    words = f"that of BOHB's best trial, {best.trial}"
    words += f": score {score:.1f}" if score is not None else ""
    return _Source(best.checkpoint, agent, words)


def _cached(path: Path, made_of: tuple[str, int, int]) -> pd.DataFrame | None:
    try:
        frame = pd.read_csv(path)
        first = frame[["sha256", "agents", "max_env_steps"]].iloc[0]
    except (OSError, ValueError, KeyError, IndexError):
        return None
    known = {"kind", "quantity", "left", "right", "count", "n"} <= {*frame}
    return frame if known and tuple(first) == made_of else None
