"""`RewardNetworkVector` means what `RewardNetwork` around each copy means."""

import copy
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import se_hpo
from se_hpo.envs.checkpoint import save_se
from se_hpo.errors import UserError
from se_hpo.registries import LEARNED
from tests.helpers.places import DATA
from tests.helpers.reward_networks import INFO_TASK, RN_KINDS, random_rn, rn_task

N = 3
LEARNED_SE = DATA / "cartpole_se.safetensors"
TASKS = {"CartPole-v0": "CartPole-v1"}


def envs_of(task, mode, wrap=lambda env: env):
    name = TASKS.get(task, task)
    return SyncVectorEnv([lambda: wrap(gymnasium.make(name))] * N, autoreset_mode=mode)


def plain(value):
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value] if value.dtype == object else value.tolist()
    return value


def assert_same(got, want):
    for ours, theirs in zip(got[:-1], want[:-1], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    ours, theirs = plain(got[-1]), plain(want[-1])
    assert ours.keys() == theirs.keys()
    for key in ours:
        assert ours[key] == theirs[key], key


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("kind", RN_KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("task", [None, "Cliff-v0"])
def test_it_steps_as_single_ones_in_every_autoreset_mode(kind, task, mode):
    task = rn_task(kind) if task is None else task
    if task == "Cliff-v0" and not kind.native:
        return  # it has no info
    rn = random_rn(kind, task)
    single = envs_of(task, mode, lambda env: se_hpo.RewardNetwork(env, rn, 0.9))
    batch = se_hpo.RewardNetworkVector(envs_of(task, mode), rn, 0.9)
    assert_same(batch.reset(seed=1), single.reset(seed=1))
    rng, ends = np.random.default_rng(0), 0
    for _ in range(60):
        actions = rng.integers(batch.single_action_space.n, size=N)
        got, want = batch.step(actions), single.step(actions)
        assert_same(got, want)
        ended = got[2] | got[3]
        ends += ended.sum()
        if mode is AutoresetMode.DISABLED and ended.any():
            got, want = (
                e.reset(options={"reset_mask": ended}) for e in (batch, single)
            )
            assert_same(got, want)
    assert ends


def test_it_goes_around_gymnasiums_own_vectors():
    rn = random_rn("additive_potential", metadata={"discount": 0.9})
    envs = gymnasium.make_vec("CartPole-v1", 5, vectorization_mode="vector_entry_point")
    envs = se_hpo.RewardNetworkVector(envs, rn)
    envs.reset(seed=0)
    for _ in range(30):
        _, rewards, *_, infos = envs.step(np.ones(5, np.int64))
        assert infos["task_reward"].shape == rewards.shape == (5,)
        assert ((rewards == 0) == (infos["task_reward"] == 0)).all()


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))]
)
def test_copies_go_on_alike(duplicate):
    rn = random_rn("additive_potential", metadata={"discount": 0.9})
    make = gymnasium.make_vec
    envs = make("CartPole-v1", N, vectorization_mode="vector_entry_point")
    envs = se_hpo.RewardNetworkVector(envs, rn)
    envs.reset(seed=0)
    envs.step(np.ones(N, np.int64))
    other = duplicate(envs)
    actions = np.zeros(N, np.int64)
    assert envs.step(actions)[1].tolist() == other.step(actions)[1].tolist()


def test_bad_input_is_one_line():
    envs = envs_of("Acrobot-v1", AutoresetMode.NEXT_STEP)
    with pytest.raises(UserError, match=r"CartPole-v0 with 4 numbers .*, not for Box"):
        se_hpo.RewardNetworkVector(envs, random_rn("exclusive"))
    rn = random_rn("additive_info", info_keys=("speed", "height"))
    envs = se_hpo.RewardNetworkVector(envs_of(INFO_TASK, AutoresetMode.NEXT_STEP), rn)
    envs.reset()
    with pytest.raises(UserError, match=r"reads speed, height of .*: choose"):
        envs.step(np.zeros(N, np.int64))


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("task", ["CartPole-v0", "Cliff-v0", "Pendulum-v1"])
def test_make_vec_makes_what_single_environments_are(mode, task, tmp_path):
    rn = random_rn(LEARNED["additive_potential"], task)
    save_se(tmp_path / "rn", rn.psi, rn.task, rn.se_config)
    given = {"num_envs": N, "checkpoint": tmp_path / "rn", "discount": 0.9}
    env_id = f"se_hpo:Rewarded/{task}"
    batch = gymnasium.make_vec(env_id, autoreset_mode=mode, **given)
    assert isinstance(batch, se_hpo.RewardNetworkVector)
    kwargs = {"autoreset_mode": mode}
    given["vectorization_mode"] = "sync"
    single = gymnasium.make_vec(env_id, vector_kwargs=kwargs, **given)
    assert batch.metadata["autoreset_mode"] is mode
    assert_same(batch.reset(seed=1), single.reset(seed=1))
    batch.action_space.seed(0)
    for _ in range(30):
        actions = batch.action_space.sample()
        got, want = batch.step(actions), single.step(actions)
        assert_same(got, want)
        if mode is AutoresetMode.DISABLED and (got[2] | got[3]).any():
            mask = got[2] | got[3]
            got, want = (e.reset(options={"reset_mask": mask}) for e in (batch, single))
            assert_same(got, want)
    again = gymnasium.make_vec(batch.unwrapped.spec)
    assert again.num_envs == N


def test_make_vec_without_a_task_takes_the_networks_and_cuts_at_its_limit(tmp_path):
    rn = random_rn(LEARNED["exclusive"], "CartPole-v0")
    for more, limit in (({}, 200), ({"max_episode_steps": 4}, 4)):
        envs = gymnasium.make_vec("se_hpo:Rewarded", 2, checkpoint=rn, **more)
        assert isinstance(envs, se_hpo.RewardNetworkVector)
        assert envs.env.envs[0].spec.max_episode_steps == limit


def test_make_vec_of_an_se_as_a_reward_network_is_refused_in_one_line():
    with pytest.raises(UserError, match="is a synthetic environment for CartPole-v0"):
        gymnasium.make_vec("se_hpo:Rewarded", 2, checkpoint=LEARNED_SE)
