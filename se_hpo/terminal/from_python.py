"""A command's flags as Python gives them: `se_hpo.COMMAND.run(flag=value)`."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from rich.console import Console
from rich.control import Control

from se_hpo.errors import UserError, did_you_mean
from se_hpo.storage.json_records import UNIONS, checked

OptionsT = TypeVar("OptionsT")


class _NotebookConsole(Console):
    """What is live goes into a widget, lines below it: there is no cursor to move."""

    def __init__(self, force_terminal: bool) -> None:
        super().__init__(
            highlight=False, force_terminal=force_terminal, force_interactive=False
        )

    def control(self, *control: Control) -> None:
        """Nothing: a control code would be an empty line."""

    def show_cursor(self, show: bool = True) -> bool:
        """It has none."""
        return False

    def line(self, count: int = 1) -> None:
        """Nothing: the widget that goes leaves no lines to step over."""


def options_of(options: type[OptionsT], flags: Mapping[str, Any]) -> OptionsT:
    """A command's options; a path may be text, and a tuple any sequence or one value.

    Where the command line takes NAME=VALUE, a mapping is taken, too.

    Raises:
        UserError: a flag that there is not, or a value of another type.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Options:
    ...     envs: tuple[Path, ...] = ()
    ...     set: tuple[str, ...] = ()
    >>> options_of(Options, {"envs": "a", "set": {"ddqn.tau": 0.5}})
    Options(envs=(PosixPath('a'),), set=('ddqn.tau=0.5',))
    """
    kinds = get_type_hints(options)
    for name in flags:
        if name not in kinds:
            raise UserError(f"unknown flag {name!r}: {did_you_mean(name, kinds)}")
    return options(**{n: _value(kinds[n], value, n) for n, value in flags.items()})


def shown(progress: bool) -> dict[str, Any]:
    """Options of `LiveLog` for a call: live on a terminal and in a notebook.

    A notebook without `ipywidgets` gets log lines; elsewhere nothing is shown.
    """
    options = {"quiet": not progress, "only_live": True}
    if not (progress and Console().is_jupyter):
        return options
    live = importlib.util.find_spec("ipywidgets") is not None
    console = _NotebookConsole(force_terminal=live)
    return {**options, "only_live": live, "console": console}


def _value(kind: Any, value: Any, name: str) -> Any:
    args = get_args(kind)
    if get_origin(kind) in UNIONS and NoneType in args:
        inner = next(arg for arg in args if arg is not NoneType)
        return None if value is None else _value(inner, value, name)
    if get_origin(kind) is tuple:
        if isinstance(value, Mapping):
            value = [f"{key}={item}" for key, item in value.items()]
        alone = isinstance(value, (str, os.PathLike)) or not hasattr(value, "__iter__")
        items = [value] if alone else value
        return tuple(_value(args[0], v, f"{name}[{i}]") for i, v in enumerate(items))
    if kind is Path and isinstance(value, (str, os.PathLike)):
        return Path(value)
    if kind is str and isinstance(value, os.PathLike):
        return str(value)
    plain = value.item() if hasattr(value, "item") else value  # a NumPy scalar
    return checked(kind, plain, name)
