"""A search space with everything that ConfigSpace offers."""

from ConfigSpace import (
    Categorical,
    ConfigurationSpace,
    Constant,
    EqualsCondition,
    Float,
    ForbiddenAndConjunction,
    ForbiddenEqualsClause,
    ForbiddenInClause,
    GreaterThanCondition,
    Integer,
    OrdinalHyperparameter,
)


def rich_space():
    """Every kind of hyperparameter, nested conditions, forbidden clauses."""
    cs = ConfigurationSpace()
    cs.add(
        [
            Categorical("algorithm", ["sgd", "adam", "none"]),
            Categorical("flag", [True, False]),
            Categorical("mixed", [1, 2.5, "x"]),
            Constant("constant", 7),
            Constant("text", "fixed"),
            OrdinalHyperparameter("size", [16, 32, 64, 128]),
            Integer("layers", (1, 4)),
            Integer("batch", (1, 1000), log=True),
            Float("lr", (1e-5, 1 / 3), log=True),
            Float("share", (1 / 3, 2 / 3)),
            Float("momentum", (0.0, 1.0)),
            Float("nested", (0.0, 1.0)),
        ]
    )
    cs.add(EqualsCondition(cs["momentum"], cs["algorithm"], "sgd"))
    cs.add(GreaterThanCondition(cs["nested"], cs["momentum"], 0.5))
    cs.add(
        ForbiddenAndConjunction(
            ForbiddenEqualsClause(cs["algorithm"], "none"),
            ForbiddenInClause(cs["layers"], [3, 4]),
        )
    )
    return cs
