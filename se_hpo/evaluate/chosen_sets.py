"""Which SEs phase 2 uses: from folders on a command line to a checked list."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from se_hpo.envs.checkpoint import SECheckpoint, load_se
from se_hpo.envs.learned import kind_of
from se_hpo.envs.zoo_files import PREFIX, is_zoo_name, name_of_file, zoo_file
from se_hpo.errors import UserError, did_you_mean
from se_hpo.names import REAL, TRAIN_ENVS, noun_of
from se_hpo.results.se_outcome import SEOutcome
from se_hpo.results.se_set_settings import read_set_json
from se_hpo.results.se_sets import SESet, find_sets, read_set, set_of_one
from se_hpo.search_spaces.user_code import prepare
from se_hpo.storage.paths import TENSORS, SESetPaths

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class UsedSE:
    """An SE that agents will be trained on."""

    outcome: SEOutcome
    checkpoint: SECheckpoint = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Changes with the SE's parameters."""
        return self.checkpoint.fingerprint


@dataclass(frozen=True)
class UsedSet:
    """A set, and those of its SEs that are used."""

    se_set: SESet
    ses: dict[int, UsedSE]
    """By index in the set."""

    @property
    def is_of_rewards(self) -> bool:
        """It holds reward networks."""
        return kind_of(self.se_set.config.se).reward is not None

    @property
    def summary(self) -> str:
        """One line: what it has, and what of it is used."""
        outcomes, noun = self.se_set.outcomes, noun_of(self.se_set.train_env)
        solved = sum(outcome.solved for outcome in outcomes)
        used = "all" if len(self.ses) == len(outcomes) else f"{len(self.ses)}"
        solved_used = sum(se.outcome.solved for se in self.ses.values())
        return (
            f"{self.se_set.train_env} ({self.se_set.paths.root}): {len(outcomes)} of "
            f"{self.se_set.n_envs} {noun}s finished, {solved} solved the task; "
            f"{used} used ({solved_used} solved, {len(self.ses) - solved_used} not)"
        )

    def to_dict(self) -> dict[str, Any]:
        """What makes the set what it is; builtin types."""
        ses = {str(index): se.fingerprint for index, se in self.ses.items()}
        train_env, config = self.se_set.train_env, self.se_set.config
        cap = config.agent.max_env_steps
        return {"train_env": train_env, "max_env_steps": cap, "ses": ses}


def is_one_se(path: Path) -> bool:
    """Whether it names an SE with its model card, of the zoo or in a file; no set."""
    return is_zoo_name(path) or (path.suffix == TENSORS and not path.is_dir())


def run_of(envs: Iterable[Path]) -> Path:
    """The one run folder in which all the sets lie.

    Raises:
        UserError: there is no such folder.
    """
    runs = {SESetPaths(folder).run_folder for path in envs for folder in _sets_at(path)}
    if len(runs) == 1 and None not in runs:
        return next(run for run in runs if run is not None)
    raise UserError(
        "the sets do not lie in one run (results/<run>/ses/<set>): say with "
        "--out FILE.jsonl where the records go"
    )


def _sets_at(path: Path) -> list[Path]:
    if is_zoo_name(path):  # by one name, so that nothing is there twice
        return [Path(PREFIX + name_of_file(zoo_file(str(path))))]
    path = path.expanduser().absolute()
    return [path] if is_one_se(path) else find_sets(path)


def used_sets(
    envs: Sequence[Path], train_envs: Sequence[str], only_solved: bool
) -> list[UsedSet]:
    """The sets at `envs`, each with the SEs that are to be used.

    Args:
        envs: sets, `ses` folders or run folders; `zoo:NAME` or files with a card.
        train_envs: names in `TRAIN_ENVS`; empty for all.
        only_solved: leave out SEs that did not solve the task.

    Raises:
        UserError: no set, no SE to use, several tasks, or a checkpoint that is missing,
            damaged or of another task.
    """
    for name in train_envs:
        if name not in TRAIN_ENVS:
            hint = did_you_mean(name, TRAIN_ENVS)
            raise UserError(f"--train-envs: unknown train_env {name!r}: {hint}")
    if not envs:
        raise UserError("no --envs: name a run (results/RUN) or sets of SEs in it")
    folders = dict.fromkeys(folder for path in envs for folder in _sets_at(path))
    sets = [_read_set(folder) for folder in folders]
    _check_one_task(sets)
    _check_names(sets)
    _check_present(sets, train_envs)
    wanted = [s for s in sets if s.train_env in train_envs] or sets  # for `real` alone
    used = [_use(se_set, only_solved) for se_set in wanted]
    empty = [u.se_set for u in used if not u.ses]
    if len(empty) == len(used):
        raise UserError(_why_empty(empty, only_solved))
    for se_set in empty:
        log.warning("%s", _why_empty([se_set], only_solved))
    return [u for u in used if u.ses]


def _check_one_task(sets: Sequence[SESet]) -> None:
    first = sets[0]
    for other in sets[1:]:
        if other.task != first.task:
            raise UserError(
                f"{first.paths.root} is for {first.task}, {other.paths.root} for "
                f"{other.task}: evaluate the tasks one by one"
            )


def _check_names(sets: Sequence[SESet]) -> None:
    by_name: dict[str, SESet] = {}
    for se_set in sets:
        other = by_name.setdefault(se_set.name, se_set)
        if other is not se_set:
            raise UserError(
                f"{other.paths.root} and {se_set.paths.root} have the same name: "
                "rename a folder, or evaluate them one by one"
            )


def _check_present(sets: Sequence[SESet], train_envs: Sequence[str]) -> None:
    there = {s.train_env for s in sets}
    for name in train_envs:
        if name != REAL and name not in there:
            raise UserError(
                f"--train-envs {name}: no set of it here, only "
                f"{', '.join(sorted(there))}"
            )


def _use(se_set: SESet, only_solved: bool) -> UsedSet:
    used = {}
    for outcome in se_set.outcomes:
        if outcome.best_score is None or (only_solved and not outcome.solved):
            continue  # the first kind has no SE
        path = se_set.paths.checkpoint(outcome.index)
        used[outcome.index] = UsedSE(outcome, load_se(path, se_set.task))
    return UsedSet(se_set, used)


def _why_empty(sets: Sequence[SESet], only_solved: bool) -> str:
    names = ", ".join(str(se_set.paths.root) for se_set in sets)
    noun = noun_of(sets[0].train_env)
    if only_solved:
        return f"{names}: no {noun} solved the task: leave out --only-solved to use all"
    return f"{names}: no {noun} is finished: train first (python -m se_hpo.train)"


def _read_set(path: Path) -> SESet:
    if is_one_se(path):
        one = set_of_one(path)
        prepare({"config": one.config.to_dict()}, path)
        return one
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        paths = SESetPaths(path)
        prepare(read_set_json(paths), paths.set)
        se_set = read_set(path)
    for warning in caught:
        log.warning("%s", warning.message)
    return se_set
