"""`RewardNetwork` and the ids `Rewarded/...`: a task with a learned reward, for all."""

import copy
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import se_hpo
from se_hpo.envs.checkpoint import load_se, save_se
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.registration import register_rewarded_task
from se_hpo.envs.reward_function import RewardFunction
from se_hpo.envs.synthetic_env import SyntheticEnv
from se_hpo.envs.tasks import get_task, list_tasks
from se_hpo.errors import UserError
from tests.helpers.places import DATA
from tests.helpers.reward_networks import INFO_TASK, RN_KINDS, random_rn

TASK = "CartPole-v0"
each_kind = pytest.mark.parametrize("kind", RN_KINDS, ids=lambda kind: kind.name)


def saved(path, rn, **metadata):
    save_se(path, rn.psi, rn.task, rn.se_config, metadata)
    return path


@pytest.fixture
def file(tmp_path):
    return saved(
        tmp_path / "rn.safetensors", random_rn("additive_potential"), discount=0.9
    )


def play(env, steps, seed=1):
    """Observations, rewards, ends and infos; ended episodes are followed by others."""
    env.action_space.seed(seed)
    answers = [env.reset(seed=seed)]
    for _ in range(steps):
        answers.append(env.step(env.action_space.sample()))
        if answers[-1][2] or answers[-1][3]:
            answers.append(env.reset())
    return answers


def plain(value):
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [plain(v) for v in value] if isinstance(value, tuple | list) else value


@each_kind
def test_all_but_the_reward_is_the_tasks_and_that_is_in_the_info(kind):
    rn = random_rn(kind)
    env_id = get_task(rn.task).gymnasium_id
    task = play(gymnasium.make(env_id), 40)
    wrapped = play(se_hpo.RewardNetwork(gymnasium.make(env_id), rn, 0.9), 40)
    function = RewardFunction(rn, 0.9)
    for theirs, ours in zip(task, wrapped, strict=True):
        info = {**ours[-1]}
        task_reward = info.pop("task_reward")
        assert plain(info) == plain(theirs[-1])
        np.testing.assert_array_equal(ours[0], theirs[0])
        state = np.asarray(theirs[0], np.float32)
        if len(theirs) == 2:
            assert task_reward == 0.0
            function.reset(state, info)
            continue
        assert task_reward == theirs[1]
        assert ours[2:4] == theirs[2:4]
        assert ours[1] == function.step(theirs[1], state, theirs[2], info)


@each_kind
@pytest.mark.filterwarnings("ignore:.*Box observation space m:UserWarning")
@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version:UserWarning")
def test_gymnasium_accepts_it_by_wrapper_and_by_id(kind):
    rn = random_rn(kind)
    env_id = register_rewarded_task(rn.task)
    check_env(
        se_hpo.RewardNetwork(gymnasium.make(get_task(rn.task).gymnasium_id), rn, 0.9),
        skip_render_check=True,
    )
    env = gymnasium.make(f"se_hpo:{env_id}", checkpoint=rn, discount=0.9)
    check_env(env, skip_render_check=True)


@pytest.mark.parametrize("task", list_tasks())
def test_every_task_has_an_id_with_its_limit_and_threshold(task):
    spec = get_task(task)
    env = gymnasium.make(
        f"se_hpo:Rewarded/{task}", checkpoint=random_rn("exclusive", task)
    )
    assert env.get_wrapper_attr("_max_episode_steps") == spec.max_steps
    assert gymnasium.spec(f"Rewarded/{task}").reward_threshold == spec.solved_return
    assert env.action_space == gymnasium.make(spec.gymnasium_id).action_space
    assert len(play(env, 5)) >= 6


def test_the_limit_can_be_chosen_and_the_task_left_to_the_file(file):
    env = gymnasium.make("Rewarded/CartPole-v0", checkpoint=file, max_episode_steps=3)
    ends = [answer[3] for answer in play(env, 3)[1:] if len(answer) == 5]
    assert ends == [False, False, True]
    env = gymnasium.make("se_hpo:Rewarded", checkpoint=file)
    assert env.get_wrapper_attr("_max_episode_steps") == 200
    again = gymnasium.make(env.spec)
    assert plain(play(again, 30)) == plain(play(env, 30))


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_copies_go_on_alike_in_mid_episode(file, duplicate):
    env = gymnasium.make("Rewarded/CartPole-v0", checkpoint=file)
    play(env, 4)
    other = duplicate(env)
    actions = [0, 1, 1, 0]
    assert plain([env.step(a) for a in actions]) == plain(
        [other.step(a) for a in actions]
    )


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_vectors_of_gymnasium_have_the_tasks_reward_in_their_infos(file, mode):
    envs = gymnasium.make_vec(
        "Rewarded/CartPole-v0", 3, vectorization_mode=mode, checkpoint=file
    )
    alone = [gymnasium.make("Rewarded/CartPole-v0", checkpoint=file) for _ in range(3)]
    assert envs.reset(seed=2)[1]["task_reward"].tolist() == [0.0] * 3
    for i, env in enumerate(alone):
        env.reset(seed=2 + i)
    for _ in range(5):
        _, rewards, _, _, infos = envs.step(np.array([0, 1, 0]))
        steps = [env.step(a) for env, a in zip(alone, (0, 1, 0), strict=True)]
        assert rewards.tolist() == [step[1] for step in steps]
        assert infos["task_reward"].tolist() == [1.0] * 3
    envs.close()


def test_discount_is_the_files_unless_another_is_given(file):
    steps = {}
    for discount in (None, 0.9, 0.5):
        env = se_hpo.RewardNetwork(gymnasium.make("CartPole-v1"), file, discount)
        env.reset(seed=0)
        steps[discount] = env.step(0)[1]
    assert steps[None] == steps[0.9] != steps[0.5]


def test_a_task_of_strings_of_the_registry_and_the_same_under_another_version(file):
    for env_id in ("CartPole-v0", "CartPole-v1"):
        play(se_hpo.RewardNetwork(gymnasium.make(env_id), str(file)), 3)
    bare = gymnasium.make("CartPole-v1").unwrapped
    bare.spec = None
    play(se_hpo.RewardNetwork(bare, load_se(file)), 3)


def bad_task(task, rn):
    return lambda tmp: se_hpo.RewardNetwork(gymnasium.make(task), rn, 0.9)


def _se_in_place_of_an_rn(tmp):
    env = gymnasium.make("CartPole-v0")
    se_hpo.RewardNetwork(env, DATA / "cartpole_se.safetensors")


def _rn_in_place_of_an_se(tmp):
    SyntheticEnv(TASK, random_rn("exclusive"))


def _no_discount(tmp):
    path = saved(tmp / "rn", random_rn("exclusive_potential"))
    se_hpo.RewardNetwork(gymnasium.make("CartPole-v0"), path)


def _discount_of_nonsense(tmp):
    path = saved(tmp / "rn", random_rn("exclusive_potential"), discount="much")
    se_hpo.RewardNetwork(gymnasium.make("CartPole-v0"), path)


def _void(tmp):
    rn = random_rn("exclusive_potential", terminal_potential="zero")
    path = saved(tmp / "rn", rn, discount=0.9)
    gymnasium.make("Rewarded/CartPole-v0", checkpoint=path)


def _another_observation(tmp):
    env = gymnasium.wrappers.TimeAwareObservation(gymnasium.make("CartPole-v0"))
    se_hpo.RewardNetwork(env, random_rn("exclusive"))


def _of_another_task(tmp):
    path = saved(tmp / "rn", random_rn("exclusive", "Acrobot-v1"))
    gymnasium.make("Rewarded/CartPole-v0", checkpoint=path)


def _missing(tmp):
    gymnasium.make("Rewarded/CartPole-v0", checkpoint=tmp / "no")


def _nothing(tmp):
    gymnasium.make("Rewarded/CartPole-v0")


def _of_another_kind(tmp):
    """A file that calls itself what its kind is not."""
    config = SyntheticEnvConfig(hidden_size=3)
    psi = initial_psi(config, get_task(TASK), np.random.default_rng(0))
    path = tmp / "se"
    save_se(path, psi, TASK, config)
    data = path.read_bytes()
    swapped = data.replace(b"synthetic environment 1", b"reward network 1       ")
    path.write_bytes(swapped)
    se_hpo.RewardNetwork(gymnasium.make("CartPole-v0"), path)


def _no_such_info(tmp):
    rn = random_rn("additive_info", info_keys=("speed", "height"))
    env = gymnasium.make(f"se_hpo:{register_rewarded_task(INFO_TASK)}", checkpoint=rn)
    env.reset()
    env.step(0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            bad_task("Acrobot-v1", random_rn("exclusive")),
            "is for CartPole-v0, not for Acrobot-v1: take another environment",
        ),
        (_another_observation, "CartPole-v0 with 4 numbers .*, not for Box"),
        (
            _of_another_task,
            "rn: is a reward network for Acrobot-v1, not for CartPole-v0; take another",
        ),
        (
            _se_in_place_of_an_rn,
            "is a synthetic environment for CartPole-v0, no reward",
        ),
        (_rn_in_place_of_an_se, r"a reward network .* has other networks than a"),
        (_no_discount, "the discount is not known: give discount="),
        (_discount_of_nonsense, "discount = 'much': must be a number"),
        (_void, "terminal_potential = 'zero': is void .* choose 'network'"),
        (_missing, "no: no such checkpoint file; give a"),
        (
            _nothing,
            "the reward network of CartPole-v0 needs its parameters: add checkp",
        ),
        (_of_another_kind, "does not hold a synthetic environment or reward network"),
        (_no_such_info, "reads speed, height of .* has only speed, distance: choose"),
    ],
)
def test_bad_input_is_one_line_with_the_mend(make, words, tmp_path):
    with pytest.raises(UserError, match=words) as error:
        make(tmp_path)
    assert "\n" not in str(error.value)


def test_a_second_network_around_the_first_is_refused(file):
    """Its `info["task_reward"]` would be the first network's reward."""
    once = se_hpo.RewardNetwork(gymnasium.make("CartPole-v0"), file)
    around = gymnasium.wrappers.TimeLimit(once, 10)
    with pytest.raises(UserError, match="has a reward network already"):
        se_hpo.RewardNetwork(around, file)
