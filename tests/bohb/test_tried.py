"""Where configurations can be counted, one that was tried gives way to another."""

import logging
import multiprocessing
import os
import queue
import signal
from collections import Counter
from unittest.mock import Mock

import pytest
from ConfigSpace import (
    Categorical,
    ConfigurationSpace,
    EqualsCondition,
    Float,
    ForbiddenEqualsClause,
    Integer,
    OrdinalHyperparameter,
)

from se_hpo.bohb.brackets import Bracket
from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.bohb.job_table import Job
from se_hpo.bohb.journal import Journal
from se_hpo.bohb.master import Master
from se_hpo.bohb.master_settings import MasterSettings
from se_hpo.bohb.proposals import BOHBGenerator, RandomGenerator
from se_hpo.bohb.wire.roster import Roster, WorkerHandle
from se_hpo.storage.paths import RunPaths
from tests.bohb.test_proposals import drive, result


def small(n=3, weights=None):
    """Three categoricals of three, 27 configurations."""
    cs = ConfigurationSpace()
    choices = list("abc")[:n]
    cs.add([Categorical(name, choices, weights=weights) for name in "xyz"])
    return cs


def loss_of(config):
    return sum(value != "b" for value in config.values()) / 3


def key(config):
    return tuple(sorted(config.items()))


@pytest.mark.parametrize("kind", [BOHBGenerator, RandomGenerator])
def test_all_configurations_are_tried_before_one_comes_again(kind, caplog):
    generator = kind(small(), seed=1)
    picks = drive(generator, 27, loss_of)
    assert len({key(c) for c, _ in picks}) == 27
    assert not caplog.records
    more = drive(generator, 20, loss_of)
    assert all(len(c) == 3 for c, _ in more)
    (said,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert "(27) has been tried at budget 1" in said.getMessage()


def test_the_model_still_decides_which_is_the_best_of_those_left():
    picks = drive(BOHBGenerator(small(), seed=2, random_fraction=0), 18, loss_of)
    based = [loss_of(c) for c, info in picks if info["model_based_pick"]]
    random = [loss_of(c) for c, info in picks if not info["model_based_pick"]]
    assert len(based) > 6
    assert sum(based) / len(based) < sum(random) / len(random)


def test_when_all_were_tried_the_good_ones_take_turns_and_a_resumed_run_agrees():
    generator = BOHBGenerator(small(), seed=1, random_fraction=0)
    picks = drive(generator, 75, loss_of)
    again = [key(c) for c, info in picks[27:] if info["model_based_pick"]]
    assert len(again) > 40
    assert max(Counter(again).values()) < 12
    assert len(set(again)) > 6
    resumed = BOHBGenerator(small(), seed=1, random_fraction=0)
    for config, _ in picks[:50]:
        result(resumed, config, loss_of(config))
    resumed.n_proposals = 50
    assert drive(resumed, 25, loss_of) == picks[50:]


def test_a_configuration_may_come_again_at_another_budget():
    generator = BOHBGenerator(small(), seed=1)
    drive(generator, 27, loss_of, budget=1.0)
    assert len({key(c) for c, _ in drive(generator, 27, loss_of, budget=3.0)}) == 27


def test_results_of_promoted_trials_count_at_their_budget():
    generator = RandomGenerator(small(), seed=1)
    for _, config in zip(range(26), grid(small()), strict=False):
        result(generator, config, 0.5, budget=9.0)
    (left,) = [c for c in grid(small())][26:]
    assert generator.get_config(9.0)[0] == left


def grid(space):
    return [config for _, config in SpaceEncoding(space).grid()]


def test_what_is_evaluated_by_others_meanwhile_is_not_proposed_again():
    generator = BOHBGenerator(small(), seed=4)
    assert len({key(generator.get_config(1.0)[0]) for _ in range(27)}) == 27


def test_conditions_and_forbidden_clauses_are_counted_as_they_are(caplog):
    cs = ConfigurationSpace()
    cs.add(
        Categorical("a", ["x", "y"]), Integer("n", (1, 4)), Categorical("off", [0, 1])
    )
    cs.add(OrdinalHyperparameter("o", [16, 32, 64]))
    cs.add(EqualsCondition(cs["n"], cs["a"], "x"))
    cs.add(ForbiddenEqualsClause(cs["o"], 64))
    picks = drive(BOHBGenerator(cs, seed=1), 21, lambda c: c.get("n", 0) / 4)
    assert len({key(c) for c, _ in picks[:20]}) == (4 + 1) * 2 * 2
    assert "(20) has been tried" in caplog.text


def test_what_the_prior_hardly_ever_draws_comes_when_all_else_is_tried():
    generator = RandomGenerator(small(2, weights=[1, 1e-9]), seed=1)
    assert len({key(c) for c, _ in drive(generator, 8, loss_of)}) == 8


def test_large_spaces_without_floats_repeat_little():
    cs = ConfigurationSpace()
    cs.add([Categorical(f"c{i}", list(range(12))) for i in range(5)])
    picks = drive(BOHBGenerator(cs, seed=1), 150, lambda c: c["c0"] / 12)
    assert max(Counter(key(c) for c, _ in picks).values()) == 1


def test_floats_cost_nothing():
    cs = small()
    cs.add(Float("f", (0.0, 1.0)))
    generator = BOHBGenerator(cs, seed=1)
    drive(generator, 40, lambda c: c["f"])
    assert not generator.tried._proposed


def test_a_choice_of_weight_0_is_never_proposed_nor_counted():
    cs = ConfigurationSpace()
    cs.add(Categorical("a", ["relu", "tanh", "prelu"], weights=[1, 1, 0]))
    cs.add(Float("f", (0.0, 1.0)), Categorical("b", [1, 2], weights=[0, 1]))
    generator = BOHBGenerator(cs, seed=1)
    assert generator.encoding.names == ("a", "f")
    result(generator, {"a": "prelu", "b": 1, "f": 0.5}, 0.0)  # of an earlier version
    picks = drive(generator, 120, lambda c: 0.1 if c["a"] == "tanh" else 0.9)
    assert sum(info["model_based_pick"] for _, info in picks) > 50
    assert {c["a"] for c, _ in picks} == {"relu", "tanh"}
    assert {c["b"] for c, _ in picks} == {2}


@pytest.mark.parametrize("kind", [BOHBGenerator, RandomGenerator])
def test_what_was_under_way_at_a_kill_is_not_proposed_again(kind, tmp_path):
    """Several workers had it when their master was killed: only the journal is left."""
    run, bracket = RunPaths(tmp_path), [Bracket(0, (27, 9), (1.0, 3.0))]
    roster = Roster()
    roster.workers = {
        n: WorkerHandle(str(n), "", "", "host", 1, 1.0) for n in range(27)
    }

    def begin(most):
        """A master that hands out so many, and no result comes."""

        def submit(job):
            if len(sent) == most:
                os.kill(os.getpid(), signal.SIGKILL)
            sent.append(job)
            if len(sent) == 27:
                raise KeyboardInterrupt

        sent: list[Job] = []
        Master(
            run,
            bracket,
            kind(small(), seed=1),
            Journal(run.configs, run.results),
            Mock(roster=roster, submit=submit),
            queue.SimpleQueue(),
            MasterSettings(),
        ).run()

    first = multiprocessing.get_context("fork").Process(target=begin, args=(20,))
    first.start()
    first.join(60)
    assert first.exitcode == -signal.SIGKILL
    with pytest.raises(KeyboardInterrupt):
        begin(99)
    proposed = [c for c, _ in Journal(run.configs, run.results).configs.values()]
    assert len({key(c) for c in proposed}) == len(proposed) == 27
