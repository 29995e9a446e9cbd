"""A set's folder: made new, continued with the same settings, or refused.

Several processes (shards of a job array, also on other machines) may open one set.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from se_hpo.errors import UserError, unwritable
from se_hpo.optimize.run_folder import attempt, git_commit, versions
from se_hpo.results.se_set_settings import (
    FORMAT,
    SetSettings,
    n_envs_from_set,
    read_set_json,
    settings_from_set,
)
from se_hpo.storage.files import write_json
from se_hpo.storage.lock import RunLock, turn
from se_hpo.storage.paths import SESetPaths
from se_hpo.storage.records import to_builtin


def open_set(
    paths: SESetPaths,
    settings: SetSettings,
    n_envs: int,
    origin: Mapping[str, Any],
    code: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Make the set, or continue it if its settings are the same.

    Args:
        paths: its folder.
        settings: what decides its SEs; `generations` may be more than they were.
        n_envs: SEs it is to have; a set grows, and never shrinks.
        origin: where the configuration comes from, for information.
        code: what `user_code.code_of` gives; the returns of an existing set stay.

    Raises:
        UserError: another set or other files are in the folder, it cannot be written,
            or another process holds it for too long.
    """
    try:
        with turn(RunLock(paths.opening)):
            data = _opened(paths, settings, origin)
            data = {**code, **data}
            data["space_file"] = code.get("space_file") or data.get("space_file")
            data["n_envs"] = max(n_envs, data["n_envs"])
            data["generations"] = settings.generations
            data["attempts"].append(attempt())
            write_json(paths.set, data)
    except OSError as error:
        raise unwritable(
            paths.root, error, "choose another folder with --out"
        ) from error


def check_set(paths: SESetPaths, settings: SetSettings) -> bool:
    """Whether the set is there; writes nothing.

    Raises:
        UserError: another set is in the folder.
    """
    if not paths.set.exists():
        return False
    _check_same(paths, settings_from_set(paths, read_set_json(paths)), settings)
    return True


def _opened(
    paths: SESetPaths, settings: SetSettings, origin: Mapping[str, Any]
) -> dict[str, Any]:
    if paths.set.exists():
        data = read_set_json(paths)
        _check_same(paths, settings_from_set(paths, data), settings)
        if not isinstance(data.get("attempts"), list):
            data["attempts"] = []
        n_envs_from_set(paths, data)
        return data
    if any(p != paths.opening for p in paths.root.iterdir()):
        raise UserError(
            f"{paths.root} exists and holds no set of SEs: choose another folder with "
            "--out"
        )
    return {
        "format": FORMAT,
        **settings.to_dict(),
        "n_envs": 0,
        "origin": to_builtin(origin),
        "versions": versions(),
        "git_commit": git_commit(),
        "attempts": [],
    }


def _check_same(paths: SESetPaths, old: SetSettings, new: SetSettings) -> None:
    """An existing set goes on only as what it is; it may get more generations."""
    if old.train_env != "se_random" and new.generations > old.generations:
        old = dataclasses.replace(old, generations=new.generations)
    before, after = _flat(old.to_dict()), _flat(new.to_dict())
    differences = [
        f"{name} {json.dumps(before.get(name))} -> {json.dumps(after.get(name))}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
    if differences:
        raise UserError(
            f"{paths.root} is a set with other settings: {'; '.join(differences)}. "
            "Give the same settings to continue it, or another folder with --out"
        )


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested names joined by dots, without the outermost `config.`."""
    flat: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, Mapping):
            inner = "" if name == "config" else f"{prefix}{name}."
            flat |= _flat(value, inner)
        else:
            flat[f"{prefix}{name}"] = value
    return flat
