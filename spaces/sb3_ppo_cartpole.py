"""Stable-Baselines3's PPO alone on CartPole-v0, network size and depth included.

Names are Stable-Baselines3's. Ranges: a third to three times its defaults and more; the
default configuration is its own. Needs the extra `sb3`.
Budget: agent seeds; those already trained are kept on promotion.
"""

from ConfigSpace import ConfigurationSpace, Float, Integer

META = {
    "objective": "agent",
    "task": "CartPole-v0",
    "agent": "sb3:PPO",
    "min_budget": 1,
    "max_budget": 9,
    "eta": 3,
    "base": {
        "sb3:PPO.test_episodes": 10,
        # As for the other agents: who has not learned CartPole by then counts as not
        # having learned it.
        "sb3:PPO.max_env_steps": 50_000,
    },
}


def space(seed: int | None = None) -> ConfigurationSpace:
    """The agent's hyperparameters."""
    cs = ConfigurationSpace(seed=seed)
    cs.add(
        [
            # Adam's step size.
            Float("sb3:PPO.learning_rate", (1e-5, 5e-3), log=True, default=3e-4),
            # 1 - discount: a horizon of 10 to 1,000 steps.
            Float("sb3:PPO.one_minus_gamma", (0.001, 0.1), log=True, default=0.01),
            # Steps per gradient update.
            Integer("sb3:PPO.batch_size", (16, 256), log=True, default=64),
            # Units per hidden layer of actor and critic.
            Integer("sb3:PPO.hidden_size", (16, 256), log=True, default=64),
            # Hidden layers of actor and critic.
            Integer("sb3:PPO.hidden_layers", (1, 3), default=2),
        ]
    )
    return cs
