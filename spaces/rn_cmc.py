"""NES, reward network and TD3 together, for MountainCarContinuous-v0.

Ranges are those of the authors' search (Ferreira et al., 2022), unless said beside
them; theirs ran a kind at a time. The default configuration, tried first, is that of
the recipe `rn-cmc`. Every kind of reward network is in it that needs no info. The loss
is one minus the area under the test curve.
Budget: generations.
"""

from ConfigSpace import Categorical, ConfigurationSpace, Float, InCondition, Integer

META = {
    "objective": "nes",
    "task": "MountainCarContinuous-v0",
    "agent": "td3",
    "min_budget": 1,
    "max_budget": 9,
    "eta": 3,
    "confirm": 3,
    "base": {
        # The level of tests during so many steps: also after the task is solved.
        "nes.fitness": "area",
        "nes.horizon": 20_000,
        "nes.stop_when_solved": False,
        "nes.common_random_numbers": True,
        "td3.test_episodes": 5,
        # Authors: 50, half of a training, in which no reward is learned from.
        "td3.init_episodes": 10,
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
            Float("nes.step_size", (0.1, 1.0), log=True, default=1.0),
            # Better sign of a pair (authors), the difference of a pair, or no pairs.
            Categorical(
                "nes.sampling",
                ["mirrored_best", "antithetic", "single"],
                default="mirrored_best",
            ),
            # Of a perturbation. Authors: 0.001 to 1; they chose 0.1 by hand.
            Float("nes.noise_std", (0.01, 3.0), log=True, default=1.0),
            # Perturbation directions per generation. Authors: 16.
            Integer("nes.population", (4, 16), log=True, default=8),
            # Agents trained on the center; the loss is their mean.
            Integer("nes.n_center_evaluations", (2, 8), log=True, default=2),
            # Ours: the start is the best of this many networks.
            Integer("nes.n_initial", (1, 32), log=True, default=1),
            # Ours: the first network is random, or fitted to the task's reward.
            Categorical("nes.start", ["random", "task_reward"], default="random"),
            # How the reward is made of the network. Authors: each by itself.
            Categorical("rn.kind", KINDS, default="additive"),
            # Hidden activation of the reward network. Authors: the same four.
            Categorical(
                "rn.activation", ["tanh", "relu", "leaky_relu", "prelu"], default="tanh"
            ),
            # Units per hidden layer of the reward network. Authors: 48 to 192.
            Integer("rn.hidden_size", (48, 192), log=True, default=128),
            # Hidden layers of the reward network. Authors: 1 or 2.
            Integer("rn.hidden_layers", (1, 2), default=1),
            # Potential of terminal states; the authors' is the network's.
            Categorical("rn.terminal_potential", ["zero", "network"], default="zero"),
            # Authors: 64 to 256.
            Integer("td3.batch_size", (32, 256), log=True, default=64),
            # 1 - discount, also that of a potential. Authors: the same.
            Float("td3.one_minus_gamma", (0.001, 0.1), log=True, default=0.01),
            # Adam's step size. Authors: the same.
            Float("td3.lr", (1e-4, 5e-3), log=True, default=3e-3),
            # Polyak factor of the target networks. Authors: the same.
            Float("td3.tau", (0.005, 0.05), log=True, default=0.01),
            # Critic updates per update of the actor. Authors: the same.
            Integer("td3.policy_delay", (1, 3), default=2),
            # Steps for which an action is held. Authors: the same.
            Integer("td3.action_repeat", (1, 3), default=2),
            # Noise on actions. Authors: the same.
            Float("td3.action_std", (0.05, 0.2), log=True, default=0.1),
            # Noise on target actions. Authors: the same.
            Float("td3.policy_std", (0.1, 0.4), log=True, default=0.2),
            # Largest noise on target actions. Authors: the same.
            Float("td3.policy_std_clip", (0.25, 1.0), log=True, default=0.5),
            # Hidden activation of actor and critics. Authors: the same four.
            Categorical(
                "td3.activation",
                ["tanh", "relu", "leaky_relu", "prelu"],
                default="relu",
            ),
            # Authors: 48 to 192.
            Integer("td3.hidden_size", (32, 192), log=True, default=64),
            # Hidden layers of actor and critics. Authors: the same.
            Integer("td3.hidden_layers", (1, 2), default=2),
        ]
    )
    kinds = cs["rn.kind"], ["additive_potential"]
    cs.add(InCondition(cs["rn.terminal_potential"], *kinds))
    # A fit to the task's reward takes a second or more each.
    cs.add(InCondition(cs["nes.n_initial"], cs["nes.start"], ["random"]))
    return cs
