"""Hyperparameter optimization of synthetic environments for reinforcement learning.

`load_trials`, `load_generations` and `load_incumbent` read a run's folder; importing
the package registers the Gymnasium ids `Synthetic/...`. Nothing here imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from se_hpo.registration import register_synthetic_envs

__version__ = "0.1.0"

__all__ = ["load_generations", "load_incumbent", "load_trials"]

if TYPE_CHECKING:
    from se_hpo.results import load_generations, load_incumbent, load_trials

register_synthetic_envs()


def __getattr__(name: str) -> Any:
    """The public readers, imported with pandas on first use."""
    if name in __all__:
        from se_hpo import results

        return getattr(results, name)
    raise AttributeError(f"module 'se_hpo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
