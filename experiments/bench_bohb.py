"""Compare searches: regret at equal cost on functions with known optima, no network.

    python experiments/bench_bohb.py --make-peers FOLDER    # once, with pip
    python experiments/bench_bohb.py --peers FOLDER         # hours, one thread
    python experiments/bench_bohb.py --draw                 # table and figure alone
    python experiments/bench_bohb.py --smoke                # seconds

Ours (the Parzen estimator over all budgets), kde (BOHB's own model), Hyperband and
random search; hpbandster's own generator (original); of other packages Optuna, SMAC3,
DEHB and NePS (`peer_process.py`). Budgets 1, 3, 9, 27, eta 3. A regret is that, without
noise, of the configuration of lowest loss at the largest budget so far. Cost is counted
by two rules (`search_trace.RULES`), in full runs: evaluations at the top budget.

Every run is one line of the output, written when it is done; what is there is not run
again, so that the script goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
import types
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from bohb_figure import draw, print_table
from bohb_holdout import HOLD_OUT
from bohb_on_nes import NES
from bohb_problems import MAX_BUDGET, PROBLEMS, Problem, Values
from ConfigSpace import ConfigurationSpace
from peer_process import PEERS, make_peers, versions
from peer_process import search as peer_search
from search_trace import SpentError, Trace, full_runs

from se_hpo.bohb.brackets import Bracket, hyperband_brackets
from se_hpo.bohb.parzen import ParzenGenerator
from se_hpo.bohb.proposals import BOHBGenerator, RandomGenerator

MIN_BUDGET, ETA = 1, 3
LADDER = [1, 3, 9, 27]
ALL = [*PROBLEMS, *HOLD_OUT, NES]
RESULTS = Path(__file__).parent / "results" / "bench_bohb.jsonl"


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


METHODS: dict[str, tuple[Callable[[ConfigurationSpace, int], Generator], str]] = {
    "ours": (ParzenGenerator, "cycle"),
    "kde": (BOHBGenerator, "cycle"),
    "hyperband": (RandomGenerator, "cycle"),
    "random": (RandomGenerator, "top"),
    "original": (_original, "cycle"),
}


class Search:
    """Successive halving over brackets, with one evaluation after the other."""

    def __init__(self, trace: Trace, generator: Generator) -> None:
        self.trace, self.generator = trace, generator
        self.seconds, self.evaluations = 0.0, 0

    def run(self, which: str) -> float:
        """Until all is spent; milliseconds of the generator per evaluation."""
        try:
            for bracket in hyperband_brackets(
                MIN_BUDGET, MAX_BUDGET, ETA, 10_000, which
            ):
                self._bracket(bracket)
        except SpentError:
            return 1e3 * self.seconds / max(self.evaluations, 1)
        raise AssertionError("10,000 brackets did not spend the budget")

    def _bracket(self, bracket: Bracket) -> None:
        trials: list[Values] = []
        for count, budget in zip(bracket.num_configs, bracket.budgets, strict=True):
            losses = []
            for i in range(count):
                if len(trials) < count:
                    trials.append(self._timed(self.generator.get_config, budget)[0])
                losses.append(self._evaluate(trials[i], budget))
            trials = [trials[i] for i in np.argsort(losses, kind="stable")]
            later = bracket.num_configs[bracket.budgets.index(budget) + 1 :]
            trials = trials[: later[0]] if later else trials

    def _evaluate(self, values: Values, budget: float) -> float:
        loss = self.trace.evaluate(values, budget)
        self.evaluations += 1
        job = types.SimpleNamespace(
            id=(0, 0, 0),
            kwargs={"config": values, "budget": budget},
            result={"loss": loss, "info": {}},
            exception=None,
        )
        self._timed(self.generator.new_result, job)
        return loss

    def _timed(self, call: Callable[..., Any], *args: Any) -> Any:
        start = time.perf_counter()
        found = call(*args)
        self.seconds += time.perf_counter() - start
        return found


def run_once(
    problem: Problem, method: str, seed: int, limit: float, peers: Path | None
) -> dict[str, Any]:
    """One run of one method until `limit` units of budget are spent: its line."""
    trace = Trace(problem, seed, limit)
    if method in METHODS:
        make, which = METHODS[method]
        spent_ms = Search(trace, make(problem.space(), seed)).run(which)
        packages = {"hpbandster": version("hpbandster")} if method == "original" else {}
    else:
        assert peers is not None
        spent_ms = peer_search(trace, peers, method, LADDER, ETA)
        packages = versions(peers, method)
    return {
        "problem": problem.name,
        "method": method,
        "seed": seed,
        "full_runs": limit / MAX_BUDGET,
        "packages": packages,
        "proposal_ms": round(spent_ms, 2),
        "points": [[a, c, round(regret, 4)] for a, c, regret in trace.points],
    }


def read_lines(path: Path) -> list[dict[str, Any]]:
    """What has been run; of a run of several lengths the longest."""
    if not path.exists():
        return []
    longest: dict[tuple[Any, ...], dict[str, Any]] = {}
    for text in path.read_text().splitlines():
        line = json.loads(text)
        key = (line["method"], line["problem"], line["seed"])
        if key not in longest or line["full_runs"] > longest[key]["full_runs"]:
            longest[key] = line
    return list(longest.values())


def missing(
    args: argparse.Namespace, problems: list[Problem]
) -> Iterator[tuple[str, Problem, int]]:
    """Runs that are not in the output yet, seed by seed."""
    done = {
        (line["method"], line["problem"], line["seed"])
        for line in read_lines(args.out)
        if line["full_runs"] >= args.full_runs
    }
    for seed in range(args.seeds):
        for method in args.methods:
            for problem in problems:
                if (method, problem.name, seed) not in done:
                    yield method, problem, seed


def main() -> None:
    """Run what is missing, print the table, draw the figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    known = [*METHODS, *PEERS]
    parser.add_argument("--smoke", action="store_true", help="1 seed, 6 full runs")
    parser.add_argument("--methods", nargs="+", choices=known)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--full-runs", type=float, default=200, help="what a run costs")
    parser.add_argument("--peers", type=Path, help="where the peers' environments are")
    parser.add_argument("--make-peers", type=Path, help="make them there, then exit")
    parser.add_argument("--draw", action="store_true", help="run nothing")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    args.methods = args.methods or [*METHODS, *(PEERS if args.peers else ())]
    if args.make_peers:
        make_peers(args.make_peers.resolve(), [m for m in args.methods if m in PEERS])
        return
    if args.smoke:
        args.seeds, args.full_runs = 1, 6
    if not args.draw:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        for method, problem, seed in missing(args, ALL):
            limit, where = full_runs(args.full_runs), args.peers
            line = run_once(problem, method, seed, limit, where and where.resolve())
            with args.out.open("a") as file:
                file.write(json.dumps(line) + "\n")
            logging.info("%s, %s, seed %d", method, problem.name, seed)
    lines = read_lines(args.out)
    print_table(lines, ALL)
    if not args.smoke:
        draw(lines, ALL, args.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
