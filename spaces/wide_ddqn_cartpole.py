"""DDQN on CartPole-v0 from hopeless to good, after a short training.

For SEs that rank agents (docs/nes.md): configurations must differ on the task. Learning
rates span four decades, networks are small, and 3,000 steps are too few for most.
Budget: agent seeds; those already trained are kept on promotion.
"""

from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer

META = {
    "objective": "agent",
    "task": "CartPole-v0",
    "agent": "ddqn",
    "min_budget": 1,
    "max_budget": 9,
    "eta": 3,
    "base": {
        "ddqn.test_episodes": 10,
        "ddqn.max_env_steps": 3000,
        "ddqn.train_episodes": 3000,
        "ddqn.eps_init": 1.0,
    },
}

ACTIVATIONS = ["tanh", "relu", "leaky_relu"]


def space(seed: int | None = None) -> ConfigurationSpace:
    """The agent's hyperparameters."""
    cs = ConfigurationSpace(seed=seed)
    cs.add(
        [
            # Episodes that only fill the replay buffer.
            Integer("ddqn.init_episodes", (1, 20), log=True, default=1),
            # Transitions per update; small ones, so that a training is cheap.
            Integer("ddqn.batch_size", (8, 64), log=True, default=64),
            # 1 - discount: a horizon of 2 to 1,000 steps.
            Float("ddqn.one_minus_gamma", (0.001, 0.5), log=True, default=0.012),
            # Adam's step size; both ends learn nothing.
            Float("ddqn.lr", (1e-5, 1e-1), log=True, default=1e-3),
            # Polyak factor of the target network.
            Float("ddqn.tau", (0.001, 1.0), log=True, default=0.00848),
            # Lowest epsilon.
            Float("ddqn.eps_min", (0.005, 0.2), log=True, default=0.0371),
            # 1 - factor on epsilon after each episode.
            Float("ddqn.one_minus_eps_decay", (0.01, 0.3), log=True, default=0.039),
            # Hidden activation of the Q network.
            Categorical("ddqn.activation", ACTIVATIONS, default="tanh"),
            # Units per hidden layer of the Q network; 8 are too few for most.
            Integer("ddqn.hidden_size", (8, 64), log=True, default=57),
            # Hidden layers of the Q network.
            Integer("ddqn.hidden_layers", (1, 2), default=1),
        ]
    )
    return cs
