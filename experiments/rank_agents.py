"""SEs made for ranking: do they rank configurations of DDQN that they never saw?

    python experiments/rank_agents.py                # ten minutes; the same continues
    python experiments/rank_agents.py --dry-run      # print the command alone

Learns five SEs by the recipe `cartpole-rank` and keeps them in
`experiments/results/cartpole-rank/`. Forty fresh configurations of the same space are
then trained on the task with four seeds (their mean return is what is to be ranked), on
each SE, and on the controls:

- random SEs, and the SE of the zoo that teaches every agent, with as many steps;
- the task itself, trained for fewer steps, down to what the tests after an SE take.

Every row of the table is one training per configuration: Spearman's correlation of its
returns with the ranking, and the task steps that it took, tests included.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from study import keep, keep_run, run_commands

import se_hpo
from se_hpo import seeding
from se_hpo.agents.config import AgentConfig
from se_hpo.envs.checkpoint import load_se
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.zoo_files import zoo_file
from se_hpo.nes.generation import random_psi
from se_hpo.nes.rank_agreement import sample_agents
from se_hpo.nes.rank_sample import spearman
from se_hpo.results.se_sets import read_set
from se_hpo.storage.paths import RunPaths
from se_hpo.train.recipes import load_recipe
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob

NAME, SET = "cartpole-rank", "ranking"
HERE = Path(__file__).resolve().parent
CONFIG = load_recipe(NAME).config
HELD_OUT_SEED = 10_000
"""Of a sample that no run has."""
N_RANDOM = 5
SHORTER = (50, 100, 200, 500, 1000, 3000)
"""Steps of the trainings on the task that take its place."""
TESTS = (2, 10)


def command(run: Path, smoke: bool) -> list[str]:
    """What a user would type."""
    small = ("nes.population=2", "nes.rank_agents=3", "nes.n_initial=1")
    tiny = [word for value in small for word in ("--set", value)]
    tiny += ["--num-envs", "1", "--generations", "1"]
    size = tiny if smoke else ["--num-envs", "5"]
    return ["train", "--config", NAME, *size, "--out", str(RunPaths(run).ses / SET)]


def environments(run: Path) -> Iterator[tuple[str, int, LearnedEnv]]:
    """`(what, number, SE)` of all that agents are trained on."""
    se_set = read_set(RunPaths(run).ses / SET)
    for outcome in se_set.outcomes:
        se = load_se(se_set.paths.checkpoint(outcome.index))
        yield "made for ranking", outcome.index, LearnedEnv(se.se_config, se.psi)
    for i in range(N_RANDOM):
        yield "random", i, LearnedEnv(CONFIG.se, random_psi(CONFIG, HELD_OUT_SEED, i))
    se = load_se(zoo_file(CONFIG.task))
    yield "zoo", 0, LearnedEnv(se.se_config, se.psi)


class HeldOut:
    """Configurations that no SE was made with, and their ranking on the task."""

    def __init__(self, n: int, loop: InnerLoop) -> None:
        config = replace(CONFIG, nes=replace(CONFIG.nes, rank_agents=n))
        self.agents, self.loop = sample_agents(config, HELD_OUT_SEED), loop
        runs = [self.trained(self.agents, "task", k)[0] for k in range(4)]
        self.returns = np.mean(runs, axis=0)
        pairs = [spearman(runs[i], runs[k]) for i in range(4) for k in range(i)]
        self.reliability = float(np.mean(pairs))
        """Mean Spearman correlation of two seeds on the task."""

    def trained(
        self,
        agents: tuple[AgentConfig, ...],
        *what: str | int,
        se: LearnedEnv | None = None,
    ) -> tuple[np.ndarray, float]:
        """Test returns of one training each, and the mean steps on the task."""
        jobs = [
            TrainingJob(
                CONFIG.task, agent, seeding.integer_seed(0, "held out", *what, i), se
            )
            for i, agent in enumerate(agents)
        ]
        results = self.loop.train_agents(jobs)
        steps = [r.test_env_steps + (0 if se else r.env_steps) for r in results]
        return np.array([r.score for r in results]), float(np.mean(steps))

    def row(
        self,
        what: str,
        *place: int,
        steps: int,
        tests: int,
        se: LearnedEnv | None = None,
    ) -> dict[str, Any]:
        """One training of every configuration; `place`: which SE, and which seed."""
        values = {"test_episodes": tests}
        values |= {"se_steps": steps} if se else {"max_env_steps": steps}
        agents = tuple(replace(agent, **values) for agent in self.agents)
        found, on_task = self.trained(agents, what, *place, steps, tests, se=se)
        rho = spearman(found, self.returns)
        row = {"on": what, "number": place[0], "steps": steps, "tests": tests}
        return {**row, "spearman": rho, "task_steps": on_task}


def rows(run: Path, held: HeldOut) -> Iterator[dict[str, Any]]:
    """The table."""
    on_se = CONFIG.agent.se_steps or 0
    for tests in TESTS:
        for seed in range(3):
            for what, number, se in environments(run):
                yield held.row(what, number, seed, steps=on_se, tests=tests, se=se)
            for steps in SHORTER:
                yield held.row("the task", seed, steps=steps, tests=tests)


def main() -> None:
    """Learn the SEs, then rank with them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, default=HERE.parent / "results" / NAME)
    parser.add_argument("--out", type=Path, default=HERE / "results" / NAME)
    parser.add_argument("--held-out", type=int, default=40)
    parser.add_argument("--smoke", action="store_true", help="everything, tiny")
    parser.add_argument("--collect", action="store_true", help="train no SE")
    parser.add_argument("--dry-run", action="store_true", help="print the command")
    args = parser.parse_args()
    words = command(args.run, args.smoke)
    run_commands([words], print_only=args.collect or args.dry_run)
    if args.dry_run:
        return
    with InnerLoop("native", 1) as loop:
        held = HeldOut(args.held_out, loop)
        table = pd.DataFrame(rows(args.run, held))
    full = table[(table["on"] == "the task") & (table["steps"] == max(SHORTER))]
    table["fewer_steps"] = 1 - table["task_steps"] / full["task_steps"].mean()
    ses = se_hpo.load_ses(args.run)
    frames = {
        "ranked": table,
        "ses": ses.drop(columns=["checkpoint", "host", "run", "task"]),
    }
    keep(frames, args.run, [], args.out)
    keep_run(args.run, args.out)
    keys = ["tests", "on", "steps"]
    found = table.groupby(keys, sort=False)[["spearman", "task_steps", "fewer_steps"]]
    print(f"two seeds on the task agree by {held.reliability:.2f}")
    print(found.mean().round(3).to_string())
    made = table[table["on"] == "made for ranking"]
    print(made.groupby(["tests", "number"])["spearman"].mean().round(3).to_string())
    print(ses[["se", "best_score", "env_steps_task", "cpu_seconds"]].to_string())


if __name__ == "__main__":
    main()
