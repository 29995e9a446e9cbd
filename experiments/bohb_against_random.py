"""BOHB against random search on complete NES runs, at equal processor time.

    python experiments/bohb_against_random.py            # three CPU hours; goes on
    python experiments/bohb_against_random.py --show     # the table again
    python experiments/bohb_against_random.py --run RUN  # its winner and the default

Five pairs of `python -m se_hpo.optimize --space nes_cartpole`, one of each with
`--optimizer random`, which begin with the same default configuration. Of each pair what
was evaluated in the processor time of the shorter one counts. Then both choose their
winner as the command does (`--confirm 3`). A winner's losses up to here say little: it
is run again with ten fresh seeds, as the default is, and the means are compared.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from nes_benchmark import run_one
from scipy import stats

import se_hpo
from se_hpo import seeding
from se_hpo.config.run import from_configuration
from se_hpo.envs.tasks import get_task
from se_hpo.optimize.confirm import candidates, sequential_halving
from se_hpo.optimize.objectives.nes_run import nes_loss
from se_hpo.search_spaces.loading import load_space
from se_hpo.storage.files import read_json_lines
from se_hpo.storage.paths import TrialPaths

KEPT = Path(__file__).parent / "results" / "bohb_against_random.json"
SPACE, GENERATIONS, BRACKETS = "nes_cartpole", 27, 33
SEARCHES, SEEDS, FRESH, CONFIRMED = ("bohb", "random"), range(1, 6), 10, 3


@dataclass(frozen=True)
class Winner:
    """What a search found, and what that took."""

    search: str
    seed: int
    configuration: dict[str, Any]
    trial: str = ""
    evaluations: int = 0
    at_the_top: int = 0
    """Evaluations at the full budget."""
    cpu_seconds: float = 0.0
    confirmation_cpu_seconds: float = 0.0
    loss: float = np.nan
    """In the search: of the trials that it chose between, too low."""
    confirmed_loss: float = np.nan
    """Mean over the seeds it was chosen by."""


def main() -> None:
    """Search, choose the winners, run them again and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results/bohb_against_random"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--run", type=Path, help="any run of nes_cartpole")
    args = parser.parse_args()
    if args.run:
        compare(args.run, args.out, args.workers)
        return
    if not args.show:
        KEPT.write_text(json.dumps(measured(args.out, args.workers), indent=1) + "\n")
    show(json.loads(KEPT.read_text()))


def measured(out: Path, workers: int) -> list[dict[str, Any]]:
    """A row per winner, with its losses on fresh seeds."""
    arms = [(search, seed, out) for seed in SEEDS for search in SEARCHES]
    space = load_space(SPACE).configuration_space()
    default = Winner("default", 0, dict(space.get_default_configuration()))
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(run_search, *zip(*arms, strict=True)))
        winners = [default, *pool.map(winner, *zip(*arms, strict=True))]
        jobs = [(w, k, out) for k in range(FRESH) for w in winners]
        losses = list(pool.map(fresh_loss, *zip(*jobs, strict=True)))
    return [
        {**asdict(w), "fresh_losses": losses[i :: len(winners)]}
        for i, w in enumerate(winners)
    ]


def compare(run: Path, out: Path, workers: int) -> None:
    """The winner of a run beside the default, on ten seeds that did not choose it."""
    best = se_hpo.load_incumbent(run)
    found = Winner("run", 0, dict(best.configuration), best.trial)
    with ProcessPoolExecutor(workers) as pool:
        jobs = [(found, k, out) for k in range(FRESH)]
        losses = np.array(list(pool.map(fresh_loss, *zip(*jobs, strict=True))))
    rows = json.loads(KEPT.read_text())
    default = next(
        np.array(r["fresh_losses"]) for r in rows if r["search"] == "default"
    )
    print(
        f"{best.trial}: {best.loss:.3f} in the search, confirmed {best.fresh_loss:.3f}"
    )
    error = losses.std(ddof=1) / np.sqrt(len(losses))
    print(f"on ten other seeds {losses.mean():.3f} ± {error:.3f}")
    print(beside("default", default, "winner", losses))


def run_search(search: str, seed: int, out: Path) -> None:
    """The command; a run that is there goes on, or is done."""
    flags = {
        "--space": SPACE,
        "--optimizer": search,
        "--seed": seed,
        "--n-brackets": BRACKETS,
        "--confirm": 0,
        "--threads": 1,
        "--run": out / f"{search}-{seed}",
    }
    words = [str(word) for pair in flags.items() for word in pair]
    module = [sys.executable, "-m", "se_hpo.optimize", "--quiet"]
    subprocess.run([*module, *words], check=True, stdout=subprocess.DEVNULL)


def winner(search: str, seed: int, out: Path) -> Winner:
    """What a search finds in the processor time that both of its pair had."""
    both = {name: by_time(out / f"{name}-{seed}") for name in SEARCHES}
    most = min(trials["cpu_seconds"].sum() for trials in both.values())
    trials = both[search]
    trials = trials[trials["cpu_seconds"].cumsum() <= most]
    top = trials[trials["budget"] == GENERATIONS].sort_values("loss", kind="stable")
    found = zip(configurations(top), top["trial"], strict=True)
    begin = [Winner(search, seed, *one) for one in found]
    again = out / "confirm"

    def fresh_losses(left: list[Winner], k: int) -> Iterator[float]:
        for one in left:
            yield rerun(one, again / f"{search}-{seed}-{one.trial}-{k}", k)

    chosen, losses = sequential_halving(
        begin[: candidates(CONFIRMED)], CONFIRMED, fresh_losses
    )[0]
    reruns = again.glob(f"{search}-{seed}-*")
    return Winner(
        search,
        seed,
        chosen.configuration,
        chosen.trial,
        evaluations=len(trials),
        at_the_top=len(top),
        cpu_seconds=float(trials["cpu_seconds"].sum()),
        confirmation_cpu_seconds=sum(map(cpu_seconds, reruns)),
        loss=float(top["loss"].iloc[begin.index(chosen)]),
        confirmed_loss=float(np.mean(losses)),
    )


def by_time(run: Path) -> pd.DataFrame:
    """Evaluations in the order in which they ended."""
    return se_hpo.load_trials(run).sort_values("finished")


def configurations(trials: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The hyperparameters of each row that were active in it."""
    names = [n for n in trials.columns if n.startswith("config.")]
    for _, row in trials[names].iterrows():
        values = row.dropna().to_dict()
        yield {str(n).removeprefix("config."): v for n, v in values.items()}


def fresh_loss(found: Winner, k: int, out: Path) -> float:
    """The loss of a winner with the k-th seed that it was not chosen by."""
    folder = out / "fresh" / f"{found.search}-{found.seed}-{k}"
    return rerun(found, folder, 1000 + k)


def rerun(found: Winner, folder: Path, k: int) -> float:
    """The loss of a configuration with a seed; a folder that is there goes on."""
    number = seeding.integer_seed(k, "fresh", found.search, found.seed)
    outcome = run_one(SPACE, found.configuration, number, GENERATIONS, folder)
    if outcome.reason.startswith("diverged"):
        return 1.0
    space = load_space(SPACE)
    values = {**space.base, **found.configuration}
    config = from_configuration(values, space.task, space.agent)
    return nes_loss(outcome.history, GENERATIONS, get_task(space.task), config)


def cpu_seconds(folder: Path) -> float:
    """What a run took."""
    lines = read_json_lines(TrialPaths(folder).timing)
    return float(sum(line["cpu_seconds"] for _, line in lines))


def show(rows: list[dict[str, Any]]) -> None:
    """A row per winner, then the differences."""
    fresh = {(r["search"], r["seed"]): np.array(r["fresh_losses"]) for r in rows}
    print(
        "| search | seed | evaluations, at the full budget | CPU s | of these for",
        end="",
    )
    print(" confirmation | loss in the search | confirmed | on fresh seeds |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        losses = fresh[row["search"], row["seed"]]
        error = losses.std(ddof=1) / np.sqrt(len(losses))
        cpu = row["cpu_seconds"] + row["confirmation_cpu_seconds"]
        print(
            f"| {row['search']} | {row['seed']} | {row['evaluations']}, "
            f"{row['at_the_top']} | {cpu:.0f}, {row['confirmation_cpu_seconds']:.0f} | "
            f"{row['loss']:.3f} | {row['confirmed_loss']:.3f} | "
            f"{losses.mean():.3f} ± {error:.3f} |"
        )
    difference = [fresh["random", s].mean() - fresh["bohb", s].mean() for s in SEEDS]
    test = stats.ttest_1samp(difference, 0.0)
    low, high = test.confidence_interval()
    print(
        f"random minus BOHB: {np.mean(difference):.3f} [{low:.3f}, {high:.3f}], "
        f"paired t test over {len(difference)} pairs p = {test.pvalue:.3f}"
    )
    default = fresh["default", 0]
    for search in SEARCHES:
        for s in SEEDS:
            print(beside("default", default, f"{search} {s}", fresh[search, s]))


def beside(name: str, losses: np.ndarray, other: str, others: np.ndarray) -> str:
    """The difference of two means with its 95 % interval (Welch)."""
    test = stats.ttest_ind(losses, others, equal_var=False)
    low, high = test.confidence_interval()
    difference = f"{name} minus {other}: {losses.mean() - others.mean():.3f}"
    return f"{difference} [{low:.3f}, {high:.3f}], p = {test.pvalue:.4f}"


if __name__ == "__main__":
    main()
