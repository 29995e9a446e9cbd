"""What has been tried at a budget, in spaces whose configurations can be counted."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from se_hpo.bohb.encoding import Configuration, SpaceEncoding

logger = logging.getLogger(__name__)

_MOST_LISTED = 5000  # configurations of a space that are looked through one by one


class Tried:
    """Configurations proposed for a budget, or with a result there."""

    def __init__(self, encoding: SpaceEncoding) -> None:
        self._encoding = encoding
        self._keys: dict[float, set[bytes]] = {}
        self._told = False

    def add(self, configuration: Mapping[str, Any], budget: float) -> None:
        """Remember a configuration, unless floats make a second time unlikely."""
        if math.isfinite(self._encoding.size):
            key = self._encoding.encode(configuration).tobytes()
            self._keys.setdefault(float(budget), set()).add(key)

    def novelty(self, budget: float) -> Callable[[Configuration], bool]:
        """A function that says whether a configuration is untried at `budget`."""
        keys, encode = self._keys.get(float(budget), set()), self._encoding.encode
        return lambda c: not keys or encode(c).tobytes() not in keys

    def left(self, budget: float) -> list[tuple[np.ndarray, Configuration]]:
        """All that is untried at `budget`, with vectors; says once that nothing is.

        Empty, too, where there are too many configurations to list.
        """
        keys = self._keys.get(float(budget), set())
        left = [found for key, found in self._all.items() if key not in keys]
        if self._all and not left and not self._told:
            self._told = True
            logger.warning(
                "every configuration of the search space (%d) has been tried at budget "
                "%g: from now on they repeat",
                len(self._all),
                budget,
            )
        return left

    @functools.cached_property
    def _all(self) -> dict[bytes, tuple[np.ndarray, Configuration]]:
        """Every configuration; empty if there are too many."""
        if self._encoding.size > _MOST_LISTED:
            return {}
        grid = self._encoding.grid()
        return {self._encoding.encode(c).tobytes(): (v, c) for v, c in grid}
