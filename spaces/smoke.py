"""Tiny: does everything work here? A whole run in well under a minute.

Two members, small networks, agents that stop after 150 steps; too little to learn
CartPole. It has one hyperparameter of every kind: categorical, integer, log float,
conditional, ordinal and constant.
Budget: generations.
"""

from ConfigSpace import (
    Categorical,
    ConfigurationSpace,
    Constant,
    EqualsCondition,
    Float,
    Integer,
    OrdinalHyperparameter,
)

META = {
    "objective": "nes",
    "task": "CartPole-v0",
    "agent": "ddqn",
    "min_budget": 1,
    "max_budget": 3,
    "eta": 3,
    "base": {
        "nes.population": 2,
        "nes.n_center_evaluations": 1,
        "se.hidden_size": 16,
        "ddqn.test_episodes": 2,
        "ddqn.init_episodes": 1,
        "ddqn.stop_window": 3,
        # Five agents per generation, each at most a fraction of a second of training.
        "ddqn.max_env_steps": 150,
        "ddqn.train_episodes": 20,
        "ddqn.hidden_layers": 1,
    },
}


def space(seed: int | None = None) -> ConfigurationSpace:
    """One hyperparameter of every kind."""
    cs = ConfigurationSpace(seed=seed)
    cs.add(
        [
            # Categorical: the better sign of a pair, or no pairs.
            Categorical("nes.sampling", ["mirrored_best", "single"]),
            # Log float: the authors' range.
            Float("nes.noise_std", (0.01, 1.0), log=True, default=0.1),
            # Constant: the paper's untuned value.
            Constant("nes.step_size", 1.0),
            # Integer on a log scale: one start, or the best of up to three.
            Integer("nes.n_initial", (1, 3), log=True, default=1),
            # Boolean: members compared with the same agent seeds or not.
            Categorical("nes.common_random_numbers", [False, True], default=True),
            # Conditional: removed parameters, only tried without pairs.
            Float("nes.weight_decay", (1e-4, 1e-2), log=True, default=1e-3),
            # Log float: around the authors' default of 1e-3.
            Float("ddqn.lr", (1e-4, 1e-2), log=True, default=1e-3),
            # Ordinal: small enough for any machine.
            OrdinalHyperparameter("ddqn.hidden_size", [8, 16, 32], 16),
            # Integer: small enough for any machine.
            Integer("ddqn.batch_size", (8, 32), default=16),
        ]
    )
    cs.add(EqualsCondition(cs["nes.weight_decay"], cs["nes.sampling"], "single"))
    return cs
