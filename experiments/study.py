"""What studies share: run the commands of a user, keep the small frames and figures."""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pandas as pd
from machine import machine

from se_hpo.storage.files import write_json
from se_hpo.storage.paths import RunPaths

HERE = Path(__file__).resolve().parent


def run_commands(commands: Iterable[list[str]], print_only: bool = False) -> None:
    """Print each `python -m se_hpo...` and run it; stops at the first that fails."""
    for words in commands:
        print("python -m se_hpo." + shlex.join(words), flush=True)
        if not print_only:
            command, *rest = words
            module = f"se_hpo.{command}"
            subprocess.run([sys.executable, "-m", module, *rest], check=True)


def keep(
    frames: Mapping[str, pd.DataFrame], run: Path, figures: Iterable[str], out: Path
) -> None:
    """Write the frames as CSV, copy the run's figures, and name the machine.

    Args:
        frames: by the name of the file.
        run: the run's folder, with its report's figures.
        figures: patterns of their names, without `.png`.
        out: the folder; made where it is missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        frame.to_csv(out / f"{name}.csv", index=False, float_format="%.8g")
    for name in figures:
        for picture in RunPaths(run).figures.glob(f"{name}.png"):
            shutil.copy(picture, out)
    write_json(out / "machine.json", machine())


def keep_run(run: Path, out: Path) -> None:
    """Copy a run but for logs, states and generations, so that all commands take it."""
    paths, kept = RunPaths(run), RunPaths(out)
    files = [*paths.ses.glob("*/*.json"), *paths.ses.glob("*/*.safetensors")]
    files += [*paths.evaluations.glob("*.json"), *paths.evaluations.glob("*.jsonl")]
    files += [paths.run, paths.configspace, paths.confirmation, *paths.journals]
    for path in filter(Path.is_file, files):
        target = kept.root / path.relative_to(paths.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def run_study(
    doc: str | None,
    studies: Iterable[str],
    commands: Callable[[str, Path, bool], Iterable[list[str]]],
    collect: Callable[[str, Path, Path], None],
) -> None:
    """The command line of a script of several studies.

    Args:
        doc: the script's, whose first line says what it is.
        studies: their names.
        commands: (study, run folder, smoke) -> what a user would type.
        collect: (study, run folder, folder for what is kept).
    """
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("study", choices=sorted(studies))
    parser.add_argument("--run", type=Path, help="run folder (default: results/STUDY)")
    parser.add_argument("--out", type=Path, help="default: experiments/results/STUDY")
    parser.add_argument("--smoke", action="store_true", help="everything, tiny")
    parser.add_argument("--collect", action="store_true", help="train nothing")
    parser.add_argument("--dry-run", action="store_true", help="print the commands")
    args = parser.parse_args()
    run = args.run or HERE.parent / "results" / args.study
    run_commands(
        commands(args.study, run, args.smoke), print_only=args.collect or args.dry_run
    )
    if not args.dry_run:
        out = args.out or HERE / "results" / args.study
        collect(args.study, run, out)
        print(json.dumps({"run": str(run), "collected in": str(out)}))
