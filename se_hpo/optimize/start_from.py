"""Configurations to evaluate first: a run's best ones, or a list (`--start-from`).

They are stored in `run.json`, so that a run goes on as it began whatever becomes of
their source.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.config.overrides import ValueLoader
from se_hpo.errors import UserError
from se_hpo.results.ranking import best_trials
from se_hpo.results.run_settings import read_run
from se_hpo.results.trials import run_paths
from se_hpo.search_spaces.loading import Space
from se_hpo.storage.paths import RunPaths, trial_name

Found = tuple[str, Mapping[str, Any]]
"""What to call a configuration in a message, and its values."""


def resolve_start(
    source: Path | None, n_best: int, space: Space, paths: RunPaths, overwrite: bool
) -> dict[str, Any]:
    """What `run.json` has, or gets, as `start_from`; empty for nothing.

    Args:
        source: `--start-from`.
        n_best: how many of a run's best.
        space: what they have to fit.
        paths: the run that begins with them, or has begun.
        overwrite: it will be deleted.

    Raises:
        UserError: nothing to start from there, a configuration that does not fit, or a
            run that began from something else.
    """
    begun = paths.run.exists() and not overwrite
    stored = read_run(paths).get("start_from") if begun else None
    here = None if source is None else str(source.expanduser().resolve())
    if stored:
        if not isinstance(stored, dict) or not isinstance(stored.get("source"), str):
            raise UserError(f"{paths.run} is damaged (start_from): restore it")
        if here not in (None, stored["source"]):
            raise UserError(
                f"{paths.root} was begun with --start-from {stored['source']}, not "
                f"{here}: give the same to continue it, another --run, or --overwrite"
            )
        return stored
    if source is None or here is None:
        return {}
    if Path(here) == paths.root.resolve():
        raise UserError(f"--start-from {source} is the run itself: give another --run")
    if begun and paths.configs.exists():
        raise UserError(
            f"{paths.root} was begun without --start-from: leave that out to continue "
            "it, or give another --run, or --overwrite"
        )
    return {"source": here, "configurations": read_start(source, n_best, space)}


def read_start(source: Path, n_best: int, space: Space) -> list[dict[str, Any]]:
    """The configurations of a run or of a JSON or YAML file, checked, each once.

    Raises:
        UserError: as `resolve_start`.
    """
    encoding = SpaceEncoding(space.configuration_space())
    is_run, found = source.is_dir(), []
    for name, values in _best(source) if is_run else _listed(source):
        try:
            configuration = encoding.check(values)
            space.resolve(configuration)
        except UserError as error:
            raise UserError(
                f"--start-from {source}, {name} does not fit space {space.name!r}: "
                f"{error}"
            ) from error
        if configuration not in found:
            found.append(configuration)
        if is_run and len(found) == n_best:
            break
    if not found:
        what = "has no finished evaluation" if is_run else "holds no configuration"
        raise UserError(f"--start-from {source} {what}: nothing to start from")
    return found


def _best(source: Path) -> Iterator[Found]:
    run = run_paths(source)
    for finalist in best_trials(run, sys.maxsize):
        yield f"trial {trial_name(finalist.config_id)}", finalist.configuration


def _listed(source: Path) -> Iterator[Found]:
    try:
        data = yaml.load(source.read_text(encoding="utf-8"), ValueLoader)
    except OSError as error:
        raise UserError(
            f"--start-from {source}: {error.strerror}; give a run's folder, or a JSON "
            "or YAML file with a list of configurations"
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        told = " ".join(str(error).split())
        raise UserError(f"--start-from {source} is no JSON or YAML: {told}") from error
    listed = [data] if isinstance(data, dict) else data
    if not isinstance(listed, list):
        raise UserError(f"--start-from {source}: must hold a list of configurations")
    for i, values in enumerate(listed):
        if not isinstance(values, dict):
            raise UserError(
                f"--start-from {source}, number {i + 1}: must be a mapping of names to "
                f"values, not {values!r:.60}"
            )
        yield f"number {i + 1}", values
