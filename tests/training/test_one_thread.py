"""Torch has one thread wherever tiny networks are trained or asked, and as many after.

What the commands call is watched: every call of a torch function from Python.
"""

from collections.abc import Callable, Iterator

import gymnasium
import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.one_thread import OneThread
from se_hpo.envs.checkpoint import load_se
from se_hpo.envs.learned import LearnedEnv
from se_hpo.training.inner_loop import InnerLoop, load_engine
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.transitions import transition_counts
from tests.helpers.places import DATA

SE = DATA / "cartpole_se.safetensors"


class Watch(TorchFunctionMode):
    """The numbers of threads with which torch functions were called."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[int] = set()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function not in (torch.get_num_threads, torch.set_num_threads):
            self.seen.add(torch.get_num_threads())
        return function(*args, **(kwargs or {}))


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def job() -> TrainingJob:
    se = load_se(SE)
    agent = DDQNConfig(max_env_steps=300, init_episodes=1, test_episodes=1)
    return TrainingJob("CartPole-v0", agent, 1, LearnedEnv(se.se_config, se.psi))


def optimize_and_train() -> None:
    """What their workers do with one thread; with several, processes do the next."""
    with InnerLoop("torch", 1) as inner_loop:
        inner_loop.train_agents([job()])


def evaluate() -> None:
    """What each of its processes does."""
    load_engine("torch", with_torch=True)(job())


def report() -> None:
    agent = DDQNConfig(max_env_steps=300, init_episodes=1, test_episodes=1)
    transition_counts(SE, agent, n_agents=1)


def environment() -> None:
    env = gymnasium.make("se_hpo:Synthetic/CartPole-v0", checkpoint=SE)
    env.reset(seed=1)
    env.step(0)


def environments() -> None:
    envs = gymnasium.make_vec(
        "se_hpo:Synthetic/CartPole-v0", num_envs=64, checkpoint=SE
    )
    envs.reset(seed=1)
    envs.step(np.zeros(64, int))


@pytest.mark.parametrize(
    "of", [optimize_and_train, evaluate, report, environment, environments]
)
def test_tiny_networks_get_one_thread(of: Callable[[], None]) -> None:
    gymnasium.make("CartPole-v1")  # what only the first one does
    load_se(SE)
    with Watch() as watch:
        of()
    made = {2} if of in (environment, environments) else set()  # its parameters
    assert 1 in watch.seen and watch.seen <= {1} | made
    assert torch.get_num_threads() == 2


def test_steps_of_an_environment_have_one_thread() -> None:
    env = gymnasium.make("se_hpo:Synthetic/CartPole-v0", checkpoint=SE)
    env.reset(seed=1)
    with Watch() as watch:
        for _ in range(5):
            env.step(0)
    assert watch.seen == {1}


def test_an_error_restores_the_number_of_threads() -> None:
    @OneThread()
    def fails() -> None:
        with OneThread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
        raise ValueError

    with pytest.raises(ValueError):
        fails()
    assert torch.get_num_threads() == 2
