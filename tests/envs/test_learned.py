"""What every kind of learned environment promises: those there are and a new one."""

import dataclasses
import json
import pickle
import pkgutil
from dataclasses import dataclass
from unittest.mock import MagicMock

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.envs.checkpoint import SECheckpoint, load_se, save_se
from se_hpo.envs.learned import LearnedEnv, kind_of
from se_hpo.envs.learned.mdp import MDP, SyntheticEnvConfig
from se_hpo.envs.parameters import initial_psi, n_parameters, split_psi
from se_hpo.envs.synthetic_env import SyntheticEnv
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
from se_hpo.registries import LEARNED
from se_hpo.training import native_engine
from se_hpo.training.environments import LearnedTrainingEnv
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.torch_engine import run_job
from tests.helpers.engine_jobs import needs_engine, needs_testing, testing, train

TASK = "Acrobot-v1"
SPEC = get_task(TASK)
AGENT = DDQNConfig(
    train_episodes=3,
    test_episodes=1,
    init_episodes=1,
    stop_window=1,
    max_env_steps=60,
    plateau_tolerance=1e9,
    batch_size=8,
    hidden_size=8,
)


@dataclass(frozen=True)
class QuietConfig(SyntheticEnvConfig):
    """Sizes of the SE below."""

    hidden_size: int = 5


class QuietEnv(SyntheticEnv):
    """An SE whose done is 0 or 1 to the agent."""


@pytest.mark.parametrize("size", [10**9, 10**11])
def test_an_se_for_which_there_is_no_memory_is_one_line(size):
    rng = MagicMock()
    rng.uniform.side_effect = MemoryError
    with pytest.raises(UserError, match=f"hidden_size = {size}: .* need .* GiB: lower"):
        initial_psi(SyntheticEnvConfig(hidden_size=size), SPEC, rng)


@pytest.mark.parametrize("name", ["hidden_size", "buffer_size"])
def test_an_agent_for_which_there_is_no_memory_is_one_line(name):
    agent = dataclasses.replace(AGENT, **{name: 10**11})
    with pytest.raises(UserError, match=f"no memory .* {name} = 1000.* lower") as e:
        run_job(TrainingJob(TASK, agent, 1))
    assert "\n" not in str(e.value)


def terminations(terminated, info):
    return float(terminated)


def never(returns, config):
    return None


QUIET = dataclasses.replace(
    MDP,
    name="quiet",
    label="quiet environment",
    config=QuietConfig,
    environment=f"{__name__}:QuietEnv",
    stored_done=terminations,
    stopping_rule=never,
    native=False,
)


# Reward networks leave the task its environment: tests/envs/test_reward_*.py.
OWN = [kind for kind in LEARNED.values() if kind.environment]
NATIVE = [pytest.param(k, id=k.name) for k in OWN if k.native]


# Episodes that start by themselves: tests/envs/test_learned_start.py.
FROM_TASK = [pytest.param(k, id=k.name) for k in OWN if k.native and not k.continuous]


@pytest.fixture(params=[*OWN, QUIET], ids=lambda kind: kind.name)
def kind(request, monkeypatch):
    monkeypatch.setitem(LEARNED, request.param.name, request.param)
    return request.param


def made(kind, done=None):
    """One of this kind for Acrobot; its done net, if any, gives a constant."""
    config = kind.config(hidden_layers=2)
    psi = initial_psi(config, SPEC, np.random.default_rng(0))
    for name, values in split_psi(psi, config, SPEC.obs_size, SPEC.n_actions):
        if done is not None and name.startswith(f"done.{config.hidden_layers}"):
            values[:] = done if name.endswith("bias") else 0
    return LearnedEnv(config, psi)


def has_learned_start(kind):
    sizes = kind.config(), SPEC.obs_size, SPEC.n_actions
    return "init" in [net.name for net in kind.layout(*sizes)]


def checkpoint(env):
    return SECheckpoint(env.psi, TASK, env.config)


def single(env):
    make = pkgutil.resolve_name(env.kind.environment)
    return make(TASK, checkpoint(env))


def test_it_has_a_name_a_label_and_a_configuration_of_its_own(kind):
    assert LEARNED[kind.name] is kind_of(kind.config()) is kind
    assert kind.name.isidentifier()
    assert kind.label
    values = json.loads(json.dumps(dataclasses.asdict(kind.config())))
    assert kind.config(**values) == kind.config()


def test_its_layout_says_how_long_psi_is(kind):
    env = made(kind)
    size = n_parameters(env.config, SPEC.obs_size, SPEC.n_actions)
    assert env.psi.shape == (size,)
    named = dict(split_psi(env.psi, env.config, SPEC.obs_size, SPEC.n_actions))
    assert sum(values.size for values in named.values()) == size
    for net in kind.layout(env.config, SPEC.obs_size, SPEC.n_actions):
        assert named[f"{net.name}.0.weight"].shape[1] == net.inputs
        last = f"{net.name}.{env.config.hidden_layers}.bias"
        assert named[last].shape == (net.outputs,)


@pytest.mark.filterwarnings("ignore:.*A Box observation space m:UserWarning")
@pytest.mark.filterwarnings("ignore:.*Not able to test alternative render:UserWarning")
def test_gymnasium_accepts_its_environment(kind):
    check_env(single(made(kind)))


def test_many_copies_step_as_one_does(kind):
    env = made(kind, done=0.1)
    make = pkgutil.resolve_name(kind.vector_environment)
    se = checkpoint(env)
    copies = make(TASK, num_envs=3, checkpoint=se, autoreset_mode="Disabled")
    alone = [single(env) for _ in range(3)]
    starts = np.stack([one.reset(seed=4 + i)[0] for i, one in enumerate(alone)])
    got = copies.reset(seed=4)[0]
    if has_learned_start(kind):  # by a network, of all copies at once
        np.testing.assert_allclose(got, starts, rtol=1e-5, atol=1e-6)
    else:
        np.testing.assert_array_equal(got, starts)
    for actions in np.random.default_rng(1).integers(SPEC.n_actions, size=(5, 3)):
        got = copies.step(actions)
        steps = [one.step(a) for one, a in zip(alone, actions, strict=True)]
        np.testing.assert_allclose(got[0], [s[0] for s in steps], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(got[1], [s[1] for s in steps], rtol=1e-5, atol=1e-6)
        assert got[2].tolist() == [s[2] for s in steps]
        if got[2].any():
            assert got[2].all()
            starts = np.stack([one.reset()[0] for one in alone])
            got = copies.reset()[0]
            np.testing.assert_allclose(got, starts, rtol=1e-5, atol=1e-6)


def test_its_checkpoint_comes_back(kind, tmp_path):
    env = made(kind)
    save_se(tmp_path / "se.safetensors", env.psi, TASK, env.config)
    back = load_se(tmp_path / "se.safetensors", TASK)
    assert back.se_config == env.config
    assert kind_of(back.se_config) is kind
    np.testing.assert_array_equal(back.psi, env.psi)


def test_copies_by_pickle_go_on_alike(kind):
    env = made(kind)
    job = pickle.loads(pickle.dumps(TrainingJob(TASK, AGENT, 1, env)))
    assert job.learned.config == env.config
    assert job.learned.psi.tobytes() == env.psi.tobytes()
    assert job.learned.kind is kind
    one = single(env)
    one.reset(seed=3)
    other = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(one.step(2)[0], other.step(2)[0])


@needs_testing
@pytest.mark.parametrize("kind", FROM_TASK)
def test_a_step_means_the_same_to_both_engines(kind):
    env, rng = made(kind), np.random.default_rng(2)
    nets = kind.layout(env.config, SPEC.obs_size, SPEC.n_actions)
    config = {"kind": kind.name, **dataclasses.asdict(env.config)}
    by_torch = LearnedTrainingEnv(SPEC, env, seed=5)
    state = by_torch.reset()
    for action in rng.integers(SPEC.n_actions, size=6).tolist():
        next_state, reward, done, ended = testing.learned_step(
            *(config, [net[1:3] for net in nets], env.psi, SPEC.n_actions),
            *(state, action, native_engine.isa().replace("-", "_")),
        )
        step = by_torch.step(action)
        np.testing.assert_allclose(next_state, step.next_state, rtol=1e-4, atol=1e-5)
        assert [reward, done] == pytest.approx([step.reward, step.done], abs=1e-5)
        assert ended == step.ended
        state = step.next_state


@needs_engine
@pytest.mark.parametrize("kind", NATIVE)
@pytest.mark.parametrize("done", [0.1, 0.9, np.nan])
@pytest.mark.parametrize("stop_by_rule", [True, False])
def test_a_training_ends_alike_in_both_engines(kind, done, stop_by_rule):
    job = TrainingJob(TASK, AGENT, 3, made(kind, done), stop_by_rule)
    by_torch, (native,) = run_job(job), train(job)
    assert native.stop_reason == by_torch.stop_reason
    assert native.episode_lengths.tolist() == by_torch.episode_lengths.tolist()


def test_what_is_stored_as_done_and_what_ends_a_training_are_the_kinds_own(monkeypatch):
    monkeypatch.setitem(LEARNED, "quiet", QUIET)
    for kind, stored in ((MDP, 0.75), (QUIET, 1.0)):
        env = LearnedTrainingEnv(SPEC, made(kind, done=0.75), seed=0)
        env.reset()
        assert env.step(0)[2:4] == (stored, True)
    jobs = [TrainingJob(TASK, AGENT, 3, made(k, done=0.75)) for k in (MDP, QUIET)]
    reasons = [run_job(job).stop_reason for job in jobs]
    assert reasons == ["plateau", "train_episodes"]


@needs_engine
def test_what_the_native_engine_lacks_is_trained_by_torch(monkeypatch):
    monkeypatch.setitem(LEARNED, "quiet", QUIET)
    jobs = [TrainingJob(TASK, AGENT, 3, made(kind, 0.75)) for kind in (MDP, QUIET)]
    with InnerLoop("auto") as loop:
        assert [loop.engine_for(job) for job in jobs] == ["native", "torch"]
        results = loop.train_agents(jobs)
    assert [r.stop_reason for r in results] == ["plateau", "train_episodes"]
    with pytest.raises(UserError, match="has no quiet environment: use torch"):
        train(jobs[1])
    with pytest.raises(UserError, match="no quiet environment: choose the engine"):
        InnerLoop("native").train_agents(jobs)


def test_a_configuration_of_no_kind_is_refused():
    with pytest.raises(UserError, match="must be a SyntheticEnvConfig"):
        _ = LearnedEnv(AGENT, np.zeros(3, np.float32)).kind
