"""Stable-Baselines3's agents: its loop trains them, on our training environments.

Three things differ from `Algorithm("MlpPolicy", env).learn(steps)`: a replay buffer
holds as done what the environment says is stored (on an SE its raw output, see
docs/environments.md), a rollout is no longer than the training, and nothing is logged.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import nn

from se_hpo.agents.base import DivergedError
from se_hpo.agents.config import ACTIVATIONS
from se_hpo.agents.registry import kind_of
from se_hpo.agents.sb3_config import SB3Config
from se_hpo.agents.sb3_surroundings import CountedEnv, Generators, Over
from se_hpo.errors import UserError, did_you_mean
from se_hpo.storage.json_records import checked
from se_hpo.text import typed_line

try:
    import stable_baselines3
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.buffers import ReplayBuffer
    from stable_baselines3.common.logger import Logger
    from stable_baselines3.common.noise import NormalActionNoise
    from stable_baselines3.common.vec_env import DummyVecEnv
except ImportError as missing:
    raise UserError(
        f"agents sb3:* need Stable-Baselines3 ({missing}): pip install 'se-hpo[sb3]'"
    ) from missing

_OURS = {
    *("policy", "env", "seed", "device", "verbose", "tensorboard_log"),
    *("_init_setup_model", "replay_buffer_class", "rollout_buffer_class"),
}
"""Keyword arguments that are no hyperparameters."""
_ACTIVATIONS = dict(
    zip(ACTIVATIONS, (nn.Tanh, nn.ReLU, nn.LeakyReLU, nn.PReLU), strict=True)
)
_POLICY = "policy_kwargs."
"""Prefix of a keyword argument of the policy, where it stands alone."""
_BAD_VALUES = (
    *(AssertionError, AttributeError, KeyError, TypeError, ValueError),
    *(MemoryError, OverflowError, RuntimeError),
)
"""What Stable-Baselines3 and torch raise at arguments that they cannot take."""


class SB3Agent:
    """An algorithm of Stable-Baselines3 with an MLP policy, on one CPU core.

    Args:
        config: which, by its class, and its hyperparameters.
        obs_size: numbers of a state.
        n_actions: actions, or where `continuous` the numbers of one, in [-1, 1].
        seed: of everything random in it.
        continuous: see `n_actions`.

    Raises:
        UserError: hyperparameters that the algorithm does not have or take.
    """

    acts_by = "policy"

    def __init__(
        self,
        config: SB3Config,
        obs_size: int,
        n_actions: int,
        seed: int,
        continuous: bool = False,
    ) -> None:
        self._steps = config.max_env_steps or config.train_steps
        kind = kind_of(config)
        name = kind.name
        continuous |= "discrete" not in kind.actions
        self._continuous, self._generators = continuous, Generators()
        self._env = CountedEnv(obs_size, n_actions, self._steps, continuous)
        algorithm = getattr(stable_baselines3, name.removeprefix("sb3:"))
        arguments = _arguments(config, name, algorithm, self._env)
        arguments["seed"] = seed % 2**32
        try:
            with self._generators.own():
                env = DummyVecEnv([lambda: self._env])
                self._model: BaseAlgorithm = algorithm("MlpPolicy", env, **arguments)
        except _BAD_VALUES as error:
            raise UserError(
                f"{name} takes no such values: {typed_line(error)}"
            ) from error
        self._model.set_logger(Logger(None, []))

    @property
    def policy(self) -> nn.Module:
        """All its networks."""
        return self._model.policy

    def train_on(self, env: Any) -> str:
        """Train for `train_steps`; the stop reason. See `base.SelfTrained`."""
        self._env.inner = env
        learn: Any = self._model.learn  # not every algorithm's may do without a log
        with self._generators.own(), self._may_diverge(), contextlib.suppress(Over):
            learn(self._steps, log_interval=None)
        self._check_finite()
        return "max_env_steps"

    def act_greedily(self, state: np.ndarray) -> Any:
        """See `base.Agent`."""
        with self._may_diverge():
            action, _ = self._model.predict(state, deterministic=True)
        return action if self._continuous else int(action)

    @contextlib.contextmanager
    def _may_diverge(self) -> Iterator[None]:
        """What a policy raises that is no longer finite is a divergence."""
        try:
            yield
        except (RuntimeError, ValueError):
            self._check_finite()
            raise

    def _check_finite(self) -> None:
        parameters = self._model.policy.parameters()
        if not all(bool(values.isfinite().all()) for values in parameters):
            raise DivergedError("the policy is not finite")


class _StoredDone(ReplayBuffer):
    """Holds as done what the environment says, not whether the episode ended."""

    def add(
        self, obs: Any, next_obs: Any, action: Any, reward: Any, done: Any, infos: Any
    ) -> None:
        done = np.array([info["done"] for info in infos])
        super().add(obs, next_obs, action, reward, done, infos)


def _arguments(
    config: SB3Config, name: str, algorithm: type[BaseAlgorithm], env: CountedEnv
) -> dict[str, Any]:
    """The keyword arguments of an algorithm, checked as far as its signature goes."""
    known = {
        key: parameter.default
        for key, parameter in inspect.signature(algorithm).parameters.items()
        if key not in _OURS and not hasattr(config, key)
    }
    given, policy = {}, {}
    for key, value in config.arguments.items():
        if key.startswith(_POLICY):
            policy[key.removeprefix(_POLICY)] = value
        elif key in known:
            given[key] = _value(f"{name}.{key}", value, known[key])
        else:
            hint = did_you_mean(key, {*known, *vars(config)} - {"arguments"})
            raise UserError(f"{name} has no hyperparameter {key!r}: {hint}")
    policy = _policy(config, name, given.get("policy_kwargs", {}) | policy)
    fields = ("batch_size", "gamma", "learning_rate")
    own = {key: getattr(config, key) for key in fields if hasattr(config, key)}
    given |= own | {"policy_kwargs": policy, "device": "cpu"}
    if "action_noise" in given:
        size = env.action_space.shape
        sigma = np.full(size, given["action_noise"])
        given["action_noise"] = NormalActionNoise(np.zeros(size), sigma)
    return given | _replay(given, known) | _lengths(given, known, env.steps_left)


def _value(name: str, value: Any, default: Any) -> Any:
    """A value, of the default's type where that is a number or a mapping."""
    if name.endswith(".train_freq") and isinstance(value, list):
        return tuple(value)  # a number of steps or episodes, and which of them
    if name.endswith("_kwargs"):
        return checked(dict, value, name)
    number = float if name.endswith("action_noise") else type(default)
    return checked(number, value, name) if number in (bool, int, float) else value


def _policy(config: SB3Config, name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments of the policy."""
    drawn = [
        key
        for key in ("hidden_size", "hidden_layers")
        if getattr(config, key) != getattr(type(config), key)
    ]
    if "net_arch" in given and drawn:
        raise UserError(
            f"{name}: policy_kwargs has net_arch, and {drawn[0]} is set or drawn too: "
            "keep one"
        )
    if (function := given.get("activation_fn")) is not None:
        if str(function) not in _ACTIVATIONS:
            hint = did_you_mean(str(function), _ACTIVATIONS)
            raise UserError(f"{name}: activation_fn {function!r}: {hint}")
        given = given | {"activation_fn": _ACTIVATIONS[function]}
    return {"net_arch": config.net_arch, **given}


def _replay(given: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """The buffer of those that have one; that of returns over n steps is its own."""
    if "replay_buffer_kwargs" not in known or given.get("n_steps", 1) != 1:
        return {}
    # What is stored as done says already whether a time limit counts.
    own = {"handle_timeout_termination": False, **given.get("replay_buffer_kwargs", {})}
    return {"replay_buffer_class": _StoredDone, "replay_buffer_kwargs": own}


def _lengths(
    given: dict[str, Any], known: dict[str, Any], steps: int
) -> dict[str, int]:
    """Rollouts and replay buffers that are no longer than the training.

    So an agent learns in it at least once; of a buffer the rest would stay empty.
    """
    key = "buffer_size" if "buffer_size" in known else "n_steps"
    return {key: min(given.get(key, known[key]), steps)}
