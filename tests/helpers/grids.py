"""Grids of cases of which the default suite runs a part that covers every value."""

from collections.abc import Iterable
from typing import Any

import pytest


def slow_but_for(kept: Iterable[tuple[Any, ...]], cases: Iterable[Any]) -> list[Any]:
    """All cases; those that are not kept are marked `slow`."""
    kept, cases = set(kept), list(cases)
    assert kept <= set(cases)
    some, every = ([set(axis) for axis in zip(*c, strict=True)] for c in (kept, cases))
    assert some == every, "every value is in a case that is kept"
    return [
        pytest.param(*case, marks=[] if case in kept else pytest.mark.slow)
        for case in cases
    ]
