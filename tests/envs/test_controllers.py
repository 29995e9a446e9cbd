"""The hand-written controllers solve their tasks."""

import numpy as np
import pytest

from se_hpo.envs.controllers import CONTROLLERS
from se_hpo.envs.tasks import get_task, make_env

AT_LEAST = {
    "CartPole-v0": 200,
    "CartPole-v1": 500,
    "Acrobot-v1": -90,
    "MountainCar-v0": -125,
    "MountainCarContinuous-v0": 85,
    "Pendulum-v1": -200,
}


@pytest.mark.filterwarnings("ignore:.*out of date:DeprecationWarning")
@pytest.mark.parametrize("task", CONTROLLERS)
def test_a_controller_solves_its_task(task):
    spec, returns = get_task(task), []
    with make_env(spec) as env:
        for episode in range(8):
            env.reset(seed=episode)
            total, ended = 0.0, False
            while not ended:
                action = CONTROLLERS[task](env.unwrapped.state)
                low, high = (-1, 1) if spec.continuous else (0, spec.n_actions - 1)
                assert low <= action <= high
                taken = np.array([action], "f") if spec.continuous else int(action)
                _, reward, terminated, truncated, _ = env.step(taken)
                total, ended = total + reward, terminated or truncated
            returns.append(total)
    assert np.mean(returns) >= AT_LEAST[task]
