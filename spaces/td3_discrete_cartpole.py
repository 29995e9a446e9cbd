"""Discrete TD3 alone on CartPole-v0, without any SE.

Ranges and defaults of the authors' search for Ferreira et al. (2022),
`experiments/bohb_params_TD3_discrete_cartpole.py`, which judged agents trained on
learned environments; here they are trained on the task. "Best" below is the agent that
the authors' configuration files give as tuned.
Budget: agent seeds; those already trained are kept on promotion.
"""

from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer

META = {
    "objective": "agent",
    "task": "CartPole-v0",
    "agent": "td3_discrete",
    "min_budget": 1,
    "max_budget": 9,
    "eta": 3,
    "base": {
        "td3_discrete.test_episodes": 10,
        # Almost three times the steps of the authors' baseline agent (17,900): who has
        # not learned CartPole by then counts as not having learned it.
        "td3_discrete.max_env_steps": 50_000,
        "td3_discrete.train_episodes": 1000,
        "td3_discrete.hidden_layers": 2,
    },
}

ACTIVATIONS = ["tanh", "relu", "leaky_relu", "prelu"]


def space(seed: int | None = None) -> ConfigurationSpace:
    """The agent's hyperparameters."""
    cs = ConfigurationSpace(seed=seed)
    cs.add(
        [
            # Episodes of random actions that only fill the buffer. Authors' best: 1.
            Integer("td3_discrete.init_episodes", (1, 20), log=True, default=10),
            # Transitions per update. Authors' best: 122.
            Integer("td3_discrete.batch_size", (64, 512), log=True, default=128),
            # 1 - discount: a horizon of 10 to 1,000 steps. Authors' best: 0.0011.
            Float("td3_discrete.one_minus_gamma", (0.001, 0.1), log=True, default=0.01),
            # Adam's step size, of actor and critics. Authors' best: 0.0017.
            Float("td3_discrete.lr", (1e-6, 0.1), log=True, default=5e-4),
            # Polyak factor of the target networks. Authors' best: 0.072.
            Float("td3_discrete.tau", (0.001, 0.1), log=True, default=0.01),
            # Critic updates per update of the actor. Authors' best: 1.
            Integer("td3_discrete.policy_delay", (1, 5), default=2),
            # Units per hidden layer of actor and critics. Authors' best: 510.
            Integer("td3_discrete.hidden_size", (64, 512), log=True, default=128),
            # Hidden activation of actor and critics. Authors' best: tanh.
            Categorical("td3_discrete.activation", ACTIVATIONS, default="tanh"),
            # Standard deviation of the noise when acting. Authors' best: 0.037.
            Float("td3_discrete.action_std", (0.01, 10.0), log=True, default=0.1),
            # Standard deviation of the noise on target actions. Authors' best: 0.22.
            Float("td3_discrete.policy_std", (0.01, 10.0), log=True, default=0.2),
            # Largest noise on target actions. Authors' best: 0.5.
            Float("td3_discrete.policy_std_clip", (0.01, 10.0), log=True, default=0.5),
            # One-hot action vectors with the gradient of soft ones. Authors' best: yes.
            Categorical("td3_discrete.gumbel_hard", [False, True], default=False),
            # Softmax temperature at first. Authors' best: 2.3.
            Float(
                "td3_discrete.gumbel_temperature", (0.001, 10.0), log=True, default=1.0
            ),
            # Layer normalization of the second hidden layer. Authors' best: no.
            Categorical("td3_discrete.layer_norm", [False, True], default=True),
        ]
    )
    return cs
