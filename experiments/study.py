"""What studies share: run the commands of a user, keep the small frames and figures."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
from machine import machine

from se_hpo.storage.files import write_json
from se_hpo.storage.paths import RunPaths


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
