"""Recorded NES runs as a function of a budget, for `bench_bohb.py`.

No setting of the generator was chosen by it.
"""

from __future__ import annotations

import functools
import json
import zlib

import numpy as np
from bohb_problems import MAX_BUDGET, Problem, Values
from ConfigSpace import ConfigurationSpace

from se_hpo.benchmarks import NESBenchmark
from se_hpo.search_spaces.loading import load_space


@functools.cache
def _benchmark() -> NESBenchmark:
    return NESBenchmark()


@functools.cache
def _best() -> float:
    return _benchmark().best


def _space() -> ConfigurationSpace:
    return load_space("nes_cartpole").configuration_space()


def _regret(values: Values) -> float:
    # A search may find what `best` did not.
    return max(_benchmark().mean_loss(values, MAX_BUDGET) - _best(), 0.0)


def _observe(values: Values, budget: float, rng: np.random.Generator) -> float:
    """A configuration has one seed, so that a promoted trial goes on with its run."""
    seed = zlib.crc32(json.dumps(values, sort_keys=True).encode())
    return _benchmark().evaluate(values, int(budget), seed).loss


NES = Problem("NES runs", _space, _regret, _observe)
