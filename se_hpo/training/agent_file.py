"""Trained agents as safetensors files: what they act by, with metadata. No pickle."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete
from safetensors import SafetensorError, safe_open

from se_hpo.agents.base import Storable
from se_hpo.agents.config import AgentConfig
from se_hpo.agents.registry import algorithm_of, find_agent
from se_hpo.errors import UserError
from se_hpo.storage.files import parse_json, tensor_bytes, write_atomic
from se_hpo.storage.json_records import checked, record
from se_hpo.storage.records import to_builtin
from se_hpo.text import one_line
from se_hpo.version import __version__

FORMAT = "se_hpo agent 1"
"""Marks our files; the number rises when old readers could not read new files."""
Tensors = dict[str, np.ndarray]


class Stored(NamedTuple):
    """What a file holds besides the numbers that an agent acts by."""

    config: AgentConfig
    """Algorithm and hyperparameters."""
    task: str
    """Id of the task that it acts on."""
    observation_space: Box | Discrete
    """The task's."""
    action_space: Box | Discrete
    """The task's."""
    training: dict[str, Any]
    """How it was trained; builtin types."""


def write_agent(path: Path, stored: Stored, learner: Any) -> None:
    """Write an agent: same agent, same bytes.

    Raises:
        UserError: its class does not say what it acts by.
    """
    name = algorithm_of(stored.config)
    if not isinstance(learner, Storable):
        raise UserError(
            f"agent {name!r} cannot be saved: give its class acts_by = '...', the name "
            "of the attribute, a torch module or an array, that decides how it acts"
        )
    spaces = [stored.observation_space, stored.action_space]
    header = {
        "format": FORMAT,
        "algorithm": name,
        "hyperparameters": _json(dataclasses.asdict(stored.config)),
        "task": stored.task,
        "spaces": _json([_space_to_dict(space) for space in spaces]),
        "training": _json(stored.training),
        "se_hpo_version": __version__,
    }
    write_atomic(path, tensor_bytes(_tensors_of(learner), header))


def read_agent(path: Path) -> tuple[Stored, Tensors]:
    """What a file holds; nothing that it names is imported.

    Raises:
        UserError: the file is missing, damaged, or of no agent known here.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; give one that Agent.save wrote")
    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            header = file.metadata() or {}
        if header.get("format") != FORMAT:
            raise ValueError("it holds no agent of this version")
        kind = find_agent(header["algorithm"], "unknown agent")
        values = checked(dict, parse_json(header["hyperparameters"]), "hyperparameters")
        config = record(kind.config, values, unknown="refuse", at=kind.name)
        seen, done = map(_space_from_dict, parse_json(header["spaces"]))
        training = checked(dict, parse_json(header["training"]), "training")
        return Stored(config, header["task"], seen, done, training), tensors
    except (SafetensorError, ValueError, KeyError, TypeError, OSError) as error:
        raise UserError(
            f"{path}: cannot be read as an agent ({one_line(error)}); take another file"
        ) from error


def fill(learner: Any, tensors: Tensors) -> None:
    """Make a new agent act as a stored one.

    Raises:
        ValueError: names or shapes are others than its own.
    """
    own = _tensors_of(learner)
    shapes, found = ({n: t.shape for n, t in d.items()} for d in (own, tensors))
    if shapes != found:
        name = next(n for n in {**shapes, **found} if shapes.get(n) != found.get(n))
        raise ValueError(
            f"{name} has shape {found.get(name)}, expected {shapes.get(name)}"
        )
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise ValueError("it has NaN or infinite numbers")
    part = getattr(learner, learner.acts_by)
    if isinstance(part, np.ndarray):
        part[...] = tensors[learner.acts_by]
        return
    import torch

    copies = {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
    part.load_state_dict(copies)  # in place: parameters stay views of one vector


def _tensors_of(learner: Storable) -> Tensors:
    part = getattr(learner, learner.acts_by)
    if isinstance(part, np.ndarray):
        return {learner.acts_by: part}
    state: Mapping[str, Any] = part.state_dict()
    return {name: np.ascontiguousarray(t.numpy()) for name, t in state.items()}


def _json(data: Any) -> str:
    return json.dumps(to_builtin(data), allow_nan=False)


def _space_to_dict(space: Box | Discrete) -> dict[str, Any]:
    if isinstance(space, Discrete):
        return {"n": int(space.n)}
    ends = to_builtin({"low": space.low, "high": space.high})  # None: without end
    return {**ends, "dtype": str(space.dtype)}


def _space_from_dict(data: Mapping[str, Any]) -> Box | Discrete:
    if "n" in data:
        return Discrete(data["n"])
    dtype: Any = np.dtype(data["dtype"])
    low, high = (np.array(data[end], np.float64) for end in ("low", "high"))
    low, high = (
        np.where(np.isnan(a), b, a) for a, b in ((low, -np.inf), (high, np.inf))
    )
    return Box(low.astype(dtype), high.astype(dtype), dtype=dtype)
