"""SEs that teach any agent: sets of one-step SEs, and all kinds of agents on them.

    python experiments/any_agent.py cartpole-any      # an hour; the same continues
    python experiments/any_agent.py cartpole-v1-any
    python experiments/any_agent.py acrobot-any
    python experiments/any_agent.py mountain-car-any
    python experiments/any_agent.py mountain-car-continuous-any
    python experiments/any_agent.py cartpole-any --collect    # the frames again
    python experiments/any_agent.py cartpole-any --dry-run    # print the commands

Learns a set of SEs by a recipe and the control without a strategy, trains agents of
several algorithms with random hyperparameters and activations on them, some on the task
itself, and Stable-Baselines3's as they come. What is small is copied to
`experiments/results/STUDY/`, the SEs with it, so that `evaluate`, `report`, `train
--like` and `load_ses` take them. `experiments/README.md` reads the outcome.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from study import keep, keep_run, run_study

import se_hpo
from se_hpo import analysis
from se_hpo.storage.paths import RunPaths

OURS = ("ddqn", "dueling_ddqn", "td3_discrete", "ppo")
SMOKE = ["nes.population=2", "nes.n_center_evaluations=1"]


@dataclass(frozen=True)
class Study:
    """A set of SEs of one recipe, and who is trained on them."""

    n_envs: int = 10
    n_random: int = 3
    """SEs of the control: each takes as long as one of the set."""
    trainings: int = 0
    """Agents that each of them takes instead (0: as many as one of the set)."""
    ours: tuple[str, ...] = OURS
    sb3: tuple[str, ...] = ("sb3:DQN", "sb3:PPO", "sb3:A2C")
    per_se_sb3: int = 3
    """Agents; those of the others are 10."""
    on_task: tuple[tuple[str, int], ...] = tuple((name, 1) for name in OURS)
    """Agents on the task itself, and how many for each SE."""


STUDIES = {
    "cartpole-any": Study(per_se_sb3=2, on_task=(("ddqn", 10), ("ppo", 10))),
    "cartpole-v1-any": Study(
        n_envs=6, n_random=1, per_se_sb3=2, on_task=(("ddqn", 1), ("ppo", 1))
    ),
    "acrobot-any": Study(
        n_envs=5, n_random=1, sb3=("sb3:DQN", "sb3:PPO"), per_se_sb3=2
    ),
    "mountain-car-any": Study(
        n_envs=3,
        n_random=1,
        trainings=2000,
        ours=("ddqn", "dueling_ddqn", "ppo"),
        sb3=("sb3:DQN", "sb3:PPO"),
        per_se_sb3=10,
        on_task=(),
    ),
    "mountain-car-continuous-any": Study(
        n_envs=2,
        n_random=1,
        trainings=500,
        ours=("td3", "ppo"),
        sb3=("sb3:TD3",),
        per_se_sb3=1,
        on_task=(),
    ),
}


def commands(name: str, run: Path, smoke: bool) -> Iterator[list[str]]:
    """What a user would type, one command after the other."""
    study, paths = STUDIES[name], RunPaths(run)
    small = [word for value in SMOKE for word in ("--set", value)] if smoke else []
    small += ["--generations", "1"] if smoke else []
    varied, control = paths.ses / "varied", paths.ses / "random"
    n, n_random = (1, 1) if smoke else (study.n_envs, study.n_random)
    recipe = ["train", "--config", name, *small]
    yield [*recipe, "--num-envs", str(n), "--out", str(varied)]
    like = ["--like", str(varied)]
    if study.trainings and not smoke:
        like = ["--trainings", str(study.trainings)]
    random = ["--random-search", *like, "--num-envs", str(n_random)]
    yield [*recipe, *random, "--out", str(control)]
    evaluate = ["evaluate", "--envs", str(run)]
    on_ses = [*evaluate, "--train-envs", "se_varied", "se_random"]

    def records(name: str, per_se: int) -> list[str]:
        few = ["--test-episodes", "1"] if smoke else []
        out = ["--out", str(paths.evaluations / f"{name}.jsonl")]
        return ["--num-agents", str(1 if smoke else per_se), *few, *out]

    yield [*on_ses, "--agents", *study.ours, *records("ours", 10)]
    default = ["--hyperparameters", "default", *records("sb3", study.per_se_sb3)]
    yield [*on_ses, "--agents", *study.sb3, *default]
    for agent, number in () if smoke else study.on_task:
        on_task = [*evaluate, "--train-envs", "real", "--agents", agent]
        yield [*on_task, *records(f"{agent}-on-task", number)]
    yield ["report", str(run)]


def collect(name: str, run: Path, out: Path) -> None:
    """Copy figures and SEs, and write the small frames."""
    evaluations, ses = se_hpo.load_evaluations(run), se_hpo.load_ses(run)
    cost = ses.groupby("se_set")[["cpu_seconds", "env_steps_se", "env_steps_task"]]
    frames = {
        "agent_table": agent_table(evaluations),
        "by_se": by_se(evaluations),
        "cost": cost.sum().reset_index(),
        "nes_curves": analysis.nes_curves(se_hpo.load_se_generations(run), by="se_set"),
        "ses": ses.drop(columns=["checkpoint", "host", "run", "task"]),
    }
    keep(frames, run, ["nes_curves", "returns-*", "taught"], out)
    keep_run(run, out)
    if name == "cartpole-any":  # one report to look at; it has what is not kept, too
        shutil.copy(RunPaths(run).report, out)


def agent_table(evaluations: pd.DataFrame) -> pd.DataFrame:
    """Per algorithm and what it trained on: agents, mean and worst return, steps."""
    keys = ["agent", "train_env", "max_env_steps"]  # of the training
    groups = evaluations.groupby(keys, observed=True, dropna=False)
    table = groups.agg(
        agents=("score", "size"),
        mean_return=("score", "mean"),
        worst_return=("score", "min"),
        tenth=("score", lambda scores: scores.quantile(0.1)),
        env_steps=("env_steps", "mean"),
        seconds=("seconds", "sum"),
    )
    table = table.reset_index().drop(columns="max_env_steps")
    steps = table[table["train_env"] == "real"].set_index("agent")["env_steps"]
    on_task = table["agent"].map(steps)
    table["fewer_steps"] = (1 - table["env_steps"] / on_task).where(
        table["train_env"] != "real"
    )
    return table


def by_se(evaluations: pd.DataFrame) -> pd.DataFrame:
    """Mean return of each algorithm on each SE."""
    keys = ["train_env", "se", "agent"]
    rows = evaluations[evaluations["train_env"] != "real"]
    return rows.groupby(keys, observed=True)["score"].mean().unstack().reset_index()


def main() -> None:
    """Run what is asked for."""
    run_study(__doc__, STUDIES, commands, collect)


if __name__ == "__main__":
    main()
