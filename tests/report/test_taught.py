"""What one-step SEs teach: measured on SEs of which that is known."""

from dataclasses import replace

import numpy as np
import pytest

from se_hpo.envs.checkpoint import load_se, save_se
from se_hpo.envs.controllers import CONTROLLERS
from se_hpo.envs.learned.one_step import OneStepConfig
from se_hpo.envs.parameters import split_psi
from se_hpo.envs.tasks import get_task
from se_hpo.figures import draw_taught
from se_hpo.figures.style import png_bytes
from se_hpo.report.controlled_tasks import controlled
from se_hpo.report.report_file import write_report
from se_hpo.report.run_data import read_run
from se_hpo.report.taught import what_is_taught
from se_hpo.storage.paths import RunPaths
from tests.helpers.fake_sets import CONFIG, make_set


def run_of(root, task="CartPole-v0", n=2):
    config = replace(CONFIG, se=OneStepConfig(hidden_size=8))
    run = RunPaths(root)
    make_set(run.ses / "fixed", "se_fixed", n, config, task)
    make_set(run.ses / "random", "se_random", n, config, task)
    return run


def teach(run, sign, index=0):
    """CartPole: an SE that pays for pushing to where the pole falls (sign: 1 or -1)."""
    path = run.ses / f"fixed/{index:03}.safetensors"
    se = load_se(path)
    psi = np.zeros_like(se.psi)
    parts = dict(split_psi(psi, se.se_config, 4, 2))
    lean = np.array([0.2, 0.5, 10, 2]) / 20
    for unit in range(2):  # relu(3 a_i - 3 +- lean)
        parts["reward.0.weight"][unit, unit] = 3
        parts["reward.0.weight"][unit, 2:] = sign * lean * (2 * unit - 1)
        parts["reward.0.bias"][unit] = -3
        parts["reward.1.weight"][0, unit] = 1
    parts["init.1.bias"][:] = 0.5
    save_se(path, psi, se.task, se.se_config)


def test_an_se_that_pays_for_the_controllers_action_agrees_with_it(tmp_path):
    run = run_of(tmp_path / "run")
    teach(run, 1, index=0), teach(run, -1, index=1)
    taught = what_is_taught(read_run(run.root))
    of = taught.agreement.set_index(["se_set", "se"])
    assert len(of) == 4
    right, wrong = of.loc[("fixed", 0)], of.loc[("fixed", 1)]
    assert right["agreement"] == 1 and wrong["agreement"] == 0
    assert right["correlation"] > 0.3 and wrong["correlation"] < -0.3
    points = taught.points[taught.points["se_set"] == "fixed"]
    starts = points[points["what"] == "initial"]
    assert starts["x"].eq(0.5).all() and len(starts) == 400
    visited = points[points["what"] == "visited"]
    assert (visited["taught"] == visited["controller"]).all(), "it is the best SE"
    maps = taught.maps[taught.maps["se_set"] == "fixed"]
    assert set(maps["action"]) == {"0", "1"}
    falls_right = maps[(maps["x"] > 0.05) & (maps["y"] > 0.5)]
    assert falls_right.loc[falls_right["action"] == "1", "value"].gt(0).all()
    assert maps.groupby(["x", "y"])["value"].sum().abs().max() < 1e-6


def test_rewards_that_are_all_alike_have_no_correlation_and_no_warning(tmp_path):
    run = run_of(tmp_path / "run", n=1)
    path = run.ses / "fixed/000.safetensors"
    se = load_se(path)
    save_se(path, 0 * se.psi, se.task, se.se_config)
    taught = what_is_taught(read_run(run.root)).agreement.set_index("se_set")
    assert np.isnan(taught.loc["fixed", "correlation"])
    assert draw_taught(*vars(what_is_taught(read_run(run.root))).values())


@pytest.mark.parametrize("task", ["MountainCar-v0", "Pendulum-v1"])
def test_the_worth_of_actions_is_higher_where_the_controller_takes_them(task):
    found = controlled(task)
    n = len(found.worth)
    spec = get_task(task)
    value = found.choices[:, 0] if spec.continuous else np.arange(spec.n_actions)
    nearest = np.abs(value[None] - found.actions[:n, None]).argmin(axis=1)
    centred = found.worth - found.worth.mean(axis=1, keepdims=True)
    assert centred[np.arange(n), nearest].mean() > 0
    assert controlled(task) is found


@pytest.mark.parametrize("task", ["CartPole-v0", "Pendulum-v1"])
def test_a_report_shows_what_is_taught(task, tmp_path):
    run = run_of(tmp_path / "run", task, n=1)
    write_report(run.root)
    assert "What do the SEs teach?" in run.report.read_text()
    for stem in ("taught", "taught-points", "taught-maps"):
        assert (run.figures / f"{stem}.csv").stat().st_size > 100
    picture = draw_taught(*vars(what_is_taught(read_run(run.root))).values())
    assert png_bytes(picture.figure)[:4] == b"\x89PNG"
    titles = [axes.get_title(loc="left") for axes in picture.figure.axes]
    assert titles[0] == "starts" and titles.count("controller") == 2


def test_other_kinds_and_tasks_without_a_controller_have_nothing_to_show(tmp_path):
    make_set(RunPaths(tmp_path / "run").ses / "fixed", "se_fixed", 1)
    taught = what_is_taught(read_run(tmp_path / "run"))
    assert taught.agreement.empty and draw_taught(*vars(taught).values()) is None
    assert "Cliff-v0" not in CONTROLLERS and controlled("Cliff-v0") is None


def test_a_damaged_se_is_left_out_and_said(tmp_path):
    run = run_of(tmp_path / "run", n=1)
    (run.ses / "fixed/000.safetensors").write_bytes(b"none")
    data = read_run(run.root)
    assert set(what_is_taught(data).agreement["se_set"]) == {"random"}
    assert any("000.safetensors" in line for line in data.unreadable)
