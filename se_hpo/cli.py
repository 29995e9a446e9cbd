"""What all commands share: flags, one-line errors, exit codes, signals.

Exit codes: 0 done, 1 a defect or a run that could not go on (a full disk, too little
memory, nothing but failures), 2 bad input, 130 interrupted (Ctrl-C), 143 terminated.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TypeVar

import tyro

from se_hpo.errors import DiedProcessError, FailedRunError, UserError, storage_line
from se_hpo.processes import Terminated

OptionsT = TypeVar("OptionsT")

log = logging.getLogger(__name__)


def run_command(options: type[OptionsT], main: Callable[[OptionsT], int]) -> None:
    """Parse the command line into `options`, call `main`, and exit with its code.

    Args:
        options: a dataclass; the docstring under each field is its help.
        main: the command.
    """
    program = f"python -m se_hpo.{sys.argv[0].rpartition('/')[2].removesuffix('.py')}"
    arguments = tyro.cli(options, prog=program, config=(tyro.conf.FlagCreatePairsOff,))
    exit_with(lambda: main(arguments))


def exit_with(main: Callable[[], int]) -> None:
    """Exit with the code of a command, or with that of the error that ended it."""
    signal.signal(signal.SIGTERM, _raise_terminated)
    try:
        code = main()
    except UserError as error:
        _say(f"error: {error}")
        code = 2
    except FailedRunError as error:
        _say(f"error: {error}")
        code = 1
    except DiedProcessError as error:
        _say(f"error: {error}; the same command goes on from here")
        code = 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        line = storage_line(error)
        if line is None:
            raise
        _say(f"error: {line}")
        code = 1
    except Terminated:
        _say("terminated; the same command goes on from here")
        code = 143
    except KeyboardInterrupt:
        _say("interrupted; the same command goes on from here")
        code = 130
    sys.stdout.flush()
    sys.exit(code)


def python_command(function: str, path: Path) -> str:
    """What to type in a shell to see `se_hpo.FUNCTION(path)`.

    >>> print(python_command("load_ses", Path("results/a b")))
    python -c "import se_hpo; print(se_hpo.load_ses('results/a b'))"
    """
    code = f"import se_hpo; print(se_hpo.{function}({str(path)!r}))"
    plain = not set(code) & set('"$`\\!')  # double quotes leave the rest as it is
    return f'python -c "{code}"' if plain else f"python -c {shlex.quote(code)}"


def log_to_stderr(level: int) -> None:
    """One plain line per record of this package; other libraries' from WARNING on."""
    logging.basicConfig(
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
    )
    logging.getLogger("se_hpo").setLevel(level)


def _raise_terminated(number: int, frame: FrameType | None) -> None:
    # A second one must not tear the orderly end that the first has started.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # a log on the disk that is full
        sys.stderr.write(f"{line}\n")
