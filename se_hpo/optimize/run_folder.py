"""A run's folder: made new, continued with the same settings, or refused.

`run.json` holds what a run is (settings that decide its result) apart from how it was
launched (command, hosts, attempts), which may change from one attempt to the next.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from se_hpo.errors import UserError, unwritable
from se_hpo.machine.provenance import attempt, git_commit, versions
from se_hpo.results.run_settings import UNNAMED, read_run
from se_hpo.storage.files import write_json
from se_hpo.storage.paths import RunPaths
from se_hpo.storage.records import to_builtin
from se_hpo.storage.same_settings import Begun, differences
from se_hpo.version import __version__

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace  # takes long, and others need no space

log = logging.getLogger(__name__)

FORMAT = 1


def open_run(
    paths: RunPaths,
    settings: Mapping[str, Any],
    space: ConfigurationSpace,
    overwrite: bool,
    code: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda data: {},
    write_files: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Create the run folder, or continue the run in it if its settings are the same.

    Args:
        paths: the folder.
        settings: everything that decides the result; builtin types.
        space: written to `configspace.json`.
        overwrite: delete an earlier run in the folder first.
        code: given `run.json` so far, what to put there for `user_code.prepare`; it is
            called before anything is written.
        write_files: writes what workers read besides; they begin once there is a
            `run.json`.

    Returns:
        The contents of `run.json`, with this attempt added.

    Raises:
        UserError: the folder holds another run or other files, or is not writable.
    """
    data = find_run(paths, settings, space, overwrite)
    code_of_run = code(data or {})
    if data is None:
        if paths.run.exists():
            delete_run(paths)
        data = {
            "format": FORMAT,
            "settings": _with_space(settings, space),
            **code_of_run,
            "versions": versions(),
            "git_commit": git_commit(),
            "attempts": [],
        }
    else:
        data |= code_of_run
        _warn_of_other_version(paths, data)
    data["attempts"].append(attempt())
    try:
        paths.logs.mkdir(parents=True, exist_ok=True)
        write_json(paths.configspace, to_builtin(space.to_serialized_dict()))
        write_files()
        write_json(paths.run, data)
    except OSError as error:
        raise unwritable(
            paths.root, error, "choose another folder with --run"
        ) from error
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
    if paths.run.exists() and overwrite:
        return None
    now = _with_space(settings, space)
    return Begun(
        paths.run,
        read=lambda: read_run(paths),
        differences=lambda data: _differences(data["settings"], now),
        is_one=f"{paths.root} is a run with",
        otherwise="continue it, another --run, or --overwrite",
    ).open_or_refuse("run", "--run", {paths.lock, paths.slurm, paths.logs})


def _with_space(
    settings: Mapping[str, Any], space: ConfigurationSpace
) -> dict[str, Any]:
    whole: dict[str, Any] = to_builtin(
        {**settings, "configspace": space.to_serialized_dict()}
    )
    return whole


def _warn_of_other_version(paths: RunPaths, data: Mapping[str, Any]) -> None:
    before = data.get("versions", {}).get("se_hpo")
    if before != __version__:
        log.warning(
            "%s was begun with se_hpo %s, this is %s: trials may be computed again",
            paths.root,
            before,
            __version__,
        )


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


def _differences(before: Mapping[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """Of the settings, and of the search space by hyperparameter."""
    old: Any = before.get("configspace")
    new = now["configspace"]
    if _digests(before) == _digests(now):  # the same SEs, by whatever path
        before = {**before, "on": now.get("on")}
    yield from differences({**before, "configspace": new}, {**UNNAMED, **now})

    def by_name(space: Any) -> dict[str, Any]:
        return {h["name"]: h for h in space["hyperparameters"]}

    try:
        was, is_now = by_name(old), by_name(new)
    except (KeyError, TypeError):
        yield "the stored space is damaged"
        return
    for name in sorted({*was, *is_now}):
        if was.get(name) != is_now.get(name):
            yield f"hyperparameter {name} changed"
    for part in ("conditions", "forbiddens"):
        if old.get(part) != new.get(part):
            yield f"{part} of the space changed"


def _digests(settings: Mapping[str, Any]) -> list[Any]:
    """Of the SEs that agents train on."""
    on = settings.get("on")
    return list(on.values()) if isinstance(on, Mapping) else []
