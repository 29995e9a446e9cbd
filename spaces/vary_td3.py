"""TD3 drawn at random around the authors' hyperparameters for MountainCarContinuous.

Agents are trained on learned environments with hyperparameters drawn anew for each:
learning rate, batch size and hidden size from a third to three times the base, one
hidden layer more or fewer (Ferreira et al. 2022, code, `agents/TD3_vary.py`). The base
are the agents that the authors evaluate reward networks with.
Budget: agent seeds; those already trained are kept on promotion.
"""

from ConfigSpace import ConfigurationSpace, Float, Integer

META = {
    "objective": "agent",
    "task": "MountainCarContinuous-v0",
    "agent": "td3",
    "min_budget": 1,
    "max_budget": 9,
    "eta": 3,
    # As in phase 2: no limit of steps, agents train until solved or 1000 episodes.
    "base": {
        "td3.train_episodes": 1000,
        "td3.test_episodes": 10,
        "td3.init_episodes": 10,
        "td3.stop_window": 10,
        "td3.plateau_tolerance": 0.01,
        "td3.gamma": 0.99,
        "td3.tau": 0.005,
        "td3.policy_delay": 2,
        "td3.action_std": 0.1,
        "td3.policy_std": 0.2,
        "td3.policy_std_clip": 0.5,
        "td3.buffer_size": 1_000_000,
        "td3.activation": "relu",
    },
}


def space(seed: int | None = None) -> ConfigurationSpace:
    """What varies between agents."""
    cs = ConfigurationSpace(seed=seed)
    cs.add(
        [
            # Adam's step size: a third to three times 3e-4.
            Float("td3.lr", (1e-4, 9e-4), log=True, default=3e-4),
            # Transitions per update: a third to three times 256.
            Integer("td3.batch_size", (85, 768), log=True, default=256),
            # Units per hidden layer: a third to three times 128.
            Integer("td3.hidden_size", (42, 384), log=True, default=128),
            # Hidden layers: 2, one more or one fewer.
            Integer("td3.hidden_layers", (1, 3), default=2),
        ]
    )
    return cs
