"""Figures: what they show, what they are drawn from, and that they leave no trace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest

from se_hpo import analysis
from se_hpo.figures import (
    Picture,
    draw_agreement,
    draw_break_even,
    draw_histograms,
    draw_importance,
    draw_losses_over_budgets,
    draw_losses_over_time,
    draw_nes_curves,
    draw_parallel,
    draw_returns,
    draw_sensitivity,
    draw_trial_curves,
    style,
    write_picture,
)
from se_hpo.figures.returns import densities, long_returns
from se_hpo.figures.search import losses_over_time
from se_hpo.figures.style import png_bytes, train_env_color
from se_hpo.report.answers import Answers
from se_hpo.report.report_figures import draw_bohb, draw_phase2, draw_ses
from se_hpo.report.run_data import RunData, read_run
from tests.helpers.full_run import make_full_run

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    return read_run(make_full_run(tmp_path_factory.mktemp("runs") / "full").root)


@pytest.fixture(scope="module")
def answers(data: RunData) -> Answers:
    """The tables that figures need, with few resamples."""
    rows, few = data.evaluations, {"n_resamples": 50}
    return Answers(
        evaluations=rows,
        train_envs=analysis.train_env_table(rows, **few),
        pairs=analysis.paired(rows),
        rank_agreement=analysis.rank_agreement(rows, **few),
        sensitivity=pd.DataFrame(
            [
                {
                    "rule": "paper",
                    "agent": "ddqn",
                    "train_env": train_env,
                    "std": 20.0,
                    "std_low": 15.0,
                    "std_high": np.nan if train_env == "real" else 25.0,
                    "explained": 0.2 if train_env == "real" else np.nan,
                }
                for train_env in ("real", "se_varied")
            ]
        ),
        break_even=analysis.break_even(rows, data.ses, data.trials, **few),
        curves=analysis.nes_curves(data.se_generations, by="se_set"),
        importance=pd.DataFrame(
            {
                "hyperparameter": ["se.hidden_size", "nes.step_size"],
                "importance": [0.7, 0.3],
                "budget": 3.0,
                "n_trials": 9,
                "share": "share of the variance",
            }
        ),
    )


@pytest.fixture(scope="module")
def pictures(data: RunData, answers: Answers) -> dict[str, Picture]:
    drawn = [
        *draw_phase2(data, answers),
        *draw_ses(data, answers, None),
        *draw_bohb(data, answers),
    ]
    return {picture.name: picture for picture in drawn}


def test_a_full_run_has_every_figure(pictures: dict[str, Picture]) -> None:
    assert set(pictures) == {
        "returns-paper",
        "rank_agreement-paper",
        "sensitivity-paper",
        "break_even-paper",
        "nes_curves",
        "bohb_over_time",
        "bohb_over_budgets",
        "pareto_front",
        "trial_curves",
        "hyperparameter_importance",
        "parallel_coordinates",
    }


def test_every_figure_is_written_with_its_numbers(
    pictures: dict[str, Picture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(style, "pdf_bytes", lambda figure: b"%PDF")
    monkeypatch.setattr(style, "_DPI", 50)
    for picture in pictures.values():
        png = write_picture(picture, tmp_path)
        assert png.startswith(PNG)
        assert png == (tmp_path / f"{picture.name}.png").read_bytes()
        assert (tmp_path / f"{picture.name}.pdf").is_file()
        assert len(pd.read_csv(tmp_path / f"{picture.name}.csv")) > 0
        assert picture.title
        assert picture.caption.endswith((".", ")"))
    assert not list(tmp_path.glob(".*")), "temporary files are left"


def test_same_frames_give_the_same_bytes(data: RunData, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        picture = draw_losses_over_time(data.trials)
        assert picture is not None
        write_picture(picture, tmp_path / folder)
    first = sorted((tmp_path / "a").iterdir())
    assert [file.suffix for file in first] == [".csv", ".pdf", ".png"]
    assert first[1].read_bytes().startswith(b"%PDF-1")
    for file in first:
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file


def test_returns_have_a_column_per_agent_and_the_train_envs_colours(
    pictures: dict[str, Picture],
) -> None:
    picture = pictures["returns-paper"]
    axes = picture.figure.axes
    titles = [a.get_title("left") for a in axes[:3]]
    assert titles == ["DDQN", "Dueling DDQN", "discrete TD3"]
    bars = [matplotlib.colors.to_hex(p.get_facecolor()) for p in axes[3].patches]
    train_envs = ["real", "se_varied", "se_fixed", "se_random"]
    assert bars == [train_env_color(s).lower() for s in train_envs]
    frame = picture.frames[""]
    mine = frame[(frame["agent"] == "ddqn") & (frame["train_env"] == "real")].iloc[0]
    assert f"real task: {mine['mean_return']:.1f}" in {
        t.get_text() for t in axes[0].texts
    }
    assert f"n = {mine['agents']} per training environment" in picture.caption
    assert f"n = {mine['returns']} episodes" in picture.caption


def test_mean_returns_and_steps_are_those_of_the_records(
    data: RunData, pictures: dict[str, Picture]
) -> None:
    frame = pictures["returns-paper"].frames[""].set_index(["agent", "train_env"])
    rows = data.evaluations
    for (agent, train_env), row in frame.iterrows():
        mine = rows[(rows["agent"] == agent) & (rows["train_env"] == train_env)]
        returns = np.concatenate(mine["test_returns"].to_list())
        assert row["mean_return"] == pytest.approx(returns.mean())
        assert row["returns"] == len(returns)
        assert row["env_steps_mean"] == pytest.approx(mine["env_steps"].mean())
        assert row["env_steps_median"] == mine["env_steps"].median()


@pytest.mark.parametrize(
    "returns", [[200.0] * 50, [8.0, 200.0] * 20, list(range(8, 200)), [5.0]], ids=str
)
def test_a_density_integrates_to_one_within_the_returns(returns: list[float]) -> None:
    rows = pd.DataFrame({"agent": "a", "train_env": "real", "return": returns})
    curve = densities(rows, "a")
    area = np.trapezoid(curve["density"], curve["return"])
    assert area == pytest.approx(1.0, abs=0.02)
    if len(set(returns)) > 1:
        assert curve["return"].min() == min(returns)
        assert curve["return"].max() == max(returns)


def test_a_needle_does_not_make_the_other_densities_flat(data: RunData) -> None:
    rows = data.evaluations[data.evaluations["agent"] == "ddqn"].copy()
    needle = rows["train_env"] == "se_fixed"
    rng = np.random.default_rng(0)
    rows["test_returns"] = [
        [-500.0] * 10 if here else list(rng.uniform(-500, -60, 10)) for here in needle
    ]
    picture = draw_returns(rows, "returns-paper", "the paper's rules")
    assert picture is not None and "are cut off" in picture.caption
    whole = picture.frames["density"].groupby("train_env")["density"].max()
    drawn = [line.get_ydata().max() for line in picture.figure.axes[0].lines]
    assert max(drawn) == pytest.approx(3 * whole.median()) and whole.max() > max(drawn)


def test_agents_without_returns_are_left_out_of_densities() -> None:
    rows = pd.DataFrame(
        {
            "agent": "ddqn",
            "train_env": ["real", "real", "se_varied"],
            "test_returns": [[1.0, None, float("nan")], [], [3.0]],
        }
    )
    assert long_returns(rows)["return"].tolist() == [1.0, 3.0]


def test_one_setting_one_agent_and_nothing_else(data: RunData) -> None:
    rows = data.evaluations
    only = rows[(rows["train_env"] == "se_fixed") & (rows["agent"] == "ddqn")]
    picture = draw_returns(only, "returns-paper", "the paper's rules")
    assert picture is not None
    assert picture.frames[""]["train_env"].tolist() == ["se_fixed"]
    assert png_bytes(picture.figure).startswith(PNG)


def test_nothing_to_draw_is_no_picture(data: RunData) -> None:
    trials, none = data.trials.iloc[:0], pd.DataFrame()
    assert draw_returns(data.evaluations.iloc[:0], "r", "") is None
    assert draw_losses_over_time(trials) is None
    assert draw_losses_over_budgets(trials) is None
    assert draw_parallel(trials, none, {}) is None
    assert draw_importance(none, "") is None
    assert draw_trial_curves(data.generations.iloc[:0], None, None) is None
    assert draw_nes_curves(data.se_generations.iloc[:0], none, {}, None) is None
    assert draw_break_even(none, "b", "") is None
    assert draw_histograms(none, "CartPole-v0", "") is None


def test_the_incumbent_rises_only_where_a_larger_budget_begins(data: RunData) -> None:
    frame = losses_over_time(data.trials)
    change = frame["incumbent_loss"].diff()
    larger = frame["incumbent_budget"].diff() > 0
    assert (change[~larger].dropna() <= 0).all()
    assert frame["incumbent_budget"].is_monotonic_increasing
    last = frame.iloc[-1]
    assert data.incumbent is not None
    assert last["incumbent_loss"] == data.incumbent.loss


def test_running_evaluations_are_not_drawn(data: RunData) -> None:
    trials = data.trials.copy()
    trials.loc[0, ["status", "loss"]] = ["running", np.nan]
    trials["model_based"] = pd.array([pd.NA] * len(trials), "boolean")
    frame = losses_over_time(trials)
    assert len(frame) == len(trials) - 1
    assert not frame["model_based"].any()


def test_nes_curves_show_each_run_and_where_it_ended(
    data: RunData, pictures: dict[str, Picture]
) -> None:
    axes = pictures["nes_curves"].figure.axes
    assert [a.get_title("left") for a in axes] == [
        "SE, varied  (n = 3 NES runs)",
        "SE, fixed  (n = 3 NES runs)",
    ]
    solved = [line for line in axes[0].lines if line.get_linestyle() == "--"]
    assert solved[0].get_ydata()[0] == 195.0
    assert len(axes[0].lines) == 3 * 2 + 1 + 1  # runs and their ends, mean, solved
    assert len(pictures["nes_curves"].frames[""]) == len(data.se_generations)


def test_parallel_coordinates_take_scales_from_the_space(data: RunData) -> None:
    space = {
        "hyperparameters": [
            {"name": "nes.step_size", "lower": 0.01, "upper": 1.0, "log": True}
        ]
    }
    picture = draw_parallel(data.trials, pd.DataFrame(), space)
    assert picture is not None
    texts = [text.get_text() for text in picture.figure.axes[0].texts]
    assert texts[:3] == ["0.01", "0.1", "1"]


def test_missing_and_constant_hyperparameters_can_be_drawn(data: RunData) -> None:
    trials = data.trials.assign(
        **{
            "config.nes.sampling": pd.array(["a", None, "b"] * 9, "string")[
                : len(data.trials)
            ],
            "config.nes.weight_decay": 0.5,
        }
    )
    picture = draw_parallel(trials, pd.DataFrame(), {})
    assert picture is not None
    assert "config.nes.weight_decay" not in picture.frames[""]
    assert "config.nes.sampling" in picture.frames[""]
    assert png_bytes(picture.figure).startswith(PNG)


def test_correlations_are_written_beside_the_points(
    answers: Answers, pictures: dict[str, Picture]
) -> None:
    table = answers.rank_agreement
    row = table[(table["level"] == "pooled") & (table["measure"] == "spearman")].iloc[0]
    texts = [
        t.get_text() for t in pictures["rank_agreement-paper"].figure.axes[0].texts
    ]
    assert texts[0].startswith(f"rho {row['correlation']:.2f}")


def test_unknown_correlations_are_said_to_be(answers: Answers) -> None:
    unknown = answers.rank_agreement.assign(correlation=np.nan)
    picture = draw_agreement(answers.pairs, unknown, "x", "")
    assert picture is not None
    assert picture.figure.axes[0].texts[0].get_text() == "rho unknown"


def test_break_even_says_in_words_what_never_pays(answers: Answers) -> None:
    table = answers.break_even.assign(verdict="never", agents=np.nan)
    picture = draw_break_even(table, "b", "")
    assert picture is not None
    texts = {t.get_text() for axes in picture.figure.axes for t in axes.texts}
    assert "never" in texts
    assert png_bytes(picture.figure).startswith(PNG)


def test_infinite_intervals_of_break_even_are_drawn_to_the_edge(
    answers: Answers,
) -> None:
    table = answers.break_even.assign(
        verdict="pays off", agents=50.0, agents_low=20.0, agents_high=np.inf
    )
    picture = draw_break_even(table, "b", "")
    assert picture is not None
    assert png_bytes(picture.figure).startswith(PNG)


def test_sensitivity_without_spread_is_no_picture(answers: Answers) -> None:
    assert draw_sensitivity(answers.sensitivity.assign(std=np.nan), "s", "") is None


def test_histograms_name_the_dimensions_of_the_task() -> None:
    counts = histogram_counts()
    picture = draw_histograms(counts, "CartPole-v0", "a test")
    assert picture is not None
    titles = [axes.get_title("left") for axes in picture.figure.axes]
    assert titles[:5] == [
        "cart position",
        "cart velocity",
        "pole angle",
        "pole velocity",
        "reward",
    ]
    assert {axes.get_yscale() for axes in picture.figure.axes[:5]} == {"log"}
    other = draw_histograms(counts, "Own-v0", "a test")
    assert other is not None
    assert other.figure.axes[0].get_title("left") == "state 0"


def histogram_counts() -> pd.DataFrame:
    edges = np.linspace(-1, 1, 11)
    return pd.concat(
        pd.DataFrame(
            {
                "kind": kind,
                "quantity": quantity,
                "left": edges[:-1],
                "right": edges[1:],
                "count": 0 if kind == "se_response" else range(10),
                "n": 45,
                "agents": 2,
                "max_env_steps": 2000,
            }
        )
        for quantity in ("state 0", "state 1", "state 2", "state 3", "reward")
        for kind in ("se_training", "task_test", "se_response")
    )


def test_drawing_leaves_matplotlib_as_it_was(data: RunData) -> None:
    before = dict(matplotlib.rcParams)
    picture = draw_losses_over_time(data.trials)
    assert picture is not None
    png_bytes(picture.figure)
    assert dict(matplotlib.rcParams) == before


def test_figures_need_no_pyplot_and_results_no_matplotlib() -> None:
    code = (
        "import sys, se_hpo.results.trials; assert 'matplotlib' not in sys.modules; "
        "import se_hpo.figures; assert 'matplotlib.pyplot' not in sys.modules; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
