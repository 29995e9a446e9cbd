"""A peer's end of the pipe: asks `peer_process.py` to evaluate configurations.

One JSON object a line. The first that comes in says what to search; then each
`{"config", "budget"}` that goes out is answered by `{"loss"}`, until the other side
ends the process. Nothing of `se_hpo` is imported: a peer's environment holds the peer
alone.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import dataclass
from typing import Any

from ConfigSpace import ConfigurationSpace

_OUT = os.fdopen(os.dup(1), "w")  # what peers print goes to stderr
os.dup2(2, 1)


@dataclass(frozen=True)
class Task:
    """What to search."""

    space: ConfigurationSpace
    seed: int
    ladder: list[int]
    eta: int

    @property
    def folder(self) -> str:
        """A new empty folder, for peers that cannot do without."""
        return tempfile.mkdtemp(prefix="peer-", dir=os.environ.get("TMPDIR"))


def read_task() -> Task:
    """The first line."""
    data = _read()
    space = ConfigurationSpace.from_serialized_dict(data.pop("space"))
    return Task(space=space, **data)


def evaluate(values: dict[str, Any], budget: float) -> float:
    """The loss of a configuration; does not return when all is spent."""
    asked = {"config": {k: _builtin(v) for k, v in values.items()}, "budget": budget}
    _OUT.write(json.dumps(asked) + "\n")
    _OUT.flush()
    return float(_read()["loss"])


def _read() -> dict[str, Any]:
    line = sys.stdin.readline()
    if not line:
        os._exit(0)  # whatever threads the peer has
    return json.loads(line)


def _builtin(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def active(space: ConfigurationSpace, values: dict[str, Any]) -> dict[str, Any]:
    """Without the hyperparameters whose conditions fail (of flat spaces)."""
    kept: dict[str, Any] = {}
    for name in space:  # parents first
        conditions = space.parent_conditions_of[name]
        if all(c.satisfied_by_value(kept) for c in conditions):
            kept[name] = values[name]
    return kept
