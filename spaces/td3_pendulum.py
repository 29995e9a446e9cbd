"""TD3 alone on Pendulum-v1, without any learned environment.

Ranges of the authors' search for MountainCarContinuous (Ferreira et al. 2022, code,
`experiments/GTNC_evaluate_cmc_params.py`); defaults are those of `TD3Config`.
Budget: agent seeds; those already trained are kept on promotion.
"""

from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer

META = {
    "objective": "agent",
    "task": "Pendulum-v1",
    "agent": "td3",
    "min_budget": 1,
    "max_budget": 9,
    "eta": 3,
    "base": {
        "td3.test_episodes": 10,
        # 100 episodes: four times what a good agent needs.
        "td3.max_env_steps": 20_000,
        "td3.train_episodes": 1000,
    },
}

ACTIVATIONS = ["tanh", "relu", "leaky_relu", "prelu"]


def space(seed: int | None = None) -> ConfigurationSpace:
    """The agent's hyperparameters."""
    cs = ConfigurationSpace(seed=seed)
    cs.add(
        [
            # Episodes of random actions that only fill the buffer.
            Integer("td3.init_episodes", (1, 20), log=True, default=10),
            # Transitions per update.
            Integer("td3.batch_size", (64, 256), log=True, default=256),
            # 1 - discount: a horizon of 10 to 1,000 steps.
            Float("td3.one_minus_gamma", (0.001, 0.1), log=True, default=0.01),
            # Adam's step size, of actor and critics.
            Float("td3.lr", (1e-4, 5e-3), log=True, default=3e-4),
            # Polyak factor of the target networks.
            Float("td3.tau", (0.005, 0.05), log=True, default=0.005),
            # Critic updates per update of the actor.
            Integer("td3.policy_delay", (1, 3), default=2),
            # Units per hidden layer of actor and critics.
            Integer("td3.hidden_size", (48, 192), log=True, default=128),
            # Hidden layers of actor and critics.
            Integer("td3.hidden_layers", (1, 2), default=2),
            # Hidden activation of actor and critics.
            Categorical("td3.activation", ACTIVATIONS, default="relu"),
            # Environment steps for which an action is held.
            Integer("td3.action_repeat", (1, 3), default=1),
            # Standard deviation of the noise when acting.
            Float("td3.action_std", (0.05, 0.2), log=True, default=0.1),
            # Standard deviation of the noise on target actions.
            Float("td3.policy_std", (0.1, 0.4), log=True, default=0.2),
            # Largest noise on target actions.
            Float("td3.policy_std_clip", (0.25, 1.0), log=True, default=0.5),
        ]
    )
    return cs
