"""Histograms of an SE's transitions, and when they are counted anew."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.dueling_ddqn_config import DuelingDDQNConfig
from se_hpo.envs.checkpoint import save_se
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.parameters import n_parameters
from se_hpo.errors import UserError
from se_hpo.figures import write_picture
from se_hpo.registries import LEARNED
from se_hpo.report import transitions_source
from se_hpo.report.answers import Answers, Transitions
from se_hpo.report.report_figures import draw_ses
from se_hpo.report.run_data import read_run
from se_hpo.report.transitions_source import transitions_of
from se_hpo.storage.paths import RunPaths
from se_hpo.training.transitions import KINDS, transition_counts
from tests.helpers.fake_sets import AGENT, CONFIG, make_set, make_sets

SE = SyntheticEnvConfig(hidden_size=4)
QUANTITIES = ["state 0", "state 1", "state 2", "state 3", "reward"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SE whose every net gives its last bias: next state 0, reward 0, done 0."""
    path = tmp_path_factory.mktemp("se") / "se.safetensors"
    save_se(path, np.zeros(n_parameters(SE, 4, 2), np.float32), "CartPole-v0", SE)
    return path


@pytest.fixture(scope="module")
def counts(checkpoint: Path) -> pd.DataFrame:
    return transition_counts(checkpoint, AGENT, n_agents=2, max_env_steps=120)


def test_every_transition_is_in_a_bin(counts: pd.DataFrame) -> None:
    assert list(dict.fromkeys(counts["quantity"])) == QUANTITIES
    sums = counts.groupby(["kind", "quantity"]).agg(
        count=("count", "sum"), n=("n", "max")
    )
    assert len(sums) == len(KINDS) * len(QUANTITIES)
    assert (sums["count"] == sums["n"]).all()
    n = counts.groupby("kind")["n"].first()
    assert n["se_training"] == 2 * 120
    assert n["task_test"] == n["se_response"] > 0


def test_the_se_and_the_task_are_told_apart(counts: pd.DataFrame) -> None:
    middle = (counts["left"] + counts["right"]) / 2
    mean = (middle * counts["count"]).groupby(
        [counts["kind"], counts["quantity"]]
    ).sum() / counts.groupby(["kind", "quantity"])["n"].first()
    width = (counts["right"] - counts["left"]).max()
    for kind in ("se_training", "se_response"):
        assert mean[kind, "reward"] == pytest.approx(0.0, abs=width)
        assert mean[kind, "state 3"] == pytest.approx(0.0, abs=width)
    assert mean["task_test", "reward"] == pytest.approx(1.0, abs=width)


def test_kinds_share_their_bins(counts: pd.DataFrame) -> None:
    for _, rows in counts.groupby("quantity"):
        edges = [part[["left", "right"]].to_numpy() for _, part in rows.groupby("kind")]
        assert all(np.array_equal(edges[0], other) for other in edges)


def test_same_seed_same_counts(checkpoint: Path, counts: pd.DataFrame) -> None:
    again = transition_counts(checkpoint, AGENT, n_agents=2, max_env_steps=120)
    pd.testing.assert_frame_equal(counts, again)
    other = transition_counts(checkpoint, AGENT, 2, seed=1, max_env_steps=120)
    assert not other["count"].equals(counts["count"])


def test_agents_of_other_kinds_are_replaced_by_ddqn(checkpoint: Path) -> None:
    agent = DuelingDDQNConfig(batch_size=4, hidden_size=4)
    frame = transition_counts(checkpoint, agent, n_agents=1, max_env_steps=20)
    default = transition_counts(checkpoint, DDQNConfig(), n_agents=1, max_env_steps=20)
    pd.testing.assert_frame_equal(frame, default)


def test_an_agent_that_diverges_is_left_out_of_the_tests(tmp_path: Path) -> None:
    path = tmp_path / "se.safetensors"
    psi = np.full(n_parameters(SE, 4, 2), 1e18, np.float32)
    save_se(path, psi, "CartPole-v0", SE)
    frame = transition_counts(path, AGENT, n_agents=1, max_env_steps=60)
    assert np.isfinite(frame[["left", "right"]]).all(axis=None)


def test_a_file_that_is_no_se_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"no")
    with pytest.raises(UserError, match="cannot be read as a checkpoint"):
        transition_counts(tmp_path / "x.safetensors", n_agents=1)


def test_reading_a_run_trains_no_agents_and_says_what_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_sets(tmp_path / "a b")
    monkeypatch.setattr(transitions_source, "transition_counts", None)
    data = read_run(run.root)
    assert transitions_of(data) is None
    assert not run.transitions.exists()
    command = f"python -m se_hpo.report '{run.root}' --transition-agents 10"
    assert command in data.unreadable[-1]


def test_histograms_that_an_earlier_version_kept_with_the_figures_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_sets(tmp_path / "run")
    first = transitions_of(read_run(run.root), 1)
    assert first is not None
    run.figures.mkdir()
    run.transitions.rename(run.figures / "transitions.csv")
    monkeypatch.setattr(transitions_source, "transition_counts", None)
    for n_agents in (0, 1):
        kept = transitions_of(read_run(run.root), n_agents)
        assert kept is not None
        pd.testing.assert_frame_equal(kept.counts, first.counts)


def test_the_best_solved_varied_se_is_chosen_and_its_histograms_are_kept(
    tmp_path: Path,
) -> None:
    run = make_sets(tmp_path / "run")
    data = read_run(run.root)
    first = transitions_of(data, 1)
    assert first is not None
    assert first.source.startswith("SE 0 of the set varied")
    csv = run.transitions
    before = csv.read_bytes()
    for picture in draw_ses(data, Answers(), transitions_of(data)):
        write_picture(picture, run.figures)
    assert (run.figures / "transitions.csv").exists()
    shutil.rmtree(run.figures)
    frame = pd.read_csv(csv)
    frame.assign(count=7).to_csv(csv, index=False)
    kept = transitions_of(data, 1)
    assert kept is not None
    assert set(kept.counts["count"]) == {7}
    csv.write_bytes(before[: len(before) // 2])
    assert_counted_anew(transitions_of(data, 1))
    frame.assign(count=7, max_env_steps=frame["max_env_steps"] + 1).to_csv(csv)
    assert_counted_anew(transitions_of(data, 1))
    make_set(run.ses / "varied", "se_varied", solved=(1,))
    changed = transitions_of(read_run(run.root), 1)
    assert changed is not None
    assert changed.source.startswith("SE 1 of the set varied")


def assert_counted_anew(transitions: Transitions | None) -> None:
    assert transitions is not None
    assert set(transitions.counts["count"]) != {7}


def test_an_se_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    run = make_sets(tmp_path / "run")
    data = read_run(run.root)
    for file in run.ses.rglob("000.safetensors"):
        file.write_bytes(b"no")
    assert transitions_of(data, 1) is None
    assert "000.safetensors" in data.unreadable[0]


@pytest.mark.parametrize(
    ("kind", "task", "there"),
    [
        ("mdp_learned_start", "CartPole-v0", True),
        ("mdp_learned_start", "Pendulum-v1", False),
        ("one_step", "CartPole-v0", False),
    ],
)
def test_of_learned_starts_there_are_histograms_where_ddqn_can_train_and_states_follow(
    kind: str, task: str, there: bool, tmp_path: Path
) -> None:
    run = RunPaths(tmp_path / "run")
    config = dataclasses.replace(CONFIG, se=LEARNED[kind].config(hidden_size=4))
    make_set(run.ses / "fixed", "se_fixed", 1, config, task)
    found = transitions_of(read_run(run.root), 1)
    assert (found is not None) == there
    if found is not None:
        assert (found.counts["n"] > 0).all()
