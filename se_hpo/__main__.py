"""`se-hpo COMMAND ...` is `python -m se_hpo.COMMAND ...`."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from se_hpo.errors import did_you_mean
from se_hpo.terminal.cli import steady_streams
from se_hpo.version import __version__

COMMANDS = {
    "optimize": "tune NES, SE and agent with BOHB",
    "slurm": "the same on a SLURM cluster; also train and evaluate",
    "evaluate": "train agents on SEs and on the task, and compare them",
    "train": "train a set of SEs with what was found",
    "zoo": "SEs by name: list them, show one, add one of your own",
    "report": "figures and one HTML file of a run",
    "doctor": "check this machine, and say what to mend",
    "worker": "evaluate trials of a run that a master started elsewhere",
}


def main() -> None:
    """Entry point of the console script."""
    steady_streams()
    _import_from_here()
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name == "--version":
        sys.stdout.write(f"se-hpo {__version__}\n")
        return
    if name in ("-h", "--help"):
        lines = [f"  {command:<10} {text}" for command, text in COMMANDS.items()]
        sys.stdout.write("\n".join(["usage: se-hpo COMMAND ...", "", *lines, ""]))
        return
    if name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS)
        sys.stderr.write(f"error: se-hpo has no command {name!r}: {hint}\n")
        sys.exit(2)
    del sys.argv[1]
    runpy.run_module(f"se_hpo.{name}", run_name="__main__", alter_sys=True)


def _import_from_here() -> None:
    """Modules in this folder are found, as they are by `python -m`.

    So a task may be `mine:Env-v0` of a mine.py here, whichever way it is typed.
    """
    if not sys.flags.safe_path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))


if __name__ == "__main__":
    main()
