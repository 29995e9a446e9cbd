"""The vectorized SE: what Gymnasium's SyncVectorEnv makes of the single one, faster."""

import dataclasses
import pickle
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ClosedEnvironmentError, InvalidAction, ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from gymnasium.wrappers.vector import RecordEpisodeStatistics

import se_hpo  # noqa: F401  # registers the ids
from se_hpo.agents.config import ACTIVATIONS
from se_hpo.envs import tasks
from se_hpo.envs.checkpoint import SECheckpoint, load_se, save_se
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.parameters import initial_psi, n_parameters, split_psi
from se_hpo.envs.synthetic_env import SyntheticEnv
from se_hpo.envs.tasks import get_task
from se_hpo.envs.vector_env import SyntheticVectorEnv
from se_hpo.errors import UserError
from tests.helpers.places import DATA

LEARNED = DATA / "cartpole_se.safetensors"
MODES = list(AutoresetMode)


def random_se(task="CartPole-v0", activation="tanh", layers=1, seed=2):
    """A random SE whose raw done output is above 1/2 now and then."""
    spec, config = get_task(task), SyntheticEnvConfig(activation, 24, layers)
    psi = initial_psi(config, spec, np.random.default_rng(seed))
    checkpoint = SECheckpoint(psi, task, config)
    env = SyntheticVectorEnv(task, 64, checkpoint)
    env.reset(seed=0)
    done = [env.step(actions(env, t))[4]["raw_done"] for t in range(10)]
    parts = dict(split_psi(psi, config, spec.obs_size, spec.n_actions))
    done = np.sort(np.ravel(done))[-300:-100]
    gap = np.argmax(np.diff(done))  # far from 1/2, so that rounding cannot decide
    parts[f"done.{layers}.bias"] += 0.5 - done[gap : gap + 2].mean()
    return checkpoint


def constant_se(reward=1.0, done=0.0):
    """An SE that gives the same whatever happens."""
    config = SyntheticEnvConfig(hidden_size=3)
    psi = np.zeros(n_parameters(config, 4, 2), np.float32)
    parts = dict(split_psi(psi, config, 4, 2))
    parts["reward.1.bias"][:], parts["done.1.bias"][:] = reward, done
    return SECheckpoint(psi, "CartPole-v0", config)


def actions(env, t):
    n = env.single_action_space.n
    return np.random.default_rng(t).integers(n, size=env.num_envs)


def both(checkpoint, num_envs=7, limit=9, mode=AutoresetMode.NEXT_STEP):
    """The vectorized SE, and SyncVectorEnv over the single one."""
    task = checkpoint.task

    def single():
        return TimeLimit(SyntheticEnv(task, checkpoint), limit)

    ours = SyntheticVectorEnv(task, num_envs, checkpoint, limit, mode)
    return ours, SyncVectorEnv([single] * num_envs, autoreset_mode=mode)


def assert_equal(ours, theirs):
    """The same nested dicts, dtypes, booleans and object masks; floats nearly."""
    assert type(ours) is type(theirs)
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for key in ours:
            assert_equal(ours[key], theirs[key])
    elif isinstance(ours, tuple):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert_equal(a, b)
    elif isinstance(ours, np.ndarray):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        if ours.dtype == object:
            assert_equal(tuple(ours), tuple(theirs))
        elif ours.dtype == bool:
            np.testing.assert_array_equal(ours, theirs)
        else:
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    else:
        assert ours == theirs


def assert_same_transitions(ours, theirs, steps=40):
    """Returns how many episodes were terminated and how many truncated."""
    ends = np.zeros(2, int)
    assert_equal(ours.reset(seed=3), theirs.reset(seed=3))
    for t in range(steps):
        result = ours.step(actions(ours, t))
        assert_equal(result, theirs.step(actions(ours, t)))
        ends += result[2].sum(), result[3].sum()
        ended = result[2] | result[3]
        if ours.autoreset_mode is AutoresetMode.DISABLED and ended.any():
            options = [{"reset_mask": ended}, {"reset_mask": ended}]  # Gymnasium pops
            assert_equal(
                ours.reset(options=options[0]), theirs.reset(options=options[1])
            )
    return ends


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("task", ["CartPole-v0", "Acrobot-v1", "MountainCar-v0"])
def test_transitions_are_those_of_the_single_environment(task, mode):
    ours, theirs = both(random_se(task), limit=3, mode=mode)
    terminated, truncated = assert_same_transitions(ours, theirs)
    assert terminated > 10 and truncated > 3


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_every_network_gives_the_single_environments_transitions(activation, layers):
    ours, theirs = both(random_se(activation=activation, layers=layers))
    assert assert_same_transitions(ours, theirs)[0] > 10


def test_transitions_on_a_learned_se_are_those_of_the_single_environment():
    ours, theirs = both(load_se(LEARNED), num_envs=16, limit=50)
    assert_same_transitions(ours, theirs, steps=110)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("num_envs", [1, 2])
def test_episodes_of_one_step_end_and_start_as_gymnasium_defines(num_envs, mode):
    ours, theirs = both(constant_se(done=1.0), num_envs, mode=mode)
    terminated, _ = assert_same_transitions(ours, theirs, steps=6)
    assert terminated == num_envs * (3 if mode is AutoresetMode.NEXT_STEP else 6)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_diverging_se_gives_the_same_infinities():
    config = SyntheticEnvConfig("relu", 8)
    spec = get_task("CartPole-v0")
    psi = 1e9 * initial_psi(config, spec, np.random.default_rng(0)).astype(np.float32)
    dict(split_psi(psi, config, 4, 2))["done.1.weight"][:] = 0
    dict(split_psi(psi, config, 4, 2))["done.1.bias"][:] = 0
    checkpoint = SECheckpoint(psi, "CartPole-v0", config)
    ours, theirs = both(checkpoint, limit=8)
    ours.reset(seed=0), theirs.reset(seed=0)
    finite = []
    for t in range(12):
        result, expected = ours.step(actions(ours, t)), theirs.step(actions(ours, t))
        np.testing.assert_array_equal(np.isfinite(result[0]), np.isfinite(expected[0]))
        np.testing.assert_array_equal(result[2], expected[2])
        finite.append(np.isfinite(result[0]).all())
    assert not all(finite)


def test_make_vec_makes_it_and_it_starts_where_gymnasiums_own_does():
    kwargs = {"num_envs": 5, "checkpoint": LEARNED}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = gymnasium.make_vec("se_hpo:Synthetic/CartPole-v0", **kwargs)
    theirs = gymnasium.make_vec(
        "se_hpo:Synthetic/CartPole-v0", vectorization_mode="sync", **kwargs
    )
    assert isinstance(ours.unwrapped, SyntheticVectorEnv)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    mode = "autoreset_mode"
    assert ours.metadata == {"render_modes": [], mode: theirs.metadata[mode]}
    for seed in (8, [5, 5, None, 0, 1], None):
        if seed != [5, 5, None, 0, 1]:
            assert_equal(ours.reset(seed=seed), theirs.reset(seed=seed))
        else:  # None goes on with the generator of the reset before
            assert_equal(ours.reset(seed=seed), theirs.reset(seed=list(seed)))
        assert_equal(ours.step(np.ones(5, int)), theirs.step(np.ones(5, int)))
    assert_equal(ours.reset(seed=8), theirs.reset(seed=8))
    assert ours.np_random_seed == (8, 9, 10, 11, 12)
    options = {"low": 1.0, "high": 2.0}
    assert_equal(ours.reset(options=options), theirs.reset(options=options))
    assert gymnasium.make_vec(ours.spec).num_envs == 5


def test_metadata_tells_the_autoreset_mode_of_this_environment_only():
    kwargs = {"num_envs": 2, "checkpoint": LEARNED}
    same = gymnasium.make_vec(
        "Synthetic/CartPole-v0", autoreset_mode="SameStep", **kwargs
    )
    default = gymnasium.make_vec("Synthetic/CartPole-v0", **kwargs)
    assert same.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert default.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert "autoreset_mode" not in SyntheticVectorEnv.metadata


@pytest.mark.parametrize(
    ("kwargs", "limit"),
    [({}, 200), ({"max_episode_steps": 4}, 4), ({"max_episode_steps": None}, 200)],
)
def test_episodes_are_truncated_at_the_step_limit(kwargs, limit):
    env = gymnasium.make_vec(
        "Synthetic/CartPole-v0", num_envs=3, checkpoint=constant_se(), **kwargs
    )
    env.reset(seed=0)
    for _ in range(limit - 1):
        _, _, terminations, truncations, _ = env.step(np.zeros(3, int))
        assert not (terminations | truncations).any()
    assert env.step(np.zeros(3, int))[3].all()


def test_without_a_step_limit_episodes_go_on():
    env = gymnasium.make_vec(
        "Synthetic/CartPole-v0", 2, checkpoint=constant_se(), max_episode_steps=-1
    )
    env.reset(seed=0)
    assert not any(env.step(np.zeros(2, int))[3].any() for _ in range(600))


def test_gymnasiums_episode_statistics_count_its_episodes():
    env = gymnasium.make_vec(
        "Synthetic/CartPole-v0", 2, checkpoint=constant_se(2.0), max_episode_steps=5
    )
    env = RecordEpisodeStatistics(env)
    env.reset(seed=0)
    infos = [env.step(np.zeros(2, int))[4] for _ in range(5)]
    assert infos[-1]["episode"]["r"].tolist() == [10.0, 10.0]
    assert infos[-1]["episode"]["l"].tolist() == [5, 5]


def test_what_was_handed_out_is_not_overwritten():
    env = SyntheticVectorEnv(
        "CartPole-v0", 3, random_se(), autoreset_mode=AutoresetMode.SAME_STEP
    )
    handed = [env.reset(seed=0), *(env.step(actions(env, t)) for t in range(5))]
    kept = pickle.dumps(handed)
    for t in range(20):
        env.step(actions(env, t))
    env.reset()
    assert pickle.dumps(handed) == kept


def test_what_was_handed_out_can_be_changed():
    def rollout(spoil):
        env = SyntheticVectorEnv("CartPole-v0", 3, random_se())
        total, results = 0.0, [*env.reset(seed=0)[:1]]
        for t in range(30):
            *results, _ = env.step(actions(env, t))
            total += sum(r.sum() for r in results)
            if spoil:
                for array in results:
                    array[:] = 1
        return total

    assert rollout(spoil=True) == rollout(spoil=False)


@pytest.mark.parametrize(
    "wrong",
    [[0, 1], [0, 1, 2], [0, -1, 1], [0.0, 1.0, 1.0], 1, [[0], [1], [1]], ["a"] * 3],
    ids=str,
)
def test_wrong_actions_are_refused_and_change_nothing(wrong):
    env = SyntheticVectorEnv("CartPole-v0", 3, LEARNED)
    start, _ = env.reset(seed=0)
    with pytest.raises(InvalidAction):
        env.step(np.array(wrong))
    again = SyntheticVectorEnv("CartPole-v0", 3, LEARNED)
    assert (again.reset(seed=0)[0] == start).all()
    assert_equal(env.step([0, 1, 1]), again.step(np.array([0, 1, 1], np.int32)))


def test_steps_before_a_reset_and_after_the_end_are_refused():
    env = SyntheticVectorEnv(
        "CartPole-v0", 2, constant_se(done=1.0), autoreset_mode="Disabled"
    )
    with pytest.raises(ResetNeeded, match="call reset before step"):
        env.step(np.zeros(2, int))
    with pytest.raises(ResetNeeded, match="first reset must be one of all"):
        env.reset(options={"reset_mask": np.array([True, False])})
    env.reset(seed=0)
    env.step(np.zeros(2, int))
    env.reset(options={"reset_mask": np.array([True, False])})
    with pytest.raises(ResetNeeded, match=r"copies \[1\] have ended"):
        env.step(np.zeros(2, int))


def test_a_closed_environment_is_refused():
    env = SyntheticVectorEnv("CartPole-v0", 2, LEARNED)
    env.reset(seed=0)
    env.close()
    env.close()
    for use in (env.reset, lambda: env.step(np.zeros(2, int))):
        with pytest.raises(ClosedEnvironmentError, match="after close"):
            use()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"num_envs": 0}, "num_envs=0: must be an integer >= 1"),
        ({"max_episode_steps": 0}, "max_episode_steps=0: must be"),
        ({"max_episode_steps": 2.5}, "max_episode_steps=2.5: must be"),
        ({"autoreset_mode": "nextstep"}, "did you mean 'NextStep'"),
        ({"checkpoint": 3}, "checkpoint=3 is no checkpoint: give the path"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_with_the_mend(kwargs, message):
    arguments = {"num_envs": 2, "checkpoint": LEARNED, **kwargs}
    with pytest.raises(UserError, match=message):
        gymnasium.make_vec("Synthetic/CartPole-v0", **arguments)


def test_without_a_checkpoint_a_task_that_the_zoo_lacks_is_refused():
    with pytest.raises(UserError, match="add checkpoint="):
        gymnasium.make_vec("Synthetic/Pendulum-v1", num_envs=2)


@pytest.mark.parametrize("wrong", [3, b"se.safetensors", ["se.safetensors"]], ids=str)
def test_gymnasium_make_says_what_a_checkpoint_is(wrong):
    with pytest.raises(UserError, match=r"is no checkpoint: give the path"):
        gymnasium.make("Synthetic/CartPole-v0", checkpoint=wrong)


@pytest.mark.parametrize("make", [gymnasium.make, gymnasium.make_vec])
def test_a_checkpoint_for_another_task_is_refused(make, tmp_path):
    se = load_se(LEARNED)
    save_se(tmp_path / "se", se.psi, se.task, se.se_config)
    for checkpoint in (se, tmp_path / "se", str(tmp_path / "se")):
        with pytest.raises(UserError, match="for CartPole-v0, not for CartPole-v1"):
            make("Synthetic/CartPole-v1", checkpoint=checkpoint)


@pytest.mark.parametrize(
    "mask", [[True, True], np.ones(3, bool), np.ones(2), np.zeros(2, bool)], ids=str
)
def test_a_wrong_reset_mask_is_refused(mask):
    env = SyntheticVectorEnv("CartPole-v0", 2, LEARNED)
    env.reset(seed=0)
    with pytest.raises(UserError, match=r"must be a bool array of shape \(2,\)"):
        env.reset(options={"reset_mask": mask})


def test_a_wrong_number_of_seeds_is_refused():
    env = SyntheticVectorEnv("CartPole-v0", 2, LEARNED)
    with pytest.raises(UserError, match="has 3 seeds: give 2"):
        env.reset(seed=[1, 2, 3])


def test_options_of_a_reset_are_left_as_they_are():
    env = SyntheticVectorEnv("CartPole-v0", 2, LEARNED)
    env.reset(seed=0)
    options = {"reset_mask": np.array([True, False]), "low": 1.0, "high": 2.0}
    before, after = env.reset()[0], env.reset(options=options)[0]
    assert (after[0] >= 1).all() and (after[1] == before[1]).all()
    assert options.keys() == {"reset_mask", "low", "high"}


def test_further_tasks_have_it_too(monkeypatch):
    spec = dataclasses.replace(get_task("CartPole-v0"), id="Space/Pole-v5", max_steps=7)
    from se_hpo.envs.registration import register_synthetic_env

    env_id = register_synthetic_env(spec)
    try:
        se = dataclasses.replace(constant_se(), task="Space/Pole-v5")
        with monkeypatch.context() as m:
            m.setitem(tasks._TASKS, spec.id, spec)
            envs = gymnasium.make_vec(env_id, num_envs=2, checkpoint=se)
        assert isinstance(envs, SyntheticVectorEnv)
        assert envs.task == spec
    finally:
        del gymnasium.registry[env_id]
