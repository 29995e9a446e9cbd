"""SEs that learned where their episodes start: the definition, written a second way."""

import copy
import dataclasses
import pickle
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import se_hpo  # noqa: F401  # registers the ids
from se_hpo.agents.config import ACTIVATIONS
from se_hpo.envs.checkpoint import SECheckpoint, save_se
from se_hpo.envs.learned import LearnedEnv, kind_of
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.learned_start import LearnedStartEnv
from se_hpo.envs.learned_start_vector import LearnedStartVectorEnv
from se_hpo.envs.parameters import initial_psi, split_psi
from se_hpo.envs.se_net import module_of
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
from se_hpo.training import native_engine
from se_hpo.training.environments import LearnedTrainingEnv
from tests.helpers.engine_jobs import needs_testing, testing
from tests.helpers.learned_starts import (
    KINDS,
    TASKS,
    constant_se,
    random_action,
    random_se,
)

each_kind = pytest.mark.parametrize("kind", KINDS)
each_task = pytest.mark.parametrize("task", TASKS)
quiet_check = pytest.mark.filterwarnings("ignore:.*(space m|alternative render):")


def single(se):
    return LearnedStartEnv(se.task, se)


def encoded(action, task):
    spec = get_task(task)
    return action if spec.continuous else np.eye(spec.n_actions, dtype="f")[action]


class Definition:
    """Liesen et al.'s equations, in float64 and with a plain loop."""

    def __init__(self, se):
        self.config, spec = se.se_config, get_task(se.task)
        self.parts = dict(
            split_psi(se.psi, se.se_config, spec.obs_size, spec.n_actions)
        )
        self.state, self.steps = None, 0

    def net(self, name, x):
        act = {
            "tanh": np.tanh,
            "relu": lambda x: np.maximum(x, 0),
            "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
            "prelu": lambda x: np.where(x > 0, x, 0.25 * x),
        }[self.config.activation]
        for layer in range(self.config.hidden_layers + 1):
            weight = self.parts[f"{name}.{layer}.weight"].astype(float)
            x = weight @ x + self.parts[f"{name}.{layer}.bias"]
            x = x if layer == self.config.hidden_layers else act(x)
        return x

    def reset(self, noise):
        self.state, self.steps = self.net("init", noise), 0
        return self.state

    def step(self, action):
        x, self.steps = np.concatenate([action, self.state]), self.steps + 1
        reward = self.net("reward", x)[0]
        if kind_of(self.config).name == "one_step":
            return self.state, reward, True, False
        self.state = self.state + self.net("state", x)
        done = self.net("done", self.state)[0]
        return self.state, reward, done > 0.5, self.steps >= self.config.max_steps


@each_kind
@each_task
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden_layers", [1, 3])
def test_environment_and_module_compute_the_definition(
    kind, task, activation, hidden_layers
):
    sizes = {"activation": activation, "hidden_layers": hidden_layers}
    se = random_se(kind, task, hidden_size=7, **sizes)
    env, defined, module = single(se), Definition(se), module_of(se)
    rng = np.random.default_rng(0)
    for episode in range(3):
        state, _ = env.reset(seed=episode)
        noise = np.random.default_rng(episode).standard_normal(len(state), np.float32)
        np.testing.assert_allclose(state, defined.reset(noise), atol=1e-5)
        start = module.start(torch.from_numpy(noise)[None])[0]
        np.testing.assert_allclose(start, state, atol=1e-5)
        ended = False
        for _ in range(6):
            if ended:
                break
            action = random_action(rng, task)
            expected = defined.step(encoded(action, task))
            by_module = module(
                torch.from_numpy(encoded(action, task))[None],
                torch.from_numpy(state)[None],
            )
            state, reward, terminated, truncated, info = env.step(action)
            np.testing.assert_allclose(state, expected[0], atol=1e-5)
            np.testing.assert_allclose(by_module[0][0], state, atol=1e-5)
            assert [reward, by_module[1].item()] == pytest.approx(
                [expected[1]] * 2, abs=1e-5
            )
            assert by_module[2].item() == pytest.approx(info["raw_done"], abs=1e-5)
            assert (terminated, truncated) == expected[2:]
            ended = terminated or truncated


@each_kind
def test_the_module_gives_gradients_by_psi_and_by_the_action(kind):
    se = random_se(kind, "Pendulum-v1")
    module = module_of(se).requires_grad_()
    action = torch.zeros(5, 1, requires_grad=True)
    state = module.start(torch.ones(5, 3))
    _, reward, _ = module(action, state)
    reward.sum().backward()
    assert action.grad.abs().min() > 0
    assert module.init.layers[0][0].grad.abs().sum() > 0
    module.load_psi(se.psi)  # also then


@quiet_check
@each_kind
@pytest.mark.parametrize("task", [*TASKS, "MountainCar-v0", "MountainCarContinuous-v0"])
def test_gymnasium_accepts_the_environment(kind, task):
    check_env(single(random_se(kind, task)))


@quiet_check
@pytest.mark.parametrize("kind", [*KINDS, "mdp"])
@pytest.mark.parametrize("task", ["CartPole-v0", "CartPole-v1", "Pendulum-v1"])
def test_ids_make_what_the_file_is(kind, task, tmp_path):
    path, spec = tmp_path / "se.safetensors", get_task(task)
    if kind == "mdp":
        config = SyntheticEnvConfig()
        se = SECheckpoint(
            initial_psi(config, spec, np.random.default_rng(0)), task, config
        )
    else:
        se = random_se(kind, task)
    save_se(path, se.psi, task, se.se_config)
    make = {
        name: lambda name=name: (
            gymnasium.make(name, checkpoint=path),
            gymnasium.make_vec(name, num_envs=2, checkpoint=str(path)),
        )
        for name in ("se_hpo:Synthetic", f"se_hpo:Synthetic/{task}")
    }
    for name in make:
        if kind == "mdp" and spec.continuous:
            with pytest.raises(
                UserError, match="takes discrete actions, and the task P"
            ):
                make[name]()
            continue
        env, envs = make[name]()
        expected = "SyntheticEnv" if kind == "mdp" else "LearnedStartEnv"
        assert type(env.unwrapped).__name__ == expected
        assert env.spec.max_episode_steps == spec.max_steps
        start, _ = env.reset(seed=3)
        np.testing.assert_allclose(start, envs.reset(seed=3)[0][0], atol=1e-6)
        env.step(env.action_space.sample())
        envs.step(envs.action_space.sample())
        assert envs.unwrapped.task == env.unwrapped.task == spec
        assert gymnasium.make(env.spec).unwrapped.task == spec


def test_one_step_ends_an_episode_where_it_began():
    env = single(constant_se("one_step"))
    state, _ = env.reset(seed=0)
    assert state.tolist() == [1, 2, 3, 4]
    after, reward, terminated, truncated, info = env.step(1)
    assert after.tolist() == state.tolist()
    assert (reward, terminated, truncated, info) == (5, True, False, {"raw_done": 1})


def test_a_step_adds_to_the_state_and_the_own_limit_truncates():
    env = single(constant_se("mdp_learned_start", done=0.5, max_steps=3))
    for _ in range(2):
        env.reset(seed=0)
        steps = [env.step(0) for _ in range(3)]
        assert [s[0][0] for s in steps] == [2, 3, 4]
        assert [s[2:4] for s in steps] == [
            (False, False),
            (False, False),
            (False, True),
        ]
    env = single(constant_se("mdp_learned_start", done=0.6))
    env.reset()
    assert env.step(0)[2:4] == (True, False)


def test_done_is_of_the_next_state():
    se = constant_se("mdp_learned_start")
    se_config, psi = se.se_config, se.psi
    parts = dict(split_psi(psi, se_config, 4, 2))
    parts["done.0.weight"][0, 0] = 1  # done = 0.1 times the first number
    parts["done.1.weight"][0, 0] = 0.1
    env = single(se)
    env.reset()
    assert [env.step(0)[4]["raw_done"] for _ in range(2)] == pytest.approx([0.2, 0.3])


@each_kind
@each_task
def test_same_seed_and_actions_give_the_same_bytes(kind, task):
    def rollout(env):
        rng, out = np.random.default_rng(0), []
        for episode in range(3):
            out.append(env.reset(seed=9 if episode == 0 else None)[0].tobytes())
            out += [env.step(random_action(rng, task))[1] for _ in range(2)]
        return out

    se = random_se(kind, task)
    first = rollout(single(se))
    assert first == rollout(single(se))
    assert len({bytes(x) for x in first if isinstance(x, bytes)}) == 3


@each_kind
@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))]
)
@pytest.mark.parametrize("vector", [False, True])
def test_a_copy_goes_on_like_the_original_and_does_not_touch_it(
    kind, duplicate, vector
):
    def play(env):
        actions, out = (np.array([0, 1, 1]) if vector else 1), []
        for _ in range(4):
            out += [a.tolist() for a in env.step(actions)[:2] if vector]
            out += [] if vector else [*env.step(actions)[0].tolist()]
            out += [env.reset()[0].tolist()]
        return out

    def made():
        se = random_se(kind)
        env = LearnedStartVectorEnv(se.task, 3, se) if vector else single(se)
        env.reset(seed=3)
        env.step(np.array([0, 1, 1]) if vector else 1)
        return env

    expected, original = play(made()), made()
    copied = duplicate(original)
    assert play(copied) == expected
    assert play(original) == expected


@each_kind
def test_observations_are_not_overwritten_and_can_be_changed(kind):
    env, other = single(random_se(kind)), single(random_se(kind))
    first, _ = env.reset(seed=0)
    kept = other.reset(seed=0)[0]
    env.step(0)
    np.testing.assert_array_equal(first, kept)
    first[:] = 100
    other.step(0)
    assert env.step(1)[1] == other.step(1)[1]


@each_kind
@pytest.mark.parametrize(
    "action", [2, -1, 0.5, 1.0, None, "0", [0], np.array([1])], ids=repr
)
def test_wrong_discrete_actions_are_refused(kind, action):
    env = single(random_se(kind))
    with pytest.raises(ResetNeeded, match="call reset before step"):
        env.step(0)
    env.reset(seed=0)
    with pytest.raises(InvalidAction, match=r"not in Discrete\(2\)"):
        env.step(action)


@each_kind
@pytest.mark.parametrize(
    "action", [None, "a", 0.5, [0.1, 0.2], [[0.1]], [np.nan]], ids=repr
)
def test_wrong_continuous_actions_are_refused(kind, action):
    env = single(random_se(kind, "Pendulum-v1"))
    env.reset(seed=0)
    with pytest.raises(InvalidAction, match=r"must be numbers of shape \(1,\)"):
        env.step(action)


@each_kind
def test_continuous_actions_beyond_the_bounds_are_clipped(kind):
    rewards = []
    for action in ([1.0], [7.0], [np.inf]):
        env = single(random_se(kind, "Pendulum-v1"))
        env.reset(seed=0)
        rewards.append(env.step(np.array(action))[1])
    assert len(set(rewards)) == 1


@each_kind
@each_task
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vectors_mean_what_gymnasiums_own_means(kind, task, mode):
    se = random_se(kind, task, **({} if kind == "one_step" else {"max_steps": 3}))
    ours = LearnedStartVectorEnv(task, 5, se, autoreset_mode=mode)
    theirs = SyncVectorEnv([lambda: single(se)] * 5, autoreset_mode=mode)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert_equal(ours.reset(seed=3), theirs.reset(seed=3))
    ours.action_space.seed(0)
    ends = 0
    for _ in range(12):
        actions = ours.action_space.sample()
        result = ours.step(actions)
        assert_equal(result, theirs.step(actions))
        ended = result[2] | result[3]
        ends += ended.sum()
        if mode is AutoresetMode.DISABLED and ended.any():
            assert_equal(
                ours.reset(options={"reset_mask": ended}),
                theirs.reset(options={"reset_mask": ended.copy()}),
            )
    assert ends > 10
    assert ours.np_random_seed == theirs.np_random_seed == (3, 4, 5, 6, 7)


def test_copies_are_cut_by_the_shorter_limit():
    se = constant_se("mdp_learned_start", max_steps=4)
    for given, limit in [(None, 4), (2, 2), (9, 4), (-1, 4)]:
        env = gymnasium.make_vec(
            "Synthetic/CartPole-v0", 2, checkpoint=se, max_episode_steps=given
        )
        env.reset(seed=0)
        ends = [env.step(np.zeros(2, int))[3].all() for _ in range(limit)]
        assert ends == [False] * (limit - 1) + [True]


@pytest.mark.parametrize("actions", [[[0.1]], [[0.1], [np.nan]], [0.1, 0.2], ["a"] * 2])
def test_wrong_continuous_actions_of_copies_are_refused(actions):
    env = LearnedStartVectorEnv("Pendulum-v1", 2, random_se("one_step", "Pendulum-v1"))
    env.reset(seed=0)
    with pytest.raises(InvalidAction, match=r"must be numbers of shape \(2, 1\)"):
        env.step(actions)


def test_an_se_whose_episodes_start_in_the_task_is_refused_with_the_mend():
    config = SyntheticEnvConfig()
    psi = initial_psi(config, get_task("CartPole-v0"), np.random.default_rng(0))
    se = SECheckpoint(psi, "CartPole-v0", config)
    with pytest.raises(UserError, match="no learned initial states: make it by gymn"):
        single(se)
    with pytest.raises(UserError, match="for Acrobot-v1, not for CartPole-v0"):
        LearnedStartEnv("CartPole-v0", random_se("one_step", "Acrobot-v1"))


def test_making_one_imports_no_torch(tmp_path):
    se = random_se("one_step")
    save_se(tmp_path / "se", se.psi, se.task, se.se_config)
    code = f"""
import sys, gymnasium
for make in (gymnasium.make, gymnasium.make_vec):
    make("se_hpo:Synthetic", checkpoint={str(tmp_path / "se")!r}).reset()
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("done", [0.2, 0.7, np.nan, np.inf])
def test_what_is_stored_as_done_is_termination_and_nan_diverges(done):
    for kind, stored in (("one_step", 1.0), ("mdp_learned_start", float(done > 0.5))):
        se = constant_se(kind, done=done)
        env = LearnedTrainingEnv(
            get_task(se.task), LearnedEnv(se.se_config, se.psi), seed=0
        )
        env.reset()
        step = env.step(0)
        if kind == "one_step" or np.isfinite(done):
            assert step.done == step.ended == step.terminated == stored
        else:
            assert not np.isfinite(step.done)


@each_kind
def test_a_cut_episode_is_not_stored_as_done(kind):
    se = constant_se(kind, **({} if kind == "one_step" else {"max_steps": 2}))
    env = LearnedTrainingEnv(get_task(se.task), LearnedEnv(se.se_config, se.psi), 0)
    for _ in range(2):
        env.reset()
        steps = [env.step(0) for _ in range(1 if kind == "one_step" else 2)]
        last = steps[-1]
        assert last.ended and all(not s.ended for s in steps[:-1])
        assert last.done == last.terminated == (kind == "one_step")


def native(se):
    spec, config = get_task(se.task), se.se_config
    nets = kind_of(config).layout(config, spec.obs_size, spec.n_actions)
    fields = {"kind": kind_of(config).name, **dataclasses.asdict(config)}
    isa = native_engine.isa().replace("-", "_")
    return testing.LearnedTask(
        *(spec.native, {}, fields, [net[1:3] for net in nets], se.psi, spec.obs_size),
        *(spec.n_actions, False, isa, spec.continuous),
    )


@needs_testing
@each_kind
@each_task
def test_a_step_means_the_same_to_both_engines(kind, task):
    se = random_se(kind, task, hidden_layers=2)
    theirs, ours, rng = native(se), Definition(se), np.random.default_rng(1)
    for _ in range(5):
        ours.state = theirs.reset().astype(float)
        for _ in range(1 if kind == "one_step" else 4):
            action = random_action(rng, task)
            step = theirs.step if isinstance(action, int) else theirs.step_continuous
            state, reward, ended = step(action)
            expected = ours.step(encoded(action, task))
            np.testing.assert_allclose(state, expected[0], rtol=1e-4, atol=1e-5)
            assert reward == pytest.approx(expected[1], rel=1e-4, abs=1e-5)
            assert ended == expected[2]


@needs_testing
def test_the_native_engine_draws_initial_states_of_normal_noise():
    se = random_se("one_step", hidden_size=8)
    psi = np.zeros_like(se.psi)  # init(z) = relu(z) - relu(-z) = z
    parts = dict(split_psi(psi, se.se_config, 4, 2))
    signs = np.concatenate([np.eye(4), -np.eye(4)])
    parts["init.0.weight"][:], parts["init.1.weight"][:] = signs, signs.T
    env = native(SECheckpoint(psi, se.task, se.se_config))
    z = np.array([env.reset() for _ in range(4000)])
    assert np.abs(z.mean(0)).max() < 0.08
    np.testing.assert_allclose(np.cov(z.T), np.eye(4), atol=0.1)
    assert np.abs((z**4).mean(0) - 3).max() < 0.6


def assert_equal(ours, theirs):
    """The same nested dicts, dtypes and masks; floats nearly."""
    assert type(ours) is type(theirs)
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        ours, theirs = ([d[key] for key in sorted(d)] for d in (ours, theirs))
    if isinstance(ours, tuple | list):
        assert len(ours) == len(theirs)
        for pair in zip(ours, theirs, strict=True):
            assert_equal(*pair)
    elif isinstance(ours, np.ndarray):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        if ours.dtype == object:
            assert_equal(list(ours), list(theirs))
        else:
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    else:
        assert ours == theirs
