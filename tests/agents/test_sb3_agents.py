"""Stable-Baselines3's agents as ours: its defaults, its loop, our steps and seeds."""

import inspect
import random
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from se_hpo.agents import AGENTS, make_agent
from se_hpo.agents.sb3_config import SB3TD3, SB3Config
from se_hpo.config.run import from_configuration
from se_hpo.envs.checkpoint import load_se
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.tasks import get_task, make_env, measure_task
from se_hpo.errors import UserError
from se_hpo.registries import LEARNED
from se_hpo.training.environments import TaskTrainingEnv
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.torch_engine import run_job
from tests.helpers.places import DATA

sb3 = pytest.importorskip(
    "stable_baselines3", reason="the extra sb3 is not installed: pip install -e .[sb3]"
)

NAMES = [name for name in AGENTS if name.startswith("sb3:")]
ON_CARTPOLE = ["sb3:A2C", "sb3:DQN", "sb3:PPO"]
every_algorithm = pytest.mark.parametrize("name", NAMES)
on_cartpole = pytest.mark.parametrize("name", ON_CARTPOLE)


def config(name: str, **values) -> SB3Config:
    """By flat names; `__` stands for a dot."""
    flat = {f"{name}.{key.replace('__', '.')}": value for key, value in values.items()}
    return from_configuration(flat, "CartPole-v0", name).agent


def agent(name: str, **values):
    """One for states of 4 numbers and 2 actions."""
    return make_agent(config(name, **values), 4, 2, 0)


def job(name: str, se: str | None = None, steps: int = 250, **values) -> TrainingJob:
    if se:
        found = load_se(DATA / se)
        se = LearnedEnv(found.se_config, found.psi)
    values = {"max_env_steps": steps, "test_episodes": 2, "hidden_size": 16, **values}
    return TrainingJob("CartPole-v0", config(name, **values), 3, se)


def generators():
    """The state of the process's own."""
    numpys = np.random.get_state()[1].tolist()  # noqa: NPY002
    return random.getstate(), torch.get_rng_state().tolist(), numpys


def shapes(model):
    return [tuple(p.shape) for p in model.policy.parameters()]


@every_algorithm
def test_defaults_are_stable_baselines3s(name):
    ours, fields = agent(name), config(name)
    algorithm = getattr(sb3, name[4:])
    defaults = inspect.signature(algorithm).parameters
    for field in ("learning_rate", "batch_size", "gamma"):
        assert hasattr(fields, field) == (field in defaults)
        if field in defaults:
            assert getattr(fields, field) == defaults[field].default
    plain = algorithm("MlpPolicy", ours._model.env, device="cpu")
    assert shapes(ours._model) == shapes(plain)
    for field in set(defaults) & {"n_steps", "tau", "train_freq", "action_noise"}:
        assert getattr(plain, field) == getattr(ours._model, field), field


def test_the_second_layer_of_td3_is_narrower_whatever_the_first_is():
    assert SB3TD3().net_arch == [400, 300]
    assert SB3TD3(hidden_size=100, hidden_layers=3).net_arch == [100, 75, 75]
    assert SB3TD3(hidden_size=1, hidden_layers=2).net_arch == [1, 1]


@pytest.mark.parametrize(
    ("name", "values", "line"),
    [
        (
            "sb3:PPO",
            {"n_step": 8},
            "no hyperparameter 'n_step': did you mean 'n_steps'",
        ),
        ("sb3:PPO", {"device": "cuda"}, "no hyperparameter 'device'"),
        ("sb3:A2C", {"batch_size": 8}, "no hyperparameter 'batch_size'"),
        ("sb3:PPO", {"n_steps": "many"}, r"sb3:PPO.n_steps = 'many': must be of type"),
        ("sb3:PPO", {"batch_size": 1}, "sb3:PPO takes no such values: AssertionError"),
        ("sb3:DQN", {"train_freq": [4, "days"]}, "sb3:DQN takes no such values: Value"),
        ("sb3:DQN", {"policy_kwargs": [8]}, "policy_kwargs must be a mapping"),
        ("sb3:DQN", {"hidden_size": 10**12}, "takes no such values: .*allocate"),
        ("sb3:DQN", {"policy_kwargs": {"activation_fn": [1]}}, "known: leaky_relu, "),
        ("sb3:DQN", {"buffer_size": [8]}, "buffer_size = .* of type int"),
        ("sb3:DQN", {"policy_kwargs": {"net": 1}}, "unexpected keyword argument 'net'"),
        ("sb3:TD3", {"action_noise": "much"}, "action_noise = 'much': must be of type"),
        ("sb3:A2C", {"policy_kwargs__activation_fn": "rely"}, "did you mean 'relu'"),
        (
            "sb3:A2C",
            {"policy_kwargs": {"net_arch": [8]}, "hidden_layers": 3},
            "net_arch, and hidden_layers is set or drawn too: keep one",
        ),
    ],
)
def test_what_an_algorithm_cannot_take_is_refused_in_one_line(name, values, line):
    with pytest.raises(UserError, match=line) as error:
        agent(name, **values)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [("learning_rate", 0), ("gamma", 2), ("hidden_size", 0), ("train_steps", 0)],
)
def test_fields_are_checked_as_those_of_other_agents(field, value):
    with pytest.raises(UserError, match=rf"SB3PPO\.{field}"):
        config("sb3:PPO", **{field: value})


def test_hyperparameters_reach_the_algorithm():
    td3 = agent(
        "sb3:TD3",
        action_noise=0.1,
        train_freq=[1, "episode"],
        tau=0.5,
        policy_kwargs={"activation_fn": "tanh"},
        policy_kwargs__n_critics=1,
    )._model
    assert (td3.train_freq.unit.value, td3.tau) == ("episode", 0.5)
    assert td3.action_noise._sigma.tolist() == [0.1, 0.1]
    assert isinstance(td3.actor.mu[1], torch.nn.Tanh)
    assert len(td3.critic.q_networks) == 1
    ppo = agent("sb3:PPO", policy_kwargs={"net_arch": {"pi": [3], "vf": [5, 7]}})._model
    assert [p.shape[0] for p in ppo.policy.mlp_extractor.parameters()] == [
        *(3, 3, 5, 5, 7, 7)
    ]


@on_cartpole
@pytest.mark.parametrize("se", [None, "cartpole_se.safetensors"])
def test_training_takes_as_many_steps_as_asked_and_is_the_jobs_alone(name, se):
    """A rollout of A2C and an update of DQN do not end with it."""
    first = run_job(job(name, se, steps=251))
    for seed in (random.seed, torch.manual_seed, np.random.seed):
        seed(7)
    before = generators()
    again = run_job(job(name, se, steps=251))
    assert (first.env_steps, first.stop_reason) == (251, "max_env_steps")
    assert len(first.test_returns) == 2
    for field in ("test_returns", "episode_returns", "episode_lengths"):
        np.testing.assert_array_equal(getattr(first, field), getattr(again, field))
    assert generators() == before
    other = run_job(replace(job(name, se, steps=251), seed=4))
    assert not np.array_equal(first.episode_returns, other.episode_returns)


@on_cartpole
def test_it_learns_what_the_algorithm_learns_when_it_is_used_as_it_is(name):
    given = {"learning_starts": 10} if name == "sb3:DQN" else {"n_steps": 50}
    given |= {"batch_size": 25} if name == "sb3:PPO" else {}
    ours = agent(name, max_env_steps=200, **given)
    ours.train_on(TaskTrainingEnv(get_task("CartPole-v0"), 5, "bootstrap"))
    env = make_env(get_task("CartPole-v0"))
    env.reset(seed=5)
    algorithm = getattr(sb3, name[4:])
    plain = algorithm("MlpPolicy", env, seed=0, device="cpu", **given)
    plain.env._reset_seeds()  # so that its first state is that of our seed, too
    plain.learn(200)
    theirs = dict(plain.policy.named_parameters())
    for key, value in ours._model.policy.named_parameters():
        np.testing.assert_array_equal(value.detach(), theirs[key].detach(), key)


def test_without_a_limit_it_trains_for_its_own_steps():
    own = replace(job("sb3:A2C", train_steps=60), seed=0)
    assert (
        run_job(replace(own, agent=replace(own.agent, max_env_steps=0))).env_steps == 60
    )


def test_a_rollout_is_no_longer_than_the_training():
    ppo = agent("sb3:PPO", max_env_steps=100)
    assert ppo._model.n_steps == 100
    assert agent("sb3:DQN", max_env_steps=100, n_steps=3)._model.n_steps == 3


@on_cartpole
def test_a_test_follows_every_training_episode_and_changes_no_training(name):
    plain = job(name, steps=150)
    without, with_tests = (
        run_job(plain),
        run_job(replace(plain, test_while_training=True)),
    )
    assert len(without.curve_returns) == 0
    assert len(with_tests.curve_returns) == len(with_tests.episode_returns) > 1
    for field in ("test_returns", "episode_returns", "episode_lengths"):
        expected = getattr(without, field)
        np.testing.assert_array_equal(getattr(with_tests, field), expected)
    assert with_tests.test_env_steps == without.test_env_steps + sum(
        with_tests.curve_returns
    )


def test_a_replay_buffer_holds_what_the_se_says_is_done(monkeypatch):
    from se_hpo.agents.sb3 import SB3Agent

    held = []

    def train_on(self, env):
        reason = plain(self, env)
        held.append(self._model.replay_buffer)
        return reason

    plain = SB3Agent.train_on
    monkeypatch.setattr(SB3Agent, "train_on", train_on)
    run_job(job("sb3:DQN", "cartpole_se.safetensors", steps=60))
    run_job(job("sb3:DQN", steps=60))
    on_se, on_task = (buffer.dones[:60, 0] for buffer in held)
    assert ((on_se != 0) & (on_se != 1)).all(), "raw outputs"
    assert set(on_task) == {0, 1}
    assert not any(buffer.timeouts.any() for buffer in held)


def reward_network(made: TrainingJob) -> TrainingJob:
    """The job on one whose rewards are its own alone."""
    kind = LEARNED["exclusive"].config(hidden_size=8)
    psi = initial_psi(kind, measure_task(made.task), np.random.default_rng(0))
    return replace(made, learned=LearnedEnv(kind, psi))


@pytest.mark.parametrize("name", ["sb3:DQN", "sb3:PPO", "sb3:TD3"])
def test_on_a_reward_network_it_learns_from_its_rewards_and_is_tested_on_the_task(name):
    made = job(name, steps=100)
    if name == "sb3:TD3":
        made = replace(made, task="Pendulum-v1")
    on_task = run_job(replace(made, test_while_training=True))
    on_rn = run_job(replace(reward_network(made), test_while_training=True))
    assert on_rn.env_steps == on_task.env_steps == 100
    assert not set(on_rn.episode_returns) & set(on_task.episode_returns)
    if name != "sb3:TD3":
        assert (on_task.episode_returns == on_task.episode_lengths).all()
        tests = [*on_rn.curve_returns, *on_rn.test_returns]
        assert sum(tests) == on_rn.test_env_steps, "1 per step: the task's"


@on_cartpole
def test_nothing_finite_is_a_diverged_agent(name):
    soon = {"learning_starts": 10} if name == "sb3:DQN" else {"n_steps": 50}
    diverged = run_job(job(name, steps=300, learning_rate=1e30, **soon))
    assert diverged.stop_reason == "diverged"
    assert diverged.test_returns.tolist() == [8.0, 8.0], "the task's worst return"


@on_cartpole
def test_an_se_that_gives_nan_is_a_diverged_training(name):
    made = job(name, "cartpole_se.safetensors")
    psi = made.learned.psi.copy()
    psi[-1] = np.float32(3e38)
    broken = replace(made, learned=replace(made.learned, psi=psi))
    assert run_job(broken).stop_reason in ("diverged", "max_env_steps")
    psi[:] = np.nan
    assert run_job(broken).stop_reason == "diverged"


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    monkeypatch.delitem(sys.modules, "se_hpo.agents.sb3", raising=False)
    with pytest.raises(UserError, match=r"pip install 'se-hpo\[sb3\]'") as error:
        agent("sb3:PPO")
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_dqn_learns_on_an_se_of_the_papers_kind():
    """With the raw done output; it does not without (docs/environments.md)."""
    made = job(
        "sb3:DQN",
        "cartpole_se.safetensors",
        steps=10_000,
        test_episodes=20,
        learning_rate=3e-4,
        batch_size=199,
        gamma=0.988,
        hidden_size=57,
        hidden_layers=1,
        learning_starts=200,
        train_freq=1,
        tau=0.00848,
        target_update_interval=1,
        exploration_fraction=0.5,
        exploration_initial_eps=0.8,
        exploration_final_eps=0.04,
        policy_kwargs__activation_fn="tanh",
    )
    assert run_job(made).score >= 100
