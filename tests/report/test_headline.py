"""What a report says first, of learning curves and of a search."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from se_hpo.report.answers import Answers
from se_hpo.report.curve_headline import curve_headline
from se_hpo.report.headline import headline
from se_hpo.report.run_data import read_run
from se_hpo.report.tiles import amount, share
from tests.helpers.fake_run import make_run
from tests.helpers.full_run import add_search

KEPT = Path(__file__).parents[2] / "experiments" / "results" / "rn-cliff"


@pytest.fixture
def cliff() -> Answers:
    """Tables of a study that was run."""
    table = pd.read_csv(KEPT / "curve_table.csv")
    paid = pd.read_csv(KEPT / "break_even.csv")
    return Answers(
        learning=table.assign(kind=table["kind"].fillna("")), curve_break_even=paid
    )


def test_reward_networks_are_compared_with_the_agent_alone(cliff: Answers) -> None:
    verdict, tiles, table = curve_headline(cliff)
    assert verdict.startswith(
        "On Cliff-v0, Q-learning with exclusive potential RN, fixed, the best of 4 "
        "kinds, solves the task after 138 training steps"
    )
    assert verdict.endswith("alone after 1,418 steps (100%). That is sooner.")
    assert [tile.value for tile in tiles] == ["138", "90 %", "43,264"]
    assert table is not None and len(table.rows) == 3


def test_what_is_learned_soon_and_lost_again_is_said_to_be(cliff: Answers) -> None:
    _, _, table = curve_headline(cliff)
    assert table is not None
    verdicts = {row[0].text + " " + row[2].text: row[-1].text for row in table.rows}
    assert verdicts["SARSA default"] == "sooner, but returns less at the end"


def test_few_reward_networks_have_no_verdict(cliff: Answers) -> None:
    few = Answers(
        learning=cliff.learning.assign(n_envs=4),
        curve_break_even=cliff.curve_break_even,
    )
    verdict, tiles, table = curve_headline(few)
    assert table is not None
    assert {row[-1].text for row in table.rows} == {"too few RNs to say"}
    assert tiles[2].value == "too few RNs to say" and "sooner" not in verdict


def test_an_agent_that_was_not_trained_alone_is_not_compared(cliff: Answers) -> None:
    learned = cliff.learning[cliff.learning["train_env"] != "real"]
    verdict, tiles, _ = curve_headline(Answers(learning=learned))
    assert "nothing is compared" in verdict and tiles == []


def test_a_search_alone_has_its_loss_and_the_default_s(tmp_path: Path) -> None:
    data = read_run(add_search(make_run(tmp_path / "run")).root)
    data.info["settings"]["random_start"] = False
    found = headline(data, Answers())
    loss, default, tried = found.tiles
    assert data.incumbent is not None
    assert loss.value == f"{data.incumbent.loss:.3f}"
    assert loss.meaning == f"trial {data.incumbent.trial} at 9 generations"
    assert default.meaning.startswith("at 9 generations")
    assert (tried.value, tried.unit) == ("9", "configurations")
    assert "not known yet" in found.verdict


def test_amounts_and_shares_are_short_and_true() -> None:
    assert amount(float("nan")) == "an unknown number of"
    assert (share(0.9951), share(1.0)) == ("more than 99", "100")
