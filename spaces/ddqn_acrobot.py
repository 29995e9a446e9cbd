"""DDQN alone on Acrobot-v1, without any SE.

Ranges of the agent's part of the authors' Acrobot search for Ferreira et al. (2022),
`experiments/GTNC_evaluate_acrobot_params.py`; the default is the agent they found.
Budget: agent seeds; those already trained are kept on promotion.
"""

from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer

META = {
    "objective": "agent",
    "task": "Acrobot-v1",
    "agent": "ddqn",
    "min_budget": 1,
    "max_budget": 9,
    "eta": 3,
    "base": {
        "ddqn.test_episodes": 10,
        # About three times the steps of the authors' baseline agent (15,400): who has
        # not learned Acrobot by then counts as not having learned it.
        "ddqn.max_env_steps": 50_000,
        "ddqn.train_episodes": 1000,
    },
}

ACTIVATIONS = ["tanh", "relu", "leaky_relu", "prelu"]


def space(seed: int | None = None) -> ConfigurationSpace:
    """The agent's hyperparameters."""
    cs = ConfigurationSpace(seed=seed)
    cs.add(
        [
            # Episodes that only fill the replay buffer. Authors: 1 to 20.
            Integer("ddqn.init_episodes", (1, 20), log=True, default=20),
            # Transitions per update. Authors: 64 to 256.
            Integer("ddqn.batch_size", (64, 256), default=149),
            # 1 - discount: a horizon of 10 to 1,000 steps. Authors: the same.
            Float("ddqn.one_minus_gamma", (0.001, 0.1), log=True, default=0.009),
            # Adam's step size. Authors: 1e-4 to 5e-3.
            Float("ddqn.lr", (1e-4, 5e-3), log=True, default=2.22e-3),
            # Polyak factor of the target network. Authors: 0.005 to 0.05.
            Float("ddqn.tau", (0.005, 0.05), log=True, default=0.0209),
            # Epsilon of the first episode. Authors: 0.8 to 1.
            Float("ddqn.eps_init", (0.8, 1.0), log=True, default=0.904),
            # Lowest epsilon. Authors: 0.005 to 0.05 (their best: near the top).
            Float("ddqn.eps_min", (0.005, 0.05), log=True, default=0.0471),
            # 1 - factor on epsilon after each episode. Authors: 0.01 to 0.2.
            Float("ddqn.one_minus_eps_decay", (0.01, 0.2), log=True, default=0.101),
            # Hidden activation of the Q network. Authors: the same four.
            Categorical("ddqn.activation", ACTIVATIONS, default="leaky_relu"),
            # Units per hidden layer of the Q network. Authors: 48 to 192.
            Integer("ddqn.hidden_size", (48, 192), log=True, default=112),
            # Hidden layers of the Q network. Authors: 1 or 2.
            Integer("ddqn.hidden_layers", (1, 2), default=1),
        ]
    )
    return cs
