"""`se_hpo.train_agent`: from a name to an agent that acts, is saved and loaded."""

import dataclasses
import shutil
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

import se_hpo
from se_hpo import seeding
from se_hpo.agents.base import DivergedError
from se_hpo.agents.config import AgentConfig
from se_hpo.agents.registry import register_agent
from se_hpo.envs.checkpoint import load_se, save_se
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
from se_hpo.registries import AGENTS, LEARNED
from se_hpo.storage.files import tensor_bytes
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.torch_engine import run_job
from tests.helpers.fake_sets import make_sets
from tests.helpers.places import DATA
from tests.helpers.reward_networks import random_rn

ZOO = "zoo:CartPole-v0"
SMALL = {"hidden_size": 8, "batch_size": 8}
SE = DATA / "cartpole_se.safetensors"


@pytest.fixture(scope="module")
def agent():
    return se_hpo.train_agent(ZOO, "ddqn", steps=120, **SMALL)


def test_it_is_the_agent_that_the_torch_engine_trains_and_tests():
    checkpoint = se_hpo.zoo.load("CartPole-v0")
    learned = LearnedEnv(checkpoint.se_config, checkpoint.psi)
    config = dataclasses.replace(
        AGENTS["ddqn"].config(se_steps=150, test_episodes=3), **SMALL
    )
    result = run_job(TrainingJob("CartPole-v0", config, 5, learned))
    values = dataclasses.asdict(config)
    agent = se_hpo.train_agent(ZOO, "ddqn", seed=5, **values)
    tested = agent.evaluate(episodes=3, seed=seeding.integer_seed(5, "test"))
    assert tested.tolist() == result.test_returns.tolist()
    assert agent.training == {
        "on": ZOO,
        "seed": 5,
        "env_steps": result.env_steps,
        "episodes": len(result.episode_returns),
        "stop_reason": result.stop_reason,
    }


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    def trained(name, seed):
        agent = se_hpo.train_agent(ZOO, "ddqn", steps=100, seed=seed, **SMALL)
        return agent.save(tmp_path / name).read_bytes()

    assert trained("a", 1) == trained("b", 1)
    assert trained("a", 1) != trained("c", 2)


def test_without_hyperparameters_it_has_those_the_se_was_learned_with(agent):
    card = se_hpo.zoo.card("CartPole-v0").config["agent"]
    assert agent.hyperparameters["lr"] == card["lr"]
    assert agent.hyperparameters["tau"] == card["tau"]
    assert agent.hyperparameters["hidden_size"] == 8, "given"
    assert agent.hyperparameters["se_steps"] == 120, "steps"


def fitting(name):
    """A task that an algorithm can learn."""
    tasks = map(get_task, ("CartPole-v0", "Pendulum-v1", "Cliff-v0"))
    kind = AGENTS[name]
    return next(
        t.id
        for t in tasks
        if kind.takes(t.continuous, t.discrete_obs) and kind.tabular == t.discrete_obs
    )


@pytest.mark.parametrize("name", AGENTS)
def test_every_algorithm_acts_after_loading_as_before(name, tmp_path):
    if name.startswith("sb3:"):
        pytest.importorskip("stable_baselines3")
    task = fitting(name)
    agent = se_hpo.train_agent(task, name, steps=40)
    assert agent.training["env_steps"] == 40
    loaded = se_hpo.Agent.load(str(agent.save(str(tmp_path / "agent.safetensors"))))
    assert loaded.hyperparameters == agent.hyperparameters
    assert loaded.training == agent.training
    env = gymnasium.make(get_task(task).gymnasium_id)
    assert loaded.observation_space == agent.observation_space
    assert loaded.action_space == agent.action_space == env.action_space
    env.observation_space.seed(0)
    for _ in range(20):
        observation = env.observation_space.sample()
        action = agent.act(observation)
        assert action in env.action_space
        assert np.array_equal(action, loaded.act(observation))
    assert repr(loaded) == repr(agent) == f"<{name} for {task}, 40 steps on {task}>"


def test_its_actions_are_the_tasks_and_observations_may_be_flat():
    agent = se_hpo.train_agent("Pendulum-v1", "td3", steps=30, **SMALL)
    assert agent.act(np.array([50.0, 50, 50]))[0] == pytest.approx(2, abs=2)
    assert agent.act([0.0, 0, 0]).shape == (1,)
    table = se_hpo.train_agent("Cliff-v0", "q_learning", steps=500)
    one_hot = np.eye(48, dtype=np.float32)
    assert [table.act(i) for i in range(48)] == [table.act(row) for row in one_hot]


@pytest.mark.parametrize(
    ("env", "name"),
    [
        ("CartPole-v1", "CartPole-v1"),
        ("se_hpo:Synthetic/CartPole-v1", "se_hpo:Synthetic/CartPole-v1"),
        ("Synthetic/CartPole-v1", "se_hpo:Synthetic/CartPole-v1"),
        ("zoo:CartPole-v1", "zoo:CartPole-v1"),
        (SE, str(SE)),
        (str(SE), str(SE)),
        (load_se(SE), "a synthetic environment of CartPole-v0"),
        (gymnasium.make("CartPole-v1"), "CartPole-v1"),
        (gymnasium.make("se_hpo:Synthetic", checkpoint=SE), str(SE)),
    ],
    ids=str,
)
def test_what_it_trains_on_may_be_named_in_many_ways(env, name):
    agent = se_hpo.train_agent(env, "ddqn", steps=30, **SMALL)
    assert agent.training["on"] == name
    assert agent.training["env_steps"] == 30
    assert agent.task == get_task(agent.task).id


def test_an_se_object_is_trained_on_as_its_id():
    made = gymnasium.make("se_hpo:Synthetic/CartPole-v0")
    agents = [
        se_hpo.train_agent(env, "ddqn", steps=70, **SMALL)
        for env in (made, "se_hpo:Synthetic/CartPole-v0")
    ]
    weights = [a._learner.q.state_dict()["weight_0"].tolist() for a in agents]
    assert weights[0] == weights[1]


class Corridor(gymnasium.Env):
    """Positions 0 to 4 as a 1 x 1 picture; to the right there is more."""

    observation_space = Box(0, 4, (1, 1), np.float32)
    action_space = Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at, self.left = int(self.np_random.integers(3)), 8
        return np.full((1, 1), self.at, np.float32), {}

    def step(self, action):
        self.at, self.left = min(max(self.at + 2 * action - 1, 0), 4), self.left - 1
        return np.full((1, 1), self.at, np.float32), self.at, False, not self.left, {}


def test_an_environment_of_ones_own_needs_no_registration(tmp_path):
    agent = se_hpo.train_agent(
        Corridor(), "ddqn", steps=400, init_episodes=2, gamma=0.5, lr=0.01, **SMALL
    )
    assert agent.act(np.full((1, 1), 2.0)) == 1
    assert agent.evaluate(Corridor(), episodes=4, seed=3).mean() > 20
    loaded = se_hpo.Agent.load(agent.save(tmp_path / "a.safetensors"))
    assert loaded.observation_space == Corridor.observation_space
    with pytest.raises(UserError, match="unknown task 'Corridor'"):
        loaded.evaluate()


def test_a_reward_network_trains_on_the_task_for_the_steps_that_are_said(tmp_path):
    path, rn = tmp_path / "rn.safetensors", random_rn(LEARNED["exclusive"])
    save_se(path, rn.psi, "CartPole-v0", rn.se_config)
    with pytest.raises(UserError, match=r"say how long to train on .*rn\.safetensors"):
        se_hpo.train_agent(path, "ddqn")
    agent = se_hpo.train_agent(path, "ddqn", steps=50, **SMALL)
    assert (agent.task, agent.training["env_steps"]) == ("CartPole-v0", 50)
    assert len(agent.evaluate(episodes=2)) == 2


def test_what_lies_beside_an_se_says_what_it_was_learned_with(tmp_path):
    make_sets(tmp_path / "run", n=1)
    (file, *_) = sorted((tmp_path / "run").rglob("000.safetensors"))
    own = se_hpo.train_agent(file, "ddqn", steps=20).hyperparameters
    shutil.copy(file, tmp_path / "alone.safetensors")
    alone = se_hpo.train_agent(tmp_path / "alone.safetensors", "ddqn", steps=20)
    assert own != alone.hyperparameters
    defaults = dataclasses.asdict(AGENTS["ddqn"].config())
    assert alone.hyperparameters == {
        **defaults,
        "max_env_steps": 20,
        "train_episodes": 20,
    }


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (("CartPole-v9", "ddqn"), "unknown task 'CartPole-v9': did you mean"),
        (("zoo:CartPole", "ddqn"), "the zoo has no SE 'CartPole': did you mean"),
        (("gone.safetensors", "ddqn"), "gone.safetensors: no such checkpoint file"),
        ((Path("gone"), "ddqn"), "gone: no such checkpoint file"),
        (("Synthetic/CartPole-v3", "ddqn"), "unknown environment 'Synthetic/Cart"),
        (("se_hpo:Rewarded/CartPole-v0", "ddqn"), r"give their \*.safetensors file"),
        (("se_hpo:Synthetic/Pendulum-v1", "td3"), "needs its parameters"),
        ((ZOO, "dqn"), "unknown agent 'dqn': did you mean"),
        ((ZOO, "td3"), "takes continuous actions"),
        ((7, "ddqn"), "give an id, a file, or one environment"),
        ((gymnasium.make("CartPole-v1"), "ddqn"), "say how long to train on CartPole"),
        ((gymnasium.make_vec("CartPole-v1", num_envs=2), "ddqn"), "vector environment"),
        (
            (
                gymnasium.wrappers.TimeLimit(
                    gymnasium.make("se_hpo:Synthetic/CartPole-v0"), 9
                ),
                "ddqn",
            ),
            "in wrappers of your own",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_trained_on_is_one_line(call, line):
    with pytest.raises(UserError, match=line) as error:
        se_hpo.train_agent(*call)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"learning_rate": 1}, "'ddqn.learning_rate' sets no configuration field"),
        ({"lr": -1}, "lr = -1.*must be > 0"),
        ({"hidden_size": "8"}, "hidden_size = '8'"),
        ({"steps": 0}, "steps = 0: must be a whole number"),
        ({"steps": 1.5}, "steps = 1.5: must be a whole number"),
        ({"seed": -1}, "seed = -1"),
        ({"hidden_size": 10**13}, "no memory for an agent"),
    ],
)
def test_values_that_it_does_not_take_are_one_line(values, line):
    with pytest.raises(UserError, match=line):
        se_hpo.train_agent(ZOO, "ddqn", **values)


def test_an_agent_that_diverges_is_none():
    with pytest.raises(DivergedError, match=r"diverged on zoo.*lower learning rate"):
        se_hpo.train_agent(ZOO, "ddqn", steps=200, lr=1e30, **SMALL)


def test_an_observation_or_environment_of_another_shape_is_one_line(agent):
    with pytest.raises(UserError, match=r"shape \(2, 4\).*one of Box.* at a time"):
        agent.act(np.zeros((2, 4)))
    with pytest.raises(UserError, match="Acrobot-v1 has obs_size 6, the agent for"):
        agent.evaluate("Acrobot-v1")
    with pytest.raises(UserError, match="Corridor has obs_size 1"):
        agent.evaluate(Corridor())


def header_of(agent, tmp_path):
    from safetensors import safe_open

    with safe_open(agent.save(tmp_path / "whole"), framework="numpy") as file:
        return file.metadata(), {n: file.get_tensor(n) for n in file.keys()}  # noqa: SIM118


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"format": "other"}, "it holds no agent of this version"),
        ({"algorithm": "own"}, "unknown agent 'own'"),
        ({"hyperparameters": '{"lr": "x"}'}, "ddqn.lr"),
        ({"hyperparameters": '{"hidden_size": 9}'}, "its numbers are not those"),
        ({"spaces": "[]"}, "cannot be read as an agent"),
        ({"spaces": '[{"n": 4}, {"n": 7}]'}, "its numbers are not those"),
        ({"training": "3"}, "training"),
    ],
)
def test_a_file_that_says_something_else_is_one_line(agent, tmp_path, change, line):
    header, tensors = header_of(agent, tmp_path)
    path = tmp_path / "changed"
    path.write_bytes(tensor_bytes(tensors, header | change))
    with pytest.raises(UserError, match=line) as error:
        se_hpo.Agent.load(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_a_damaged_file_is_one_line(agent, tmp_path):
    header, tensors = header_of(agent, tmp_path)
    path, whole = tmp_path / "bad", (tmp_path / "whole").read_bytes()
    nan = tensor_bytes({k: v * np.nan for k, v in tensors.items()}, header)
    for data in (b"", whole[:90], whole[:-9], SE.read_bytes(), nan):
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"bad: .*take another file"):
            se_hpo.Agent.load(path)
    with pytest.raises(UserError, match="gone: no such file"):
        se_hpo.Agent.load(tmp_path / "gone")


@dataclasses.dataclass(frozen=True)
class StillConfig(AgentConfig):
    pass


class Still:
    """Learns nothing; its one number is the action."""

    def __init__(self, config, obs_size, n_actions, seed):
        self.action = np.array([1.0])

    def start_episode(self, episode):
        pass

    def act(self, state):
        return int(self.action[0])

    act_greedily = act

    def remember(self, *transition):
        pass

    def update(self):
        self.action[0] = 0


def test_an_agent_of_ones_own_is_saved_once_it_says_what_it_acts_by(tmp_path):
    try:
        register_agent("still", StillConfig, Still)
        agent = se_hpo.train_agent("CartPole-v0", "still", steps=300)
        assert agent.act(np.zeros(4)) == 0
        with pytest.raises(UserError, match=r"'still' cannot be saved: .*acts_by"):
            agent.save(tmp_path / "own")
        Still.acts_by = "action"
        assert se_hpo.Agent.load(agent.save(tmp_path / "own")).act(np.zeros(4)) == 0
    finally:
        del AGENTS["still"]
