"""The flags of `python -m se_hpo.evaluate`; the comment under a field is its help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from se_hpo.names import TRAIN_ENVS
from se_hpo.registries import AGENTS


@dataclass(frozen=True)
class EvaluateOptions:
    """Train agents with random hyperparameters on SEs and on the task; test them."""

    envs: tuple[Path, ...] = ()
    """Runs (results/RUN, with all their sets), single sets of SEs, SEs of the zoo
    (zoo:CartPole-v1), or files that `python -m se_hpo.zoo add` wrote."""
    task: str | None = None
    """Allow to import the module that the sets' task names, as MODULE:ID. What the
    space file of the run names is imported anyway."""
    agents: Annotated[
        tuple[str, ...],
        tyro.conf.arg(help=f"Algorithms, of {', '.join(AGENTS)}."),
    ] = ("ddqn",)
    baselines: Annotated[
        tuple[str, ...],
        tyro.conf.arg(
            help="Agents for the task alone, as ddqn_icm or q_learning+count_bonus=0.1."
        ),
    ] = ()
    num_agents: int = 10
    """Agents per SE and algorithm; the baseline has as many in all."""
    test_episodes: int = 10
    """Greedy test episodes per agent."""
    train_envs: Annotated[
        tuple[str, ...], tyro.conf.arg(help=f"Only these of {', '.join(TRAIN_ENVS)}.")
    ] = ()
    only_solved: bool = False
    """Use only SEs that solved the task."""
    fixed_steps: int | None = None
    """Train all for exactly this many env steps, without stopping rules. Agents sb3:*
    train for their train_steps (50,000) without it: --set sb3:PPO.train_steps=20000."""
    no_step_cap: bool = False
    """Let agents take more steps on an SE than it was trained for."""
    curves: bool = False
    """Record learning curves, by tests while training; on reward networks always."""
    curve_steps: int | None = None
    """Training steps of a curve, without stopping rules. Default: as in the paper."""
    hyperparameters: Literal["default", "varied"] | None = None
    """The same for all agents, or random ones around them. Default: default on reward
    networks, varied on SEs."""
    agent_values: str | None = None
    """Whose: matched (the agents that a set was learned with; default of curves),
    textbook (the paper's evaluation), or a YAML file."""
    agent_space: tuple[str, ...] = ()
    """Where hyperparameters come from, as ddqn=SPACE (by name or path), or the same for
    all from a file, as sb3:PPO=mine.yaml."""
    set: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Change what all agents share: --set dueling_ddqn.advantage_mean=batch."""
    seed: int = 0
    """Seed of hyperparameters and agents."""
    out: Path | None = None
    """File of records, *.jsonl. Default: RUN/evaluations/RULE-SEED.jsonl; with an SE of
    the zoo results/zoo/TASK/evaluations/RULE-SEED.jsonl."""
    shard: str | None = None
    """Only part i of n, as 1/8; all parts together are the evaluation."""
    threads: int = 0
    """Agents trained at the same time; 0 takes all cores."""
    engine: Literal["auto", "native", "torch"] = "auto"
    """What trains the agents; auto takes native where it is built."""
    plan: bool = False
    """Say how much is to be done, then exit."""
    quiet: bool = False
    """Only warnings and the final table."""
