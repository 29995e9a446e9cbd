"""SEs that rank agents: the fitness on toys, the sample on the task, resumption."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.ppo_config import PPOConfig
from se_hpo.config.nes_config import NESConfig
from se_hpo.config.run import RunConfig, run_config_from_dict
from se_hpo.envs.learned.one_step import OneStepConfig
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
from se_hpo.nes.folder import ForeignStateError, fingerprint
from se_hpo.nes.generation import n_trainings
from se_hpo.nes.random_search import run_random_search
from se_hpo.nes.rank_agreement import sample_agents
from se_hpo.nes.rank_sample import RankSample, spearman
from se_hpo.nes.run import run_nes
from se_hpo.storage.paths import TrialPaths
from se_hpo.train.options import TrainOptions
from se_hpo.train.recipes import load_recipe
from se_hpo.train.request import resolve_request
from se_hpo.training.jobs import TrainingResult
from tests.helpers.fakes import FakeInnerLoop

SEED = 4
CONFIG = RunConfig(
    agent=DDQNConfig(se_steps=50, test_episodes=3),
    se=OneStepConfig(hidden_size=2),
    nes=NESConfig(
        strategy="snes",
        population=4,
        n_initial=2,
        n_center_evaluations=2,
        stop_when_solved=False,
        fitness="rank_agreement",
        rank_space="wide_ddqn_cartpole",
        rank_agents=5,
        rank_seeds=2,
    ),
)


def with_nes(**changes):
    return replace(CONFIG, nes=replace(CONFIG.nes, **changes))


class ByLearningRate(FakeInnerLoop):
    """On the task the return rises with the learning rate; on an SE with psi's sign."""

    def __init__(self, **fake):
        super().__init__(**fake)
        self.on_task, self.on_se = [], []

    def _result(self, job):
        (self.on_se if job.learned else self.on_task).append(job)
        sign = np.sign(job.learned.psi[0]) if job.learned else 1
        score = 100 + 10 * sign * np.log10(job.agent.lr)
        one, steps = np.array([score]), np.array([10])
        reason = "diverged" if self.diverge else "max_env_steps"
        return TrainingResult(np.full(2, score), one, steps, 20, reason)


def run(tmp_path, n=2, config=CONFIG, loop=None, seed=SEED, **flags):
    loop, paths = loop or ByLearningRate(), TrialPaths(tmp_path)
    return run_nes(config, seed, paths, loop, n, **flags), paths, loop


def result(score):
    return TrainingResult(np.array([score]), np.array([0.0]), np.array([1]), 1, "x")


def test_spearman_is_scipys_also_with_ties():
    rng = np.random.default_rng(0)
    for n in (3, 8, 30):
        x, y = rng.integers(0, 5, n), rng.normal(size=n)
        assert spearman(x, y) == pytest.approx(spearmanr(x, y)[0], abs=1e-12)


def test_an_se_on_which_all_agents_do_alike_ranks_nothing():
    assert spearman(np.full(4, 9.3), np.arange(4.0)) == 0.0


def test_the_score_of_each_evaluation_is_exact_on_a_toy():
    agents = tuple(DDQNConfig(lr=lr) for lr in (0.1, 0.2, 0.3, 0.4))
    on_task = np.array([10.0, 50.0, 90.0, 120.0])
    sample = RankSample(agents, on_task, 0, get_task("CartPole-v0"))
    same, reverse, one_swap = (5, 6, 7, 8), (8, 7, 6, 5), (60, 50, 100, 150)
    results = [result(s + 10.0) for s in (*same, *reverse, *one_swap)]
    assert sample.agreement(results) == pytest.approx([1.0, -1.0, 0.8])


def test_beyond_the_solved_return_all_agents_are_as_good():
    agents = tuple(DDQNConfig(lr=lr) for lr in (0.1, 0.2, 0.3))
    on_task = np.array([50.0, 196.0, 200.0])
    sample = RankSample(agents, on_task, 0, get_task("CartPole-v0"))
    best_two_swapped = [result(s) for s in (20.0, 200.0, 198.0)]
    assert sample.agreement(best_two_swapped) == pytest.approx([1.0])


def test_the_sample_is_trained_on_the_task_once_and_on_every_se(tmp_path):
    outcome, _, loop = run(tmp_path, 3)
    assert len(loop.on_task) == 5 * 2
    evaluations = 2 + 3 * (2 + 4)
    assert len(loop.on_se) == 5 * evaluations == n_trainings(CONFIG.nes, 3)
    assert {job.schedule for job in loop.on_se} == {50}
    assert {job.agent.max_env_steps for job in loop.on_task} == {3000}
    assert {job.agent.test_episodes for job in loop.on_task} == {10}
    assert not any(job.test_while_training for job in loop.on_se)
    tests = 20 * len(loop.on_se)
    assert outcome.total("env_steps_task") == tests + 30 * len(loop.on_task)
    assert outcome.state.best_score == 1.0
    assert outcome.state.solved_at is None, "nobody asked whether it teaches"


def test_members_of_a_generation_share_the_seeds_where_told_so(tmp_path):
    _, _, loop = run(tmp_path, 1, with_nes(common_random_numbers=True, n_initial=1))
    seeds = [job.seed for job in loop.on_se]
    assert seeds[10:15] == seeds[15:20] and len(set(seeds[10:15])) == 5


def test_another_seed_has_another_sample_and_the_same_has_the_same():
    agents = sample_agents(CONFIG, 1)
    assert agents == sample_agents(CONFIG, 1) != sample_agents(CONFIG, 2)
    rates = [agent.lr for agent in agents]
    assert len(set(rates)) == 5


def test_interrupted_runs_end_with_the_same_bytes_wherever_it_was(tmp_path):
    _, whole, _ = run(tmp_path / "whole")
    for stop in (0, 1, 4, 5, 6, 7):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / f"{stop}", loop=ByLearningRate(fail_after=stop))
        _, cut, loop = run(tmp_path / f"{stop}")
        assert len(loop.on_task) == 2 * max(0, 5 - stop), "what is there is kept"
        for name in ("ranking", "generations", "best_se", "last_se"):
            assert getattr(cut, name).read_bytes() == getattr(whole, name).read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"configuration":2', '"configuration":7'),
        lambda text: text.replace("[", "[1.0, ", 2),
        lambda text: text.replace('{"owner"', '{"own"', 1),
        lambda text: "",
    ],
)
def test_a_damaged_sample_is_trained_again_to_the_same_bytes(tmp_path, damage):
    _, paths, _ = run(tmp_path, 1)
    before = paths.ranking.read_bytes()
    paths.ranking.write_text(damage(before.decode()))
    outcome, _, loop = run(tmp_path, 2)
    assert paths.ranking.read_bytes() == before
    assert 0 < len(loop.on_task) <= 10
    first = outcome.history[0]["env_steps_task"]
    assert first - outcome.history[1]["env_steps_task"] == 300 + 2 * 5 * 20, "once"


def test_returns_of_other_configurations_are_refused(tmp_path):
    run(tmp_path, 1)
    lines = TrialPaths(tmp_path).ranking.read_text().splitlines()
    lines[0] = json.dumps({"owner": "somebody else's"})
    TrialPaths(tmp_path).ranking.write_text("\n".join(lines) + "\n")
    with pytest.raises(ForeignStateError, match="other configurations") as told:
        run(tmp_path, 2)
    assert "\n" not in str(told.value)
    outcome, _, loop = run(tmp_path, 2, restart=True)
    assert (len(outcome.history), len(loop.on_task)) == (2, 10), "as after an update"


def test_agents_that_diverge_are_ranked_and_end_nothing_unless_all_do(tmp_path):
    class Some(ByLearningRate):
        def _result(self, job):
            found = super()._result(job)
            bad = job.agent.lr > 1e-4
            return replace(found, stop_reason="diverged" if bad else "max_env_steps")

    outcome, _, _ = run(tmp_path / "some", loop=Some())
    assert outcome.reason == "budget"
    assert outcome.history[0]["center_diverged"] == 0
    outcome, _, _ = run(tmp_path / "all", loop=ByLearningRate(diverge=True))
    assert outcome.reason.startswith("diverged")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rank_space": ""}, "rank_space"),
        ({"fitness": "return"}, "rank_space"),
        ({"rank_agents": 2}, "rank_agents"),
        ({"rank_seeds": 0}, "rank_seeds"),
        ({"vary_agents": True}, "vary_agents"),
        ({"horizon": 9}, "horizon"),
        ({"restart_after": 3}, "restart_after"),
        ({"first_limit": 900, "limit_generations": 3}, "first_limit"),
    ],
)
def test_settings_that_make_no_ranking_are_one_line(changes, message):
    with pytest.raises(UserError, match=message) as told:
        with_nes(**changes)
    assert "\n" not in str(told.value)


def test_one_agent_is_ranked_not_several():
    with pytest.raises(UserError, match="leave out the other agents"):
        replace(CONFIG, others=(PPOConfig(),))


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("wide_ddqn_cartpol", "did you mean 'wide_ddqn_cartpole'"),
        ("ddqn_acrobot", "is for ddqn on Acrobot-v1, not for ddqn on CartPole-v0"),
        ("ppo_cartpole", "is for ppo on CartPole-v0, not for ddqn"),
    ],
)
def test_a_space_that_does_not_fit_is_refused_before_anything_is_written(
    tmp_path, space, message
):
    options = TrainOptions(
        config="cartpole-rank", set=(f"nes.rank_space={space}",), out=tmp_path / "set"
    )
    with pytest.raises(UserError, match=message):
        resolve_request(options)
    assert not (tmp_path / "set").exists()


def test_a_random_search_says_what_to_do_instead(tmp_path):
    with pytest.raises(UserError, match="n_initial"):
        run_random_search(CONFIG, 0, TrialPaths(tmp_path), FakeInnerLoop(), 100)


def test_the_recipe_is_one_and_old_runs_keep_their_fingerprints():
    recipe = load_recipe("cartpole-rank").config
    assert recipe.nes.fitness == "rank_agreement"
    assert run_config_from_dict(recipe.to_dict()) == recipe
    plain = RunConfig()
    assert fingerprint(plain, 0, "native") == fingerprint(
        replace(plain, nes=replace(plain.nes, rank_agents=32)), 0, "native"
    )
