"""What a user names to train an agent on: a task, an SE, a reward network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec

from se_hpo.agents.config import AgentConfig
from se_hpo.config.run import run_config_from_dict
from se_hpo.envs.checkpoint import SE_NOUN, SECheckpoint, open_checkpoint
from se_hpo.envs.learned import LearnedEnv, kind_of
from se_hpo.envs.tasks import TaskSpec, import_task
from se_hpo.envs.zoo_files import is_zoo_name, zoo_file
from se_hpo.errors import UserError, did_you_mean
from se_hpo.results.model_card import KEY, card_of, config_of_card
from se_hpo.results.se_set_settings import read_set_json, settings_from_set
from se_hpo.storage.json_records import parsed
from se_hpo.storage.paths import TENSORS, SESetPaths, TrialPaths
from se_hpo.text import text_of
from se_hpo.training.trained_agent import spec_of

_OURS, _SYNTHETIC, _REWARDED = "se_hpo:", "Synthetic", "Rewarded"


@dataclass(frozen=True)
class TrainedOn:
    """Where an agent trains."""

    name: str
    """As a person says it."""
    spec: TaskSpec
    """The task that the agent is for."""
    learned: LearnedEnv | None = None
    """None: the task itself."""
    learned_with: tuple[AgentConfig, ...] = ()
    """Agents with which that was learned, as far as is known."""
    env: gymnasium.Env | None = None
    """The user's own environment, in place of a new one of the task."""

    @property
    def is_se(self) -> bool:
        """Whether it is a synthetic environment."""
        return self.learned is not None and self.learned.kind.reward is None


def trained_on(env: Any) -> TrainedOn:
    """What a user means.

    Raises:
        UserError: there is no such thing, or no agent here can train on it.
    """
    if isinstance(env, gymnasium.Env):
        return _environment(env)
    if isinstance(env, SECheckpoint):
        return _checkpoint(env)
    if isinstance(env, Path) or is_zoo_name(env) or str(env).endswith(TENSORS):
        return _checkpoint(env)
    if not isinstance(env, str):
        what = "vector environment" * isinstance(env, gymnasium.vector.VectorEnv)
        raise UserError(
            f"{what or text_of(type(env).__name__)}: give an id, a file, or one "
            "environment of gymnasium.make(...)"
        )
    own = env.removeprefix(_OURS)
    if own.partition("/")[0] in (_SYNTHETIC, _REWARDED):
        return _registered(own)
    spec = import_task(env)
    return TrainedOn(spec.id, spec)


def _registered(env_id: str, checkpoint: Any = None) -> TrainedOn:
    """`Synthetic/CartPole-v0`, of the zoo without a checkpoint; `Rewarded/...`."""
    if env_id not in gymnasium.registry:
        ours = [i for i in gymnasium.registry if i.startswith((_SYNTHETIC, _REWARDED))]
        raise UserError(f"unknown environment {env_id!r}: {did_you_mean(env_id, ours)}")
    if checkpoint is None and not env_id.startswith(f"{_SYNTHETIC}/"):
        raise UserError(f"{env_id} needs its networks: give their *{TENSORS} file")
    task = gymnasium.registry[env_id].kwargs.get("task")
    return _checkpoint(checkpoint, task, _OURS + env_id)


def _checkpoint(given: Any, task: str | None = None, name: str = "") -> TrainedOn:
    """A file, `zoo:NAME` or what was read; without one the zoo's SE of the task."""
    spec, found = open_checkpoint(task, given, SE_NOUN)
    kind = kind_of(found.se_config)
    kind.check_actions(spec.id, spec.continuous)
    said = name or f"a {kind.noun} of {spec.id}"
    name = str(given) if isinstance(given, str | Path) else said
    learned = LearnedEnv(found.se_config, found.psi)
    return TrainedOn(name, spec, learned, _learned_with(given, found))


def _learned_with(given: Any, found: SECheckpoint) -> tuple[AgentConfig, ...]:
    """From the model card, or what lies beside the file: its set, its trial."""
    if KEY in found.metadata:
        where = "the checkpoint"
        return config_of_card(card_of(found.metadata, where), where).agents
    if not isinstance(given, str | Path):
        return ()
    folder = (zoo_file(str(given)) if is_zoo_name(given) else Path(given)).parent
    se_set, trial = SESetPaths(folder), TrialPaths(folder)
    if se_set.set.is_file():
        return settings_from_set(se_set, read_set_json(se_set)).config.agents
    if trial.config.is_file() and Path(given).name == trial.best_se.name:
        data = parsed(trial.config.read_bytes())
        parts = ("task", "agent", "agents", "se", "nes")
        return run_config_from_dict({k: data[k] for k in parts if k in data}).agents
    return ()


def _environment(env: gymnasium.Env) -> TrainedOn:
    """An SE by what it was made of; any other as it is, step by step."""
    made: EnvSpec | None = env.spec
    if made is not None and made.id.partition("/")[0] == _SYNTHETIC:
        se = _registered(made.id, made.kwargs.get("checkpoint"))
        limit = made.max_episode_steps
        if made.additional_wrappers or limit not in (None, se.spec.max_steps):
            raise UserError(
                f"{made.id} in wrappers of your own: an agent here trains on the SE "
                f"itself: give its id, its *{TENSORS} file, or gymnasium.make(...)"
            )
        return se
    name = made.id if made else type(env.unwrapped).__name__
    return TrainedOn(name, spec_of(name, env), env=env)
