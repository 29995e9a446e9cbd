"""PPO alone on CartPole-v0, without any SE.

The ranges are about those of RL Baselines3 Zoo's search for PPO, the defaults those of
Stable-Baselines3; Ferreira et al. (2022) did not tune it.
Budget: agent seeds; those already trained are kept on promotion.
"""

from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer

META = {
    "objective": "agent",
    "task": "CartPole-v0",
    "agent": "ppo",
    "min_budget": 1,
    "max_budget": 9,
    "eta": 3,
    "base": {
        "ppo.test_episodes": 10,
        # As for the other agents: who has not learned CartPole by then counts as not
        # having learned it.
        "ppo.max_env_steps": 50_000,
        "ppo.train_episodes": 1000,
    },
}

ACTIVATIONS = ["tanh", "relu", "leaky_relu", "prelu"]


def space(seed: int | None = None) -> ConfigurationSpace:
    """The agent's hyperparameters."""
    cs = ConfigurationSpace(seed=seed)
    cs.add(
        [
            # Steps between two updates of the policy.
            Integer("ppo.rollout_steps", (64, 4096), log=True, default=2048),
            # Steps per gradient update.
            Integer("ppo.batch_size", (16, 256), log=True, default=64),
            # Times that every step of a rollout is used.
            Integer("ppo.epochs", (1, 20), log=True, default=10),
            # 1 - discount: a horizon of 10 to 1,000 steps.
            Float("ppo.one_minus_gamma", (0.001, 0.1), log=True, default=0.01),
            # Decay of the advantage's trace.
            Float("ppo.gae_lambda", (0.8, 1.0), default=0.95),
            # Adam's step size.
            Float("ppo.lr", (1e-5, 5e-3), log=True, default=3e-4),
            # How far from 1 the ratio of probabilities still has a gradient.
            Float("ppo.clip_range", (0.1, 0.4), default=0.2),
            # Weight of the policy's entropy.
            Float("ppo.ent_coef", (0.0, 0.05), default=0.0),
            # Weight of the critic's squared error.
            Float("ppo.vf_coef", (0.1, 1.0), default=0.5),
            # Largest norm of the gradient.
            Float("ppo.max_grad_norm", (0.3, 5.0), log=True, default=0.5),
            # Hidden activation of actor and critic.
            Categorical("ppo.activation", ACTIVATIONS, default="tanh"),
            # Units per hidden layer of actor and critic.
            Integer("ppo.hidden_size", (32, 256), log=True, default=64),
            # Hidden layers of actor and critic.
            Integer("ppo.hidden_layers", (1, 2), default=2),
        ]
    )
    return cs
