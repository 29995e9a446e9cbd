"""Fresh seeds choose between the best trials, round by round."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from se_hpo.bohb.brackets import Bracket
from se_hpo.optimize.confirm import ON_TASK, candidates, confirm, confirmation
from se_hpo.results.confirmations import best_confirmed, read_confirmations
from se_hpo.results.ranking import Finalist
from se_hpo.storage.paths import trial_name
from tests.helpers.fake_run import make_run


@dataclass(frozen=True)
class Noisy:
    """Configurations whose loss is their own and what a seed adds."""

    noise: float = 0.0
    run_seed: int = 7
    calls: list = field(default_factory=list)

    def evaluate(self, config_id, configuration, budget, run, inner_loop):
        self.calls.append((config_id, budget, self.run_seed, run.root))
        rng = np.random.default_rng([self.run_seed, config_id[2]])
        loss = configuration["loss"] + self.noise * rng.standard_normal()
        return SimpleNamespace(trial=trial_name(config_id), loss=float(loss))


def trials(*losses, budgets=None):
    budgets = budgets or [27.0] * len(losses)
    return [
        Finalist((0, 0, i), {"loss": loss}, budget, 0.1 + i / 100)
        for i, (loss, budget) in enumerate(zip(losses, budgets, strict=True))
    ]


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run")


def seeds_of(rows):
    return [len(row["fresh_losses"]) for row in rows]


def test_the_better_half_goes_on_and_the_last_have_six_seeds(run):
    true = [0.5, 0.9, 0.3, 0.8, 0.6, 0.7, 0.2, 0.4, 1.0, 1.1, 1.2, 1.3]
    objective = Noisy()
    rows = confirm(trials(*true), 3, objective, run, None)
    assert [row["fresh_losses"][0] for row in rows] == sorted(true)
    assert seeds_of(rows) == [6] * 3 + [3] * 3 + [1] * 6
    assert len(objective.calls) == 12 + 6 * 2 + 3 * 3
    assert rows[0]["optimism"] == pytest.approx(0.2 - 0.16)


def test_each_seed_is_another_and_all_trials_have_the_same(run):
    objective = Noisy()
    confirm(trials(0.1, 0.2), 1, objective, run, None)
    of_trial = [[c[2] for c in objective.calls if c[0][2] == i] for i in (0, 1)]
    assert len(set(of_trial[0])) == 6 and 7 not in of_trial[0]
    assert of_trial[1] == of_trial[0][: len(of_trial[1])]
    folders = {root for *_, root in objective.calls}
    assert folders == {run.root / "confirm" / str(k) for k in range(6)}


def test_of_noisy_trials_the_truly_best_is_found_more_often_than_the_lowest(run):
    rng, found = np.random.default_rng(0), [0, 0]
    for seed in range(40):
        true = rng.uniform(0.0, 1.0, 12)
        seen = true + 0.3 * rng.standard_normal(12)
        best = [
            Finalist((0, 0, int(i)), {"loss": true[i]}, 27.0, seen[i])
            for i in np.argsort(seen)
        ]
        rows = confirm(best, 3, Noisy(noise=0.3, run_seed=seed), run, None)
        winner = int(rows[0]["trial"].rsplit("-", 1)[1])
        found[0] += winner == true.argmin()
        found[1] += int(np.argmin(seen)) == true.argmin()
    assert found[0] > found[1] + 5, found


def test_the_incumbent_is_the_first_row(run):
    rows = confirm(trials(*np.linspace(0.6, 0.3, 12)), 3, Noisy(0.2), run, None)
    best = best_confirmed(read_confirmations(run), trial_name((0, 0, 0)), 27.0)
    assert best is not None and best.trial == rows[0]["trial"]


def test_trials_at_a_lower_budget_are_left_out(run):
    best = trials(0.5, 0.4, 0.1, budgets=[27.0, 27.0, 9.0])
    rows = confirm(best, 3, Noisy(), run, None)
    assert [row["trial"] for row in rows] == ["000-0-001", "000-0-000"]
    assert seeds_of(rows) == [6, 6]


def test_a_run_without_finished_trials_has_no_rows(run):
    assert confirm([], 3, Noisy(), run, None) == []


@pytest.mark.parametrize("there", [2, 5, 40])
def test_the_plan_says_how_many_evaluations_there_will_be(run, there):
    brackets = [Bracket(0, (there, 1), (9.0, 27.0)), Bracket(1, (there,), (27.0,))]
    objective = Noisy()
    confirm(
        trials(*np.linspace(0, 1, there + 1))[: candidates(2)], 2, objective, run, None
    )
    plan = confirmation(2, brackets)
    assert plan.evaluations == len(objective.calls)
    assert plan.generations == 27.0 * len(objective.calls)


def test_on_the_task_as_many_as_were_asked_for_run_three_times(run):
    objective = Noisy()
    best = trials(0.5, 0.4, 0.1, budgets=[3.0, 3.0, 1.0])[: candidates(2, ON_TASK)]
    rows = confirm(best, 2, objective, run, None, on_task=True)
    assert seeds_of(rows) == [3, 3]
    assert all(budget == 1.0 for _, budget, *_ in objective.calls)
