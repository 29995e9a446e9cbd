"""The paper's Fig. 2, 3, 4 and 7 with this package, from nothing to committed frames.

    python experiments/paper.py cartpole            # hours; the same command continues
    python experiments/paper.py cartpole-transfer   # SEs for other agents
    python experiments/paper.py acrobot
    python experiments/paper.py cartpole --collect  # only the frames and figures again
    python experiments/paper.py cartpole --dry-run  # only print the commands

Trains a set of SEs with fixed agents, one with varied agents and the control without
NES, evaluates agents with random hyperparameters on all of them and on the task, writes
the report, and copies what is small to `experiments/results/STUDY/`.
`experiments/README.md` reads the outcome beside the paper's numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from study import keep, keep_run, run_study

import se_hpo
from se_hpo import analysis
from se_hpo.storage.paths import RunPaths

FIGURES = ("nes_curves", "returns-*", "transitions", "rank_agreement-*")
LEFT_OUT = ["task", "test_returns", "agent_seed", "record_file", "engine", "agent_base"]
"""Columns of `load_evaluations` that are not collected."""
SMOKE = ["nes.population=2", "nes.n_center_evaluations=1", "nes.n_initial=1"]
SMOKE += ["ddqn.train_episodes=12", "ddqn.max_env_steps=200", "ddqn.test_episodes=1"]


@dataclass(frozen=True)
class Evaluation:
    """Agents of one algorithm, by the paper's rules."""

    agent: str
    per_se: int = 10
    """Agents; fewer where one takes minutes."""
    flags: tuple[str, ...] = ()

    def words(self, run: Path, smoke: bool) -> list[str]:
        """Of the command line; the paper's rule knows no limit of steps on an SE."""
        rule = ["--test-episodes", "1", "--fixed-steps", "30"]
        rule = rule if smoke else ["--no-step-cap"]
        records = RunPaths(run).evaluations / f"{self.agent}.jsonl"
        number = ["--num-agents", str(1 if smoke else self.per_se)]
        return [self.agent, *number, *rule, *self.flags, "--out", str(records)]


@dataclass(frozen=True)
class Study:
    """Sets of SEs of one recipe, and what is trained on them."""

    recipe: str
    n_envs: int
    """SEs of each kind."""
    kinds: tuple[str, ...]
    """In the order in which they are trained: `random` is like the first."""
    evaluations: tuple[Evaluation, ...]
    n_random: int | None = None
    """SEs of the control, where they are fewer."""
    fixed_steps: int | None = None
    """Of a second evaluation, of DDQN: on CartPole 60 % fewer than its mean on the
    task, on Acrobot as many."""


ALL_KINDS = ("fixed", "varied", "random")
DDQN = Evaluation("ddqn")
BATCH_MEAN = ("--set", "dueling_ddqn.advantage_mean=batch")
STUDIES = {
    "cartpole": Study(
        "cartpole-phase2",
        10,
        ALL_KINDS,
        (DDQN, Evaluation("dueling_ddqn"), Evaluation("td3_discrete", 1)),
        fixed_steps=9_000,
    ),
    "cartpole-transfer": Study(
        "cartpole-transfer",
        6,
        ("varied", "random"),
        (
            DDQN,
            Evaluation("dueling_ddqn", flags=BATCH_MEAN),
            Evaluation("td3_discrete", 3),
        ),
        n_random=3,
    ),
    "acrobot": Study(
        "acrobot-phase2",
        5,
        ALL_KINDS,
        (DDQN, Evaluation("dueling_ddqn", 3), Evaluation("td3_discrete", 1)),
        fixed_steps=12_000,
    ),
}


def commands(name: str, run: Path, smoke: bool) -> Iterator[list[str]]:
    """What a user would type, one command after the other."""
    study, sets = STUDIES[name], RunPaths(run).ses
    n = 1 if smoke else study.n_envs
    small = [word for value in SMOKE for word in ("--set", value)] if smoke else []
    small += ["--generations", "1"] if smoke else []
    recipe = ["--config", study.recipe, "--num-envs", str(n), *small]
    how = {
        "fixed": recipe,
        "varied": [*recipe, "--vary-hp"],
        "random": ["--random-search", "--like", str(sets / study.kinds[0])],
    }
    if study.n_random and not smoke:
        how["random"] += ["--num-envs", str(study.n_random)]
    for kind in study.kinds:
        yield ["train", *how[kind], "--out", str(sets / kind)]
    evaluate = ["evaluate", "--envs", str(run), "--agents"]
    for evaluation in study.evaluations:  # one by one: each takes long
        yield [*evaluate, *evaluation.words(run, smoke)]
    if study.fixed_steps and not smoke:
        yield [*evaluate, "ddqn", "--fixed-steps", str(study.fixed_steps)]
    yield ["report", str(run), *([] if smoke else ["--transition-agents", "10"])]


def collect(run: Path, out: Path) -> None:
    """Copy figures and write the small frames and what everything cost."""
    evaluations, ses = se_hpo.load_evaluations(run), se_hpo.load_ses(run)
    curves = analysis.nes_curves(se_hpo.load_se_generations(run), by="se_set")
    agents = evaluations.drop(columns=LEFT_OUT)
    solved = evaluations[evaluations["se_solved"].fillna(True).astype(bool)]
    frames = {
        "train_envs": analysis.train_env_table(evaluations),
        "train_envs_solved": analysis.train_env_table(solved),  # as the authors' SEs
        "agents": agents,
        "ses": ses.drop(columns=["checkpoint", "host", "run", "task"]),
        "nes_curves": curves,
        "cost": cost(ses, evaluations),
    }
    keep(frames, run, FIGURES, out)
    keep_run(run, out)


def cost(ses: pd.DataFrame, evaluations: pd.DataFrame) -> pd.DataFrame:
    """Processor hours and env steps per step of the study."""
    trained = ses.groupby("se_set")[["cpu_seconds", "env_steps_se", "env_steps_task"]]
    sets = trained.sum().rename(columns={"cpu_seconds": "seconds"}).reset_index()
    sets = sets.assign(step="train " + sets["se_set"]).drop(columns="se_set")
    keys = ["rule", "agent", "train_env"]
    rows = evaluations.groupby(keys)[["seconds", "env_steps"]].sum().reset_index()
    rows["step"] = rows["agent"] + " on " + rows["train_env"] + ", rule " + rows["rule"]
    both = pd.concat([sets, rows.drop(columns=keys)])
    both["cpu_hours"] = both.pop("seconds") / 3600
    return both[["step", "cpu_hours", "env_steps_se", "env_steps_task", "env_steps"]]


def main() -> None:
    """Run what is asked for."""
    run_study(__doc__, STUDIES, commands, lambda _, run, out: collect(run, out))


if __name__ == "__main__":
    main()
