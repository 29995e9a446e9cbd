"""What is active or forbidden follows from what was declared, in every proposal."""

import json
import operator

import ConfigSpace as CS  # noqa: N817 - as its users write it
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from se_hpo.bohb.conditions import defaults_unchecked
from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.bohb.proposals import BOHBGenerator, RandomGenerator
from tests.bohb.test_proposals import drive

# name -> (hyperparameter, values that conditions ask for), in the order of depth.
DOMAINS = {
    "cat": ["x", "y", "z"],
    "ord": [16, 2, 64],  # an order of its own
    "int": list(range(1, 7)),
    "log": list(range(1, 10)),
    "flo": [0.25, 0.5, 0.75],
}


def parameter(kind, name):
    if kind == "cat":
        return CS.Categorical(name, DOMAINS[kind])
    if kind == "ord":
        return CS.OrdinalHyperparameter(name, DOMAINS[kind])
    if kind in ("int", "log"):
        bounds = (DOMAINS[kind][0], DOMAINS[kind][-1])
        return CS.Integer(name, bounds, log=kind == "log")
    return CS.Float(name, (0.0, 1.0))


def rank(kind, value):
    return DOMAINS["ord"].index(value) if kind == "ord" else value


OPERATIONS = {
    "==": (CS.EqualsCondition, CS.ForbiddenEqualsClause, operator.eq),
    "!=": (CS.NotEqualsCondition, None, operator.ne),
    "<": (CS.LessThanCondition, CS.ForbiddenLessThanClause, operator.lt),
    ">": (CS.GreaterThanCondition, CS.ForbiddenGreaterThanClause, operator.gt),
    ">=": (None, CS.ForbiddenGreaterThanEqualsClause, operator.ge),
    "in": (CS.InCondition, CS.ForbiddenInClause, None),
}


@st.composite
def literals(draw, parents, which):
    """(parent, operation, value)"""
    name, kind = draw(st.sampled_from(sorted(parents.items())))
    names = [n for n in OPERATIONS if OPERATIONS[n][which] is not None]
    if kind == "cat":
        names = [n for n in names if n in ("==", "!=", "in")]
    operation = draw(st.sampled_from(names))
    value = st.sampled_from(DOMAINS[kind])
    if operation == "in":
        value = st.lists(value, min_size=1, max_size=2, unique=True)
    return name, operation, draw(value)


def trees(parents, which):
    """Literals, and nested ("and" | "or", parts) of them."""
    parts = literals(parents, which)
    return st.recursive(
        parts,
        lambda inner: st.tuples(
            st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)
        ),
        max_leaves=4,
    )


@st.composite
def declared_spaces(draw):
    """Kinds by name, a condition tree for some of them, and forbidden trees."""
    kinds, conditions = {}, {}
    for i in range(draw(st.integers(2, 6))):
        name = f"h{i}"
        if kinds and draw(st.booleans()):
            conditions[name] = draw(trees(dict(kinds), 0))
        kinds[name] = draw(st.sampled_from(sorted(DOMAINS)))
    forbidden = draw(st.lists(trees(kinds, 1), max_size=2))
    return kinds, conditions, forbidden


def build(kinds, conditions, forbidden):
    space = CS.ConfigurationSpace()
    made = {name: parameter(kind, name) for name, kind in kinds.items()}

    def condition(child, tree):
        if tree[0] in ("and", "or"):
            join = CS.AndConjunction if tree[0] == "and" else CS.OrConjunction
            return join(*(condition(child, part) for part in tree[1]))
        return OPERATIONS[tree[1]][0](made[child], made[tree[0]], tree[2])

    def clause(tree):
        if tree[0] in ("and", "or"):
            conjunctions = (CS.ForbiddenAndConjunction, CS.ForbiddenOrConjunction)
            return conjunctions[tree[0] == "or"](*map(clause, tree[1]))
        return OPERATIONS[tree[1]][1](made[tree[0]], tree[2])

    with defaults_unchecked():
        space.add(*made.values())
        for child, tree in conditions.items():
            space.add(condition(child, tree))
        for tree in forbidden:
            space.add(clause(tree))
    return space


def holds(tree, kinds, config):
    """The plain meaning; nothing holds of what has no value."""
    if tree[0] in ("and", "or"):
        join = all if tree[0] == "and" else any
        return join([holds(part, kinds, config) for part in tree[1]])
    name, operation, value = tree
    if name not in config:
        return False
    if operation == "in":
        return config[name] in value
    kind = kinds[name]
    compare = OPERATIONS[operation][2]
    return compare(rank(kind, config[name]), rank(kind, value))


def assert_as_declared(config, declared):
    kinds, conditions, forbidden = declared
    for name in kinds:
        active = name not in conditions or holds(conditions[name], kinds, config)
        assert (name in config) is active, (name, config)
    assert not any(holds(tree, kinds, config) for tree in forbidden), config


def allows_enough(space):
    from se_hpo.errors import UserError

    try:
        return all(SpaceEncoding(space).sample(seed) is not None for seed in range(3))
    except UserError:
        return False


SETTINGS = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@SETTINGS
@given(declared=declared_spaces())
def test_random_and_model_proposals_are_as_declared_in_any_space(declared):
    space = build(*declared)
    if not allows_enough(space):
        return
    generator = BOHBGenerator(space, seed=1, min_points_in_model=2)
    picks = drive(generator, 25, loss=lambda c: (len(c) % 3) / 3)
    picks += drive(RandomGenerator(space, seed=2), 8, loss=lambda c: 0.5)
    for config, _ in picks:
        assert_as_declared(config, declared)
        json.dumps(config)


@SETTINGS
@given(declared=declared_spaces(), entries=st.lists(st.floats(0, 1), min_size=6))
def test_any_vector_decodes_as_declared(declared, entries):
    encoding = SpaceEncoding(build(*declared))
    vector = np.array(entries[: len(encoding.names)])
    vector = np.where(encoding.levels > 0, vector * (encoding.levels - 1), vector)
    config = encoding.decode(vector)
    if config is not None:
        assert_as_declared(config, declared)


def and_or(default):
    """One pair of conditions, once with `and`, once with `or`."""
    kinds = {"kind": "cat", "size": "int", "a": "flo", "b": "flo"}
    pair = [("kind", "==", "x"), ("size", ">", 3)]
    declared = (kinds, {"a": ("or", pair), "b": ("and", pair)}, [])
    space = build(*declared)
    space["size"].default_value = default
    return space, declared


@pytest.mark.parametrize("default", [2, 5])
def test_and_is_not_or_over_the_same_parents(default):
    space, declared = and_or(default)
    assert_as_declared(SpaceEncoding(space).default(), declared)
    picks = drive(BOHBGenerator(space, seed=3), 60, loss=lambda c: c["size"] / 6)
    for config, _ in picks:
        assert_as_declared(config, declared)
    assert sum(info["model_based_pick"] for _, info in picks) > 20
    assert {("a" in c, "b" in c) for c, _ in picks} == {
        (True, True),
        (True, False),
        (False, False),
    }


def test_an_inactive_parent_differs_from_nothing():
    kinds = {"top": "cat", "middle": "cat", "low": "flo"}
    conditions = {
        "middle": ("top", "==", "x"),
        "low": ("middle", "!=", "x"),
    }
    encoding = SpaceEncoding(build(kinds, conditions, []))
    for seed in range(40):
        config = encoding.sample(seed)
        assert ("low" in config) is (config.get("middle", "x") != "x")


def test_looking_at_forbidden_clauses_prints_nothing(capsys):
    declared = ({"a": "int", "b": "ord"}, {}, [("a", ">=", 5), ("b", ">=", 64)])
    drive(BOHBGenerator(build(*declared), seed=1), 20, loss=lambda c: c["a"] / 6)
    assert capsys.readouterr() == ("", "")
