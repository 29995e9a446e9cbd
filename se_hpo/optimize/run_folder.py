"""A run's folder: made new, continued with the same settings, or refused.

`run.json` holds what a run is (settings that decide its result) apart from how it was
launched (command, hosts, attempts), which may change from one attempt to the next.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import se_hpo
from se_hpo.bohb.brackets import MOST_BRACKETS
from se_hpo.errors import UserError, unwritable
from se_hpo.storage.files import parse_json, write_json
from se_hpo.storage.paths import RunPaths
from se_hpo.storage.records import to_builtin
from se_hpo.text import short_json

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace  # takes long, and others need no space

log = logging.getLogger(__name__)

FORMAT = 1
_PACKAGES = ("ConfigSpace", "gymnasium", "hpbandster", "numpy", "torch")


def read_run(paths: RunPaths) -> dict[str, Any]:
    """The contents of `run.json`.

    Raises:
        UserError: no run there, or an unreadable one.
    """
    try:
        data = parse_json(paths.run.read_text())
    except FileNotFoundError:
        raise UserError(
            f"{paths.root} is no run folder (it has no run.json): start one with "
            f"python -m se_hpo.optimize --space NAME --run {paths.root}"
        ) from None
    except ValueError as error:
        raise UserError(
            f"{paths.run} is damaged ({error}): restore it, or start over with "
            "--overwrite"
        ) from error
    shape = {"settings": dict, "attempts": list, "n_brackets": int}
    if not isinstance(data, dict) or not isinstance(data.get("settings"), dict):
        raise UserError(f"{paths.run} was not written by se_hpo: use another --run")
    for key, kind in shape.items():
        if not isinstance(data.setdefault(key, kind()), kind):
            raise UserError(
                f"{paths.run} is damaged ({key} is no {kind.__name__}): restore it, or "
                "start over with --overwrite"
            )
    if data["n_brackets"] > MOST_BRACKETS:
        raise UserError(
            f"{paths.run} is damaged (n_brackets has {len(str(data['n_brackets']))} "
            "digits): restore it, or start over with --overwrite"
        )
    return data


def open_run(
    paths: RunPaths,
    settings: Mapping[str, Any],
    space: ConfigurationSpace,
    overwrite: bool,
    code: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda data: {},
) -> dict[str, Any]:
    """Create the run folder, or continue the run in it if its settings are the same.

    Args:
        paths: the folder.
        settings: everything that decides the result; builtin types.
        space: written to `configspace.json`.
        overwrite: delete an earlier run in the folder first.
        code: given `run.json` so far, what to put there for `user_code.prepare`; it is
            called before anything is written.

    Returns:
        The contents of `run.json`, with this attempt added.

    Raises:
        UserError: the folder holds another run or other files, or is not writable.
    """
    data = find_run(paths, settings, space, overwrite)
    code_of_run = code(data or {})
    if data is not None:
        data |= code_of_run
        data["attempts"].append(attempt())
        _warn_of_other_version(paths, data)
        _write(paths, data, space)
        return data
    if paths.run.exists():
        delete_run(paths)
    data = {
        "format": FORMAT,
        "settings": _with_space(settings, space),
        **code_of_run,
        "versions": versions(),
        "git_commit": git_commit(),
        "attempts": [attempt()],
    }
    _write(paths, data, space)
    return data


def find_run(
    paths: RunPaths,
    settings: Mapping[str, Any],
    space: ConfigurationSpace,
    overwrite: bool,
) -> dict[str, Any] | None:
    """`run.json` of the run that `open_run` would continue; None if it makes a new one.

    Writes nothing.

    Raises:
        UserError: as `open_run`.
    """
    if paths.run.exists() and not overwrite:
        data = read_run(paths)
        _check_same(paths, data["settings"], _with_space(settings, space))
        return data
    if not paths.run.exists() and _foreign_files(paths):
        raise UserError(
            f"{paths.root} exists and holds no run: choose another folder with --run"
        )
    return None


def _with_space(
    settings: Mapping[str, Any], space: ConfigurationSpace
) -> dict[str, Any]:
    whole: dict[str, Any] = to_builtin(
        {**settings, "configspace": space.to_serialized_dict()}
    )
    return whole


def _warn_of_other_version(paths: RunPaths, data: Mapping[str, Any]) -> None:
    before = data.get("versions", {}).get("se_hpo")
    if before != se_hpo.__version__:
        log.warning(
            "%s was begun with se_hpo %s, this is %s: trials may be computed again",
            paths.root,
            before,
            se_hpo.__version__,
        )


def _write(paths: RunPaths, data: Mapping[str, Any], space: ConfigurationSpace) -> None:
    try:
        paths.logs.mkdir(parents=True, exist_ok=True)
        write_json(paths.configspace, to_builtin(space.to_serialized_dict()))
        write_json(paths.run, data)
    except OSError as error:
        raise unwritable(
            paths.root, error, "choose another folder with --run"
        ) from error


def _foreign_files(paths: RunPaths) -> bool:
    """Whether the folder holds files though it is no run.

    What there is before a run begins may be: the lock, and SLURM's scripts and logs.
    """
    early = {paths.lock, paths.slurm, paths.logs}
    return paths.root.is_dir() and not early.issuperset(paths.root.iterdir())


def delete_run(paths: RunPaths) -> None:
    """Delete what a run wrote; a folder with anything else in it is left alone."""
    strange = sorted(p.name for p in paths.root.iterdir() if not paths.writes(p.name))
    if strange:
        raise UserError(
            f"--overwrite: {paths.root} also holds {strange[0]!r}, which no run "
            "writes: move it away or choose another folder with --run"
        )
    for path in paths.root.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != paths.lock:  # held by this process
            path.unlink()


def _check_same(
    paths: RunPaths, old: Mapping[str, Any], new: Mapping[str, Any]
) -> None:
    """An existing run goes on only as what it is."""
    differences = [
        f"{name} {short_json(old.get(name))} -> {short_json(new.get(name))}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name) and name != "configspace"
    ]
    differences += _space_differences(old.get("configspace"), new["configspace"])
    if differences:
        raise UserError(
            f"{paths.root} is a run with other settings: {'; '.join(differences)}. "
            "Give the same settings to continue it, another --run, or --overwrite"
        )


def _space_differences(old: Any, new: Mapping[str, Any]) -> list[str]:
    def by_name(space: Mapping[str, Any]) -> dict[str, Any]:
        return {h["name"]: h for h in space["hyperparameters"]}

    try:
        before = by_name(old)
    except (KeyError, TypeError):
        return ["the stored space is damaged"]
    after = by_name(new)
    changed = [
        f"hyperparameter {name} changed"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
    rest = [k for k in ("conditions", "forbiddens") if old.get(k) != new.get(k)]
    return changed + [f"{k} of the space changed" for k in rest]


def attempt() -> dict[str, Any]:
    """When, where and how this process was launched."""
    return {
        "started": time.time(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "command": sys.argv,
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
    }


def versions() -> dict[str, str]:
    """Of this package, of those that matter for results, and of Python."""
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    packages["python"] = platform.python_version()
    return {"se_hpo": se_hpo.__version__, **packages}


def git_commit() -> str | None:
    """The commit of the checkout the package runs from, if it runs from one."""
    ours = ["git", "ls-files", "--error-unmatch", Path(__file__).name]
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    output = ""
    for command in (ours, describe):
        try:
            done = subprocess.run(
                command, cwd=Path(__file__).parent, capture_output=True, timeout=10
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode != 0:
            return None
        output = done.stdout.decode().strip()
    return output or None
