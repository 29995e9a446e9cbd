"""Fitness `rank_agreement`: an SE ranks agent configurations as the task does.

A fixed sample of configurations of a space of agents is trained on the task once, with
several seeds each, and kept in the run's folder. An SE is evaluated by training each of
them on it: its score is Spearman's correlation between the two returns.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from se_hpo import seeding
from se_hpo.agents.config import AgentConfig
from se_hpo.agents.registry import algorithm_of
from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.config.run import RunConfig
from se_hpo.envs.tasks import measure_task
from se_hpo.errors import UserError
from se_hpo.nes.folder import ForeignStateError
from se_hpo.nes.rank_sample import RankSample
from se_hpo.search_spaces.loading import load_space
from se_hpo.storage.files import (
    Guard,
    append_json_line,
    read_json_lines,
    write_json_lines,
)
from se_hpo.storage.json_records import record
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _OnTask:
    """A configuration: a line of `ranking.jsonl`."""

    configuration: int
    """From 0."""
    returns: list[float]
    """Mean test return, by seed."""
    env_steps: int
    """Of all seeds, tests included."""


def sample_agents(config: RunConfig, seed: int) -> tuple[AgentConfig, ...]:
    """The sample of a run, as it trains on the task: random ones of the space.

    Raises:
        UserError: there is no such space, or it is for another task or agent.
    """
    space = load_space(config.nes.rank_space)
    wanted = config.task, algorithm_of(config.agent)
    if (space.task, space.agent) != wanted:
        raise UserError(
            f"nes.rank_space = {config.nes.rank_space!r} is for {space.agent} on "
            f"{space.task}, not for {wanted[1]} on {wanted[0]}: take another space"
        )
    encoding = SpaceEncoding(space.configuration_space())
    seeds = [
        seeding.integer_seed(seed, "rank sample", i) % 2**32
        for i in range(config.nes.rank_agents)
    ]
    return tuple(space.resolve(encoding.sample(s)).agent for s in seeds)


def rank_sample(
    config: RunConfig, seed: int, path: Path, inner_loop: InnerLoop, guard: Guard
) -> RankSample:
    """The sample with its returns on the task; those that `path` lacks are trained.

    Raises:
        UserError: see `sample_agents`.
        ForeignStateError: `path` holds returns of other configurations.
    """
    agents, task = sample_agents(config, seed), measure_task(config.task)
    lines = _restore(path, _owner(agents, config, seed, inner_loop), config)
    for i in range(len(lines), len(agents)):
        jobs = [
            TrainingJob(task.id, agents[i], seeding.integer_seed(seed, "ranked", i, k))
            for k in range(config.nes.rank_seeds)
        ]
        results = inner_loop.train_agents(jobs)
        steps = sum(r.env_steps + int(r.test_env_steps) for r in results)
        lines.append(_OnTask(i, [r.score for r in results], steps))
        guard()
        append_json_line(path, asdict(lines[-1]))
        log.info("ranking: %d of %d configurations on the task", i + 1, len(agents))
    return RankSample(
        agents=tuple(_on_se(agent, config.agent) for agent in agents),
        returns=np.array([np.mean(line.returns) for line in lines]),
        env_steps=sum(line.env_steps for line in lines),
        task=task,
    )


def _on_se(agent: AgentConfig, like: AgentConfig) -> AgentConfig:
    """The agent as it trains on an SE: as long, and with as many tests, as another."""
    return replace(
        agent,
        se_steps=like.se_steps,
        se_init_steps=like.se_init_steps,
        test_episodes=like.test_episodes,
    )


def _owner(
    agents: Sequence[AgentConfig], config: RunConfig, seed: int, inner_loop: InnerLoop
) -> str:
    values = [asdict(agent) for agent in agents]
    what = [values, config.task, config.nes.rank_seeds, seed, inner_loop.engine_name]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def _restore(path: Path, owner: str, config: RunConfig) -> list[_OnTask]:
    """The whole lines so far; from the first that is damaged on, they are cut off."""
    found: list[Any] = [line for _, line in read_json_lines(path)]
    header = {"owner": owner}
    if found and isinstance(found[0], dict) and found[0].get("owner", owner) != owner:
        raise ForeignStateError(
            f"{path} holds returns of other configurations than "
            f"{config.nes.rank_space} now gives: restore the space, take another "
            "folder, or delete this one"
        )
    lines: list[_OnTask] = []
    for line in found[1:] if found[:1] == [header] else []:
        try:
            read = record(_OnTask, line)
            if (read.configuration, len(read.returns)) != (
                len(lines),
                config.nes.rank_seeds,
            ):
                raise ValueError
        except ValueError:
            log.warning("%s is damaged after %d lines: goes on there", path, len(lines))
            break
        lines.append(read)
    whole = [header, *map(asdict, lines)]
    if found != whole:
        write_json_lines(path, whole)
    return lines
