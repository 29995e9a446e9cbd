"""SARSA alone on Cliff-v0, without any learned environment.

The paper tunes the factor of the count bonus alone; the range of learning
rate and discount is that in which it varies agents (Ferreira et al. 2022).
Budget: agent seeds; those already trained are kept on promotion.
"""

from ConfigSpace import ConfigurationSpace, Float

META = {
    "objective": "agent",
    "task": "Cliff-v0",
    "agent": "sarsa",
    "min_budget": 1,
    "max_budget": 9,
    "eta": 3,
    "base": {
        "sarsa.test_episodes": 1,
        "sarsa.train_episodes": 500,
        # Three times the steps in which the default agent solves it.
        "sarsa.max_env_steps": 5000,
    },
}


def space(seed: int | None = None) -> ConfigurationSpace:
    """The agent's hyperparameters."""
    cs = ConfigurationSpace(seed=seed)
    cs.add(
        [
            # Part of the way to the target in one update. Authors vary 0.1 to 1.
            Float("sarsa.lr", (0.1, 1.0), default=1.0),
            # Discount. Authors vary 0.1 to 1.
            Float("sarsa.gamma", (0.1, 1.0), default=0.8),
            # Epsilon of the first episode. Authors: 0.01 or 0.1.
            Float("sarsa.eps_init", (0.01, 1.0), log=True, default=0.1),
            # Lowest epsilon. Authors: 0.01 or 0.1.
            Float("sarsa.eps_min", (0.001, 0.1), log=True, default=0.1),
            # Factor of the count bonus. Authors: 0.005 or 0.1.
            Float("sarsa.count_bonus", (1e-3, 1.0), log=True, default=0.1),
        ]
    )
    return cs
