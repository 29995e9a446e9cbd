"""Compare config generators: median regret at equal total budget, no network involved.

    python experiments/bench_bohb.py            # a few minutes, one thread
    python experiments/bench_bohb.py --smoke    # seconds

Random search, Hyperband, BOHB (ours), the same with as many points before there is a
model as hpbandster wants (patient): 30 seeds; hpbandster's own BOHB (original): 10.
Budgets 1, 3, 9, 27 with eta 3; each method stops when it has spent what 16 brackets of
Hyperband cost; promoted trials pay their full budget again, as in hpbandster. A run's
regret is the one, without noise, of the configuration with its lowest top-budget loss.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import time
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from bohb_problems import MAX_BUDGET, PROBLEMS, Problem, Values
from ConfigSpace import ConfigurationSpace
from rich.console import Console
from rich.table import Table

from se_hpo import seeding
from se_hpo.bohb.brackets import Bracket, hyperband_brackets
from se_hpo.bohb.proposals import BOHBGenerator, RandomGenerator
from se_hpo.storage.files import write_json
from se_hpo.storage.records import to_builtin

MIN_BUDGET, ETA = 1, 3
BRACKETS = 16


class Generator(Protocol):
    """What hpbandster asks of a config generator."""

    def get_config(self, budget: float) -> tuple[Values, Values]:
        """Propose a configuration."""

    def new_result(self, job: Any, update_model: bool = True) -> None:
        """Register a result."""


def _original(space: ConfigurationSpace, seed: int) -> Generator:
    """Hpbandster's own generator; it has no seed but NumPy's global one."""
    from hpbandster.optimizers.config_generators.bohb import BOHB

    warnings.simplefilter("ignore")
    logging.getLogger("hpbandster").setLevel(logging.CRITICAL)
    space.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    return BOHB(space)


def _patient(space: ConfigurationSpace, seed: int) -> Generator:
    """Ours, waiting for hpbandster's number of points."""
    return BOHBGenerator(space, seed, min_points_in_model=len(space) + 1)


METHODS: dict[str, tuple[Callable[[ConfigurationSpace, int], Generator], str]] = {
    "random": (RandomGenerator, "top"),
    "hyperband": (RandomGenerator, "cycle"),
    "ours": (BOHBGenerator, "cycle"),
    "patient": (_patient, "cycle"),
    "original": (_original, "cycle"),
}


@dataclass(frozen=True)
class Outcome:
    """One run of one method."""

    regret: float
    proposal_ms: float
    """Mean time of `get_config` and `new_result` per trial."""
    model_share: float
    """Share of model-based picks."""


class Run:
    """Successive halving over brackets, with one evaluation after the other."""

    def __init__(self, problem: Problem, generator: Generator, seed: int) -> None:
        self.problem, self.generator = problem, generator
        self.rng = seeding.generator(seed, "bench", "noise")
        self.best = (np.inf, np.inf)  # loss at the top budget, regret
        self.seconds, self.trials, self.model_based = 0.0, 0, 0

    def bracket(self, bracket: Bracket) -> Iterator[float]:
        """Do one bracket; yield the budget of each evaluation."""
        trials: list[Values] = []
        for count, budget in zip(bracket.num_configs, bracket.budgets, strict=True):
            losses = []
            for i in range(count):
                if len(trials) < count:
                    trials.append(self._propose(budget))
                losses.append(self._evaluate(trials[i], budget))
                yield budget
            trials = [trials[i] for i in np.argsort(losses, kind="stable")]
            later = bracket.num_configs[bracket.budgets.index(budget) + 1 :]
            trials = trials[: later[0]] if later else trials

    def _propose(self, budget: float) -> Values:
        start = time.perf_counter()
        values, info = self.generator.get_config(budget)
        self.seconds += time.perf_counter() - start
        self.trials += 1
        self.model_based += bool(info.get("model_based_pick"))
        return values

    def _evaluate(self, values: Values, budget: float) -> float:
        plain = to_builtin(values)
        loss = self.problem.observe(plain, budget, self.rng)
        if budget == MAX_BUDGET:
            self.best = min(self.best, (loss, self.problem.regret(plain)))
        job = types.SimpleNamespace(
            id=(0, 0, 0),
            kwargs={"config": values, "budget": budget},
            result={"loss": loss},
            exception=None,
        )
        start = time.perf_counter()
        self.generator.new_result(job)
        self.seconds += time.perf_counter() - start
        return loss


def run_once(
    problem: Problem,
    make: Callable[[ConfigurationSpace, int], Generator],
    which: str,
    seed: int,
    n_brackets: int = BRACKETS,
) -> Outcome:
    """One run until the budget of `n_brackets` Hyperband brackets is spent."""
    cycle = hyperband_brackets(MIN_BUDGET, MAX_BUDGET, ETA, n_brackets)
    left = sum(
        n * b for k in cycle for n, b in zip(k.num_configs, k.budgets, strict=True)
    )
    run = Run(problem, make(problem.space(), seed), seed)
    for bracket in hyperband_brackets(MIN_BUDGET, MAX_BUDGET, ETA, 10_000, which):
        for spent in run.bracket(bracket):
            left -= spent
            if left <= 0:
                share = run.model_based / run.trials
                return Outcome(run.best[1], 1e3 * run.seconds / run.trials, share)
    raise AssertionError("10,000 brackets did not spend the budget")


def compare(
    methods: list[str], seeds: dict[str, int], n_brackets: int
) -> Iterator[dict[str, Any]]:
    """One row per method and problem."""
    for method in methods:
        make, which = METHODS[method]
        for problem in PROBLEMS:
            outcomes = [
                run_once(problem, make, which, seed, n_brackets)
                for seed in range(seeds[method])
            ]
            row = {"problem": problem.name, "method": method, **summary(outcomes)}
            logging.info("%s", json.dumps(row))
            yield row


def summary(outcomes: list[Outcome]) -> dict[str, Any]:
    """Medians and means over seeds."""
    regrets = [o.regret for o in outcomes]
    lower, median, upper = statistics.quantiles(regrets, n=4, method="inclusive")
    times = [o.proposal_ms for o in outcomes]
    return {
        "seeds": len(outcomes),
        "median_regret": round(median, 4),
        "quartiles": [round(lower, 4), round(upper, 4)],
        "model_share": round(statistics.mean(o.model_share for o in outcomes), 3),
        "proposal_ms": round(statistics.median(times), 2),
    }


def print_table(rows: list[dict[str, Any]]) -> None:
    """Median regret, and milliseconds that the generator takes per trial."""
    cell = {(r["problem"], r["method"]): r for r in rows}
    methods = [m for m in METHODS if (PROBLEMS[0].name, m) in cell]
    table = Table("median regret", *methods)
    for problem in PROBLEMS:
        found = [cell.get((problem.name, m)) for m in methods]
        shown = [
            f"{row['median_regret']:.3f} ({row['proposal_ms']:.1f} ms)" if row else "-"
            for row in found
        ]
        table.add_row(problem.name, *shown)
    Console().print(table)


def kept_rows(out: Path | None, methods: list[str]) -> list[dict[str, Any]]:
    """Rows that an earlier run wrote for methods that this one leaves out."""
    if out is None or not out.exists():
        return []
    rows = json.loads(out.read_text())["rows"]
    return [row for row in rows if row["method"] not in methods]


def main() -> None:
    """Run everything, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="2 seeds, 3 brackets")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument(
        "--out", type=Path, help="JSON to write; keeps what --methods leaves out"
    )
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    count, original = (2, 2) if args.smoke else (30, 10)
    seeds = {m: original if m == "original" else count for m in METHODS}
    n_brackets = 3 if args.smoke else BRACKETS
    rows = kept_rows(args.out, args.methods)
    for row in compare(args.methods, seeds, n_brackets):
        rows.append(row)
        if args.out:  # after every row: the last ones take the longest
            write_json(args.out, {"brackets": n_brackets, "eta": ETA, "rows": rows})
    print_table(rows)


if __name__ == "__main__":
    main()
