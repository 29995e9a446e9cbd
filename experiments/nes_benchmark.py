"""Random configurations of a search space, run to the end: a benchmark of searches.

    python experiments/nes_benchmark.py              # two CPU hours; goes on
    python experiments/nes_benchmark.py --collect    # se_hpo/benchmarks/*.csv.gz
    python experiments/nes_benchmark.py --show       # how noisy, how budgets rank
    python experiments/nes_benchmark.py --space nes_acrobot --configurations 60
        --generations 3    # and the same with --ties: how many losses are equal

Every configuration is a complete NES run with two seeds; the first ten are run with
ten, which says how much of a loss is the seed's. What is kept is one line per
generation: scores of center and members, steps and processor time.
`se_hpo.benchmarks.NESBenchmark` makes of it a function on which a whole search costs
seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from se_hpo import seeding
from se_hpo.benchmarks import NESBenchmark
from se_hpo.bohb.proposals import RandomGenerator
from se_hpo.config.run import from_configuration
from se_hpo.envs.tasks import get_task
from se_hpo.nes.nes_state import NESOutcome
from se_hpo.nes.run import run_nes
from se_hpo.optimize.objectives.losses import LOSSES, top_of
from se_hpo.optimize.objectives.nes_run import nes_loss
from se_hpo.search_spaces.loading import load_space
from se_hpo.storage.files import read_json_lines
from se_hpo.storage.paths import TrialPaths
from se_hpo.training.inner_loop import InnerLoop

KEPT = Path(__file__).parents[1] / "se_hpo" / "benchmarks"
MORE_SEEDS = 10  # of the first so many configurations
ROUNDED = {"center": 2, "members_mean": 2, "members_top": 2, "cpu_seconds": 4}


def main() -> None:
    """Run what is missing, or collect what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", default="nes_cartpole")
    parser.add_argument("--configurations", type=int, default=300)
    parser.add_argument("--generations", type=int, default=27)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/nes_benchmark"))
    parser.add_argument("--collect", action="store_true")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--ties", action="store_true")
    args = parser.parse_args()
    for asked, what in ((args.collect, collect), (args.show, show), (args.ties, ties)):
        if asked:
            what(args)
            return
    jobs = list(runs(args.configurations))
    n, out = args.generations, args.out / args.space
    with ProcessPoolExecutor(args.workers) as pool:
        todo = [pool.submit(run, args.space, *job, n, out) for job in jobs]
        for done, future in enumerate(todo, 1):
            print(f"{done} of {len(jobs)}: {future.result()}", flush=True)


def runs(configurations: int) -> Iterator[tuple[int, int]]:
    """`(configuration, seed)`, those that matter most first."""
    for seed in range(2):
        for k in range(configurations):
            yield k, seed
    for k in range(min(MORE_SEEDS, configurations)):
        for seed in range(2, MORE_SEEDS):
            yield k, seed


def configuration(space: str, k: int) -> dict[str, Any]:
    """The k-th random configuration of a space."""
    built = load_space(space).configuration_space(0)
    generator = RandomGenerator(built, seed=0, start_from_default=False)
    generator.n_proposals = k
    return generator.get_config(0.0)[0]


def run(name: str, k: int, seed: int, generations: int, out: Path) -> str:
    """Run one configuration with one seed, or go on with it."""
    folder = out / f"{k:03d}-{seed}"
    number = seeding.integer_seed(seed, "benchmark", k)
    outcome = run_one(name, configuration(name, k), number, generations, folder)
    return f"{folder.name} {outcome.reason}, {max(outcome.center_scores):.0f}"


def run_one(
    name: str, values: dict[str, Any], seed: int, generations: int, folder: Path
) -> NESOutcome:
    """A complete NES run of a space's configuration in a folder, on one core."""
    space = load_space(name)
    # Nothing is too costly here: what a limit would cost is to be known.
    base = {**space.base, "nes.most_cost": 0.0}
    config = from_configuration({**base, **values}, space.task, space.agent)
    folder.mkdir(parents=True, exist_ok=True)
    with InnerLoop("native", 1) as inner_loop:
        return run_nes(config, seed, TrialPaths(folder), inner_loop, generations)


def collect(args: argparse.Namespace) -> None:
    """All curves as one compressed table, one row per generation."""
    task = load_space(args.space).task
    folders = sorted((args.out / args.space).iterdir())
    curves = [pd.DataFrame(curve(folder)) for folder in folders]
    done = [c for c in curves if finished(c, args.generations, task)]
    frame = pd.concat(done, ignore_index=True).round(ROUNDED)
    drawn = {k: configuration(args.space, k) for k in frame["configuration"].unique()}
    values = pd.DataFrame.from_dict(drawn, orient="index").add_prefix("config.")
    frame = frame.join(values, on="configuration")
    file = KEPT / f"{args.space}.csv.gz"
    frame.to_csv(file, index=False, compression={"method": "gzip", "mtime": 0})
    print(f"{len(done)} of {len(folders)} runs, {len(frame)} generations in {file}")


def finished(curve: pd.DataFrame, generations: int, task: str) -> bool:
    """Whether a run has all its generations, or solved the task or diverged before."""
    if curve.empty:
        return False
    last, solved = curve.iloc[-1], get_task(task).solved_return
    ended = last["diverged"] or last["center"] >= solved
    return len(curve) == generations or bool(ended)


def ties(args: argparse.Namespace) -> None:
    """How many runs have the commonest loss, by each kind of loss."""
    task, out = get_task(load_space(args.space).task), args.out / args.space
    files = [TrialPaths(folder).generations for folder in sorted(out.iterdir())]
    histories = [[line for _, line in read_json_lines(file)] for file in files]
    for budget in (b for b in (1, 3, 9, 27) if b <= args.generations):
        for loss in LOSSES:
            found = [nes_loss(h, budget, task, loss=loss) for h in histories]
            _, counts = np.unique(np.round(found, 9), return_counts=True)
            share = counts.max() / len(found)
            print(f"{len(found)} runs, budget {budget}, {loss}: {share:.1%} are equal")


def show(args: argparse.Namespace) -> None:
    """Ties, noise and ranks of the loss, from the committed table."""
    benchmark = NESBenchmark(args.space)
    runs = benchmark.runs
    _, first, counts = np.unique(runs.groups, return_index=True, return_counts=True)
    twice = first[counts > 1]  # runs of a configuration follow each other
    pairs = np.stack([runs.losses[twice], runs.losses[twice + 1]])
    print(f"{len(runs.groups)} runs of {len(first)} configurations")
    print("| budget | equal losses | of the variance the configuration's |", end="")
    print(" another seed's rank | rank at the next budget | with another seed |")
    print("|---|---|---|---|---|---|")
    for budget, following in zip((1, 3, 9, 27), (3, 9, 27, None), strict=True):
        low = pairs[:, :, budget - 1]
        _, equal = np.unique(low.round(9), return_counts=True)
        noise = low.var(axis=0, ddof=1).mean()
        row = [equal.max() / low.size, 1.0 - noise / low.var(ddof=1), rank(*low)]
        if following:
            high = pairs[:, :, following - 1]
            same = [rank(a, b) for a, b in zip(low, high, strict=True)]
            other = [rank(a, b) for a, b in zip(low, high[::-1], strict=True)]
            row += [float(np.mean(same)), float(np.mean(other))]
        print(f"| {budget} | {row[0]:.1%} |", " | ".join(f"{x:.2f}" for x in row[1:]))
    predicted = benchmark.rank_correlation
    print(f"surrogate: cross-validated rank correlation {predicted:.2f}")


def rank(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation."""
    return float(spearmanr(a, b).statistic)


def curve(folder: Path) -> Iterator[dict[str, Any]]:
    """The generations of one run."""
    paths = TrialPaths(folder)
    seconds: dict[int, float] = {}
    for _, line in read_json_lines(paths.timing):
        g = line["generation"]
        seconds[g] = seconds.get(g, 0.0) + line["cpu_seconds"]
    for _, line in read_json_lines(paths.generations):
        members = np.ravel(line["member_scores"])
        yield {
            "configuration": int(folder.name[:3]),
            "seed": int(folder.name[4:]),
            "generation": line["generation"] + 1,
            "center": np.mean(line["center_scores"]),
            "members_mean": members.mean(),
            "members_top": top_of(line["member_scores"]),
            "env_steps_se": line["env_steps_se"],
            "env_steps_task": line["env_steps_task"],
            "diverged": line["center_diverged"] == len(line["center_scores"]),
            "cpu_seconds": seconds.get(line["generation"], np.nan),
        }


if __name__ == "__main__":
    main()
