"""SEs and reward networks as safetensors files: named parameters, with metadata.

Nothing is pickled, so a file from a stranger can only hold numbers and text.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from se_hpo.envs.learned import UNSAID, LearnedConfig, LearnedKind, kind_of
from se_hpo.envs.parameters import n_parameters, parameter_shapes, split_psi
from se_hpo.envs.scaling import same_bounds, stored_bounds
from se_hpo.envs.tasks import TaskSpec, get_task, import_task, known_task
from se_hpo.envs.zoo_files import (
    file_of_task,
    is_zoo_name,
    name_of_task,
    zoo_file,
    zoo_names,
)
from se_hpo.errors import UserError
from se_hpo.names import with_train_env
from se_hpo.registries import LEARNED
from se_hpo.storage.files import parse_json, tensor_bytes, write_atomic
from se_hpo.storage.records import to_builtin
from se_hpo.text import one_line
from se_hpo.version import __version__

FORMAT = "se_hpo {} 1"
"""Marks our files; the number rises when old readers could not read new files."""
SE_NOUN = "synthetic environment"


@dataclass(frozen=True, repr=False)
class SECheckpoint:
    """A synthetic environment, or a reward network."""

    psi: np.ndarray
    """Parameters, float32 vector (layout: `parameters`)."""
    task: str
    """Id of the task it stands in for."""
    se_config: LearnedConfig
    """Sizes of its networks."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """Builtin values: scores, seed, generation, package version, ...; of a reward
    network `discount`, the agent's; of a scaled task `scale`, see `TaskSpec`."""

    def __repr__(self) -> str:
        kind = kind_of(self.se_config)
        return f"<{kind.label} for {self.task}, {self.psi.size:,} parameters>"

    def __eq__(self, other: object) -> bool:
        """Whether all is the same, as Gymnasium asks of what it makes anew."""
        if not isinstance(other, SECheckpoint):
            return NotImplemented
        mine, theirs = (
            (c.task, c.se_config, c.metadata, c.psi.tolist()) for c in (self, other)
        )
        return mine == theirs

    @property
    def noun(self) -> str:
        """What the user calls it."""
        return kind_of(self.se_config).noun

    @property
    def fingerprint(self) -> str:
        """Changes with the parameters."""
        return hashlib.sha256(self.psi.tobytes()).hexdigest()[:16]


def save_se(
    path: Path | str,
    psi: np.ndarray,
    task: str,
    se_config: LearnedConfig,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write an SE; readers see the old file or the new one, never a part.

    `psi` is finite; see `SECheckpoint`. The package version is added to `metadata`.

    Raises:
        ValueError: `psi` does not fit `se_config` and the task.
        UserError: `psi` has NaN or infinite values.
    """
    spec = get_task(task)
    tensors = dict(split_psi(psi, se_config, spec.obs_size, spec.n_actions))
    if not np.isfinite(psi).all():
        raise UserError(f"{path}: not written, since psi has NaN or infinite values")
    scale = {"scale": spec.scale} if spec.scale else {}
    data = {"se_hpo_version": __version__, **scale, **to_builtin(metadata or {})}
    kind = kind_of(se_config)
    header = {
        "format": FORMAT.format(kind.noun),
        "task": task,
        "obs_size": str(spec.obs_size),
        "n_actions": str(spec.n_actions),
        "se": json.dumps(dataclasses.asdict(se_config)),
        "metadata": json.dumps(data, allow_nan=False),
    }
    if kind.name != UNSAID:
        header["kind"] = kind.name
    write_atomic(Path(path), tensor_bytes(tensors, header))


def load_se(path: Path | str, task: str | None = None) -> SECheckpoint:
    """Read an SE, which must be for `task` if that is given.

    The file is numbers and text: nothing that it names is looked up or imported, so the
    task of an SE need not be known here.

    Raises:
        UserError: the file is missing, corrupt, no SE, or for another task.
    """
    path = Path(path)
    _check_is_file(path)
    try:
        header, tensors = _read(path)
        kind = _kind(header)
        found = header["task"]
        config = kind.config(**parse_json(header["se"]))
        metadata = with_train_env(parse_json(header["metadata"]))
        if not isinstance(metadata, dict):
            raise ValueError("its metadata is no JSON object")
        psi = _join(tensors, config, *_sizes(header))
        _check_scale(known_task(found), metadata)
    except (SafetensorError, ValueError, KeyError, TypeError, OSError) as error:
        raise UserError(
            f"{path}: cannot be read as a checkpoint ({one_line(error)}); "
            "write it again with save_se, or take another file"
        ) from error
    if task is not None and found != task:
        raise UserError(
            f"{path}: is a {kind.noun} for {' '.join(found.split()):.60}, "
            f"not for {task}; take another file or task"
        )
    return SECheckpoint(psi, found, config, metadata)


def open_checkpoint(
    task: str | None, checkpoint: SECheckpoint | Path | str | None, noun: str
) -> tuple[TaskSpec, SECheckpoint]:
    """A task and the checkpoint of its SE or reward network, from file or memory.

    A module in `task` is imported. Where it is None, the task that the checkpoint names
    must be known here: from there nothing is imported. Without a checkpoint an SE is
    the zoo's; that and `zoo:NAME` may be of the task with scaled observations.

    Raises:
        UserError: no checkpoint, one that cannot be read, or for another task.
    """
    if checkpoint is None or is_zoo_name(checkpoint):
        task, checkpoint = _from_zoo(task, checkpoint, noun)
    file = checkpoint if isinstance(checkpoint, str | Path) else None
    if isinstance(checkpoint, str | Path):
        checkpoint = load_se(checkpoint, task)
    if not isinstance(checkpoint, SECheckpoint):
        raise UserError(
            f"checkpoint={checkpoint!r} is no checkpoint: give the path of a "
            "*.safetensors file or what load_se read from one"
        )
    if checkpoint.task != (task or checkpoint.task):
        raise UserError(
            f"the checkpoint is a {checkpoint.noun} for {checkpoint.task}, not for "
            f"{task}; take another checkpoint or task"
        )
    spec = import_task(task) if task else get_task(checkpoint.task)
    try:
        _check_scale(spec, checkpoint.metadata)
    except ValueError as error:
        raise UserError(f"the checkpoint is for another {spec.id}: {error}") from None
    sizes = (checkpoint.se_config, spec.obs_size, spec.n_actions)
    if file is not None and checkpoint.psi.size != n_parameters(*sizes):
        raise UserError(
            f"{file}: its sizes are not those of the {spec.id} known here; take another"
        )
    return spec, checkpoint


def _from_zoo(
    task: str | None, name: Any, noun: str
) -> tuple[str | None, SECheckpoint]:
    """The SE of that name, or of the task, and the task that it is for."""
    file = zoo_file(str(name)) if name else None
    if name is None and noun == SE_NOUN:
        file = file_of_task(task)
    if file is None:
        known = zoo_names() if noun == SE_NOUN else []
        there = f", or take one that the zoo has: {', '.join(known)}" if known else ""
        raise UserError(
            f"the {noun} of {task or 'a task'} needs its parameters: "
            f'add checkpoint="<file>.safetensors"{there}'
        )
    found = load_se(file)
    same = name_of_task(found.task) == name_of_task(task or "")
    return found.task if same else task, found


def _kind(header: Mapping[str, str]) -> LearnedKind:
    """The kind that a file says it is of."""
    found = header.get("format")
    nouns = SE_NOUN, "reward network"
    if found not in [FORMAT.format(noun) for noun in nouns]:
        raise ValueError(
            "it does not hold a synthetic environment or reward network of this version"
        )
    kind: LearnedKind = LEARNED.find(header.get("kind", UNSAID), "unknown kind")
    if found != FORMAT.format(kind.noun):
        raise ValueError(f"it says that it is of kind {kind.name}, a {kind.noun}")
    return kind


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


def _sizes(header: Mapping[str, str]) -> tuple[int, int]:
    """Observation size and number of actions; of our own tasks they are known."""
    sizes = int(header["obs_size"]), int(header["n_actions"])
    if min(sizes) < 1:
        raise ValueError(f"obs_size and n_actions are {sizes}, not 1 or more")
    spec = known_task(header["task"])
    if spec and sizes != (spec.obs_size, spec.n_actions):
        raise ValueError(
            f"obs_size and n_actions are {sizes}, expected "
            f"{(spec.obs_size, spec.n_actions)} of {spec.id}"
        )
    return sizes


def _check_scale(spec: TaskSpec | None, metadata: Mapping[str, Any]) -> None:
    """That observations are scaled here as they were where an SE was learned."""
    if spec is None or "scale" not in metadata:
        return
    found = stored_bounds(metadata["scale"])
    if found is None or not same_bounds(found, spec.scale):
        raise ValueError(
            f"it was learned with observations scaled from {metadata['scale']!r:.120}, "
            f"here {spec.id} has {spec.scale or 'no scale'!r:.120}; take another file"
        )


def _join(
    tensors: dict[str, np.ndarray],
    config: LearnedConfig,
    obs_size: int,
    n_actions: int,
) -> np.ndarray:
    """Psi from named parameters, with their names, shapes, types and values checked."""
    shapes = parameter_shapes(config, obs_size, n_actions)
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
