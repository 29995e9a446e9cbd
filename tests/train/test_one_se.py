"""One SE of a set: its checkpoint, its outcome, and what a crash makes of it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.config.nes_config import NESConfig
from se_hpo.config.run import RunConfig
from se_hpo.envs.checkpoint import load_se
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.errors import UserError
from se_hpo.nes.generation import n_trainings
from se_hpo.results.se_outcome import read_outcome
from se_hpo.results.se_set_settings import SetSettings
from se_hpo.storage.files import append_json_line
from se_hpo.storage.paths import SESetPaths
from se_hpo.train.one_se import train_se
from tests.helpers.fakes import FakeInnerLoop

CONFIG = RunConfig(
    task="CartPole-v0",
    agent=DDQNConfig(test_episodes=2),
    se=SyntheticEnvConfig(hidden_size=2),
    nes=NESConfig(
        population=8,
        noise_std=0.1,
        step_size=0.5,
        score_transform="nes_unnormalized",
        n_center_evaluations=2,
        n_initial=4,
    ),
)
SETTINGS = SetSettings(
    train_env="se_fixed", config=CONFIG, seed=1, generations=40, engine="fake"
)
TIMES = ("wall_seconds", "cpu_seconds")


class Loop(FakeInnerLoop):
    """Counts agents, and raises what it is told to."""

    def __init__(self, error=None, **fake):
        super().__init__(**fake)
        self.n_agents, self.error = 0, error

    def train_agents(self, jobs):
        if self.error is not None and self.calls == 3:
            raise self.error
        self.n_agents += len(jobs)
        return super().train_agents(jobs)


def train(folder, settings=SETTINGS, index=0, **fake):
    paths, loop = SESetPaths(folder), Loop(**fake)
    return train_se(settings, paths, index, loop), paths, loop


def test_a_solved_run_says_when_and_at_what_cost(tmp_path):
    outcome, paths, loop = train(tmp_path, noise=0.0)
    assert outcome.solved
    assert outcome.reason == "solved"
    assert 1 < outcome.solved_at == outcome.generations < 40
    assert outcome.best_score == outcome.final_score >= 195.0
    assert (
        outcome.trainings
        == loop.n_agents
        == n_trainings(CONFIG.nes, outcome.generations)
    )
    assert outcome.env_steps_se == 10 * loop.n_agents
    assert outcome.env_steps_task == 20 * loop.n_agents
    lines = [json.loads(x) for x in paths.run(0).timing.read_text().splitlines()]
    assert outcome.wall_seconds == sum(line["wall_seconds"] for line in lines)
    assert read_outcome(paths, 0) == outcome


def test_the_best_and_the_last_center_are_kept(tmp_path):
    wild = replace(CONFIG, nes=replace(CONFIG.nes, step_size=30.0))
    settings = replace(SETTINGS, config=wild, generations=6)
    outcome, paths, _ = train(tmp_path, settings)
    kept = load_se(paths.checkpoint(0), "CartPole-v0")
    best, last = load_se(paths.run(0).best_se), load_se(paths.run(0).last_se)
    np.testing.assert_array_equal(kept.psi, best.psi)
    assert (best.psi != last.psi).any()
    assert outcome.best_score > outcome.final_score
    assert kept.metadata["train_env"] == "se_fixed"
    assert kept.metadata["solved"] is False
    assert kept.metadata["seed"] == settings.se_seed(0) == outcome.seed


def test_each_se_setting_and_set_has_its_own_seed():
    settings = [
        SETTINGS,
        replace(SETTINGS, train_env="se_varied"),
        replace(SETTINGS, seed=2),
    ]
    seeds = {s.se_seed(k) for s in settings for k in range(40)}
    assert len(seeds) == 120


@pytest.mark.parametrize("calls", [0, 1, 3])
def test_an_interrupted_se_ends_with_the_same_bytes(tmp_path, calls):
    settings = replace(SETTINGS, generations=6)
    outcome, whole, _ = train(tmp_path / "whole", settings)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", settings, fail_after=calls)
    assert read_outcome(SESetPaths(tmp_path / "cut"), 0) is None
    again, cut, _ = train(tmp_path / "cut", settings)
    no_times = dict.fromkeys(TIMES, 0.0)
    assert replace(again, **no_times) == replace(outcome, **no_times)
    assert cut.checkpoint(0).read_bytes() == whole.checkpoint(0).read_bytes()
    assert cut.run(0).generations.read_bytes() == whole.run(0).generations.read_bytes()


def test_divergence_is_an_outcome(tmp_path):
    outcome, paths, _ = train(tmp_path, diverge=True)
    assert outcome.reason.startswith("diverged")
    assert (outcome.solved, outcome.failed) == (False, False)
    assert load_se(paths.checkpoint(0)).metadata["solved"] is False


@pytest.mark.parametrize("train_env", ["se_fixed", "se_random"])
def test_a_crash_is_an_outcome_with_its_reason_and_no_se(tmp_path, train_env, caplog):
    settings = replace(SETTINGS, train_env=train_env, trainings=400)
    outcome, paths, loop = train(tmp_path, settings, error=ValueError("no\nway"))
    assert outcome.reason == "failed: ValueError: no"
    assert outcome.failed
    assert (outcome.solved, outcome.best_score, outcome.final_score) == (
        False,
        None,
        None,
    )
    assert outcome.trainings == loop.n_agents > 0, "what it cost until then"
    assert outcome.env_steps_se == 10 * loop.n_agents
    assert not paths.checkpoint(0).exists()
    assert "Traceback" in caplog.text
    assert read_outcome(paths, 0) == outcome
    again, _, _ = train(tmp_path, settings)
    assert not again.failed, "it goes on once the reason is gone"
    assert again.trainings >= outcome.trainings
    assert paths.checkpoint(0).exists()


@pytest.mark.parametrize("error", [OSError("no space"), UserError("no such engine")])
def test_a_full_disk_and_bad_input_are_no_outcomes(tmp_path, error):
    with pytest.raises(type(error), match="no "):
        train(tmp_path, error=error)
    assert not SESetPaths(tmp_path).outcome(0).exists()


def test_a_random_search_is_an_outcome_without_generations(tmp_path):
    settings = replace(SETTINGS, train_env="se_random", trainings=300)
    outcome, paths, loop = train(tmp_path, settings)
    assert (outcome.generations, outcome.solved_at) == (0, None)
    assert outcome.trainings == loop.n_agents == 300
    assert outcome.best_score == outcome.final_score
    assert load_se(paths.checkpoint(0)).metadata["train_env"] == "se_random"
    assert not paths.run(0).generations.exists()


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_random_search_is_solved_by_its_score(tmp_path, noise):
    settings = replace(SETTINGS, train_env="se_random", trainings=300)
    outcome, _, _ = train(tmp_path, settings, noise=noise)
    assert outcome.solved == (outcome.best_score >= 195.0)
    assert not outcome.solved, "the fake makes no random SE that good"


def test_a_state_of_another_version_is_set_aside(tmp_path, caplog):
    settings = replace(SETTINGS, generations=3)
    outcome, paths, _ = train(tmp_path, settings)
    other = replace(CONFIG, nes=replace(CONFIG.nes, noise_std=0.2))
    train(tmp_path / "other", replace(settings, config=other))
    foreign = SESetPaths(tmp_path / "other").run(0).state.read_bytes()
    paths.run(0).state.write_bytes(foreign)
    again, _, loop = train(tmp_path, settings)
    assert "set aside" in caplog.text
    assert loop.n_agents == outcome.trainings
    assert again.best_score == outcome.best_score


def test_seconds_count_what_earlier_processes_spent(tmp_path):
    settings = replace(SETTINGS, generations=3)
    _, paths, _ = train(tmp_path, settings)
    timing = paths.run(0).timing
    timing.write_text("")
    for generation in range(3):
        line = {"generation": generation, "wall_seconds": 2.0, "cpu_seconds": 1.5}
        append_json_line(timing, line)
    again, _, _ = train(tmp_path, settings)
    assert (again.wall_seconds, again.cpu_seconds) == (6.0, 4.5)


@pytest.mark.parametrize(
    "line",
    [
        {"generation": 0, "wall_seconds": None, "cpu_seconds": "2"},
        {"generation": 0, "wall_seconds": float("nan"), "cpu_seconds": float("inf")},
        {"generation": "x", "wall_seconds": 10**400, "cpu_seconds": [1]},
        {"generation": [0]},
    ],
    ids=str,
)
def test_damaged_timing_keeps_nobody_from_finishing(tmp_path, line):
    settings = replace(SETTINGS, generations=3)
    before, paths, _ = train(tmp_path, replace(settings, generations=2))
    with paths.run(0).timing.open("a") as timing:
        timing.write(f"{json.dumps(line)}\n")
    outcome, _, _ = train(tmp_path, settings)
    assert not outcome.failed and outcome.generations == 3
    assert 0 <= before.cpu_seconds <= outcome.cpu_seconds < 60
