"""A user's own file, which may register a task or an agent: run once in each process.

`run.json` and `set.json` name the space file that a run began with. Commands that train
run it before they look a task up, and so do their processes; what only reads does not.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import os
import sys
import traceback
import zlib
from collections.abc import Callable, Mapping
from importlib.machinery import FrozenImporter, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from se_hpo.agents.registry import find_agent
from se_hpo.envs.tasks import (
    all_returns,
    get_task,
    import_task,
    returns_of,
    use_returns,
)
from se_hpo.errors import UserError
from se_hpo.text import typed_line

_modules: dict[Path, tuple[object, ModuleType]] = {}


def run_file(path: Path) -> ModuleType:
    """The file as a module, with its folder first on `sys.path` (`python FILE`).

    It is run again only when its text has changed, or the environment that it may ask.

    Raises:
        UserError: it cannot be read or raises something.
    """
    try:
        text = path.read_bytes()
        made_of = text, dict(os.environ)
        if path in _modules and _modules[path][0] == made_of:
            return _modules[path][1]
        _import_from(path.parent)
        neighbours = _neighbours(path)
        # Pickles of what it defines name the module, in every process the same.
        name = f"se_hpo_space_{path.stem}_{zlib.crc32(str(path).encode()):08x}"
        module = sys.modules[name] = ModuleType(name)
        module.__file__ = str(path)
        own = {"__import__": _import_for(neighbours)}
        vars(module)["__builtins__"] = vars(builtins) | own
        exec(compile(text, str(path), "exec"), vars(module))
    except (Exception, SystemExit) as error:
        raise UserError(f"{path}: {said(error)}") from error
    _modules[path] = made_of, module
    return module


def said(error: BaseException) -> str:
    """What code of a user raised, in one line; the mend where ConfigSpace has none."""
    values: Mapping[str, Any] = {}
    for frame, _ in traceback.walk_tb(error.__traceback__):
        theirs = frame.f_globals.get("__name__", "").startswith("ConfigSpace.hyperp")
        values = frame.f_locals if theirs else {}
    choices = values.get("choices", values.get("sequence"))
    if isinstance(choices, (list, tuple)) and not choices:
        return f"{values['name']!r} has no choices: give it one or more"
    return typed_line(error)


def _import_from(folder: Path) -> None:
    """Find the folder's modules first, also where another file has one of that name."""
    others = {path.parent for path in _modules} - {folder}
    for name in {entry.stem for entry in folder.iterdir()}:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file and others & {Path(file).parent, Path(file).parent.parent}:
            _taken_out(name)
        elif name in sys.stdlib_module_names - {"this", "antigravity"}:
            with contextlib.suppress(ImportError):  # first, for the libraries
                importlib.import_module(name)
    if str(folder) in sys.path:
        sys.path.remove(str(folder))
    sys.path.insert(0, str(folder))


def _taken_out(name: str) -> dict[str, ModuleType]:
    """A module and its submodules, which are then no longer loaded."""
    parts = [part for part in sys.modules if part.partition(".")[0] == name]
    return {part: sys.modules.pop(part) for part in parts}


def _neighbours(path: Path) -> set[str]:
    """Modules beside the file whose names other modules have that are loaded."""
    names = {entry.stem for entry in path.parent.iterdir()} & sys.modules.keys()
    return {
        name
        for name in names - {path.stem, "se_hpo", "__main__"}
        if (file := getattr(sys.modules[name], "__file__", None))
        and not FrozenImporter.find_spec(name)  # Python's own come first
        and (own := PathFinder.find_spec(name, [str(path.parent)]))
        and own.origin  # a mere folder has none
        and Path(own.origin).resolve() != Path(file).resolve()
    }


def _import_for(neighbours: set[str]) -> Callable[..., Any]:
    """`__import__` for a space file: its neighbours are its own, and nobody else's."""
    kept: dict[str, dict[str, ModuleType]] = {}

    def own(name: str, *others: Any, **more: Any) -> Any:
        top = name.partition(".")[0]
        if top not in neighbours:
            return builtins.__import__(name, *others, **more)
        loaded = _taken_out(top)
        sys.modules.update(kept.get(top, {}))
        try:
            return builtins.__import__(name, *others, **more)
        finally:
            kept[top] = _taken_out(top)
            sys.modules.update(loaded)

    return own


def prepare(data: Mapping[str, Any], where: Path, trusted: bool = False) -> None:
    """Make known the task and the agent of a `run.json` or `set.json`.

    Args:
        data: its contents.
        where: the file.
        trusted: a module that its task names is imported; else only where the `META` of
            the space file names it too.

    Raises:
        UserError: task or agent is unknown, perhaps as the space file is gone; or that
            file raises something.
    """
    task, agent = _task_and_agent(data)
    if not (isinstance(task, str) and isinstance(agent, str)):
        return  # damaged: its reader says so
    file = Path(str(data.get("space_file") or ""))
    if file.is_file():
        meta = getattr(run_file(file), "META", None)
        trusted |= isinstance(meta, Mapping) and meta.get("task") == task
    try:
        _ = import_task(task) if trusted else get_task(task)
        find_agent(agent)
    except UserError as error:
        why = str(error)
        if data.get("space_file") and not file.is_file():
            why = (
                f"task {task} or agent {agent} is unknown, since the space file {file} "
                "is gone: put it back, or give its new place to optimize --space"
            )
        raise UserError(f"{where}: {why}") from error
    use_returns(task, data.get("random_returns"))


def _task_and_agent(data: Mapping[str, Any]) -> tuple[Any, Any]:
    try:
        if "settings" in data:  # of a run, else of a set
            return data["settings"]["task"], data["settings"]["agent"]
        return data["config"]["task"], data["config"]["agent"]["algorithm"]
    except (KeyError, TypeError):
        return None, None


def code_of(task: str, file: str | None, before: Mapping[str, Any]) -> dict[str, Any]:
    """What `prepare` will read: the space file, and the returns that all are to use.

    Args:
        task: its returns are measured now, unless `before` has them.
        file: the space file, if there is one.
        before: what was stored so far.
    """
    use_returns(task, before.get("random_returns"))
    told = {"space_file": file, "random_returns": returns_of(task)}
    # Readers, which import no code of a user, know it from here.
    return told | {"solved_return": get_task(task).solved_return}


State = tuple[tuple[Path, ...], dict[str, Any]]


def state() -> State:
    """What another process must know before it can do this one's jobs."""
    return tuple(_modules), all_returns()


def usual_path() -> list[str]:
    """`sys.path` without what `run_file` has put there."""
    folders = {str(path.parent) for path in _modules}
    return [entry for entry in sys.path if entry not in folders]


def restore(state: State) -> None:
    """Know what the process knew that `state` was called in."""
    for path in state[0]:
        run_file(path)
    for task, returns in state[1].items():
        use_returns(task, returns)
