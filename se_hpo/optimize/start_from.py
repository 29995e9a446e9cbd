"""What a search starts from, kept in `run.json` whatever becomes of its source.

Configurations to evaluate first, a run's best or a list (`--start-from`); results of a
run that the model knows of (`--prior`, see `prior_run.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.config.overrides import ValueLoader
from se_hpo.errors import UserError
from se_hpo.optimize.options import Options
from se_hpo.optimize.prior_run import read_prior
from se_hpo.results.ranking import best_trials
from se_hpo.results.run_settings import read_run
from se_hpo.results.trials import run_paths
from se_hpo.search_spaces.loading import Space
from se_hpo.storage.json_records import RecordError, checked
from se_hpo.storage.paths import RunPaths, trial_name

Found = tuple[str, Mapping[str, Any]]
"""What to call a configuration in a message, and its values."""


def resolve_start(options: Options, space: Space, paths: RunPaths) -> dict[str, Any]:
    """What `run.json` has, or gets, as `start_from`; empty for nothing.

    `source` and `configurations` are of `--start-from`; `prior` has `source` and
    `results` of `--prior`.

    Args:
        options: the flags.
        space: what they have to fit.
        paths: the run that begins with them, or has begun.

    Raises:
        UserError: nothing to start from there, a configuration or a space that does not
            fit, or a run that began from something else.
    """
    begun = paths.run.exists() and not options.overwrite
    stored = read_run(paths).get("start_from") if begun else None
    try:
        first = checked(dict[str, Any], stored or {})
        prior = checked(dict[str, Any], first.pop("prior", {}))
        for part in filter(None, (first, prior)):
            checked(str, part.get("source"))
    except RecordError:
        raise UserError(f"{paths.run} is damaged (start_from): restore it") from None

    def resolved(
        flag: str,
        source: Path | None,
        stored: dict[str, Any],
        read: Callable[[Path], dict[str, Any]],
    ) -> dict[str, Any]:
        here = None if source is None else str(source.expanduser().resolve())
        if stored:
            if here not in (None, stored["source"]):
                raise UserError(
                    f"{paths.root} was begun with {flag} {stored['source']}, not "
                    f"{here}: give the same to continue it, another --run, or "
                    "--overwrite"
                )
            return stored
        if source is None or here is None:
            return {}
        if Path(here) == paths.root.resolve():
            raise UserError(f"{flag} {source} is the run itself: give another --run")
        if begun and paths.configs.exists():
            raise UserError(
                f"{paths.root} was begun without {flag}: leave that out to continue "
                "it, or give another --run, or --overwrite"
            )
        return {"source": here, **read(source)}

    def configurations(source: Path) -> dict[str, Any]:
        return {"configurations": read_start(source, options.start_best, space)}

    def results(source: Path) -> dict[str, Any]:
        return {"results": read_prior(source, space)}

    first = resolved("--start-from", options.start_from, first, configurations)
    prior = resolved("--prior", options.prior, prior, results)
    return {**first, **({"prior": prior} if prior else {})}


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
