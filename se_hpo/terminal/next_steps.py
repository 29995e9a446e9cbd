"""What to type next, so that it runs when it is pasted into the same shell."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console


def python() -> str:
    """How this Python is called in a shell here: `python`, if that is the same.

    Without an activated environment it is a path, from here if it lies below.
    """
    found = shutil.which("python")
    if not sys.executable or (found and Path(found) == Path(sys.executable)):
        return "python"
    return shlex.quote(str(from_here(Path(sys.executable))))


def from_here(path: Path) -> Path:
    """As short as it can be said: relative, if it lies below this folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def module_command(command: str, *words: str | Path) -> str:
    """`python -m se_hpo.COMMAND WORDS`, each word quoted where it must be."""
    return f"{python()} -m se_hpo.{command} {shlex.join(map(str, words))}"


def python_command(function: str, path: Path, then: str = "") -> str:
    """What to type in a shell to see `se_hpo.FUNCTION(path)`, with `then` after it.

    >>> line = python_command("load_ses", Path("results/a b"), ".T")
    >>> print(line.removeprefix(python()))
     -c "import se_hpo; print(se_hpo.load_ses('results/a b').T)"
    """
    return code_command(f"import se_hpo; print(se_hpo.{function}({str(path)!r}){then})")


def code_command(code: str) -> str:
    """What to type in a shell to run a line of Python."""
    plain = not set(code) & set('"$`\\!')  # double quotes leave the rest as it is
    return f"{python()} -c " + (f'"{code}"' if plain else shlex.quote(code))


def show_next(console: Console, commands: Iterable[str]) -> None:
    """Print the commands, one a line, none of them broken."""
    console.print("Next:", style="bold")
    for command in commands:
        console.print(f"  {command}", soft_wrap=True, markup=False, emoji=False)
