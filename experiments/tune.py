"""A BOHB run over complete NES runs, from nothing to committed frames and figures.

    python experiments/tune.py               # a quarter of an hour; the same continues
    python experiments/tune.py --collect     # only the frames and figures again

`experiments/README.md` reads the outcome.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from study import keep, keep_run, run_commands

import se_hpo

HERE = Path(__file__).resolve().parent
LEFT_OUT = ["run", "worker", "host", "error"]
"""Columns that are the same in every row, or of this machine."""


def commands(space: str, run: Path) -> list[list[str]]:
    """What a user would type."""
    return [["optimize", "--space", space, "--run", str(run)], ["report", str(run)]]


def collect(run: Path, out: Path) -> None:
    """Copy figures and write the small frames."""
    trials = se_hpo.load_trials(run)
    best = se_hpo.load_incumbent(run)
    generations = se_hpo.load_generations(run, [best.trial] if best else None)
    curve = ["trial", "generation", "center_score"]
    frames = {
        "trials": trials.drop(columns=LEFT_OUT),
        "generations_of_the_best": generations[curve],
    }
    keep(frames, run, ["*"], out)
    keep_run(run, out)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--space", default="nes_cartpole")
    parser.add_argument("--run", type=Path, help="default: results/SPACE-0")
    parser.add_argument("--out", type=Path, help="default: experiments/results/SPACE")
    parser.add_argument("--smoke", action="store_true", help="the space `smoke`")
    parser.add_argument("--collect", action="store_true", help="tune nothing")
    args = parser.parse_args()
    space = "smoke" if args.smoke else args.space
    run = args.run or HERE.parent / "results" / f"{space}-0"
    if not args.collect:
        run_commands(commands(space, run))
    out = args.out or HERE / "results" / space
    collect(run, out)
    print(f"{run}, collected in {out}")


if __name__ == "__main__":
    main()
