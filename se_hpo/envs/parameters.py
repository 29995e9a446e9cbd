"""The vector psi of a learned environment's parameters: layout, random start. No torch.

Layout: the nets in the order of the kind's table (`learned`); per net its layers from
input to output; per layer the weight (`out x in`, row-major), then the bias. PReLU's
slope stays at 0.25 and is no part of psi (as in the authors' code).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from se_hpo.envs.learned import LearnedConfig, kind_of
from se_hpo.envs.tasks import TaskSpec
from se_hpo.errors import UserError

_MAX_BYTES = 2**42


def parameter_shapes(
    config: LearnedConfig, obs_size: int, n_actions: int
) -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter, in the order of psi.

    >>> from se_hpo.envs.learned.mdp import SyntheticEnvConfig
    >>> config = SyntheticEnvConfig(hidden_size=3, hidden_layers=1)
    >>> shapes = parameter_shapes(config, obs_size=4, n_actions=2)
    >>> len(shapes), shapes["state.0.weight"], shapes["reward.1.bias"]
    (12, (3, 6), (1,))
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for net in kind_of(config).layout(config, obs_size, n_actions):
        if net.linear:
            shapes[f"{net.name}.weight"] = (net.outputs, net.inputs)
            continue
        hidden = [config.hidden_size] * config.hidden_layers
        sizes = [net.inputs, *hidden, net.outputs]
        for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
            shapes[f"{net.name}.{layer}.weight"] = (fan_out, fan_in)
            shapes[f"{net.name}.{layer}.bias"] = (fan_out,)
    return shapes


def n_parameters(config: LearnedConfig, obs_size: int, n_actions: int) -> int:
    """Length of psi.

    >>> from se_hpo.envs.learned.mdp import SyntheticEnvConfig
    >>> n_parameters(SyntheticEnvConfig(hidden_size=83), obs_size=4, n_actions=2)
    2247
    """
    shapes = parameter_shapes(config, obs_size, n_actions)
    return sum(math.prod(shape) for shape in shapes.values())


def check_size(config: Any, obs_size: int, n_actions: int) -> None:
    """Raise `UserError` where the networks of an SE or agent fit into no machine."""
    if isinstance(config, LearnedConfig):
        size = n_parameters(config, obs_size, n_actions)
    else:  # an agent: one network of it, if it has any
        hidden = getattr(config, "hidden_size", 0)
        layers = getattr(config, "hidden_layers", 1)
        size = hidden * (obs_size + n_actions + (layers - 1) * hidden)
    if 4 * size > _MAX_BYTES:
        raise _too_large(config, size)


def _too_large(config: Any, size: int) -> UserError:
    return UserError(
        f"{type(config).__name__}.hidden_size = {config.hidden_size}: its parameters "
        f"need {4 * size / 2**30:,.1f} GiB: lower it"
    )


def check_psi(
    psi: object, config: LearnedConfig, obs_size: int, n_actions: int
) -> None:
    """Raise `UserError` unless psi is a float32 vector of the right length."""
    size = n_parameters(config, obs_size, n_actions)
    found = type(psi).__name__
    if isinstance(psi, np.ndarray):
        if psi.dtype == np.float32 and psi.shape == (size,):
            return
        found = f"{psi.dtype} array of shape {psi.shape}"
    raise UserError(
        f"psi is a {found}: must be a float32 vector of {size} parameters, for "
        f"{obs_size} observations, {n_actions} actions and {config}"
    )


def split_psi(
    psi: np.ndarray, config: LearnedConfig, obs_size: int, n_actions: int
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and value of every parameter, as views of `psi`.

    Raises:
        UserError: `psi` is no float32 vector of the right length.
    """
    check_psi(psi, config, obs_size, n_actions)
    offset = 0
    for name, shape in parameter_shapes(config, obs_size, n_actions).items():
        size = math.prod(shape)
        yield name, psi[offset : offset + size].reshape(shape)
        offset += size


def initial_psi(
    config: LearnedConfig, task: TaskSpec, rng: np.random.Generator
) -> np.ndarray:
    """A random float32 psi with the distribution of `torch.nn.Linear`'s default.

    Weights and biases are uniform in +-1 / sqrt(fan_in).

    Raises:
        UserError: there is not so much memory.
    """
    check_size(config, task.obs_size, task.n_actions)
    try:
        return _initial_psi(config, task, rng)
    except MemoryError:
        size = n_parameters(config, task.obs_size, task.n_actions)
        raise _too_large(config, size) from None


def _initial_psi(
    config: LearnedConfig, task: TaskSpec, rng: np.random.Generator
) -> np.ndarray:
    parts, bound = [], 0.0
    for shape in parameter_shapes(config, task.obs_size, task.n_actions).values():
        if len(shape) == 2:  # a weight; the bias that follows has the same bound
            bound = 1 / math.sqrt(shape[1])
        parts.append(rng.uniform(-bound, bound, size=math.prod(shape)))
    return np.concatenate(parts).astype(np.float32)
