"""What knowing an earlier run is worth: regret with and without `--prior`.

    python experiments/bench_prior.py            # minutes on one thread; goes on
    python experiments/bench_prior.py --draw     # the table alone

On the functions of `bohb_problems.py`, paid continued. The earlier run is a search of
20 full runs with another seed: of the same function (good), or of one whose optimum
lies elsewhere (misleading): each number half its range away, each choice the next one.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from bench_bohb import Search
from bohb_problems import PROBLEMS, Problem, Values
from rich.console import Console
from rich.table import Table
from search_trace import Trace, full_runs, medians

from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.bohb.parzen import ParzenGenerator
from se_hpo.bohb.prior import Observation

MARKS = (5, 10, 20)
"""Full runs at which regrets are told."""
KINDS = ("none", "good", "misleading")
RESULTS = Path(__file__).parent / "results" / "bench_prior.jsonl"


class _Noted(Trace):
    """Keeps what was seen."""

    def evaluate(self, values: Values, budget: float) -> float:
        loss = super().evaluate(values, budget)
        self.seen.append((values, budget, loss))
        return loss

    seen: list[Observation]


def elsewhere(problem: Problem) -> Problem:
    """The same function, its optimum moved."""
    encoding = SpaceEncoding(problem.space())

    def moved(values: Values) -> Values:
        vector = np.nan_to_num(encoding.encode(values), nan=0.5)
        other = (vector + 1) % np.maximum(encoding.levels, 1)
        vector = np.where(encoding.levels > 0, other, (vector + 0.5) % 1)
        found = encoding.decode(vector)
        assert found is not None
        return found

    return replace(
        problem,
        regret=lambda values: problem.regret(moved(values)),
        observe=lambda values, budget, rng: problem.observe(moved(values), budget, rng),
    )


def earlier_run(problem: Problem, seed: int, limit: float) -> list[Observation]:
    """What a search of another seed has seen."""
    trace = _Noted(problem, 1000 + seed, limit)
    trace.seen = []
    Search(trace, ParzenGenerator(problem.space(), 1000 + seed)).run("cycle")
    return trace.seen


def run_once(problem: Problem, kind: str, seed: int, limit: float) -> dict[str, Any]:
    """One search after an earlier one, both until `limit` units are spent: its line."""
    source = elsewhere(problem) if kind == "misleading" else problem
    prior = [] if kind == "none" else earlier_run(source, seed, limit)
    trace = Trace(problem, seed, limit)
    generator = ParzenGenerator(problem.space(), seed, prior=prior)
    Search(trace, generator).run("cycle")
    regrets = [trace.regret(full_runs(mark), "continued") for mark in MARKS]
    line = {"problem": problem.name, "prior": kind, "seed": seed}
    return line | {"regrets": [r if math.isfinite(r) else None for r in regrets]}


def print_table(lines: list[dict[str, Any]]) -> None:
    """Median regret and its 95 % interval, and mean ratios over all functions."""
    marks = [f"{mark} full runs" for mark in MARKS]
    table = Table("function", "prior", "seeds", *marks)
    for problem in PROBLEMS:
        for kind in KINDS:
            found = [
                line["regrets"]
                for line in lines
                if (line["problem"], line["prior"]) == (problem.name, kind)
            ]
            cells = []
            for column in zip(*found, strict=True):
                told: Any = medians([math.inf if r is None else r for r in column])
                low, high = told["interval"]
                cells.append(f"{told['median']:.3f} ({low:.3f}-{high:.3f})")
            table.add_row(problem.name, kind, str(len(found)), *cells)
    for kind in KINDS[1:]:
        ratios = [f"{ratio:.2f}" for ratio in _ratios(lines, kind)]
        table.add_row("all: mean ratio to none", kind, "", *ratios)
    Console(width=120).print(table)


def _ratios(lines: list[dict[str, Any]], kind: str) -> np.ndarray:
    """Geometric mean of regret over that without a prior, by mark."""
    regrets = {
        (line["problem"], line["seed"], line["prior"]): np.array(line["regrets"], float)
        for line in lines
    }
    logs = [
        np.log(regret / regrets[problem, seed, "none"])
        for (problem, seed, prior), regret in regrets.items()
        if prior == kind
    ]
    found: np.ndarray = np.exp(np.nanmean(logs, axis=0))
    return found


def main() -> None:
    """Run what is missing, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--full-runs", type=float, default=20, help="what a run costs")
    parser.add_argument("--draw", action="store_true", help="run nothing")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    texts = args.out.read_text().splitlines() if args.out.exists() else []
    lines = [json.loads(text) for text in texts]
    done = {(line["problem"], line["prior"], line["seed"]) for line in lines}
    for seed in range(0 if args.draw else args.seeds):
        for problem in PROBLEMS:
            for kind in KINDS:
                if (problem.name, kind, seed) not in done:
                    lines.append(
                        run_once(problem, kind, seed, full_runs(args.full_runs))
                    )
                    with args.out.open("a") as file:
                        file.write(json.dumps(lines[-1]) + "\n")
    print_table(lines)


if __name__ == "__main__":
    main()
