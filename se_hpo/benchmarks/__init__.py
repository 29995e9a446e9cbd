"""Benchmarks of searches, made of real runs: `NESBenchmark`."""

from __future__ import annotations

from se_hpo.benchmarks.nes_benchmark import Evaluated, NESBenchmark

__all__ = ["Evaluated", "NESBenchmark"]
