"""The paper's search for CartPole-v0: NES, SE and DDQN together.

Ranges of the CartPole search in the authors' code for Ferreira et al. (2022),
`experiments/GTNC_evaluate_cartpole_params.py`; what differs is said beside it.
The default configuration, tried first, has the agent and SE that their search found,
with the noise and step of their untuned runs, which took fewer generations.
Budget: generations.
"""

from ConfigSpace import (
    Categorical,
    ConfigurationSpace,
    Float,
    InCondition,
    Integer,
)

META = {
    "objective": "nes",
    "task": "CartPole-v0",
    "agent": "ddqn",
    "min_budget": 1,
    "max_budget": 9,
    "eta": 3,
    "base": {
        # As in all settings of the authors.
        "nes.population": 16,
        # Half the authors' 16: a fifth of a generation's agents instead of a third.
        "nes.n_center_evaluations": 8,
        # Solved generations count as the best possible ones, so going on is in vain.
        "nes.stop_when_solved": True,
        "ddqn.test_episodes": 10,
        # An SE is worth having if agents learn on it in fewer steps than on the task
        # (the paper's take 6,800 and 16,900): those that need more are cut off here.
        # Counted in steps, so that no score depends on the speed of a machine.
        "ddqn.max_env_steps": 6_000,
        "ddqn.train_episodes": 1000,
    },
}

ACTIVATIONS = ["tanh", "relu", "leaky_relu", "prelu"]


def space(seed: int | None = None) -> ConfigurationSpace:
    """The hyperparameters of NES, SE and agent."""
    cs = ConfigurationSpace(seed=seed)
    cs.add(
        [
            # How scores become weights. Authors: the same eight, as integers 0 to 7.
            Categorical(
                "nes.score_transform",
                [
                    "linear",
                    "rank",
                    "nes",
                    "nes_unnormalized",
                    "single_best",
                    "single_better",
                    "all_better",
                    "all_better_sum",
                ],
                default="all_better_sum",
            ),
            # Factor of the weighted sum of perturbations. Authors: 0.1 to 1.
            Float("nes.step_size", (0.1, 1.0), log=True, default=1.0),
            # Authors: mirrored (their better sign of a pair) or not (`single`);
            # `antithetic`, the difference of a pair, is ours.
            Categorical(
                "nes.sampling",
                ["mirrored_best", "antithetic", "single"],
                default="mirrored_best",
            ),
            # Standard deviation of a perturbation. Authors: 0.01 to 1 (best: 0.012).
            Float("nes.noise_std", (0.01, 1.0), log=True, default=0.05),
            # Ours: the start is the best of this many random SEs; all 32 together cost
            # less than a generation. Authors: 1.
            Integer("nes.n_initial", (1, 32), log=True, default=32),
            # Ours: members compared with the same agent seeds. Authors: off.
            Categorical("nes.common_random_numbers", [False, True], default=True),
            # Agents trained on the center. They give the curve in any case; only these
            # transforms use their mean as the baseline. Authors: 16.
            Integer("nes.n_center_evaluations", (4, 16), log=True, default=8),
            # Episodes that only fill the replay buffer. Authors: 1 to 20.
            Integer("ddqn.init_episodes", (1, 20), log=True, default=1),
            # Transitions per update. Authors: 64 to 256.
            Integer("ddqn.batch_size", (64, 256), default=199),
            # 1 - discount: a horizon of 10 to 1,000 steps. Authors: the same.
            Float("ddqn.one_minus_gamma", (0.001, 0.1), log=True, default=0.012),
            # Adam's step size. Authors: 1e-4 to 5e-3.
            Float("ddqn.lr", (1e-4, 5e-3), log=True, default=3.04e-4),
            # Polyak factor of the target network. Authors: 0.005 to 0.05.
            Float("ddqn.tau", (0.005, 0.05), log=True, default=0.00848),
            # Epsilon of the first episode. Authors: 0.8 to 1.
            Float("ddqn.eps_init", (0.8, 1.0), log=True, default=0.809),
            # Lowest epsilon. Authors: 0.005 to 0.05 (their best: near the top).
            Float("ddqn.eps_min", (0.005, 0.05), log=True, default=0.0371),
            # 1 - factor on epsilon after each episode. Authors: 0.01 to 0.2.
            Float("ddqn.one_minus_eps_decay", (0.01, 0.2), log=True, default=0.039),
            # Hidden activation of the Q network. Authors: the same four.
            Categorical("ddqn.activation", ACTIVATIONS, default="tanh"),
            # Units per hidden layer of the Q network. Authors: 48 to 192.
            Integer("ddqn.hidden_size", (48, 192), log=True, default=57),
            # Hidden layers of the Q network. Authors: 1 or 2.
            Integer("ddqn.hidden_layers", (1, 2), default=1),
            # Hidden activation of the SE's three networks. Authors: the same four.
            Categorical("se.activation", ACTIVATIONS, default="leaky_relu"),
            # Units per hidden layer of the SE. Authors: 48 to 192.
            Integer("se.hidden_size", (48, 192), log=True, default=83),
            # Hidden layers of the SE. Authors: 1 or 2.
            Integer("se.hidden_layers", (1, 2), default=1),
        ]
    )
    cs.add(
        InCondition(
            cs["nes.n_center_evaluations"],
            cs["nes.score_transform"],
            ["single_better", "all_better", "all_better_sum"],
        )
    )
    return cs
