"""Which SE the histograms of transitions are of, and where they are kept."""

from __future__ import annotations

import logging
import shlex
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from se_hpo.agents.config import AgentConfig
from se_hpo.config.run import RunConfig, run_config_from_dict
from se_hpo.envs.learned import kind_of
from se_hpo.envs.tasks import known_task
from se_hpo.errors import UserError
from se_hpo.names import TRAIN_ENVS
from se_hpo.report.answers import Transitions
from se_hpo.report.run_data import RunData
from se_hpo.results.lines import read_json
from se_hpo.storage.files import write_atomic
from se_hpo.storage.paths import TrialPaths
from se_hpo.text import score_text
from se_hpo.training.transitions import file_sha256, training_of, transition_counts

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Source:
    checkpoint: Path
    agent: AgentConfig | None
    words: str


def transitions_of(data: RunData, n_agents: int = 0) -> Transitions | None:
    """Histograms of one SE: the best solved one of the sets, or else of BOHB's best.

    They are kept in the run's `transitions.csv`, and counted anew only when the SE,
    `n_agents` or the steps of their training have changed. None where there is no SE,
    or none are kept and `n_agents` is 0; `data.unreadable` says so.
    """
    source = _source(data)
    if source is None:
        return None
    try:
        sha256 = file_sha256(source.checkpoint)
        made_of = (sha256, training_of(source.agent).max_env_steps)
        kept = (data.paths.transitions, data.paths.transitions_among_figures)
        frames = (_cached(path, made_of, n_agents) for path in kept)
        counts = next((frame for frame in frames if frame is not None), None)
        if counts is None and n_agents:
            log.info("training %d agents on %s", n_agents, source.checkpoint)
            counts = transition_counts(source.checkpoint, source.agent, n_agents)
            write_atomic(data.paths.transitions, counts.to_csv(index=False))
    except (UserError, OSError) as error:
        data.unreadable.append(str(error))
        return None
    if counts is None:
        folder = shlex.quote(str(data.paths.root))
        data.unreadable.append(
            "No agents were trained for histograms of an SE's transitions (a minute or "
            f"two): python -m se_hpo.report {folder} --transition-agents 10"
        )
        return None
    return Transitions(counts, source.words)


def _source(data: RunData) -> _Source | None:
    of_ses = [s.name for s in data.sets if _is_se(s.config)]
    rows = data.ses[data.ses["se_set"].isin(of_ses)]
    if not rows.empty:
        rows = rows.dropna(subset=["checkpoint", "best_score"])
        rows = rows.assign(place=rows["train_env"].map(TRAIN_ENVS.index))
        order = {"place": True, "solved": False, "best_score": False, "se": True}
        up = list(order.values())
        rows = rows.sort_values(list(order), ascending=up, kind="stable")
        for row in rows.head(1).to_dict("records"):
            config = next(s.config for s in data.sets if s.name == row["se_set"])
            how = "solved the task" if row["solved"] else "did not solve the task"
            words = f"SE {row['se']} of the set {row['se_set']}, the best of it, which "
            words += f"{how}: score {score_text(row['best_score'])}"
            return _Source(Path(row["checkpoint"]), config.agent, words)
    best = data.incumbent
    if best is None or best.checkpoint is None:
        return None
    try:
        trial = TrialPaths(best.checkpoint.parent)
        config = run_config_from_dict(read_json(trial.config))
        if not _is_se(config):
            return None
        agent = config.agent
    except UserError:
        agent = None
    score = best.record.score_best
    words = f"that of BOHB's best trial, {best.trial}"
    words += f": score {score_text(score)}" if score is not None else ""
    return _Source(best.checkpoint, agent, words)


def _is_se(config: RunConfig) -> bool:
    """Whether it has transitions of its own, and DDQN can train on them."""
    nets = kind_of(config.se).layout(config.se, 1, 1)
    task = known_task(config.task)
    discrete = task is None or not task.continuous
    return discrete and "state" in [net.name for net in nets]


def _cached(path: Path, made_of: tuple[str, int], agents: int) -> pd.DataFrame | None:
    """What a file keeps, if it is of this SE and of so many agents (0: of any)."""
    try:
        frame = pd.read_csv(path)
        sha256, steps, n = frame[["sha256", "max_env_steps", "agents"]].iloc[0]
    except (OSError, ValueError, KeyError, IndexError):
        return None
    return frame if (sha256, steps) == made_of and agents in (0, n) else None
