"""The search alone: what the master would propose, in the user's own loop."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace
from hypothesis import given, settings
from hypothesis import strategies as st

import se_hpo
from se_hpo import BOHB
from se_hpo.bohb.brackets import hyperband_brackets, plan
from se_hpo.errors import UserError
from tests.helpers.bohb_processes import (
    ended,
    loss_of,
    master_in_thread,
    space,
    worker_process,
)
from tests.helpers.rich_space import rich_space


def search(**options):
    return BOHB(space(), 1, 9, 3, **{"seed": 7, "n_brackets": 3, **options})


def run(bohb, loss=lambda t: loss_of(t.config, t.budget), n=math.inf):
    asked = []
    while not bohb.finished and len(asked) < n:
        asked.append(bohb.ask())
        bohb.tell(asked[-1], loss(asked[-1]))
    return asked


def test_it_asks_for_what_the_real_master_evaluates(tmp_path):
    folder = tmp_path / "run"
    with (
        master_in_thread(folder, n_brackets=6, max_parallel=1) as master,
        ended(worker_process(folder)),
    ):
        master.wait()
    evaluated = []
    for line in (folder / "results.json").open():
        config_id, budget, _, result, _ = json.loads(line)
        evaluated.append((tuple(config_id), budget, result["config"], result["loss"]))
    bohb = search(n_brackets=6, start_from_default=False)
    asked = run(bohb)
    told = [(t.id, t.budget, t.config, loss_of(t.config, t.budget)) for t in asked]
    assert told == evaluated
    assert sum(t.model_based for t in asked) > 5
    assert bohb.finished


def test_it_needs_no_server_no_thread_and_not_much_to_import():
    code = (
        "import sys, threading, ConfigSpace, se_hpo\n"
        "s = se_hpo.BOHB(ConfigSpace.ConfigurationSpace({'x': (0.0, 1.0)}), 1, 3, 3)\n"
        "for _ in range(30):\n"
        "    t = s.ask()\n"
        "    s.tell(t, t.config['x'])\n"
        "print(threading.active_count(), 'torch' in sys.modules, s.incumbent.budget)"
    )
    out = subprocess.check_output([sys.executable, "-c", code], text=True, timeout=60)
    assert out.split() == ["1", "False", "3.0"]


def test_the_same_results_in_the_same_order_ask_the_same():
    one, two = run(search(seed=1)), run(search(seed=1))
    assert one == two
    assert one != run(search(seed=2))
    assert run(search(seed=1, n_brackets=None), n=20) == one


@settings(max_examples=25, deadline=None)
@given(data=st.data(), most=st.integers(1, 7))
def test_trials_may_be_out_together_and_come_back_in_any_order(data, most):
    bohb, out, asked = search(), [], []
    while not bohb.finished:
        try:
            while len(out) < most:
                out.append(bohb.ask())
                asked.append(out[-1])
        except UserError as error:
            assert out, error
        trial = out.pop(data.draw(st.integers(0, len(out) - 1)))
        bohb.tell(trial, loss_of(trial.config, trial.budget))
        assert not ({(t.id, t.budget) for t in out} & set(bohb._told))
    whole = plan(hyperband_brackets(1, 9, 3, 3))
    assert len(asked) == len(bohb.trials()) == whole.evaluations
    assert len({t.id for t in asked}) == whole.trials
    frame = bohb.trials()
    for _, rung in frame[frame.bracket == 0].groupby("rung"):
        assert len(rung) == {0: 9, 1: 3, 2: 1}[rung.rung.iloc[0]]


def test_the_frame_has_what_was_told_in_order_and_what_is_out():
    bohb = BOHB(rich_space(), 1, 3, 3, n_brackets=2)
    asked = [bohb.ask() for _ in range(3)]
    bohb.tell(asked[1], np.float32(0.5))
    bohb.tell(asked[0], failure=ValueError("too hot"))
    frame = bohb.trials()
    assert frame.trial.to_list() == ["000-0-001", "000-0-000", "000-0-002"]
    assert frame.status.to_list() == ["finished", "failed", "running"]
    assert frame.reason.to_list() == ["", "too hot", ""]
    assert frame.loss[0] == 0.5
    assert frame.loss[1:].isna().all()
    assert frame["config.layers"].dtype == "Int64"
    assert frame["config.lr"][1] == asked[0].config["lr"]
    assert len(bohb.trials().columns) == 8 + len(rich_space())
    assert list(BOHB(rich_space(), 1, 3).trials()) == list(frame)


def test_the_incumbent_is_the_best_at_the_largest_budget():
    bohb = search(n_brackets=1)
    assert bohb.incumbent is None
    run(bohb, lambda t: t.budget, n=12)
    assert bohb.incumbent.budget == 3
    run(bohb, lambda t: t.budget)
    assert (bohb.incumbent.loss, bohb.incumbent.rung) == (9, 2)


def test_a_failure_is_worse_than_any_loss_and_is_never_promoted():
    bohb = BOHB(ConfigurationSpace({"x": (0.0, 1.0)}), 1, 3, 3, n_brackets=1)
    trials = [bohb.ask() for _ in range(3)]
    bohb.tell(trials[0], failure="out of memory")
    bohb.tell(trials[1], 1e12)
    bohb.tell(trials[2], 1e13)
    promoted = bohb.ask()
    assert (promoted.id, promoted.budget) == (trials[1].id, 3)
    bohb.tell(promoted, failure="again")
    assert bohb.incumbent.loss == 1e12


def test_known_configurations_come_first_then_the_default():
    given = {"rate": 1e-3, "layers": 2, "activation": "prelu", "slope": 0.5}
    bohb = search(start_from=[given])
    first, second = bohb.ask(), bohb.ask()
    assert first.config == {**given, "kind": "mlp"}
    assert second.config["activation"] == "tanh"
    assert second.config["rate"] == pytest.approx(1e-3)


def test_what_an_earlier_search_saw_makes_better_first_proposals():
    earlier = search(n_brackets=9)
    known = [(t.config, t.budget, loss_of(t.config, t.budget)) for t in run(earlier)]
    firsts = {
        name: [
            run(search(seed=s, start_from_default=False, **more), n=9)
            for s in range(20, 28)
        ]
        for name, more in (("with", {"prior": known}), ("without", {}))
    }
    losses = {
        name: np.median([loss_of(t.config, 9) for r in runs for t in r])
        for name, runs in firsts.items()
    }
    assert losses["with"] < losses["without"]
    assert all(sum(t.model_based for t in r) >= 5 for r in firsts["with"])


def test_what_a_user_does_to_a_trial_changes_nothing():
    plain, changed = search(), search()
    for _ in range(9):
        trial, twin = changed.ask(), plain.ask()
        loss = loss_of(trial.config, trial.budget)
        trial.config.clear()
        changed.tell(trial, loss)
        plain.tell(twin, loss)
    assert run(changed) == run(plain)
    assert changed.trials().equals(plain.trials())


def test_wrong_use_is_one_line_and_changes_nothing():
    bohb, other = search(n_brackets=1), search(n_brackets=1, seed=8)
    trial = bohb.ask()
    for loss in (math.nan, math.inf, "0.5", True, [1.0]):
        with pytest.raises(UserError, match="not a finite number: tell that it failed"):
            bohb.tell(trial, loss)
    with pytest.raises(UserError, match="either its loss or its failure"):
        bohb.tell(trial)
    with pytest.raises(UserError, match="either its loss or its failure"):
        bohb.tell(trial, 0.5, "it failed")
    bohb.tell(trial, 0.5)
    with pytest.raises(UserError, match="trial 000-0-000 at budget 1 was told already"):
        bohb.tell(trial, 0.5)
    message = "is no trial that this search was asked"
    for unknown in (other.ask(), {"x": 1}, None, bohb.trials().iloc[0]):
        with pytest.raises(UserError, match=message) as e:
            other.__class__.tell(search(), unknown, 0.5)
        assert "\n" not in str(e.value)
    out = [bohb.ask() for _ in range(8)]
    with pytest.raises(UserError, match="depends on the 8 trials that are out"):
        bohb.ask()
    for waiting in out:
        bohb.tell(waiting, 0.1)
    run(bohb)
    with pytest.raises(UserError, match="the search is finished, all 1 brackets"):
        bohb.ask()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_budget": 9, "max_budget": 3}, "above max budget"),
        ({"eta": 1}, "eta = 1"),
        ({"n_brackets": 0}, "0 brackets"),
        ({"brackets": "cycel"}, "did you mean 'cycle'"),
        ({"seed": -1}, "seed = -1"),
        ({"random_fraction": 2}, "random_fraction"),
        (
            {"prior": [({"x": 0.5}, 1, 0.5)]},
            "1 results are too few, .* need 6 different",
        ),
        ({"prior": [({"y": 1}, 1, 0.5)]}, "prior, number 1 does not fit the space: it"),
        ({"start_from": [{"y": 1}]}, "it has y, which the space lacks; it lacks x"),
    ],
)
def test_settings_that_make_no_search_are_one_line(options, message):
    values = {"min_budget": 1, "max_budget": 3, **options}
    with pytest.raises(UserError, match=message):
        BOHB(ConfigurationSpace({"x": (0.0, 1.0)}), **values)


def test_it_is_public():
    assert "BOHB" in dir(se_hpo)


@pytest.mark.parametrize("loss", [(0.1, 7.0), [0.1, 7.0], np.array([0.1, 7.0])])
def test_two_objectives_where_one_is_needed_are_one_line_and_change_nothing(loss):
    bohb = search()
    trial = bohb.ask()
    with pytest.raises(UserError, match="2 objectives where one is needed") as error:
        bohb.tell(trial, loss)
    assert "\n" not in str(error.value)
    bohb.tell(trial, 0.5)
    assert len(bohb.trials()) == 1
