"""A BOHB run over complete NES runs, from nothing to committed frames and figures.

    python experiments/tune.py               # a quarter of an hour; the same continues
    python experiments/tune.py --collect     # only the frames and figures again

`experiments/README.md` reads the outcome.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from machine import machine

import se_hpo
from se_hpo.paths import RunPaths, write_json

HERE = Path(__file__).resolve().parent
LEFT_OUT = ["run", "worker", "host", "error"]
"""Columns that are the same in every row, or of this machine."""


def commands(space: str, run: Path) -> list[list[str]]:
    """What a user would type."""
    return [["optimize", "--space", space, "--run", str(run)], ["report", str(run)]]


def collect(run: Path, out: Path) -> None:
    """Copy figures and write the small frames."""
    out.mkdir(parents=True, exist_ok=True)
    trials = se_hpo.load_trials(run)
    best = se_hpo.load_incumbent(run)
    generations = se_hpo.load_generations(run, [best.trial] if best else None)
    curve = ["trial", "generation", "center_score"]
    frames = {
        "trials": trials.drop(columns=LEFT_OUT),
        "generations_of_the_best": generations[curve],
    }
    for name, frame in frames.items():
        frame.to_csv(out / f"{name}.csv", index=False, float_format="%.8g")
    for picture in RunPaths(run).figures.glob("*.png"):
        shutil.copy(picture, out)
    write_json(out / "machine.json", machine())


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
    for words in [] if args.collect else commands(space, run):
        print("python -m se_hpo." + shlex.join(words), flush=True)
        module, *rest = words
        subprocess.run([sys.executable, "-m", f"se_hpo.{module}", *rest], check=True)
    out = args.out or HERE / "results" / space
    collect(run, out)
    print(f"{run}, collected in {out}")


if __name__ == "__main__":
    main()
