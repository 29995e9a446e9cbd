"""What every evolution strategy in the registry promises."""

import numpy as np
import pytest

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.config.nes_config import NESConfig
from se_hpo.config.run import RunConfig, from_configuration, run_config_from_dict
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.errors import UserError
from se_hpo.nes.generation import n_trainings
from se_hpo.nes.run import run_nes
from se_hpo.nes.strategies import make_strategy
from se_hpo.registries import STRATEGIES
from se_hpo.storage.paths import TrialPaths
from tests.helpers.fakes import FakeInnerLoop
from tests.helpers.places import ROOT

START = np.linspace(-1.0, 1.0, 6).astype(np.float32)
TARGET = np.linspace(0.5, -0.5, 6)

pytestmark = pytest.mark.parametrize("name", STRATEGIES)


def config_of(name, **values):
    start = {"population": 8, "noise_std": 0.2, "step_size": 0.2}
    return NESConfig(strategy=name, **{**start, **values})


def quadratic(psi):
    return -np.sum((psi - TARGET) ** 2, axis=-1)


def rastrigin(psi):
    away = psi - TARGET
    return -np.sum(away**2 + 0.1 * (1 - np.cos(6 * np.pi * away)), axis=-1)


def climb(name, score, generations, seed=0, nan_share=0.0):
    """The state after so many generations, the generators as in a run."""
    strategy = make_strategy(config_of(name))
    state = strategy.init(START)
    for g in range(generations):
        rng = np.random.default_rng([seed, g])
        perturbations = strategy.ask(state, rng)
        scores = score(state["psi"] + perturbations)
        scores[rng.random(scores.shape) < nan_share] = np.nan
        baseline = float(score(state["psi"]))
        state, _ = strategy.tell(state, perturbations, scores, baseline)
    return state


def test_ask_and_tell_keep_their_shapes(name):
    strategy = make_strategy(config_of(name))
    state = strategy.init(START)
    perturbations = strategy.ask(state, np.random.default_rng(0))
    assert perturbations.shape == (8, strategy.n_signs, 6)
    assert perturbations.dtype == np.float32
    scores = quadratic(state["psi"] + perturbations)
    new, update = strategy.tell(state, perturbations, scores, quadratic(START))
    assert {k: (v.shape, v.dtype) for k, v in new.items()} == {
        k: (v.shape, v.dtype) for k, v in state.items()
    }
    assert update.weights.shape == (8,)
    moved = np.linalg.norm(new["psi"].astype(np.float64) - START)
    assert update.step_norm == pytest.approx(moved) and moved > 0
    np.testing.assert_array_equal(state["psi"], START)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(name):
    once, again = climb(name, quadratic, 3), climb(name, quadratic, 3)
    assert {k: v.tobytes() for k, v in once.items()} == {
        k: v.tobytes() for k, v in again.items()
    }
    other = climb(name, quadratic, 3, seed=1)
    assert not np.array_equal(once["psi"], other["psi"])


@pytest.mark.parametrize("score", [quadratic, rastrigin])
@pytest.mark.parametrize("nan_share", [0.0, 0.2])
def test_it_climbs_also_where_scores_are_ridden_with_nan(name, score, nan_share):
    for seed in range(5):
        state = climb(name, score, 120, seed, nan_share)
        assert score(state["psi"]) > 0.2 * score(START)


@pytest.mark.parametrize("worst", [np.nan, -np.inf, np.inf, -1e9])
def test_a_member_without_a_score_never_wins(name, worst):
    strategy = make_strategy(config_of(name, score_transform="single_best"))
    state = strategy.init(START)
    perturbations = strategy.ask(state, np.random.default_rng(0))
    scores = np.full(perturbations.shape[:2], 1.0)
    scores[0] = worst
    scores[3] = [2.0, worst][: strategy.n_signs]
    new, update = strategy.tell(state, perturbations, scores, 0.0)
    assert np.argmax(update.weights) == 3
    assert update.weights[0] <= 0
    assert np.isfinite(new["psi"]).all()


def test_scores_of_no_member_at_all_leave_a_finite_center(name):
    strategy = make_strategy(config_of(name))
    state = strategy.init(START)
    perturbations = strategy.ask(state, np.random.default_rng(0))
    scores = np.full(perturbations.shape[:2], np.nan)
    new, _ = strategy.tell(state, perturbations, scores, np.nan)
    assert np.isfinite(new["psi"]).all()


def run_config(name, **values):
    nes = config_of(name, n_center_evaluations=2, stop_when_solved=False, **values)
    return RunConfig(
        agent=DDQNConfig(test_episodes=2),
        se=SyntheticEnvConfig(hidden_size=2),
        nes=nes,
    )


def run(folder, n, config, **fake):
    paths = TrialPaths(folder)
    fake = FakeInnerLoop(**fake)
    return run_nes(config, 1, paths, fake, n), paths, fake


def test_an_interrupted_run_ends_with_the_bytes_of_one_that_was_not(name, tmp_path):
    _, whole, _ = run(tmp_path / "whole", 5, run_config(name))
    for stop in (1, 3):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / str(stop), 5, run_config(name), fail_after=stop)
        _, cut, _ = run(tmp_path / str(stop), 5, run_config(name))
        assert cut.generations.read_bytes() == whole.generations.read_bytes()
        assert cut.state.read_bytes() == whole.state.read_bytes()


def test_a_state_that_another_strategy_saved_is_refused(name, tmp_path, monkeypatch):
    run(tmp_path, 2, run_config(name))
    monkeypatch.setitem(STRATEGIES, "another", STRATEGIES[name])
    with pytest.raises(UserError, match="another configuration"):
        run(tmp_path, 3, run_config("another"))


def test_a_state_that_lacks_what_the_strategy_needs_is_set_aside(
    name, tmp_path, monkeypatch, caplog
):
    _, whole, _ = run(tmp_path / "whole", 3, run_config(name))
    _, paths, _ = run(tmp_path / "short", 3, run_config(name))
    cls = type(make_strategy(config_of(name)))
    init = cls.init
    more = {"more": np.zeros(1)}
    monkeypatch.setattr(cls, "init", lambda self, psi: init(self, psi) | more)
    update = cls.update

    def with_more(self, *args):
        state, weights = update(self, *args)
        return state | more, weights

    monkeypatch.setattr(cls, "update", with_more)
    run(tmp_path / "short", 3, run_config(name))
    assert "not its strategy's" in caplog.text
    assert paths.generations.read_bytes() == whole.generations.read_bytes()


def test_common_random_numbers_reach_all_members(name, tmp_path):
    seen = []

    class Spy(FakeInnerLoop):
        def train_agents(self, jobs):
            seen.extend(job.seed for job in jobs)
            return super().train_agents(jobs)

    for common in (True, False):
        nes = run_config(name, common_random_numbers=common, n_evaluations=2)
        run_nes(nes, 1, TrialPaths(tmp_path / str(common)), Spy(), 1)
    trained = n_trainings(nes.nes, 1)
    assert len(seen) == 2 * trained
    assert (len({*seen[:trained]}), len({*seen[trained:]})) == (2, trained)


def test_a_run_of_it_learns(name, tmp_path):
    outcome, _, _ = run(tmp_path, 25, run_config(name, noise_std=0.3), noise=0.1)
    scores = outcome.center_scores
    assert scores[-5:].mean() > scores[:5].mean() + 2


def test_it_is_chosen_by_its_flat_name_and_survives_json(name):
    config = from_configuration({"nes.strategy": name}, "CartPole-v0", "ddqn")
    assert config.nes.strategy == name
    assert run_config_from_dict(config.to_dict()) == config


def test_the_docs_have_a_row_for_it(name):
    docs = ROOT / "docs" / "nes.md"
    assert f"| `{name}` |" in docs.read_text()
