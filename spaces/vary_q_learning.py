"""Q-learning drawn at random, as where the paper varies the agents of Cliff Walking.

Learning rate and discount are uniform in [0.1, 1] (Ferreira et al. 2022, code,
`experiments/GTNC_evaluate_gridworld_transfer_vary_hp.py`); the rest is the agent that
they evaluate with.
Budget: agent seeds; those already trained are kept on promotion.
"""

from ConfigSpace import ConfigurationSpace, Float

META = {
    "objective": "agent",
    "task": "Cliff-v0",
    "agent": "q_learning",
    "min_budget": 1,
    "max_budget": 9,
    "eta": 3,
    # As in phase 2: no limit of steps, agents train until solved or 1000 episodes.
    "base": {
        "q_learning.train_episodes": 1000,
        "q_learning.test_episodes": 10,
        "q_learning.eps_init": 0.1,
        "q_learning.eps_min": 0.1,
    },
}


def space(seed: int | None = None) -> ConfigurationSpace:
    """What varies between agents."""
    cs = ConfigurationSpace(seed=seed)
    cs.add(
        [
            # Part of the way to the target in one update. Authors: the same.
            Float("q_learning.lr", (0.1, 1.0), default=1.0),
            # Discount. Authors: the same.
            Float("q_learning.gamma", (0.1, 1.0), default=0.8),
        ]
    )
    return cs
