"""How busy many workers are, and what it costs: a whole search in simulated time.

    python experiments/bench_busy.py            # some minutes, one thread
    python experiments/bench_busy.py --smoke    # seconds

The search is the real one (`se_hpo.BOHB`), by ask and tell; only evaluations take no
time here. One lasts as long as its budget, less what the trial has paid, times a
configuration's own factor: log-normal, cut at 20 times the median (`nes.most_cost`).
In `results/nes_cartpole/trials.csv` the logarithm's spread is 1.3 on the lowest rung.
`waits`: workers begin the next bracket where they would wait, and no more. `now`: what
`se_hpo.bohb.schedule` says.
"""

from __future__ import annotations

import argparse
import contextlib
import heapq
import logging
import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from bohb_problems import MAX_BUDGET, PROBLEMS, Problem
from rich.console import Console
from rich.table import Table

from se_hpo import BOHB, seeding
from se_hpo.bohb.halving import SuccessiveHalving
from se_hpo.bohb.schedule import Schedule
from se_hpo.errors import UserError
from se_hpo.optimize.ask_tell import Trial
from se_hpo.storage.files import write_json

CUT = 20.0
MIN_BUDGET, ETA = 1, 3
POLICIES = ("waits", "now")


@dataclass(frozen=True)
class Case:
    """A search to simulate."""

    workers: int
    brackets: int
    spread: float
    """Standard deviation of the logarithm of a configuration's time."""
    policy: str = "now"
    problem: Problem = PROBLEMS[0]
    random_fraction: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """How it went."""

    busy: float
    """Share of the workers' time that was work."""
    bulk: float
    """The same until all brackets have begun."""
    bound: float
    """Most that `busy` could be: no search is shorter than its longest trial."""
    regret: float


@contextlib.contextmanager
def policy(name: str) -> Iterator[None]:
    """The schedule as it is, or without what it does against waiting."""
    if name == "now":
        yield
        return
    with (
        mock.patch.object(Schedule, "_is_short", lambda schedule, workers: False),
        mock.patch.object(SuccessiveHalving, "promote_early", lambda bracket: False),
    ):
        yield


class Workers:
    """Simulated workers at a search: who is free asks, who is done tells."""

    def __init__(self, case: Case) -> None:
        self.case, self.clock, self.work = case, 0.0, 0.0
        space = case.problem.space()
        options = {"seed": case.seed, "random_fraction": case.random_fraction}
        bounds = (MIN_BUDGET, MAX_BUDGET, ETA)
        self.search = BOHB(space, *bounds, n_brackets=case.brackets, **options)
        self.noise = seeding.generator(case.seed, "bench", "noise")
        self.paid: dict[Any, float] = {}
        self.longest, self.idle_from, self.work_then = 0.0, 0.0, 0.0
        self._out: list[tuple[float, int, Trial]] = []
        self._begun = 0

    def run(self) -> Outcome:
        """To the end of the last bracket."""
        free = self.case.workers
        while not self.search.finished:
            while free and (trial := self._asked()) is not None:
                self._begin(trial)
                free -= 1
            if free and not self.idle_from:
                self._note_first_wait()
            self.clock, _, trial = heapq.heappop(self._out)
            free += 1
            loss = self.case.problem.observe(trial.config, trial.budget, self.noise)
            self.search.tell(trial, loss)
        n, incumbent = self.case.workers, self.search.incumbent
        assert incumbent is not None
        busy = self.work / n / self.clock
        return Outcome(
            busy=busy,
            bulk=self.work_then / n / self.idle_from if self.idle_from else busy,
            bound=self.work / n / max(self.work / n, self.longest),
            regret=self.case.problem.regret(incumbent.config),
        )

    def _asked(self) -> Trial | None:
        try:
            return self.search.ask()
        except UserError:  # finished, or all depends on what is out
            return None

    def _begin(self, trial: Trial) -> None:
        rng = seeding.generator(self.case.seed, "bench", "speed", *trial.id)
        speed = min(math.exp(self.case.spread * rng.standard_normal()), CUT)
        seconds = speed * (trial.budget - self.paid.get(trial.id, 0.0))
        self.paid[trial.id] = trial.budget
        self.longest = max(self.longest, speed * trial.budget)
        self.work += seconds
        heapq.heappush(self._out, (self.clock + seconds, self._begun, trial))
        self._begun += 1

    def _note_first_wait(self) -> None:
        still = sum(end - self.clock for end, _, _ in self._out)
        self.idle_from, self.work_then = self.clock or math.inf, self.work - still


def simulated(case: Case) -> Outcome:
    """One search."""
    with policy(case.policy):
        return Workers(case).run()


def busy_rows(seeds: int, brackets: list[int]) -> Iterator[dict[str, Any]]:
    """Mean shares over seeds, per length of search, spread and number of workers."""
    for spread in (0.3, 1.3):
        for n in brackets:
            for workers in (4, 16, 64):
                row: dict[str, Any] = {"spread": spread, "brackets": n}
                row["workers"] = workers
                for name in POLICIES:
                    outcomes = [
                        simulated(Case(workers, n, spread, name, seed=seed))
                        for seed in range(seeds)
                    ]
                    row[name] = _mean(o.busy for o in outcomes)
                row["bulk"] = _mean(o.bulk for o in outcomes)
                row["bound"] = _mean(o.bound for o in outcomes)
                logging.info("%s", row)
                yield row


def regret_rows(seeds: int, brackets: int) -> Iterator[dict[str, Any]]:
    """Median regret of the incumbent with 1 worker, and with 16 by either policy."""
    for problem in PROBLEMS:
        row: dict[str, Any] = {"problem": problem.name, "seeds": seeds}
        for workers, name in ((1, "now"), (16, "waits"), (16, "now")):
            regrets = [
                simulated(Case(workers, brackets, 1.3, name, problem, 1 / 3, s)).regret
                for s in range(seeds)
            ]
            quarters = statistics.quantiles(regrets, n=4, method="inclusive")
            row[f"{workers} {name}"] = [round(q, 4) for q in quarters]
        logging.info("%s", row)
        yield row


def _mean(values: Any) -> float:
    return round(float(np.mean(list(values))), 4)


def show(title: str, rows: list[dict[str, Any]]) -> None:
    """One table of the terminal."""
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)


def main() -> None:
    """Simulate everything, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="1 seed, short searches")
    parser.add_argument("--seeds", type=int, default=3, help="searches per row")
    parser.add_argument("--out", type=Path, help="JSON to write")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    seeds = 2 if args.smoke else args.seeds
    lengths = [4] if args.smoke else [8, 16, 32, 64]
    busy = list(busy_rows(seeds, lengths))
    regrets = list(regrets_of(seeds, args.smoke))
    show("Share of the workers' time", busy)
    show("Regret: quartiles", regrets)
    if args.out:
        write_json(args.out, {"busy": busy, "regret": regrets})


def regrets_of(seeds: int, smoke: bool) -> Iterator[dict[str, Any]]:
    """The second table, with more seeds: medians are noisier than shares."""
    return regret_rows(2 if smoke else 4 * seeds, 2 if smoke else 16)


if __name__ == "__main__":
    main()
