"""SEs as safetensors files: named parameters, and what they are, as metadata.

Nothing is pickled, so a file from a stranger can only hold numbers and text.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

import se_hpo
from se_hpo.config import SyntheticEnvConfig
from se_hpo.errors import UserError
from se_hpo.names import with_train_env
from se_hpo.paths import parse_json, write_atomic
from se_hpo.records import to_builtin
from se_hpo.se_parameters import parameter_shapes, split_psi
from se_hpo.tasks import TaskSpec, get_task
from se_hpo.tensor_files import tensor_bytes

FORMAT = "se_hpo synthetic environment 1"
"""Marks our files; the number rises when old readers could not read new files."""


@dataclass(frozen=True)
class SECheckpoint:
    """A synthetic environment."""

    psi: np.ndarray
    """Parameters, float32 vector (layout: `se_parameters`)."""
    task: str
    """Id of the task it stands in for."""
    se_config: SyntheticEnvConfig
    """Sizes of its networks."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """Builtin values: scores, seed, generation, package version, ..."""


def save_se(
    path: Path | str,
    psi: np.ndarray,
    task: str,
    se_config: SyntheticEnvConfig,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write an SE; readers see the old file or the new one, never a part.

    Args:
        path: file name, by convention `*.safetensors`.
        psi: finite float32 vector, see `se_parameters`.
        task: task id.
        se_config: sizes of the networks.
        metadata: anything that JSON can hold; the package version is added.

    Raises:
        ValueError: `psi` does not fit `se_config` and the task.
        UserError: `psi` has NaN or infinite values.
    """
    spec = get_task(task)
    tensors = dict(split_psi(psi, se_config, spec.obs_size, spec.n_actions))
    if not np.isfinite(psi).all():
        raise UserError(f"{path}: not written, since psi has NaN or infinite values")
    data = {"se_hpo_version": se_hpo.__version__, **to_builtin(metadata or {})}
    header = {
        "format": FORMAT,
        "task": task,
        "obs_size": str(spec.obs_size),
        "n_actions": str(spec.n_actions),
        "se": json.dumps(dataclasses.asdict(se_config)),
        "metadata": json.dumps(data, allow_nan=False),
    }
    write_atomic(Path(path), tensor_bytes(tensors, header))


def load_se(path: Path | str, task: str | None = None) -> SECheckpoint:
    """Read an SE.

    Args:
        path: a file that `save_se` wrote.
        task: the task it must be for; None takes any.

    Raises:
        UserError: the file is missing, corrupt, no SE, or for another task.
    """
    path = Path(path)
    _check_is_file(path)
    try:
        header, tensors = _read(path)
        if header.get("format") != FORMAT:
            raise ValueError("it does not hold a synthetic environment of this version")
        spec = get_task(header["task"])
        config = SyntheticEnvConfig(**parse_json(header["se"]))
        metadata = with_train_env(parse_json(header["metadata"]))
        if not isinstance(metadata, dict):
            raise ValueError("its metadata is no JSON object")
        psi = _join(tensors, config, spec)
    except (SafetensorError, ValueError, KeyError, TypeError, OSError) as error:
        raise UserError(
            f"{path}: cannot be read as a checkpoint ({_one_line(error)}); "
            "write it again with save_se, or take another file"
        ) from error
    if task is not None and spec.id != task:
        raise UserError(
            f"{path}: is a synthetic environment for {spec.id}, not for {task}; "
            f"take another file or task"
        )
    return SECheckpoint(psi, spec.id, config, metadata)


def _check_is_file(path: Path) -> None:
    why = ""
    try:
        if path.is_file():
            return
    except OSError as error:  # such as a name that is too long
        why = f" ({error.strerror})"
    raise UserError(f"{path}: no such checkpoint file{why}; give a *.safetensors file")


def _read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    with safe_open(path, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return file.metadata() or {}, tensors


def _join(
    tensors: dict[str, np.ndarray], config: SyntheticEnvConfig, spec: TaskSpec
) -> np.ndarray:
    """Psi from named parameters, with their names, shapes, types and values checked."""
    shapes = parameter_shapes(config, spec.obs_size, spec.n_actions)
    found = {name: tensor.shape for name, tensor in tensors.items()}
    if found != shapes:
        name = next(n for n in {**shapes, **found} if found.get(n) != shapes.get(n))
        raise ValueError(
            f"{name} has shape {found.get(name)}, expected {shapes.get(name)}"
        )
    if any(tensor.dtype != np.float32 for tensor in tensors.values()):
        raise ValueError("its parameters are not float32")
    psi = np.concatenate([tensors[name].ravel() for name in shapes])
    if not np.isfinite(psi).all():
        raise ValueError("it has NaN or infinite parameters")
    return psi


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return f"{text} is missing" if isinstance(error, KeyError) else text
