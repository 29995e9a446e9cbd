"""NES, reward network and Q-learning together, for Cliff.

The authors set all of this by hand (Ferreira et al., 2022); ranges are those of their
searches for MountainCarContinuous (NES, network) and for Q-learning on the task. The
default configuration, tried first, is the recipe `rn-cliff`. Every kind of reward
network is in it that needs no info. The loss is one minus the area under the test
curve.
Budget: generations.
"""

from ConfigSpace import Categorical, ConfigurationSpace, Float, InCondition, Integer

META = {
    "objective": "nes",
    "task": "Cliff-v0",
    "agent": "q_learning",
    "min_budget": 3,
    "max_budget": 27,
    "eta": 3,
    "confirm": 3,
    "base": {
        # The level of tests during so many steps: also after the task is solved.
        "nes.fitness": "area",
        "nes.horizon": 2000,
        "nes.stop_when_solved": False,
        "nes.common_random_numbers": True,
        "q_learning.test_episodes": 1,
        "q_learning.init_episodes": 0,
    },
}

KINDS = ["additive_potential", "additive", "exclusive_potential", "exclusive"]


def space(seed: int | None = None) -> ConfigurationSpace:
    """The hyperparameters of NES, reward network and agent."""
    cs = ConfigurationSpace(seed=seed)
    cs.add(
        [
            # How scores become weights. Authors: nes_unnormalized, by hand.
            Categorical(
                "nes.score_transform",
                ["linear", "rank", "nes", "nes_unnormalized", "all_better_sum"],
                default="all_better_sum",
            ),
            # Factor of the weighted sum. Authors: 0.1 to 1; they chose 0.5 by hand.
            Float("nes.step_size", (0.1, 1.0), log=True, default=0.5),
            # Better sign of a pair (authors), the difference of a pair, or no pairs.
            Categorical(
                "nes.sampling",
                ["mirrored_best", "antithetic", "single"],
                default="mirrored_best",
            ),
            # Of a perturbation. Authors: 0.001 to 1; they chose 0.1 by hand.
            Float("nes.noise_std", (0.01, 1.0), log=True, default=0.2),
            # Perturbation directions per generation. Authors: 16.
            Integer("nes.population", (8, 32), log=True, default=16),
            # Agents trained on the center; the loss is their mean.
            Integer("nes.n_center_evaluations", (4, 16), log=True, default=8),
            # Ours: the start is the best of this many networks.
            Integer("nes.n_initial", (1, 64), log=True, default=1),
            # Ours: the first network is random, or fitted to the task's reward.
            Categorical("nes.start", ["random", "task_reward"], default="task_reward"),
            # How the reward is made of the network. Authors: each by itself.
            Categorical("rn.kind", KINDS, default="additive_potential"),
            # Hidden activation of the reward network. Authors: the same four.
            Categorical(
                "rn.activation",
                ["tanh", "relu", "leaky_relu", "prelu"],
                default="prelu",
            ),
            # Units per hidden layer of the reward network. Authors: 48 to 192.
            Integer("rn.hidden_size", (16, 192), log=True, default=32),
            # Hidden layers of the reward network. Authors: 1 or 2.
            Integer("rn.hidden_layers", (1, 2), default=1),
            # Potential of terminal states; the authors' is the network's.
            Categorical("rn.terminal_potential", ["zero", "network"], default="zero"),
            # Part of the way to the target. Authors: 0 to 0.999.
            Float("q_learning.lr", (0.1, 1.0), default=1.0),
            # 1 - discount, also that of a potential. Authors: the same.
            Float("q_learning.one_minus_gamma", (0.001, 1.0), log=True, default=0.2),
            # Lowest epsilon. Authors: 0.01 to 1.
            Float("q_learning.eps_min", (0.01, 0.3), log=True, default=0.1),
        ]
    )
    kinds = cs["rn.kind"], ["additive_potential"]
    cs.add(InCondition(cs["rn.terminal_potential"], *kinds))
    # A fit to the task's reward takes a second or more each.
    cs.add(InCondition(cs["nes.n_initial"], cs["nes.start"], ["random"]))
    return cs
