"""PPO drawn at random around Stable-Baselines3's hyperparameters, as in phase 2.

The paper varies other agents only (Ferreira et al. 2022); the rule is its own: learning
rate, batch size and hidden size from a third to three times the base, one hidden layer
more or fewer.
Budget: agent seeds; those already trained are kept on promotion.
"""

from ConfigSpace import ConfigurationSpace, Float, Integer

META = {
    "objective": "agent",
    "task": "CartPole-v0",
    "agent": "ppo",
    "min_budget": 1,
    "max_budget": 9,
    "eta": 3,
    # As in phase 2: no limit of steps, agents train until solved or 1000 episodes.
    "base": {
        "ppo.train_episodes": 1000,
        "ppo.test_episodes": 10,
        "ppo.init_episodes": 0,
        "ppo.stop_window": 10,
        "ppo.plateau_tolerance": 0.01,
        "ppo.variant": "standard",
        "ppo.rollout_steps": 2048,
        "ppo.epochs": 10,
        "ppo.gamma": 0.99,
        "ppo.gae_lambda": 0.95,
        "ppo.clip_range": 0.2,
        "ppo.ent_coef": 0.0,
        "ppo.vf_coef": 0.5,
        "ppo.max_grad_norm": 0.5,
        "ppo.action_std": 1.0,
        "ppo.activation": "tanh",
    },
}


def space(seed: int | None = None) -> ConfigurationSpace:
    """What varies between agents."""
    cs = ConfigurationSpace(seed=seed)
    cs.add(
        [
            # Adam's step size: a third to three times 3e-4.
            Float("ppo.lr", (1e-4, 9e-4), log=True, default=3e-4),
            # Steps per gradient update: a third to three times 64.
            Integer("ppo.batch_size", (21, 192), log=True, default=64),
            # Units per hidden layer: a third to three times 64.
            Integer("ppo.hidden_size", (21, 192), log=True, default=64),
            # Hidden layers: 2, one more or one fewer.
            Integer("ppo.hidden_layers", (1, 3), default=2),
        ]
    )
    return cs
