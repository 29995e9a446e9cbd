"""What has been tried at a budget, in spaces whose configurations can be counted."""

from __future__ import annotations

import functools
import logging
import math
from collections import Counter
from collections.abc import Callable

import numpy as np

from se_hpo.bohb.encoding import Configuration, SpaceEncoding

logger = logging.getLogger(__name__)

_MOST_LISTED = 5000  # configurations of a space that are looked through one by one


class Tried:
    """Configurations proposed for a budget, or with a result there."""

    def __init__(self, encoding: SpaceEncoding) -> None:
        self._encoding = encoding
        self._finished: dict[float, Counter[bytes]] = {}
        self._proposed: dict[float, set[bytes]] = {}
        self._told = False

    def propose(self, configuration: Configuration, budget: float) -> None:
        """Remember what will be evaluated, unless floats make it unlike any other."""
        if math.isfinite(self._encoding.size):
            keys = self._proposed.setdefault(float(budget), set())
            keys.add(self._key(configuration))

    def finish(self, configuration: Configuration, budget: float) -> None:
        """Remember what has a result, likewise; of an earlier attempt, too."""
        self.propose(configuration, budget)
        if math.isfinite(self._encoding.size):
            counts = self._finished.setdefault(float(budget), Counter())
            counts[self._key(configuration)] += 1

    def novelty(self, budget: float) -> Callable[[Configuration], bool]:
        """A function that says whether a configuration is untried at `budget`."""
        keys = self._proposed.get(float(budget), set())
        return lambda c: not keys or self._key(c) not in keys

    def times(self, budget: float) -> Callable[[Configuration], int]:
        """A function that says how often one was evaluated at `budget`."""
        counts = self._finished.get(float(budget), Counter())
        return lambda c: counts[self._key(c)]

    def _key(self, configuration: Configuration) -> bytes:
        return self._encoding.encode(configuration).tobytes()

    def left(self, budget: float) -> list[tuple[np.ndarray, Configuration]]:
        """All that is untried at `budget`, with vectors; says once that nothing is.

        Empty, too, where there are too many configurations to list.
        """
        keys = self._proposed.get(float(budget), set())
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
        return {self._key(c): (v, c) for v, c in grid}
