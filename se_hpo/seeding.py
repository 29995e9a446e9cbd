"""One tree of seeds: run / trial / generation / member / role -> generator.

Every random number of the project comes from a node of this tree, addressed by a path
from the run's seed, so that a result depends on where it stands and never on the order,
the process or the thread in which it was computed.
"""

from __future__ import annotations

import zlib

import numpy as np

Key = int | str


def seed_sequence(root: int, *path: Key) -> np.random.SeedSequence:
    """The node of the tree at `path` below the seed `root`.

    Names are mapped to integers by CRC-32, the same in every process.
    """
    keys = [zlib.crc32(k.encode()) if isinstance(k, str) else k for k in path]
    return np.random.SeedSequence(root, spawn_key=keys)


def generator(root: int, *path: Key) -> np.random.Generator:
    """A NumPy generator seeded by the node at `path`.

    >>> bool(generator(1, "trial", 3).random() == generator(1, "trial", 3).random())
    True
    """
    return np.random.default_rng(seed_sequence(root, *path))


def integer_seed(root: int, *path: Key) -> int:
    """A 63-bit seed for libraries that take an integer (torch, Gymnasium, C++)."""
    words = seed_sequence(root, *path).generate_state(1, np.uint64)
    return int(words[0] >> np.uint64(1))
