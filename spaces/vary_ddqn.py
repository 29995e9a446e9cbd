"""DDQN drawn at random around the paper's hyperparameters (its phase 2).

The paper trains agents on learned environments with hyperparameters drawn anew for
each: learning rate, batch size and hidden size from a third to three times the base,
one hidden layer more or fewer (Ferreira et al. 2022, code, `agents/DDQN_vary.py`). The
base is the agent on which the SEs of its Fig. 3 and 7 were learned.
Budget: agent seeds; those already trained are kept on promotion.
"""

from ConfigSpace import ConfigurationSpace, Float, Integer

META = {
    "objective": "agent",
    "task": "CartPole-v0",
    "agent": "ddqn",
    "min_budget": 1,
    "max_budget": 9,
    "eta": 3,
    # As in phase 2: no limit of steps, agents train until solved or 1000 episodes.
    "base": {
        "ddqn.train_episodes": 1000,
        "ddqn.test_episodes": 10,
        "ddqn.init_episodes": 10,
        "ddqn.stop_window": 10,
        "ddqn.plateau_tolerance": 0.01,
        "ddqn.gamma": 0.99,
        "ddqn.tau": 0.01,
        "ddqn.eps_init": 1.0,
        "ddqn.eps_min": 0.01,
        "ddqn.eps_decay": 0.9,
        "ddqn.buffer_size": 100_000,
        "ddqn.activation": "relu",
    },
}


def space(seed: int | None = None) -> ConfigurationSpace:
    """What varies between agents."""
    cs = ConfigurationSpace(seed=seed)
    cs.add(
        [
            # Adam's step size: a third to three times 1e-3.
            Float("ddqn.lr", (1e-3 / 3, 3e-3), log=True, default=1e-3),
            # Transitions per update: a third to three times 128.
            Integer("ddqn.batch_size", (42, 384), log=True, default=128),
            # Units per hidden layer: a third to three times 128.
            Integer("ddqn.hidden_size", (42, 384), log=True, default=128),
            # Hidden layers: 2, one more or one fewer.
            Integer("ddqn.hidden_layers", (1, 3), default=2),
        ]
    )
    return cs
