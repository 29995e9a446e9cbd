"""BOHB against random search on complete NES runs, at equal processor time.

    python experiments/bohb_against_random.py --runs results/bohb --out results/winners

Needs BOHB runs of `nes_cartpole`, `RUNS-1` to `RUNS-5`, each made by

    python -m se_hpo.optimize --space nes_cartpole --seed 1 --n-brackets 21 --confirm 0
        --threads 1 --run RUNS-1

Random search is what `se_hpo/benchmarks/nes_cartpole.csv.gz` has: 60 configurations for
each seed, all run to 27 generations. Each BOHB run counts up to the processor time of
its 60. The two winners, the space's default and their losses in the search say little:
all are run again with ten fresh seeds, and the means are compared.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nes_benchmark import run_one
from scipy import stats

import se_hpo
from se_hpo import seeding
from se_hpo.benchmarks import NESBenchmark
from se_hpo.benchmarks.recorded import RecordedRuns
from se_hpo.config.run import from_configuration
from se_hpo.envs.tasks import get_task
from se_hpo.optimize.objectives.nes_run import nes_loss
from se_hpo.search_spaces.loading import load_space

KEPT = Path(__file__).parent / "results" / "bohb_against_random.json"
SPACE, GENERATIONS, PAIRS, EACH, FRESH = "nes_cartpole", 27, 5, 60, 10


@dataclass(frozen=True)
class Winner:
    """What a search found, and what that took."""

    search: str
    seed: int
    evaluations: int
    cpu_seconds: float
    loss: float
    """In the search: the lowest of many, so too low."""
    configuration: dict[str, Any]


def main() -> None:
    """Find the winners, run them again and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("results/bohb"))
    parser.add_argument("--out", type=Path, default=Path("results/winners"))
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    found = list(winners(args.runs))
    jobs = [(w, k, args.out) for k in range(FRESH) for w in found]
    with ProcessPoolExecutor(args.workers) as pool:
        losses = list(pool.map(fresh_loss, *zip(*jobs, strict=True)))
    rows = [
        {**asdict(w), "fresh_losses": losses[i :: len(found)]}
        for i, w in enumerate(found)
    ]
    KEPT.write_text(json.dumps(rows, indent=1) + "\n")
    show(rows)


def winners(runs: Path) -> Iterator[Winner]:
    """The default, and for each seed those of random search and BOHB."""
    space = load_space(SPACE).configuration_space()
    yield Winner("default", 0, 0, 0.0, np.nan, dict(space.get_default_configuration()))
    recorded = NESBenchmark().runs
    for seed in range(1, PAIRS + 1):
        random = random_winner(recorded, seed)
        yield random
        yield bohb_winner(Path(f"{runs}-{seed}"), seed, random.cpu_seconds)


def random_winner(recorded: RecordedRuns, seed: int) -> Winner:
    """Of 60 configurations, each run once."""
    _, first = np.unique(recorded.groups, return_index=True)
    rows = first[(seed - 1) * EACH : seed * EACH]
    losses = recorded.losses[rows, -1]
    best = int(np.argmin(losses))
    cost = float(recorded.cpu_seconds[rows].sum())
    values = recorded.configurations[rows[best]]
    return Winner("random", seed, len(rows), cost, float(losses[best]), values)


def bohb_winner(run: Path, seed: int, cpu_seconds: float) -> Winner:
    """The best at the full budget of what was evaluated in so much processor time."""
    trials = se_hpo.load_trials(run).sort_values("finished")
    trials = trials[trials["cpu_seconds"].cumsum() <= cpu_seconds]
    top = trials[trials["budget"] == GENERATIONS]
    best = top.loc[top["loss"].idxmin()]
    names = [n for n in trials.columns if n.startswith("config.")]
    values = best[names].dropna().to_dict()
    configuration = {str(n).removeprefix("config."): v for n, v in values.items()}
    cost = float(trials["cpu_seconds"].sum())
    loss = float(best["loss"])
    return Winner("BOHB", seed, len(trials), cost, loss, configuration)


def fresh_loss(winner: Winner, k: int, out: Path) -> float:
    """The loss of a configuration with the k-th fresh seed."""
    folder = out / f"{winner.search}-{winner.seed}-{k}"
    number = seeding.integer_seed(k, "fresh", winner.search, winner.seed)
    outcome = run_one(SPACE, winner.configuration, number, GENERATIONS, folder)
    if outcome.reason.startswith("diverged"):
        return 1.0
    space = load_space(SPACE)
    values = {**space.base, **winner.configuration}
    config = from_configuration(values, space.task, space.agent)
    return nes_loss(outcome.history, GENERATIONS, get_task(space.task), config)


def show(rows: list[dict[str, Any]]) -> None:
    """A row per winner, then the differences."""
    means = {}
    print("| search | seed | evaluations | CPU s | loss in the search | fresh seeds |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        fresh = np.array(row["fresh_losses"])
        means[row["search"], row["seed"]] = fresh
        spread = fresh.std(ddof=1) / np.sqrt(len(fresh))
        print(
            f"| {row['search']} | {row['seed']} | {row['evaluations']} | "
            f"{row['cpu_seconds']:.0f} | {row['loss']:.3f} | "
            f"{fresh.mean():.3f} ± {spread:.3f} |"
        )
    seeds = range(1, PAIRS + 1)
    pairs = [(means["random", s].mean(), means["BOHB", s].mean()) for s in seeds]
    differences = np.subtract(*np.transpose(pairs))
    test = stats.ttest_1samp(differences, 0.0)
    low, high = test.confidence_interval()
    print(
        f"random minus BOHB: {differences.mean():.3f} [{low:.3f}, {high:.3f}], "
        f"paired t test over {PAIRS} pairs p = {test.pvalue:.3f}"
    )
    for s in seeds:
        test = stats.ttest_ind(means["default", 0], means["BOHB", s], equal_var=False)
        low, high = test.confidence_interval()
        print(f"default minus BOHB {s}: [{low:.3f}, {high:.3f}], p = {test.pvalue:.4f}")


if __name__ == "__main__":
    main()
