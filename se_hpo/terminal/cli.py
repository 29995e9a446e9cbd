"""What all commands share: flags, one-line errors, exit codes, signals.

Exit codes: 0 done, 1 a defect or a run that could not go on (a full disk, too little
memory, nothing but failures), 2 bad input, 130 interrupted (Ctrl-C), 143 terminated,
129 by the end of its terminal.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, TextIO, TypeVar

import tyro

from se_hpo.errors import DiedProcessError, FailedRunError, UserError, storage_line
from se_hpo.machine.processes import Terminated
from se_hpo.machine.provenance import launched_as
from se_hpo.terminal.help_texts import with_help, without_internal

OptionsT = TypeVar("OptionsT")

PLAIN = (tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone)
"""How flags are made of fields: no `--no-x` beside `--x`, and nobody types `None`."""


def run_command(options: type[OptionsT], main: Callable[[OptionsT], int]) -> None:
    """Parse the command line into `options`, call `main`, and exit with its code.

    Args:
        options: a dataclass; the docstring under each field is its help.
        main: the command.
    """
    exit_with(lambda: main(parsed(options)))


def parsed(options: type[OptionsT]) -> OptionsT:
    """The command line; ends the process for `--help` and for wrong flags.

    A command that takes a second to import calls it before the rest of its imports.
    """
    steady_streams()
    program = shlex.join(launched_as()[:3])
    rest, hidden = without_internal(options, sys.argv[1:])
    shown = with_help(options)
    found = tyro.cli(shown, args=rest, prog=program, config=PLAIN)
    return dataclasses.replace(found, **hidden)  # type: ignore[type-var]


def exit_with(main: Callable[[], int]) -> None:
    """Exit with the code of a command, or with that of the error that ended it."""
    signal.signal(signal.SIGTERM, _raise_terminated)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, _raise_terminated)
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    steady_streams()
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
    except OSError as error:
        line = storage_line(error)
        if line is None:
            raise
        _say(f"error: {line}")
        code = 1
    except Terminated as told:
        _say("terminated; the same command goes on from here")
        code = 128 + int(told.args[0])
    except KeyboardInterrupt:
        _say("interrupted; the same command goes on from here")
        code = 130
    sys.stdout.flush()
    sys.exit(code or int(getattr(sys.stdout, "failed", False)))


class _Output:
    """A standard stream that ends no command: where it fails, that is said once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self.failed = stream, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, do: Callable[[], object]) -> None:
        try:
            do()
        except OSError as error:  # from now on it goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            self.failed = True
            if not isinstance(error, BrokenPipeError):  # who has seen enough, knows
                _say(f"standard output: {error.strerror}")


def steady_streams() -> None:
    """Let no standard stream end a command, whatever it is connected to.

    A closed one is replaced, one that fails is left; a terminal that cannot show a
    character shows another one.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            stream = Path(os.devnull).open(mode)  # noqa: SIM115 - for good
        if name == "stdout" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
        known = mode == "r" or isinstance(stream, _Output)
        setattr(sys, name, stream if known else _Output(stream))


def log_to_stderr(level: int) -> None:
    """One plain line per record of this package; other libraries' from WARNING on."""
    logging.basicConfig(
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
    )
    for name in ("se_hpo", "__main__"):  # what `python -m` runs has the latter name
        logging.getLogger(name).setLevel(level)


def _raise_terminated(number: int, frame: FrameType | None) -> None:
    # A second one must not tear the orderly end that the first has started.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise Terminated(number)


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # a log on the disk that is full
        sys.stderr.write(f"{line}\n")
