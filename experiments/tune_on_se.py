"""What tuning an agent costs on the task, on an SE, and on the SE with confirmation.

    python experiments/tune_on_se.py                 # two minutes; the same continues
    python experiments/tune_on_se.py --table         # the table of what is there

Every case is a table: `--configurations` random configurations of a space, each trained
with three seeds on the task and with two seeds and several lengths on an SE of the zoo.
Those whose updates are costly (most with two hidden layers) are left out: they would
take nine tenths of the time.
Searches are then replayed over that table in 20 random orders, so that what they cost
is what these trainings have cost. A search evaluates the configurations one by one:

- on the task: one seed each; the best so far by the loss that it saw;
- on the SE: likewise, by the loss on the SE;
- on the SE, confirmed: all on the SE, then on the task the best of them one by one.

It is done when what it holds for the best is within 0.01 of the best known loss: the
lowest mean over the three seeds on the task.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import machine
from scipy.stats import spearmanr

from se_hpo import seeding
from se_hpo.agents.config import AgentConfig
from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.envs.checkpoint import load_se
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.tasks import measure_task
from se_hpo.envs.zoo_files import zoo_file
from se_hpo.nes.fitness import step_limit
from se_hpo.optimize.objectives.agent_on_se import level_loss
from se_hpo.optimize.objectives.agent_run import agent_loss
from se_hpo.search_spaces.loading import load_space
from se_hpo.storage.files import append_json_line, read_json_lines, write_json
from se_hpo.storage.records import to_builtin
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob

RESULTS = Path(__file__).with_name("results") / "tune_on_se.json"
SEEDS_ON_TASK, SEEDS_ON_SE, ORDERS = 3, 2, 20
WITHIN = 0.01


@dataclass(frozen=True)
class Case:
    """A space of agents, an SE of its task, and how long agents train there."""

    space: str
    se: str
    lengths: tuple[int, ...]


CASES = {
    "DDQN, CartPole-v0": Case("ddqn_cartpole", "CartPole-v0", (125, 250, 500, 1000)),
    "PPO, CartPole-v0": Case("ppo_cartpole", "CartPole-v0", (1024, 2048, 4096, 8192)),
    "DDQN, Acrobot-v1": Case("ddqn_acrobot", "Acrobot-v1", (125, 250, 500, 1000)),
}


TASKS = {name: name.split(", ")[1] for name in CASES}


@dataclass(frozen=True)
class Line:
    """One trained agent."""

    case: str
    configuration: int
    steps_on_se: int
    """0: trained on the task."""
    seed: int
    score: float
    loss: float
    env_steps: int
    test_env_steps: int
    cpu_seconds: float

    @property
    def task_steps(self) -> int:
        """Tests, and training where that was on the task."""
        return self.test_env_steps + (0 if self.steps_on_se else self.env_steps)


MOST_COST = 150_000
"""Hidden weights times batch of a configuration's update."""


def configurations(case: Case, n: int) -> list[AgentConfig]:
    """The first random ones of a space that are not costly."""
    space, found = load_space(case.space), []
    encoding = SpaceEncoding(space.configuration_space())
    for seed in itertools.count():
        agent = space.resolve(encoding.sample(seed)).agent
        weights = agent.hidden_size * (
            6 + (agent.hidden_layers - 1) * agent.hidden_size
        )
        if weights * agent.batch_size <= MOST_COST:
            found.append(agent)
        if len(found) == n:
            return found
    raise AssertionError


def trainings(n: int) -> Iterator[tuple[str, int, int, int]]:
    """`(case, configuration, steps on the SE, seed)` of all that are in the tables."""
    for i in range(n):
        for name, case in CASES.items():
            for seed in range(SEEDS_ON_TASK):
                yield name, i, 0, seed
            for steps in case.lengths:
                for seed in range(SEEDS_ON_SE):
                    yield name, i, steps, seed


def train(
    agent: AgentConfig, name: str, i: int, steps: int, seed: int, loop: InnerLoop
) -> Line:
    """One of them."""
    case = CASES[name]
    task = measure_task(TASKS[name])
    se = load_se(zoo_file(case.se))
    learned = LearnedEnv(se.se_config, se.psi) if steps else None
    agent = replace(agent, se_steps=steps or None)
    number = seeding.integer_seed(0, "tune on SE", name, i, steps, seed)
    job = TrainingJob(task.id, agent, number, learned)
    began = time.process_time()
    result = loop.train_agents([job])[0]
    seconds = time.process_time() - began
    if steps:
        loss = level_loss([result.score], task)
    else:
        limit = step_limit(agent, task)
        loss = agent_loss([result.score], [result.env_steps], limit, task)
    counts = result.env_steps, int(result.test_env_steps), round(seconds, 4)
    return Line(name, i, steps, seed, result.score, round(loss, 6), *counts)


class Table:
    """The trainings of one case, as far as all of a configuration are there."""

    def __init__(self, case: str, lines: pd.DataFrame) -> None:
        mine = lines[lines["case"] == case]
        each = SEEDS_ON_TASK + SEEDS_ON_SE * len(CASES[case].lengths)
        whole = mine.groupby("configuration")["seed"].transform("size") == each
        self.frame = mine[whole].sort_values(["configuration", "seed"])
        self.n = self.frame["configuration"].nunique()

    @cached_property
    def truth(self) -> np.ndarray:
        """Mean loss of each configuration on the task."""
        return self.of(0, "loss").mean(axis=1)

    @cached_property
    def good(self) -> np.ndarray:
        """Whether it is within reach of the best known."""
        return self.truth <= self.truth.min() + WITHIN

    def of(self, steps: int, column: str) -> np.ndarray:
        """Configurations x seeds."""
        rows = self.frame[self.frame["steps_on_se"] == steps]
        return rows.pivot(index="configuration", columns="seed", values=column).values

    def costs(self, steps: int) -> np.ndarray:
        """Task steps and seconds: configurations x seeds x 2."""
        columns = self.of(steps, "task_steps"), self.of(steps, "cpu_seconds")
        return np.stack(columns, axis=-1)


def replay(table: Table, search: str, steps: int, order: int) -> np.ndarray | None:
    """Task steps and seconds until a search holds a good one; None if it never does."""
    rng = np.random.default_rng([order, steps])
    tried = rng.permutation(table.n)
    task_seed = rng.integers(SEEDS_ON_TASK, size=table.n)
    se_seed = rng.integers(SEEDS_ON_SE, size=table.n)
    each = np.arange(table.n)
    on_task = table.of(0, "loss")[each, task_seed], table.costs(0)[each, task_seed]
    spent = np.zeros(2)
    loss, cost = on_task
    if search != "task":
        on_se = table.of(steps, "loss")[each, se_seed]
        cost_on_se = table.costs(steps)[each, se_seed]
        if search == "SE":
            loss, cost = on_se, cost_on_se
        else:  # all of them there first, then the best of them on the task
            spent = cost_on_se.sum(axis=0)
            tried = tried[np.argsort(on_se[tried], kind="stable")]
    best = None
    for i in tried:
        spent = spent + cost[i]
        if best is None or loss[i] < loss[best]:
            best = i
        if table.good[best]:
            return spent
    return None


def searches(case: str, table: Table) -> Iterator[dict[str, Any]]:
    """A row per search."""
    kinds = [("task", 0)]
    kinds += [(s, n) for s in ("SE", "SE, confirmed") for n in CASES[case].lengths]
    for search, steps in kinds:
        found = [replay(table, search, steps, order) for order in range(ORDERS)]
        ends = np.array([np.full(2, np.inf) if f is None else f for f in found])
        task_steps, seconds = np.median(ends, axis=0)
        row = {"case": case, "search": search, "steps_on_se": steps}
        if steps:
            on_se = table.of(steps, "loss").mean(axis=1)
            row["spearman"] = round(float(spearmanr(on_se, table.truth)[0]), 3)
            row["levels"] = len(np.unique(on_se))
        row["found"] = sum(f is not None for f in found)
        yield row | {"task_steps": float(task_steps), "seconds": float(seconds)}


def outcome(lines: pd.DataFrame) -> dict[str, Any]:
    """What the tables say; also how many configurations are good."""
    rows, tables = [], {}
    for case in CASES:
        table = Table(case, lines)
        if table.n < 3:
            continue
        rows += searches(case, table)
        seeds = pd.DataFrame(table.of(0, "loss")).corr("spearman").values
        tables[case] = {
            "configurations": table.n,
            "good": int(table.good.sum()),
            "best_loss": round(float(table.truth.min()), 4),
            "spearman_of_two_seeds": round(
                float(seeds[np.triu_indices(3, 1)].mean()), 3
            ),
            "cpu_seconds": round(float(table.frame["cpu_seconds"].sum()), 1),
        }
    return {"within": WITHIN, "orders": ORDERS, "tables": tables, "searches": rows}


def show(found: dict[str, Any]) -> None:
    """The table for a terminal."""
    for case, table in found["tables"].items():
        print(case, ", ".join(f"{key} {value}" for key, value in table.items()))
    frame = pd.DataFrame(found["searches"])
    print(frame.to_string(index=False, float_format=lambda x: f"{x:.5g}"))


def main() -> None:
    """Train what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configurations", type=int, default=24)
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--lines", type=Path, default=Path("results/tune_on_se.jsonl"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="of what is there, alone")
    parser.add_argument("--smoke", action="store_true", help="everything, tiny")
    options = parser.parse_args()
    if options.smoke:
        options.configurations, options.cases = 3, ["PPO, CartPole-v0"]
    if options.table:
        show(outcome(pd.read_csv(options.out.with_suffix(".csv"))))
        return
    done = {tuple(x["key"]) for _, x in read_json_lines(options.lines)}
    options.lines.parent.mkdir(parents=True, exist_ok=True)
    pools = {k: configurations(c, options.configurations) for k, c in CASES.items()}
    with InnerLoop("native", 1) as loop:
        for key in trainings(options.configurations):
            if key not in done and key[0] in options.cases:
                line = train(pools[key[0]][key[1]], *key, loop)
                row = {"key": key, **asdict(line), "task_steps": line.task_steps}
                append_json_line(options.lines, row)
    rows = [x for _, x in read_json_lines(options.lines)]
    lines = pd.DataFrame(rows).drop(columns="key")
    lines.to_csv(options.out.with_suffix(".csv"), index=False)
    found = outcome(lines)
    # A median that is not finite: half of the searches found none.
    write_json(options.out, to_builtin({"machine": machine(), **found}))
    show(found)


if __name__ == "__main__":
    main()
