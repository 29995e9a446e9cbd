"""Tasks of MuJoCo, with and without it."""

from __future__ import annotations

import importlib.util
import sys

import pytest

MEND = r"pip install 'se-hpo\[mujoco\]'"

HAVE_MUJOCO = importlib.util.find_spec("mujoco") is not None

needs_mujoco = pytest.mark.skipif(
    not HAVE_MUJOCO,
    reason="the extra mujoco is not installed: pip install -e .[mujoco]",
)


def without_mujoco(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process find no MuJoCo."""
    for name in [*sys.modules]:
        if name.startswith(("gymnasium.envs.mujoco", "mujoco")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mujoco", None)
