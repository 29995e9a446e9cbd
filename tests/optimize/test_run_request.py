"""What `optimize` is asked for: runs of spaces that nobody shipped."""

from dataclasses import asdict

import pytest

from se_hpo.errors import UserError
from se_hpo.optimize.options import Options
from se_hpo.optimize.run_folder import find_run, open_run
from se_hpo.optimize.run_request import resolve_run
from se_hpo.search_spaces.loading import load_space
from se_hpo.storage.paths import RunPaths

REWARDS = """
from ConfigSpace import Categorical, ConfigurationSpace

META = {
    "objective": "nes", "task": "Cliff-v0", "agent": "q_learning",
    "min_budget": 1, "max_budget": 1, "eta": 2,
    "base": {"nes.fitness": "area", "nes.horizon": 200, "rn.hidden_size": 4},
}

def space(seed=None):
    cs = ConfigurationSpace(seed=seed)
    cs.add(Categorical("rn.kind", ["additive", "additive_potential"]))
    return cs
"""


def test_the_base_may_have_values_of_the_kinds_that_are_searched(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(REWARDS)
    request = resolve_run(Options(run=tmp_path / "run"), load_space(file))
    assert request.settings.base["rn.hidden_size"] == 4


def begun(folder, **settings):
    """A run of `smoke` that says of its settings what is given beside the usual."""
    request = resolve_run(Options(run=folder), load_space("smoke"))
    whole = {**asdict(request.settings), **settings}
    stored = {k: v for k, v in whole.items() if v is not None}
    open_run(RunPaths(folder), stored, request.configspace, overwrite=False)


def found_again(request):
    settings = asdict(request.settings)
    return find_run(request.paths, settings, request.configspace, overwrite=False)


def test_a_new_run_minimizes_progress_and_says_so(tmp_path):
    request = resolve_run(Options(run=tmp_path / "run"), load_space("smoke"))
    assert request.settings.loss == "progress"


def test_a_run_from_before_there_was_a_choice_goes_on_with_its_own_loss(tmp_path):
    begun(tmp_path / "run", loss=None)
    again = resolve_run(Options(run=tmp_path / "run"), load_space("smoke"))
    assert again.settings.loss == "clipped"
    found_again(again)


def test_a_run_is_not_continued_with_another_loss(tmp_path):
    begun(tmp_path / "run")
    other = Options(run=tmp_path / "run", loss="clipped")
    request = resolve_run(other, load_space("smoke"))
    with pytest.raises(UserError, match='loss "progress" -> "clipped"'):
        find_run(
            request.paths,
            asdict(request.settings),
            request.configspace,
            overwrite=False,
        )


def test_a_run_that_is_begun_anew_has_the_new_loss(tmp_path):
    begun(tmp_path / "run", loss=None)
    options = Options(run=tmp_path / "run", overwrite=True)
    assert resolve_run(options, load_space("smoke")).settings.loss == "progress"


def test_a_space_says_how_many_brackets_a_run_of_its_own_budgets_has(tmp_path):
    space = load_space("nes_cartpole")
    request = resolve_run(Options(run=tmp_path / "run"), space)
    assert len(request.brackets) == space.n_brackets == 33
    for other in (Options(max_budget=9), Options(n_brackets=6, eta=3.0)):
        assert len(resolve_run(other, space).brackets) in (4, 6)
