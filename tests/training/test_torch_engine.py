import dataclasses
import functools

import numpy as np
import pytest
import torch

from se_hpo.agents import DivergedError
from se_hpo.agents.config import AgentConfig
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.dueling_ddqn_config import DuelingDDQNConfig
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.parameters import initial_psi, split_psi
from se_hpo.envs.stopping import stop_on_plateau, stop_when_solved
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
from se_hpo.training import torch_engine
from se_hpo.training.environments import (
    LearnedTrainingEnv,
    Step,
    TaskTrainingEnv,
    TestsWhileTraining,
)
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.torch_engine import run_job, train_agent

TASK = "CartPole-v0"
SPEC = get_task(TASK)
SE = SyntheticEnvConfig(hidden_size=8)
PSI = initial_psi(SE, SPEC, np.random.default_rng(0))
LEARNED = LearnedEnv(SE, PSI)
AGENT = DDQNConfig(
    batch_size=16,
    hidden_size=8,
    hidden_layers=1,
    init_episodes=1,
    max_env_steps=150,
    test_episodes=3,
)


def constant_se(next_state=(0, 0, 0, 0), reward=1.0, done=0.0):
    psi = np.zeros_like(PSI)
    parts = dict(split_psi(psi, SE, 4, 2))
    for net, value in (("state", next_state), ("reward", reward), ("done", done)):
        parts[f"{net}.1.bias"][:] = value
    return psi


def job(psi=PSI, seed=1, **changes):
    return TrainingJob(
        TASK, dataclasses.replace(AGENT, **changes), seed, LearnedEnv(SE, psi)
    )


def task_job(seed=1, **changes):
    return TrainingJob(TASK, dataclasses.replace(AGENT, **changes), seed)


def as_bytes(result):
    return (
        result.test_returns.tobytes(),
        result.episode_returns.tobytes(),
        result.episode_lengths.tobytes(),
        result.test_env_steps,
        result.stop_reason,
    )


class Recorder:
    """An agent that writes down what it is asked."""

    def __init__(self, fail_at_update=0):
        self.episodes, self.transitions, self.updates_at = [], [], []
        self.fail_at_update = fail_at_update

    def start_episode(self, episode):
        self.episodes.append(episode)

    def act(self, state):
        return 1

    act_greedily = act

    def remember(self, *transition):
        self.transitions.append(transition)

    def update(self):
        self.updates_at.append(len(self.transitions))
        if len(self.updates_at) == self.fail_at_update:
            raise DivergedError


class FixedEpisodes:
    """Episodes of 3 steps whose returns are given."""

    def __init__(self, returns):
        self.returns = iter(returns)

    def reset(self):
        self.step_in_episode, self.reward = 0, next(self.returns)
        return np.zeros(1, np.float32)

    def step(self, action):
        self.step_in_episode += 1
        ended = self.step_in_episode == 3
        reward = self.reward if ended else 0.0
        return Step(np.zeros(1, np.float32), reward, 0.0, ended, ended)


def go_on(returns):
    return None


# --- stopping rules ---------------------------------------------------------------


def config(**values):
    return AgentConfig(**{"stop_window": 2, "init_episodes": 1, **values})


def test_plateau_needs_the_episode_of_index_init_plus_window():
    # init 1, window 2: index 3 is the fourth episode.
    assert stop_on_plateau([5.0, 5.0, 5.0], config()) is None
    assert stop_on_plateau([5.0, 5.0, 5.0, 5.0], config()) == "plateau"
    twenty_one = [5.0] * 21
    paper = AgentConfig(init_episodes=10, stop_window=10)
    assert stop_on_plateau(twenty_one[:-1], paper) is None
    assert stop_on_plateau(twenty_one, paper) == "plateau"


def test_plateau_compares_the_last_window_with_the_one_before_relatively():
    tolerance = config(plateau_tolerance=0.1)
    assert stop_on_plateau([90, 10, 10, 10.9, 10.9], tolerance) == "plateau"
    assert stop_on_plateau([90, 10, 10, 11.1, 11.1], tolerance) is None
    assert stop_on_plateau([90, -10, -10, -10.9, -10.9], tolerance) == "plateau"
    assert stop_on_plateau([90, -10, -10, -11.1, -11.1], tolerance) is None


def test_plateau_is_strict_and_may_be_switched_off():
    assert stop_on_plateau([4, 4, 4, 4], config(plateau_tolerance=0.0)) is None
    assert stop_on_plateau([0, 0, 0, 0], config()) == "plateau"
    assert stop_on_plateau([0, 0, 1e-6, 0], config()) is None


def test_plateau_takes_fewer_earlier_episodes_where_there_are_no_more():
    # init 0, window 2: at index 2 one episode lies before the last two.
    returns = [8.0, 6.0, 10.0]
    assert stop_on_plateau(returns, config(init_episodes=0)) == "plateau"
    assert stop_on_plateau([9.0, 6.0, 10.0], config(init_episodes=0)) is None


def test_solved_when_the_mean_of_the_last_window_reaches_the_threshold():
    assert stop_when_solved([0, 194, 196], config(), 195.0) == "solved"
    assert stop_when_solved([0, 194, 195.9], config(), 195.0) is None
    assert stop_when_solved([200, 200, 0, 0], config(), 195.0) is None


def test_solved_needs_no_full_window_but_the_initial_episodes():
    wide = config(stop_window=10, init_episodes=2)
    assert stop_when_solved([200.0, 200.0], wide, 195.0) is None
    assert stop_when_solved([200.0, 200.0, 200.0], wide, 195.0) == "solved"
    assert stop_when_solved([200.0], config(init_episodes=0), 195.0) == "solved"


# --- the training loop ------------------------------------------------------------


def test_one_update_per_step_once_the_initial_episodes_have_passed():
    agent, settings = Recorder(), AgentConfig(train_episodes=4, init_episodes=2)
    log = train_agent(agent, FixedEpisodes([1, 2, 3, 4]), settings, go_on)
    assert agent.episodes == [0, 1, 2, 3]
    assert agent.updates_at == [7, 8, 9, 10, 11, 12]
    assert (log.returns, log.lengths) == ([1, 2, 3, 4], [3, 3, 3, 3])
    assert log.stop_reason == "train_episodes"


def test_without_initial_episodes_the_first_step_learns():
    agent, settings = Recorder(), AgentConfig(train_episodes=1, init_episodes=0)
    train_agent(agent, FixedEpisodes([1]), settings, go_on)
    assert agent.updates_at == [1, 2, 3]


@pytest.mark.parametrize(
    ("limit", "lengths"), [(1, [1]), (3, [3]), (4, [3, 1]), (6, [3, 3]), (7, [3, 3, 1])]
)
def test_the_step_limit_cuts_the_episode_which_counts(limit, lengths):
    agent = Recorder()
    settings = AgentConfig(max_env_steps=limit, init_episodes=0)
    log = train_agent(agent, FixedEpisodes([1] * 9), settings, go_on)
    assert log.lengths == lengths
    assert len(log.returns) == len(lengths)
    assert len(agent.updates_at) == limit
    assert log.stop_reason == "max_env_steps"


def test_training_stops_with_the_reason_of_the_rule():
    log = train_agent(
        Recorder(),
        FixedEpisodes(range(9)),
        AgentConfig(),
        lambda log: "solved" if len(log.returns) == 3 else None,
    )
    assert (log.returns, log.stop_reason) == ([0, 1, 2], "solved")


def test_a_diverging_update_ends_the_training():
    log = train_agent(
        Recorder(fail_at_update=4),
        FixedEpisodes([1] * 9),
        AgentConfig(init_episodes=0),
        go_on,
    )
    assert (log.lengths, log.stop_reason) == ([3, 1], "diverged")


def test_an_agent_that_asks_is_told_of_the_ends_of_its_episodes():
    class Told(Recorder):
        def __init__(self):
            super().__init__()
            self.ends = []

        def end_episode(self, truncated):
            self.ends.append((len(self.transitions), len(self.updates_at), truncated))

    agent, settings = Told(), AgentConfig(max_env_steps=7, init_episodes=0)
    train_agent(agent, FixedEpisodes([1] * 9), settings, go_on)
    assert agent.ends == [(3, 3, False), (6, 6, False), (7, 7, True)]


def test_tests_while_training_follow_every_episode_and_decide_when_to_stop():
    returns, settings = iter(range(9)), AgentConfig(stop_window=2, init_episodes=0)
    env = TaskTrainingEnv(SPEC, 0, "bootstrap")
    rule = functools.partial(env.stop_reason, config=settings)
    each = TestsWhileTraining(lambda: 193 + next(returns))
    tests = FixedEpisodes([500] * 9), settings, rule, each
    log = train_agent(Recorder(), *tests)
    assert log.test_returns == [193, 194, 195, 196]
    assert (log.stop_reason, log.returns) == ("solved", [500] * 4)
    env = TaskTrainingEnv(SPEC, 0, "bootstrap")
    tests = FixedEpisodes([0] * 9), settings, rule, TestsWhileTraining(lambda: 200.0)
    assert len(train_agent(Recorder(), *tests).test_returns) == 2  # of both, all there


@pytest.mark.parametrize("repeat", [2, 3])
def test_a_held_action_counts_with_all_its_steps(repeat):
    env = TaskTrainingEnv(SPEC, 0, "bootstrap", repeat)
    env.reset()
    steps = [env.step(1)]
    while not steps[-1].ended:
        steps.append(env.step(1))
    assert [s.env_steps for s in steps[:-1]] == [repeat] * (len(steps) - 1)
    assert [s.reward for s in steps] == [s.env_steps for s in steps]  # CartPole: 1 each
    assert steps[-1].terminated
    assert 1 <= steps[-1].env_steps <= repeat


# --- what is stored as done --------------------------------------------------------


def test_on_an_se_the_raw_done_is_stored_also_at_the_step_limit():
    env = LearnedTrainingEnv(SPEC, LearnedEnv(SE, constant_se(done=-0.7)), 0)
    env.reset()
    steps = [env.step(0) for _ in range(SPEC.max_steps)]
    assert [s.ended for s in steps] == [False] * 199 + [True]
    assert {round(s.done, 5) for s in steps} == {-0.7}
    env.reset()
    assert not env.step(0).ended  # the count starts anew
    env = LearnedTrainingEnv(SPEC, LearnedEnv(SE, constant_se(done=1.5)), 0)
    env.reset()
    assert env.step(0)[2:4] == (1.5, True)


@pytest.mark.parametrize(
    ("truncation", "done"), [("bootstrap", 0.0), ("terminal", 1.0)]
)
def test_on_the_task_truncation_is_stored_as_configured(truncation, done):
    env = TaskTrainingEnv(SPEC, 0, truncation)
    env.reset()
    for step in range(1, 201):
        env._env.unwrapped.state = np.zeros(4)
        outcome = env.step(0)
        assert outcome.ended == (step == 200)
    assert outcome.done == done


@pytest.mark.parametrize("truncation", ["bootstrap", "terminal"])
def test_on_the_task_termination_is_stored_as_1(truncation):
    env = TaskTrainingEnv(SPEC, 0, truncation)
    env.reset()
    while not (step := env.step(1)).ended:
        assert step.done == 0.0
    assert step.done == 1.0


def test_initial_states_come_from_the_task_and_the_seed():
    def states(env):
        return np.stack([env.reset() for _ in range(3)])

    se = states(LearnedTrainingEnv(SPEC, LEARNED, seed=4))
    task = states(TaskTrainingEnv(SPEC, 4, "bootstrap"))
    np.testing.assert_array_equal(se, task)
    assert (np.abs(se) <= 0.05).all() and len(np.unique(se)) == 12
    assert not (se == states(LearnedTrainingEnv(SPEC, LEARNED, seed=5))).any()


# --- whole jobs ----------------------------------------------------------------------


@pytest.mark.parametrize("make_job", [job, task_job])
def test_same_job_same_bytes_and_another_seed_others(make_job):
    first = as_bytes(run_job(make_job()))
    torch.manual_seed(99)
    assert as_bytes(run_job(make_job())) == first
    assert as_bytes(run_job(make_job(seed=2))) != first


def test_a_result_is_complete_and_consistent():
    result = run_job(job())
    assert result.test_returns.shape == (3,)
    assert result.env_steps == 150 == result.episode_lengths.sum()
    assert result.episode_returns.shape == result.episode_lengths.shape
    assert result.test_env_steps == result.test_returns.sum()  # CartPole: 1 per step
    assert result.score == result.test_returns.mean()
    assert result.episode_lengths.dtype == np.int64
    assert result.episode_returns.dtype == result.test_returns.dtype == np.float64


def test_a_constant_se_ends_on_a_plateau_at_the_first_chance():
    psi = constant_se(done=1.0, reward=2.5)
    result = run_job(job(psi, max_env_steps=0, init_episodes=3, stop_window=4))
    assert result.stop_reason == "plateau"
    np.testing.assert_array_equal(result.episode_lengths, np.ones(8))
    np.testing.assert_array_equal(result.episode_returns, np.full(8, 2.5))


def test_the_last_episode_ends_the_training():
    psi = constant_se(done=1.0)
    result = run_job(job(psi, train_episodes=5, max_env_steps=0))
    assert (result.stop_reason, len(result.episode_returns)) == ("train_episodes", 5)


def test_dueling_agents_train_on_both_environments():
    agent = DuelingDDQNConfig(
        batch_size=8, hidden_size=8, feature_size=8, max_env_steps=40, init_episodes=0
    )
    for learned in (LEARNED, None):
        result = run_job(TrainingJob(TASK, agent, 0, learned))
        assert (result.stop_reason, result.env_steps) == ("max_env_steps", 40)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["state", "reward", "done"])
def test_an_se_that_is_not_finite_ends_as_diverged_with_the_worst_return(where, bad):
    psi = PSI.copy()
    dict(split_psi(psi, SE, 4, 2))[f"{where}.1.bias"][:] = bad
    result = run_job(job(psi))
    assert result.stop_reason == "diverged"
    np.testing.assert_array_equal(result.test_returns, [SPEC.worst_return] * 3)
    assert (result.test_env_steps, result.env_steps) == (0, 0)
    assert len(result.episode_returns) == 0


def test_an_se_that_explodes_later_ends_as_diverged():
    psi = constant_se()
    parts = dict(split_psi(psi, SE, 4, 2))
    parts["state.0.weight"][:, 2:] = 100.0
    parts["state.1.weight"][:] = 100.0
    result = run_job(job(psi, max_env_steps=0))
    assert result.stop_reason == "diverged"
    assert result.env_steps > 1
    assert np.isfinite(result.score)


def test_an_agent_that_explodes_ends_as_diverged():
    # Finite rewards near the largest float32: the squared error is infinite.
    result = run_job(job(constant_se(reward=1e30), init_episodes=0))
    assert result.stop_reason == "diverged"
    assert result.score == SPEC.worst_return


def test_an_agent_that_is_only_found_out_in_the_test_is_diverged(monkeypatch):
    def act_greedily(self, state):
        self.calls = getattr(self, "calls", 0) + 1
        if self.calls > 5:
            raise DivergedError
        return 0

    monkeypatch.setattr("se_hpo.agents.ddqn.DDQN.act_greedily", act_greedily)
    agent = dataclasses.replace(AGENT, eps_min=1.0)  # never greedy in training
    result = run_job(TrainingJob(TASK, agent, 1, LEARNED))
    assert (result.stop_reason, result.test_env_steps) == ("diverged", 5)
    np.testing.assert_array_equal(result.test_returns, [SPEC.worst_return] * 3)
    assert result.env_steps == 150


def test_a_job_whose_parts_do_not_fit_is_refused():
    with pytest.raises(UserError, match="must be a LearnedEnv"):
        TrainingJob(TASK, AGENT, 0, SE)
    with pytest.raises(UserError, match="must be a SyntheticEnvConfig"):
        run_job(TrainingJob(TASK, AGENT, 0, LearnedEnv(AGENT, PSI)))
    for job in (
        TrainingJob("Acrobot-v1", AGENT, 0, LEARNED),
        TrainingJob(TASK, AGENT, 0, LearnedEnv(SE, list(PSI))),
    ):
        with pytest.raises(UserError, match=r"psi is a .*: must be a float32 vector"):
            run_job(job)


def test_an_agent_has_one_torch_thread_and_their_number_is_restored(monkeypatch):
    used = []

    def train(*args):
        used.append(torch.get_num_threads())
        return train_agent(*args)

    monkeypatch.setattr(torch_engine, "train_agent", train)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run_job(job(max_env_steps=5, test_episodes=1))
        assert (used, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)


def test_the_test_is_greedy_and_on_the_task():
    agent = Recorder()
    log = torch_engine.test_agent(agent, SPEC, episodes=4, seed=3)
    assert len(log.returns) == 4 and log.env_steps == sum(log.returns)
    assert all(8 <= r <= 11 for r in log.returns)  # always pushing right falls at once
    assert not agent.transitions and not agent.updates_at


# --- learning the real task ---------------------------------------------------------

SMALL = {"activation": "tanh", "hidden_size": 64, "hidden_layers": 1}
LEARNER = DDQNConfig(
    init_episodes=1,
    max_env_steps=12_000,
    batch_size=64,
    gamma=0.96,
    lr=2e-3,
    tau=0.05,
    eps_decay=0.8,
    **SMALL,
)
DUELING_LEARNER = DuelingDDQNConfig(
    init_episodes=1,
    max_env_steps=25_000,
    batch_size=64,
    gamma=0.98,
    lr=5e-4,
    tau=0.02,
    eps_decay=0.8,
    feature_size=64,
    **SMALL,
)


@pytest.mark.parametrize(
    ("engine", "learner", "n_seeds"),
    [
        ("torch", LEARNER, 3),
        ("native", LEARNER, 11),
        ("native", DUELING_LEARNER, 5),
        pytest.param(
            "torch",
            DUELING_LEARNER,
            3,
            marks=[pytest.mark.slow, pytest.mark.timeout(1200)],
        ),
    ],
)
def test_agents_solve_cartpole_for_a_majority_of_seeds(engine, learner, n_seeds):
    try:
        loop = InnerLoop(engine)
    except UserError as error:
        pytest.skip(str(error))
    # The last 10 training episodes returned 195 on average; the greedy ones hold that
    # roughly.
    results, solved = [], 0
    for seed in range(n_seeds):
        results += loop.train_agents([TrainingJob(TASK, learner, seed)])
        solved += results[-1].stop_reason == "solved" and results[-1].score >= 150
        if solved > n_seeds / 2:  # whatever the others do
            return
    pytest.fail(str([(r.stop_reason, r.score) for r in results]))
