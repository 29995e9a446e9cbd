"""The incumbent is the trial that fresh seeds confirm, as long as they are about it."""

from __future__ import annotations

from pathlib import Path

import pytest

import se_hpo
from se_hpo.errors import UserError
from se_hpo.optimize.options import Options
from se_hpo.optimize.run_request import resolve_run
from se_hpo.results.confirmations import CONFIRMATION_COLUMNS
from se_hpo.results.lines import UnreadableWarning
from se_hpo.search_spaces.loading import list_spaces, load_space
from se_hpo.storage.files import write_json
from se_hpo.storage.paths import RunPaths, trial_name
from tests.helpers.fake_run import add_configuration, add_result, make_run

BEST, SECOND, LOW = (0, 0, 0), (0, 0, 1), (0, 0, 2)


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    """Two trials at the top budget, a third, of lower loss, below."""
    paths = make_run(tmp_path / "run")
    for config_id in (BEST, SECOND, LOW):
        add_configuration(paths, config_id)
    add_result(paths, BEST, 9.0, 0.2, 1000.0)
    add_result(paths, SECOND, 9.0, 0.3, 1010.0)
    add_result(paths, LOW, 3.0, 0.1, 1020.0)
    return paths


def confirm(run: RunPaths, *rows: tuple) -> None:
    names = ("trial", "budget", "loss", "fresh_losses", "optimism")
    stored = [
        dict(zip(names, (trial_name(row[0]), *row[1:]), strict=True)) for row in rows
    ]
    write_json(run.confirmation, stored)


ALL = (
    (BEST, 9.0, 0.2, [0.5, 0.7], 0.4),
    (SECOND, 9.0, 0.3, [0.3, 0.4], 0.05),
    (LOW, 3.0, 0.1, [0.1, 0.1], 0.0),
)


def test_the_incumbent_is_the_best_on_fresh_seeds_at_the_largest_budget(run):
    confirm(run, *ALL)
    best = se_hpo.load_incumbent(run.root)
    assert (best.trial, best.loss) == (trial_name(SECOND), 0.3)
    assert best.fresh_loss == pytest.approx(0.35)
    assert best.record.loss == 0.3 and best.configuration


def test_a_lucky_trial_that_was_left_out_early_is_not_the_incumbent(run):
    confirm(run, (BEST, 9.0, 0.2, [0.5, 0.7], 0.4), (SECOND, 9.0, 0.3, [0.55], 0.25))
    best = se_hpo.load_incumbent(run.root)
    assert (best.trial, best.fresh_loss) == (trial_name(BEST), pytest.approx(0.6))


def test_without_confirmations_it_is_the_searchs_own(run):
    best = se_hpo.load_incumbent(run.root)
    assert (best.trial, best.fresh_loss) == (trial_name(BEST), None)


def test_confirmations_of_before_the_search_went_on_do_not_count(run):
    confirm(run, *ALL)
    add_configuration(run, (1, 0, 0))
    add_result(run, (1, 0, 0), 9.0, 0.15, 1100.0)
    best = se_hpo.load_incumbent(run.root)
    assert (best.trial, best.fresh_loss) == ("001-0-000", None)


def test_a_search_that_went_on_and_found_nothing_better_stays_confirmed(run):
    confirm(run, *ALL)
    add_configuration(run, (1, 0, 0))
    add_result(run, (1, 0, 0), 9.0, 0.9, 1100.0)
    assert se_hpo.load_incumbent(run.root).trial == trial_name(SECOND)


def test_a_confirmed_trial_that_the_journal_lost_is_no_incumbent(run):
    confirm(run, *ALL[:1], ((5, 0, 0), 9.0, 0.3, [0.0, 0.0], -0.3))
    best = se_hpo.load_incumbent(run.root)
    assert (best.trial, best.fresh_loss) == (trial_name(BEST), None)


def test_a_damaged_file_is_named_and_the_search_decides(run):
    run.confirmation.parent.mkdir(parents=True)
    run.confirmation.write_text('[{"trial": 3}]')
    with pytest.warns(UnreadableWarning, match=r"confirmation\.json"):
        assert se_hpo.load_incumbent(run.root).trial == trial_name(BEST)


def test_the_frame_has_a_row_each_and_says_who_is_the_incumbent(run):
    confirm(run, *ALL)
    frame = se_hpo.load_confirmations(run.root)
    assert {k: str(v) for k, v in frame.dtypes.items()} == CONFIRMATION_COLUMNS
    assert frame["incumbent"].tolist() == [False, True, False]
    assert frame["fresh_loss"].tolist() == pytest.approx([0.6, 0.35, 0.1])
    assert frame["fresh_seeds"].tolist() == [2, 2, 2]
    assert frame["fresh_std"][0] == pytest.approx(0.02**0.5)


def test_a_run_that_is_not_confirmed_has_the_columns_and_no_rows(run):
    frame = se_hpo.load_confirmations(run.root)
    assert len(frame) == 0 and list(frame.columns) == list(CONFIRMATION_COLUMNS)


def test_a_single_fresh_seed_has_a_mean_and_no_deviation(run):
    confirm(run, (BEST, 9.0, 0.2, [0.5], 0.3))
    frame = se_hpo.load_confirmations(run.root)
    assert frame["fresh_loss"].tolist() == [0.5]
    assert frame["fresh_std"].isna().all()


# -- by default --------------------------------------------------------------------


def asked(tmp_path, space, **flags):
    loaded = load_space(space)
    return resolve_run(Options(space=space, run=tmp_path / "r", **flags), loaded)


def test_searches_for_learned_environments_confirm_three_by_default(tmp_path):
    for name in list_spaces():
        space, learns = load_space(name), name.startswith(("nes_", "rn_"))
        assert space.confirm == (3 if learns else 0), name


@pytest.mark.parametrize(
    ("flags", "n"),
    [({}, 3), ({"confirm": 0}, 0), ({"confirm": 7}, 7), ({"role": "master"}, 0)],
)
def test_the_flag_comes_before_the_space_and_a_lone_master_has_none(tmp_path, flags, n):
    assert asked(tmp_path, "rn_cliff", **flags).confirm == n


@pytest.mark.parametrize("value", ["-1", "True", "2.5", "'3'"])
def test_a_space_that_says_no_number_is_refused_by_name(tmp_path, value):
    text = Path(load_space("smoke").path).read_text()
    file = tmp_path / "own.py"
    file.write_text(text.replace('"eta": 3,', f'"eta": 3,\n    "confirm": {value},'))
    with pytest.raises(UserError, match=r"own\.py: META\['confirm'\]"):
        load_space(str(file))
