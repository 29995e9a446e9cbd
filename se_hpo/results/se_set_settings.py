"""What decides the SEs of a set, and `set.json`, where that is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from se_hpo import seeding
from se_hpo.config.run import RunConfig, run_config_from_dict
from se_hpo.envs.gymnasium_specs import remember_solved
from se_hpo.errors import UserError
from se_hpo.names import LEARNED_TRAIN_ENVS, is_random, with_train_env
from se_hpo.results.lines import not_there
from se_hpo.results.se_outcome import SEOutcome
from se_hpo.search_spaces.user_code import prepare
from se_hpo.storage.json_records import RecordError, parsed, record
from se_hpo.storage.paths import RunPaths, SESetPaths, sets_in
from se_hpo.storage.records import to_builtin

FORMAT = 1
MOST_ENVS = 100_000


@dataclass(frozen=True)
class SetSettings:
    """Everything that decides the bytes of a set's SEs."""

    train_env: str
    """`se_fixed`, `se_varied` or `se_random`; of reward networks `rn_...`."""
    config: RunConfig
    seed: int
    """Of the whole set."""
    generations: int
    """At most so many per SE."""
    engine: str
    """`native` or `torch`."""
    trainings: int | None = None
    """Agents per SE of a random search."""

    def se_seed(self, index: int) -> int:
        """The seed of one NES run or random search."""
        return seeding.integer_seed(self.seed, "se set", self.train_env, index)

    def may_continue(self, outcome: SEOutcome) -> bool:
        """An NES run that ended at its last generation, before the set got more."""
        ended = outcome.reason == "budget" and not is_random(self.train_env)
        return ended and outcome.generations < self.generations

    def to_dict(self) -> dict[str, Any]:
        """As in `set.json`."""
        data = {**vars(self), "config": self.config.to_dict()}
        return dict(to_builtin({**data, "task": self.config.task}))


def read_settings(paths: SESetPaths) -> SetSettings:
    """The settings in `set.json`, whose code is run; a `UserError` if damaged."""
    data = read_set_json(paths)
    prepare(data, paths.set, trusted=True)
    return settings_from_set(paths, data)


def settings_from_set(paths: SESetPaths, data: Mapping[str, Any]) -> SetSettings:
    """The settings in the contents of a `set.json`; a `UserError` if it is damaged."""
    try:
        config = run_config_from_dict(data.get("config"))
        settings = record(SetSettings, {"engine": "", **data, "config": config})
        if settings.train_env not in LEARNED_TRAIN_ENVS:
            raise RecordError(f"train_env {settings.train_env!r} is unknown")
    except UserError as error:
        raise damaged(paths, str(error)) from error
    return settings


def n_envs_from_set(paths: SESetPaths, data: Mapping[str, Any]) -> int:
    """The number of SEs of a `set.json`; a `UserError` if it is damaged."""
    n_envs = data.get("n_envs")
    if type(n_envs) is not int or not 0 <= n_envs <= MOST_ENVS:
        raise damaged(paths, f"n_envs = {n_envs!r}")
    return n_envs


def damaged(paths: SESetPaths, why: str) -> UserError:
    """What is said of a `set.json` that cannot be used."""
    mend = "restore it, or train the set anew in another folder"
    return UserError(f"{paths.set} is damaged ({why}): {mend}")


def read_set_json(paths: SESetPaths) -> dict[str, Any]:
    """The contents of `set.json`; a `UserError` if there is no set, or no whole one."""
    try:
        data = with_train_env(parsed(paths.set.read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(no_set(paths.root)) from None
    except (OSError, ValueError) as error:
        raise damaged(paths, str(error)) from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        mend = "name a folder that `python -m se_hpo.train` made"
        raise UserError(f"{paths.set} is no set of SEs of this version: {mend}")
    config = data.get("config")
    task = config.get("task") if isinstance(config, dict) else None
    remember_solved(task, data.get("solved_return"))
    return data


def no_set(folder: Path) -> str:
    """What is said of a folder that is no set; names the sets that are near."""
    inside = sets_in(RunPaths(folder).ses) or sets_in(folder)
    beside = [path.name for path in sets_in(folder.parent)]
    otherwise = "train one with `python -m se_hpo.train`"
    return not_there(folder, "set of SEs", inside, beside, otherwise)
