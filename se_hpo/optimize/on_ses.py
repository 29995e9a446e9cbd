"""SEs that agents train on instead of the task (`--on`): chosen, kept in the run, read.

A run has copies of its SEs: workers on other machines find them there, and it goes on
whatever becomes of their source.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from se_hpo.agents.config import AgentConfig
from se_hpo.envs.checkpoint import SECheckpoint, load_se, open_checkpoint, save_se
from se_hpo.envs.learned import LearnedEnv, kind_of
from se_hpo.envs.se_steps import steps_on_ses
from se_hpo.envs.zoo_files import is_zoo_name, zoo_file
from se_hpo.errors import UserError
from se_hpo.registries import objective_kind
from se_hpo.results.model_card import KEY, card_of, config_of_card
from se_hpo.results.se_set_settings import read_set_json
from se_hpo.results.se_sets import find_sets, read_set
from se_hpo.search_spaces.user_code import prepare
from se_hpo.storage.paths import TENSORS, RunPaths, SESetPaths

if TYPE_CHECKING:  # it loads ConfigSpace, which a worker has no need of
    from se_hpo.search_spaces.loading import Space

OBJECTIVE = "agent_on_se"


@dataclass(frozen=True)
class ChosenSEs:
    """What `--on` names; nothing where agents train on the task."""

    checkpoints: dict[str, SECheckpoint] = field(default_factory=dict)
    """By how they are called: `zoo:CartPole-v0`, a file."""
    agents: tuple[AgentConfig, ...] = ()
    """Those that they were learned with, where that is known."""

    @property
    def digests(self) -> dict[str, str] | None:
        """What `run.json` has of them."""
        found = {name: digest_of(se) for name, se in self.checkpoints.items()}
        return found or None

    @property
    def environments(self) -> tuple[LearnedEnv, ...]:
        """What agents train on, in turn."""
        return _environments(self.checkpoints.values())

    def steps(self, agent: str) -> int | None:
        """`se_steps` of an agent that has none, as `envs.se_steps.steps_on_ses`."""
        kinds = [kind_of(se.se_config) for se in self.checkpoints.values()]
        return steps_on_ses(agent, self.agents, kinds)


def digest_of(se: SECheckpoint) -> str:
    """Changes with what agents see of an SE: its kind, networks and parameters."""
    kind, config = kind_of(se.se_config).name, dataclasses.asdict(se.se_config)
    head = json.dumps([kind, config], sort_keys=True).encode()
    return hashlib.sha256(head + se.psi.tobytes()).hexdigest()[:16]


def chosen_ses(on: Path | None, space: Space) -> ChosenSEs:
    """The SEs at `on`: `zoo:NAME`, a checkpoint file, a set, or a run with one set.

    Raises:
        UserError: there is none, it is damaged or for another task, or the space is not
            one of agents.
    """
    if on is None:
        if space.objective == OBJECTIVE:
            raise UserError(
                f"space {space.name!r} trains agents on SEs: say on which, with --on "
                "zoo:NAME, a checkpoint file, or a set of SEs"
            )
        return ChosenSEs()
    if space.objective not in ("agent", OBJECTIVE):
        learns = getattr(objective_kind(space.objective), "learns_se", False)
        why = "learns SEs itself" if learns else f"has the objective {space.objective}"
        raise UserError(
            f"--on {on}: space {space.name!r} {why}: leave it out, or take a space of "
            "agents alone (objective agent: see --list-spaces)"
        )
    chosen = _one(on) if _is_one(on) else _of_set(on)
    for name, se in chosen.checkpoints.items():
        _check(name, se, space.task)
    return chosen


def with_steps(
    base: Mapping[str, Any], searched: Mapping[str, Any], agent: str, chosen: ChosenSEs
) -> dict[str, Any]:
    """A space's base, with `se_steps` unless it or the search says how many.

    >>> with_steps({"ddqn.lr": 0.1}, {}, "ddqn", ChosenSEs())
    {'ddqn.lr': 0.1}
    """
    name = f"{agent}.se_steps"
    if not chosen.checkpoints or name in base or name in searched:
        return dict(base)
    steps = chosen.steps(agent)
    return dict(base) if steps is None else {**base, name: steps}


def _is_one(on: Path) -> bool:
    return is_zoo_name(on) or (on.suffix == TENSORS and not on.is_dir())


def _one(on: Path) -> ChosenSEs:
    se = load_se(zoo_file(str(on)) if is_zoo_name(on) else on)
    if KEY not in se.metadata:
        return ChosenSEs({str(on): se})
    config = config_of_card(card_of(se.metadata, on), on)
    return ChosenSEs({str(on): se}, config.agents)


def _of_set(on: Path) -> ChosenSEs:
    sets = find_sets(on)
    if len(sets) > 1:
        names = ", ".join(str(folder) for folder in sets)
        raise UserError(f"--on {on} has several sets: name one of {names}")
    paths = SESetPaths(sets[0])
    prepare(read_set_json(paths), paths.set)
    se_set = read_set(sets[0])
    ended = [o.index for o in se_set.outcomes if o.best_score is not None]
    if not ended:
        raise UserError(f"--on {on}: no SE of it is finished: train them first")
    files = [paths.checkpoint(index) for index in ended]
    return ChosenSEs({str(f): load_se(f) for f in files}, se_set.config.agents)


def _check(name: str, se: SECheckpoint, task: str) -> None:
    kind = kind_of(se.se_config)
    if kind.reward is not None:
        raise UserError(
            f"--on {name}: a {kind.noun} is trained with on the task itself: take a "
            "synthetic environment"
        )
    try:
        open_checkpoint(task, se, kind.noun)
    except UserError as error:
        raise UserError(f"--on {name}: {error}") from error


def keep(paths: RunPaths, chosen: ChosenSEs) -> None:
    """Copy the SEs into the run, in their order."""
    for i, se in enumerate(chosen.checkpoints.values()):
        save_se(paths.se(i), se.psi, se.task, se.se_config, se.metadata)


def kept(paths: RunPaths, digests: Mapping[str, str] | None) -> tuple[LearnedEnv, ...]:
    """What agents of a run train on, from its copies; nothing where it is the task.

    Raises:
        UserError: a copy is missing, damaged, or not what `run.json` says.
    """
    return _environments(_read_kept(paths, digests or {}))


def _read_kept(paths: RunPaths, digests: Mapping[str, str]) -> Iterator[SECheckpoint]:
    for i, (name, digest) in enumerate(digests.items()):
        se = load_se(paths.se(i))
        if digest_of(se) != digest:
            raise UserError(
                f"{paths.se(i)} is not the SE {name} that the run began with: give its "
                "command again, which restores it"
            )
        yield se


def _environments(ses: Iterable[SECheckpoint]) -> tuple[LearnedEnv, ...]:
    return tuple(LearnedEnv(se.se_config, se.psi) for se in ses)
