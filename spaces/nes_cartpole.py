"""An SE for CartPole-v0 that teaches DDQN, in few generations: SE, strategy and agent.

What is searched is what was found to matter, within bounds that keep an evaluation to
seconds; the authors' own search (Ferreira et al. 2022) is `paper_nes_cartpole`. The
default configuration, tried first, is their best one as far as these ranges go. An SE
is scored by agents that it was not made for: those trained on the center have random
hyperparameters and activations around the configuration's agent.
Budget: generations.
"""

from ConfigSpace import (
    Categorical,
    ConfigurationSpace,
    EqualsCondition,
    Float,
    InCondition,
    Integer,
    OrdinalHyperparameter,
)

META = {
    "objective": "nes",
    "task": "CartPole-v0",
    "agent": "ddqn",
    "min_budget": 3,
    "max_budget": 27,
    "eta": 3,
    "confirm": 3,
    "n_brackets": 33,
    "base": {
        # Eight agents say what a center is worth, eight more whether it is solved.
        "nes.n_center_evaluations": 8,
        "nes.n_confirmations": 8,
        # Generations after it count like the last one, so going on is in vain.
        "nes.stop_when_solved": True,
        "nes.vary_agents": True,
        "nes.vary": "wide",
        # Times the agent's cost of an update: few large draws would take most of it.
        "nes.most_update_cost": 2.0,
        # Twenty times what a random configuration's generation costs at the median.
        "nes.most_cost": 70.0,
    },
}

ACTIVATIONS = ["tanh", "relu", "leaky_relu"]


def space(seed: int | None = None) -> ConfigurationSpace:
    """The hyperparameters of SE, strategy and agent."""
    cs = ConfigurationSpace(seed=seed)
    cs.add(
        [
            # What the SE is. The paper: `mdp`. Liesen et al. (2024): `one_step`, and
            # `mdp_learned_start` for longer episodes.
            Categorical(
                "se.kind", ["mdp", "mdp_learned_start", "one_step"], default="mdp"
            ),
            # Hidden activation of the SE's networks. Authors: these, and prelu.
            Categorical("se.activation", ACTIVATIONS, default="leaky_relu"),
            # Units per hidden layer of the SE. Authors: 48 to 192; one-step SEs are
            # good with 32. Fewer parameters are fewer dimensions for the strategy.
            Integer("se.hidden_size", (16, 96), log=True, default=83),
            # Hidden layers of the SE. Authors: 1 or 2.
            Integer("se.hidden_layers", (1, 2), default=1),
            # The paper's strategy, or SNES, which adapts a deviation per parameter.
            # `openai_es` is left out: its step is on another scale.
            Categorical("nes.strategy", ["nes", "snes"], default="nes"),
            # Directions of a generation. Authors: 16; SNES was best with 64.
            Integer("nes.population", (8, 64), log=True, default=16),
            # Standard deviation of a perturbation, of SNES the first. Authors: to 1.
            Float("nes.noise_std", (0.01, 0.3), log=True, default=0.05),
            # Factor of the update. Authors: 0.1 to 1; SNES' papers: 1.
            Float("nes.step_size", (0.1, 2.0), log=True, default=1.0),
            # How scores become weights; of the authors' eight those that differ.
            Categorical(
                "nes.score_transform",
                ["rank", "nes", "single_best", "all_better", "all_better_sum"],
                default="all_better_sum",
            ),
            # Pairs: the better sign counts (the paper), their difference, or no pairs.
            Categorical(
                "nes.sampling",
                ["mirrored_best", "antithetic", "single"],
                default="mirrored_best",
            ),
            # The start is the best of this many random SEs. Authors: 1.
            Integer("nes.n_initial", (1, 32), log=True, default=32),
            # Members compared with the same agent seeds. Authors: off.
            Categorical("nes.common_random_numbers", [False, True], default=True),
            # Whether the members' agents vary as the center's do: a broader lesson,
            # with more noise. Authors: off.
            Categorical("nes.vary_members", [False, True], default=False),
            # Test episodes of an agent. Authors: 10; fewer leave more for members.
            OrdinalHyperparameter(
                "ddqn.test_episodes", [1, 2, 5, 10], default_value=10
            ),
            # Steps of a training on the SE. The paper's agents took 6,800; one-step SEs
            # were learned with 1,000. Cost is in proportion to it.
            Integer("ddqn.se_steps", (250, 1500), log=True, default=1500),
            # Transitions per update. Authors: 64 to 256; 32 and 64 cost less.
            Integer("ddqn.batch_size", (32, 128), log=True, default=128),
            # Adam's step size. Authors: 1e-4 to 5e-3.
            Float("ddqn.lr", (1e-4, 5e-3), log=True, default=3.04e-4),
            # 1 - discount. Authors: the same. One-step SEs have no future to discount.
            Float("ddqn.one_minus_gamma", (0.001, 0.1), log=True, default=0.012),
            # Polyak factor of the target network, likewise. Authors: the same.
            Float("ddqn.tau", (0.005, 0.05), log=True, default=0.00848),
            # Lowest epsilon, reached after half of the steps. Authors: to 0.05.
            Float("ddqn.eps_min", (0.005, 0.2), log=True, default=0.0371),
            # Hidden activation of the Q network: of the center's agents it is drawn.
            Categorical("ddqn.activation", ACTIVATIONS, default="tanh"),
            # Units per hidden layer of the Q network. Authors: 48 to 192.
            Integer("ddqn.hidden_size", (32, 64), log=True, default=57),
            # Hidden layers of the Q network. Authors: 1 or 2.
            Integer("ddqn.hidden_layers", (1, 2), default=1),
        ]
    )
    paper = EqualsCondition(cs["nes.score_transform"], cs["nes.strategy"], "nes")
    pairs = EqualsCondition(cs["nes.sampling"], cs["nes.strategy"], "nes")
    future = [
        InCondition(cs[name], cs["se.kind"], ["mdp", "mdp_learned_start"])
        for name in ("ddqn.one_minus_gamma", "ddqn.tau")
    ]
    cs.add([paper, pairs, *future])
    return cs
