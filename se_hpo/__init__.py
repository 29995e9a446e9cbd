"""Hyperparameter optimization of synthetic environments for reinforcement learning.

`load_trials`, `load_generations` and `load_incumbent` read a run's folder, `load_ses`
and `load_se_generations` its sets of SEs; `BOHB` is the search alone, by ask and tell,
for an objective of your own; `optimize.run`, `train.run`, `evaluate.run` and
`report.run` are the commands; `zoo` has SEs by name; `train_agent` trains one `Agent`,
which acts, is saved and loaded. Importing the package registers the Gymnasium ids
`Synthetic/...` and `Rewarded/...`, whose wrapper is `RewardNetwork`; for vectors,
`RewardNetworkVector`. That imports no torch.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if sys.argv[:1] == ["-m"] and any(w.startswith("se_hpo.") for w in sys.orig_argv):
    # `python -m se_hpo.train`: what follows takes seconds, in which a signal may come.
    from se_hpo.machine.processes import end_in_order

    end_in_order()

from se_hpo.envs.gridworld import register_gridworlds
from se_hpo.envs.registration import register_learned_envs
from se_hpo.errors import end_scripts_in_one_line
from se_hpo.version import __version__

__all__ = [
    "BOHB",
    "Agent",
    "RewardNetwork",
    "RewardNetworkVector",
    "__version__",
    "evaluate",
    "load_confirmations",
    "load_curves",
    "load_evaluations",
    "load_generations",
    "load_incumbent",
    "load_se_generations",
    "load_ses",
    "load_trials",
    "optimize",
    "report",
    "train",
    "train_agent",
    "zoo",
]

if TYPE_CHECKING:
    from se_hpo import evaluate, optimize, report, train, zoo
    from se_hpo.envs.reward_vector import RewardNetworkVector
    from se_hpo.envs.reward_wrapper import RewardNetwork
    from se_hpo.optimize.ask_tell import BOHB
    from se_hpo.results.evaluations import load_evaluations
    from se_hpo.results.learning_curves import load_curves
    from se_hpo.results.se_sets import load_se_generations, load_ses
    from se_hpo.results.trials import (
        load_confirmations,
        load_generations,
        load_incumbent,
        load_trials,
    )
    from se_hpo.training.train_agent import train_agent
    from se_hpo.training.trained_agent import Agent

_MODULES = {
    "Agent": "training.trained_agent",
    "BOHB": "optimize.ask_tell",
    "RewardNetwork": "envs.reward_wrapper",
    "RewardNetworkVector": "envs.reward_vector",
    "load_confirmations": "results.trials",
    "load_curves": "results.learning_curves",
    "load_evaluations": "results.evaluations",
    "load_generations": "results.trials",
    "load_incumbent": "results.trials",
    "load_se_generations": "results.se_sets",
    "load_ses": "results.se_sets",
    "load_trials": "results.trials",
    "train_agent": "training.train_agent",
}

_COMMANDS = ("evaluate", "optimize", "report", "train", "zoo")
"""Packages with a function `run`, and the zoo."""

end_scripts_in_one_line()
register_gridworlds()
register_learned_envs()


def __getattr__(name: str) -> Any:
    """What is public, imported with pandas or ConfigSpace on first use."""
    if name in _COMMANDS:
        return importlib.import_module(f"se_hpo.{name}")
    if name in _MODULES:
        return getattr(importlib.import_module(f"se_hpo.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'se_hpo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
