"""Discrete TD3 drawn at random around the paper's hyperparameters (its phase 2).

The paper trains agents on learned environments with hyperparameters drawn anew for
each: learning rate, batch size and hidden size from a third to three times the base,
one hidden layer more or fewer (Ferreira et al. 2022, code,
`agents/TD3_discrete_vary.py`). The base is `td3_discrete_vary_layer_norm_2` of
`default_config_cartpole.yaml`.
Budget: agent seeds; those already trained are kept on promotion.
"""

from ConfigSpace import ConfigurationSpace, Float, Integer

META = {
    "objective": "agent",
    "task": "CartPole-v0",
    "agent": "td3_discrete",
    "min_budget": 1,
    "max_budget": 9,
    "eta": 3,
    # As in phase 2: no limit of steps, agents train until solved or 1000 episodes.
    "base": {
        "td3_discrete.train_episodes": 1000,
        "td3_discrete.test_episodes": 10,
        "td3_discrete.init_episodes": 10,
        "td3_discrete.stop_window": 10,
        "td3_discrete.plateau_tolerance": 0.01,
        "td3_discrete.gamma": 0.99,
        "td3_discrete.tau": 0.01,
        "td3_discrete.policy_delay": 2,
        "td3_discrete.action_std": 0.1,
        "td3_discrete.policy_std": 0.2,
        "td3_discrete.policy_std_clip": 0.5,
        "td3_discrete.gumbel_temperature": 1.0,
        "td3_discrete.gumbel_anneal_updates": 2000,
        "td3_discrete.gumbel_hard": False,
        "td3_discrete.layer_norm": True,
        "td3_discrete.buffer_size": 1_000_000,
        "td3_discrete.activation": "tanh",
    },
}


def space(seed: int | None = None) -> ConfigurationSpace:
    """What varies between agents."""
    cs = ConfigurationSpace(seed=seed)
    cs.add(
        [
            # Adam's step size: a third to three times 5e-4.
            Float("td3_discrete.lr", (5e-4 / 3, 1.5e-3), log=True, default=5e-4),
            # Transitions per update: a third to three times 128.
            Integer("td3_discrete.batch_size", (42, 384), log=True, default=128),
            # Units per hidden layer: a third to three times 128.
            Integer("td3_discrete.hidden_size", (42, 384), log=True, default=128),
            # Hidden layers: 2, one more or one fewer.
            Integer("td3_discrete.hidden_layers", (1, 3), default=2),
        ]
    )
    return cs
