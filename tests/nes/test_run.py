"""A complete NES run: it learns, resumes to the same bytes, and ends for a reason."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.config.nes_config import NESConfig
from se_hpo.config.run import RunConfig, run_config_from_dict
from se_hpo.envs.checkpoint import load_se
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.errors import UserError
from se_hpo.nes.run import run_nes
from se_hpo.storage.paths import TrialPaths
from tests.helpers.fakes import FakeInnerLoop
from tests.helpers.places import DATA

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
        stop_when_solved=False,
    ),
)


def run(tmp_path, n, config=CONFIG, seed=1, **fake):
    paths = TrialPaths(tmp_path / "trial")
    return run_nes(config, seed, paths, FakeInnerLoop(**fake), n), paths


@pytest.mark.parametrize("sampling", ["mirrored_best", "antithetic", "single"])
def test_center_score_improves_significantly_over_five_seeds(tmp_path, sampling):
    transform = "centered_rank" if sampling == "antithetic" else "nes_unnormalized"
    nes = replace(CONFIG.nes, sampling=sampling, score_transform=transform)
    gains = []
    for seed in range(5):
        outcome, _ = run(tmp_path / str(seed), 25, replace(CONFIG, nes=nes), seed)
        scores = outcome.center_scores
        gains.append(scores[-5:].mean() - scores[:5].mean())
    assert min(gains) > 0
    assert np.mean(gains) / (np.std(gains, ddof=1) / np.sqrt(5)) > 4.0


def test_interrupted_runs_end_with_the_same_bytes(tmp_path):
    _, whole = run(tmp_path / "whole", 6)
    for stop in (0, 1, 3, 5):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / f"cut{stop}", 6, fail_after=stop)
        outcome, cut = run(tmp_path / f"cut{stop}", 6)
        assert cut.generations.read_bytes() == whole.generations.read_bytes()
        assert cut.state.read_bytes() == whole.state.read_bytes()
        assert cut.best_se.read_bytes() == whole.best_se.read_bytes()
        assert len(outcome.history) == 6


def test_a_run_written_before_strategies_had_names_continues_to_the_same_bytes(
    tmp_path,
):
    old = TrialPaths(tmp_path / "trial")
    old.root.mkdir()
    for file in (DATA / "nes_run_0.1").iterdir():
        (old.root / file.name).write_bytes(file.read_bytes())
    config = json.loads(old.config.read_text())
    assert "strategy" not in config["nes"]
    fake = FakeInnerLoop()
    run_nes(run_config_from_dict(config), 1, old, fake, 6)
    assert fake.calls == 3, "its three generations are not run again"
    _, whole = run(tmp_path / "whole", 6)
    assert old.generations.read_bytes() == whole.generations.read_bytes()
    assert old.state.read_bytes() == whole.state.read_bytes()


def test_a_promoted_run_continues_and_equals_one_with_the_higher_budget(tmp_path):
    _, whole = run(tmp_path / "whole", 6)
    run(tmp_path / "promoted", 2)
    paths = TrialPaths(tmp_path / "promoted" / "trial")
    fake = FakeInnerLoop()
    run_nes(CONFIG, 1, paths, fake, 6)
    assert fake.calls == 4, "generations of the lower budget are not run again"
    assert paths.generations.read_bytes() == whole.generations.read_bytes()


def test_what_another_process_writes_for_a_moment_is_not_there_twice(tmp_path):
    """A worker that has lost the trial while its master was away."""
    _, whole = run(tmp_path / "whole", 6)
    lines = whole.generations.read_bytes().splitlines(keepends=True)
    paths = TrialPaths(tmp_path / "shared" / "trial")

    def another() -> None:
        there = paths.generations.read_bytes() if paths.generations.exists() else b""
        n = there.count(b"\n")
        if n in (0, 3):  # two generations ahead of us, and one torn
            with paths.generations.open("ab") as file:
                file.writelines([*lines[n : n + 2], lines[n + 2][:10]])

    run_nes(CONFIG, 1, paths, FakeInnerLoop(), 6, guard=another)
    assert paths.generations.read_bytes() == whole.generations.read_bytes()
    assert paths.state.read_bytes() == whole.state.read_bytes()


def test_a_line_written_before_a_kill_between_line_and_state_is_replaced(tmp_path):
    _, whole = run(tmp_path / "whole", 4)
    _, paths = run(tmp_path / "cut", 3)
    with paths.generations.open("a") as file:
        file.write('{"generation":3,"center_scores":[1')
    with paths.timing.open("a") as file:
        file.write('{"generation":3')
    run(tmp_path / "cut", 4)
    assert paths.generations.read_bytes() == whole.generations.read_bytes()
    timing = [json.loads(x) for x in paths.timing.read_text().splitlines()]
    assert [t["generation"] for t in timing] == [0, 1, 2, 3]


@pytest.mark.parametrize("broken", ["state", "generations"])
def test_a_damaged_file_is_named_set_aside_and_recomputed(tmp_path, broken, caplog):
    _, whole = run(tmp_path / "whole", 3)
    _, paths = run(tmp_path / "cut", 2)
    path = getattr(paths, broken)
    path.write_bytes(path.read_bytes()[:-40])
    with caplog.at_level(logging.WARNING):
        run(tmp_path / "cut", 3)
    assert str(path) in caplog.text
    assert path.with_name(path.name + ".damaged").exists()
    assert paths.generations.read_bytes() == whole.generations.read_bytes()


def test_a_line_without_its_count_of_diverged_agents_is_damaged(tmp_path):
    _, whole = run(tmp_path / "whole", 3)
    _, paths = run(tmp_path / "cut", 2)
    text = paths.generations.read_text().replace('"center_diverged":0,', "")
    paths.generations.write_text(text)
    run(tmp_path / "cut", 3)
    assert paths.generations.read_bytes() == whole.generations.read_bytes()


def test_another_configuration_in_the_same_folder_is_refused(tmp_path):
    run(tmp_path, 2)
    other = replace(CONFIG, nes=replace(CONFIG.nes, noise_std=0.2))
    with pytest.raises(UserError, match="another configuration"):
        run(tmp_path, 3, other)


def test_a_solved_run_stops_before_the_update_and_stays_stopped(tmp_path):
    config = replace(CONFIG, nes=replace(CONFIG.nes, stop_when_solved=True))
    outcome, paths = run(tmp_path, 60, config, noise=0.0)
    assert outcome.reason == "solved"
    assert outcome.state.solved_at == len(outcome.history) < 60
    assert outcome.center_scores[-1] >= 195.0
    assert not any(outcome.history[-1]["weights"])
    fake = FakeInnerLoop()
    again = run_nes(config, 1, paths, fake, 60)
    assert (again.reason, fake.calls) == ("solved", 0)
    assert load_se(paths.best_se).metadata["solved_at"] == outcome.state.solved_at


def test_the_best_center_is_saved_besides_the_last(tmp_path):
    wild = replace(CONFIG, nes=replace(CONFIG.nes, step_size=30.0))
    outcome, paths = run(tmp_path, 6, wild)
    best = int(np.argmax(outcome.center_scores))
    assert best < 5, "the wild step makes it worse"
    assert load_se(paths.best_se).metadata["best_score"] == outcome.state.best_score
    assert outcome.state.best_score == outcome.center_scores.max()
    psi_best, psi_last = load_se(paths.best_se).psi, load_se(paths.last_se).psi
    assert not np.array_equal(psi_best, psi_last)


def test_parameters_that_overflow_end_the_run_as_diverged(tmp_path):
    wild = replace(CONFIG, nes=replace(CONFIG.nes, step_size=1e38, noise_std=100.0))
    outcome, _ = run(tmp_path, 5, wild)
    assert outcome.reason.startswith("diverged: SE parameters are not finite")
    assert len(outcome.history) == 1
    again, _ = run(tmp_path, 5, wild)
    assert again.reason == outcome.reason


def test_a_center_on_which_all_agents_diverge_ends_the_run(tmp_path):
    outcome, _ = run(tmp_path, 5, diverge=True)
    assert outcome.reason.startswith("diverged: NaN or inf")


def test_the_start_is_the_best_of_n_initial(tmp_path):
    nes = replace(CONFIG.nes, n_initial=20)
    outcome, _ = run(tmp_path / "many", 1, replace(CONFIG, nes=nes), noise=0.0)
    single, _ = run(tmp_path / "one", 1, noise=0.0)
    first = outcome.history[0]
    assert len(first["initial_scores"]) == 20
    assert first["center_scores"][0] == max(first["initial_scores"])
    assert outcome.center_scores[0] > single.center_scores[0]
    extra = 20 * nes.n_evaluations * 10
    assert first["env_steps_se"] == single.history[0]["env_steps_se"] + extra


def test_agents_that_choose_the_start_do_not_vary(tmp_path):
    seen = []

    class Spy(FakeInnerLoop):
        def train_agents(self, jobs):
            seen.append([job.agent for job in jobs])
            return super().train_agents(jobs)

    nes = replace(CONFIG.nes, n_initial=5, vary_agents=True)
    run_nes(replace(CONFIG, nes=nes), 1, TrialPaths(tmp_path), Spy(), 1)
    start, generation = seen
    assert set(start) == {CONFIG.agent}
    assert len(set(generation)) > 1


def test_common_random_numbers_share_seeds_within_a_generation_only(tmp_path):
    seen = []

    class Spy(FakeInnerLoop):
        def train_agents(self, jobs):
            seen.append([job.seed for job in jobs])
            return super().train_agents(jobs)

    for name, common in (("common", True), ("own", False)):
        nes = replace(
            CONFIG.nes, common_random_numbers=common, n_evaluations=2, vary_agents=True
        )
        config = replace(CONFIG, nes=nes)
        run_nes(config, 1, TrialPaths(tmp_path / name), Spy(), 2)
    common_0, common_1, own_0, _ = seen
    assert len(set(common_0)) == 2, "one seed per evaluation index"
    assert not set(common_0) & set(common_1)
    assert len(set(own_0)) == len(own_0)


@pytest.mark.parametrize(
    ("confirmed", "reason"), [(200.0, "solved"), (189.9, "budget")]
)
def test_a_center_that_seems_solved_counts_only_if_more_agents_agree(
    tmp_path, confirmed, reason
):
    class Lucky(FakeInnerLoop):
        def train_agents(self, jobs):
            score = confirmed if len(jobs) == 4 else 200.0
            results = super().train_agents(jobs)
            return [replace(r, test_returns=np.full(2, score)) for r in results]

    nes = replace(CONFIG.nes, stop_when_solved=True, n_confirmations=4)
    paths = TrialPaths(tmp_path)
    outcome = run_nes(replace(CONFIG, nes=nes), 1, paths, Lucky(), 2)
    first = outcome.history[0]
    assert first["center_scores"] == [200.0] * 2 + [confirmed] * 4
    assert outcome.reason == reason
    assert (outcome.state.solved_at == 1) is (reason == "solved")
    agents = 2 + 2 * CONFIG.nes.population + 4
    assert sum(first["stop_reasons"].values()) == agents, "their cost is in the line"


def test_confirmations_cost_nothing_before_a_center_seems_solved(tmp_path):
    nes = replace(CONFIG.nes, n_confirmations=4)
    with_them, _ = run(tmp_path / "with", 3, replace(CONFIG, nes=nes))
    without, _ = run(tmp_path / "without", 3)
    assert with_them.center_scores.max() < 195
    assert with_them.history == without.history
