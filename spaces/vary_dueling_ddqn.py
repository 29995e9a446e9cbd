"""Dueling DDQN drawn at random around the paper's hyperparameters (its phase 2).

The paper trains agents on learned environments with hyperparameters drawn anew for
each: learning rate, batch size and hidden size from a third to three times the base,
one hidden layer more or fewer (Ferreira et al. 2022, code,
`agents/DuelingDDQN_vary.py`). The base is that of `default_config_cartpole.yaml`, but
with the mean advantage per sample (theirs: over the whole batch).
Budget: agent seeds; those already trained are kept on promotion.
"""

from ConfigSpace import ConfigurationSpace, Float, Integer

META = {
    "objective": "agent",
    "task": "CartPole-v0",
    "agent": "dueling_ddqn",
    "min_budget": 1,
    "max_budget": 9,
    "eta": 3,
    # As in phase 2: no limit of steps, agents train until solved or 1000 episodes.
    "base": {
        "dueling_ddqn.train_episodes": 1000,
        "dueling_ddqn.test_episodes": 10,
        "dueling_ddqn.init_episodes": 10,
        "dueling_ddqn.stop_window": 10,
        "dueling_ddqn.plateau_tolerance": 0.01,
        "dueling_ddqn.gamma": 0.99,
        "dueling_ddqn.tau": 0.01,
        "dueling_ddqn.eps_init": 1.0,
        "dueling_ddqn.eps_min": 0.01,
        "dueling_ddqn.eps_decay": 0.9,
        "dueling_ddqn.buffer_size": 100_000,
        "dueling_ddqn.activation": "relu",
        "dueling_ddqn.feature_size": 128,
        "dueling_ddqn.advantage_mean": "sample",
    },
}


def space(seed: int | None = None) -> ConfigurationSpace:
    """What varies between agents."""
    cs = ConfigurationSpace(seed=seed)
    cs.add(
        [
            # Adam's step size: a third to three times 1e-3.
            Float("dueling_ddqn.lr", (1e-3 / 3, 3e-3), log=True, default=1e-3),
            # Transitions per update: a third to three times 128.
            Integer("dueling_ddqn.batch_size", (42, 384), log=True, default=128),
            # Units per hidden layer: a third to three times 128.
            Integer("dueling_ddqn.hidden_size", (42, 384), log=True, default=128),
            # Hidden layers: 2, one more or one fewer.
            Integer("dueling_ddqn.hidden_layers", (1, 3), default=2),
        ]
    )
    return cs
