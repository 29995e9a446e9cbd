"""A set's folder: made new, continued with the same settings, or refused.

Several processes (shards of a job array, also on other machines) may open one set.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from se_hpo.errors import unwritable
from se_hpo.machine.provenance import attempt, git_commit, versions
from se_hpo.names import is_random
from se_hpo.results.se_set_settings import (
    FORMAT,
    SetSettings,
    n_envs_from_set,
    read_set_json,
    settings_from_set,
)
from se_hpo.storage.files import write_json
from se_hpo.storage.lock import RunLock, wait_for_lock
from se_hpo.storage.paths import SESetPaths
from se_hpo.storage.records import to_builtin
from se_hpo.storage.same_settings import Begun, differences


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
        with wait_for_lock(RunLock(paths.opening)):
            data = check_set(paths, settings) or _new(settings, origin)
            if not isinstance(data.get("attempts"), list):
                data["attempts"] = []
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


def _new(settings: SetSettings, origin: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        **settings.to_dict(),
        "n_envs": 0,
        "origin": to_builtin(origin),
        "versions": versions(),
        "git_commit": git_commit(),
    }


def check_set(paths: SESetPaths, settings: SetSettings) -> dict[str, Any] | None:
    """`set.json` of the set that `open_set` would continue; None if it makes a new one.

    Writes nothing.

    Raises:
        UserError: another set or other files are in the folder.
    """

    def read() -> dict[str, Any]:
        data = read_set_json(paths)
        n_envs_from_set(paths, data)
        return data

    return Begun(
        paths.set,
        read=read,
        differences=lambda data: _differences(settings_from_set(paths, data), settings),
        is_one=f"{paths.root} is a set with",
        otherwise="continue it, or another folder with --out",
    ).open_or_refuse("set of SEs", "--out", {paths.opening})


def _order(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Agents take turns in their order, which mappings do not compare."""
    old, new = (", ".join(data.get("agents", {})) for data in (before, now))
    if old != new and before.get("agents") == now.get("agents"):
        yield f"agents in the order {old} -> {new}"


def _differences(old: SetSettings, new: SetSettings) -> Iterator[str]:
    """An existing set may get more generations."""
    if not is_random(old.train_env) and new.generations > old.generations:
        old = dataclasses.replace(old, generations=new.generations)
    before, now = old.to_dict(), new.to_dict()
    for data in (before, now):
        data |= data.pop("config")
    yield from _order(before, now)
    rewards = new.train_env.startswith("rn_")  # the section is called so in recipes
    told = differences(before, now)
    yield from (re.sub("^se[.]", "rn.", line) if rewards else line for line in told)
