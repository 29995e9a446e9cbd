"""Dueling DDQN alone on CartPole-v0, without any SE.

Ranges and defaults of the authors' search for Ferreira et al. (2022),
`experiments/bohb_params_DuelingDDQN_cartpole.py`. Their best configuration ("best"
below) stops at the first solved episode, which made it the quickest there; here the
test after training counts, too.
Budget: agent seeds; those already trained are kept on promotion.
"""

from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer

META = {
    "objective": "agent",
    "task": "CartPole-v0",
    "agent": "dueling_ddqn",
    "min_budget": 1,
    "max_budget": 9,
    "eta": 3,
    "base": {
        "dueling_ddqn.test_episodes": 10,
        # About three times the steps of the authors' baseline agent (12,700): who has
        # not learned CartPole by then counts as not having learned it.
        "dueling_ddqn.max_env_steps": 40_000,
        "dueling_ddqn.train_episodes": 1000,
    },
}

ACTIVATIONS = ["tanh", "relu", "leaky_relu", "prelu"]


def space(seed: int | None = None) -> ConfigurationSpace:
    """The agent's hyperparameters."""
    cs = ConfigurationSpace(seed=seed)
    cs.add(
        [
            # Episodes that only fill the replay buffer. Authors' best: 1.
            Integer("dueling_ddqn.init_episodes", (1, 20), log=True, default=10),
            # Transitions per update. Authors' best: 193.
            Integer("dueling_ddqn.batch_size", (64, 512), log=True, default=256),
            # 1 - discount: a horizon of 10 to 1,000 steps. Authors' best: 0.039.
            Float("dueling_ddqn.one_minus_gamma", (0.001, 0.1), log=True, default=0.01),
            # Adam's step size. Authors' best: 0.0091.
            Float("dueling_ddqn.lr", (1e-4, 0.1), log=True, default=3e-4),
            # Polyak factor of the target network. Authors' best: 0.073.
            Float("dueling_ddqn.tau", (0.001, 0.1), log=True, default=0.01),
            # Epsilon of the first episode. Authors' best: 0.906.
            Float("dueling_ddqn.eps_init", (0.8, 1.0), log=True, default=0.9),
            # Lowest epsilon. Authors' best: 0.0065.
            Float("dueling_ddqn.eps_min", (0.005, 0.05), log=True, default=0.05),
            # 1 - factor on epsilon after each episode. Authors' best: 0.173.
            Float(
                "dueling_ddqn.one_minus_eps_decay", (0.01, 0.2), log=True, default=0.1
            ),
            # Most transitions kept. Authors' best: 1e5, all that these agents see.
            Integer("dueling_ddqn.buffer_size", (1000, 10**6), log=True, default=10**5),
            # Hidden activation of the Q network. Authors' best: tanh.
            Categorical("dueling_ddqn.activation", ACTIVATIONS, default="relu"),
            # Units per hidden layer of the Q network. Authors' best: 61.
            Integer("dueling_ddqn.hidden_size", (32, 256), log=True, default=128),
            # Outputs of the features, and hidden units of both streams. Best: 60.
            Integer("dueling_ddqn.feature_size", (32, 256), log=True, default=128),
            # Hidden layers of the features. Authors' best: 1.
            Integer("dueling_ddqn.hidden_layers", (1, 2), default=2),
            # Episodes whose mean return must be the solved one. Authors' best: 1.
            Integer("dueling_ddqn.stop_window", (1, 5), log=True, default=3),
        ]
    )
    return cs
