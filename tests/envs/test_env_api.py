"""Environments as people write them, each wrong in one way: refused in one line."""

import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from se_hpo.envs.tasks import check_task, measure_task
from se_hpo.errors import UserError


class MuteError(Exception):
    """Its own texts raise, and all that one may ask of it."""

    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __float__ = __array__ = __str__


class Right(gymnasium.Env):
    """Eight steps, three numbers."""

    observation_space = Box(-1, 1, (3,), np.float32)
    action_space = Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.n = 0
        return self.seen(), {}

    def step(self, action):
        assert type(action) is int
        self.n += 1
        return self.seen(), self.reward(), self.n >= 8, False, {}

    def seen(self):
        return self.np_random.random(3)  # float64, as many do

    def reward(self):
        return 1

    def end_with(self, *end):
        return *Right.step(self, 0)[:2], *end


WRONG = {
    "its constructor raises": (
        {"__init__": lambda self: 1 / 0},
        "cannot be made: Zero",
    ),
    "no spaces": ({"observation_space": None}, "observations None: only Box works"),
    "reset without a seed": (
        {"reset": lambda self: (np.zeros(3), {})},
        r"reset\(seed=0\) raised TypeError: .* asks for reset\(seed=",
    ),
    "reset of old gym": (
        {"reset": lambda self, **kwargs: np.zeros(3)},
        r"reset\(seed=0\) returned array",
    ),
    "reset with a wrong info": (
        {"reset": lambda self, **kwargs: (np.zeros(3), None)},
        "returned None as info",
    ),
    "step of old gym": (
        {"step": lambda self, action: (self.seen(), 1.0, False, {})},
        r"step\(\d\) raised ValueError: not enough values .* asks for step\(action\)",
    ),
    "step raises": ({"step": lambda self, action: {}["x"]}, "raised KeyError"),
    "step raises what has no text": (
        {"step": lambda self, action: (_ for _ in ()).throw(MuteError())},
        r"step\(\d\) raised MuteError; ",
    ),
    "values without a text": (
        {"reset": lambda self, **kwargs: MuteError()},
        r"reset\(seed=0\) returned MuteError; ",
    ),
    "a reward without a text": (
        {"reward": lambda self: MuteError()},
        "reward = MuteError; ",
    ),
    "an observation without a text": (
        {"seen": lambda self: MuteError()},
        "is MuteError; ",
    ),
    "spaces without a text": (
        {"observation_space": MuteError()},
        "observations MuteError: only",
    ),
    "step exits": ({"step": lambda self, action: sys.exit(3)}, "raised SystemExit: 3"),
    "its constructor exits": (
        {"__init__": lambda self: sys.exit("bye")},
        "cannot be made: SystemExit: bye",
    ),
    "no terminated": (
        {"step": lambda self, action: self.end_with(None, False, {})},
        "terminated = None",
    ),
    "a text for truncated": (
        {"step": lambda self, action: self.end_with(False, "no", {})},
        "truncated = 'no'",
    ),
    "step with a wrong info": (
        {"step": lambda self, action: self.end_with(False, False, [])},
        r"returned \[\] as info",
    ),
    "shape": ({"seen": lambda self: np.zeros(5)}, r"asks for one .* of shape \(3,\)"),
    "nothing seen": ({"seen": lambda self: None}, "is None; .* observation_space"),
    "text seen": ({"seen": lambda self: ["a", "b", "c"]}, "observation_space"),
    "uneven rows seen": ({"seen": lambda self: [[1], [1, 2]]}, "observation_space"),
    "complex seen": ({"seen": lambda self: np.zeros(3, complex)}, "observation_space"),
    "NaN seen": (
        {"seen": lambda self: np.full(3, np.nan if self.n == 5 else 0)},
        "nan.*observation_space",
    ),
    "no reward": ({"reward": lambda self: None}, "reward = None; .* a finite number"),
    "a text": ({"reward": lambda self: "1"}, "reward = '1'; .* a finite number"),
    "several rewards": ({"reward": lambda self: np.ones(2)}, "a finite number"),
    "a reward that is NaN": (
        {"reward": lambda self: np.nan if self.n == 5 else 1.0},
        "reward = nan; .* a finite number",
    ),
    "a reward that is infinite": (
        {"reward": lambda self: -np.inf if self.n == 5 else 1.0},
        "reward = -inf; .* a finite number",
    ),
    "a reward that no float32 holds": ({"reward": lambda self: 1e39}, "1e.39"),
}


@pytest.fixture
def register():
    def register(**methods):
        env = type("Odd", (Right,), methods)
        gymnasium.register("Odd-v0", env, max_episode_steps=20, reward_threshold=7.5)

    yield register
    gymnasium.registry.pop("Odd-v0")


@pytest.mark.parametrize("wrong", WRONG)
def test_what_breaks_gymnasiums_api_is_one_line_with_task_deed_and_rule(
    wrong, register
):
    methods, words = WRONG[wrong]
    register(**methods)
    for function in (check_task, measure_task):
        with pytest.raises(UserError, match=words) as caught:
            function("Odd-v0")
        assert "\n" not in str(caught.value)
        assert "task 'Odd-v0'" in str(caught.value)


@pytest.mark.parametrize(
    "methods",
    [
        {},
        {"seen": lambda self: [0, 0, 5]},  # a list, integers, out of bounds
        {"reward": lambda self: np.float32(1)},
        {"reward": lambda self: np.array(1.0)},
        {"step": lambda self, action: self.end_with(np.bool_(self.n > 7), 0, {})},
    ],
)
def test_what_agents_can_be_trained_on_is_accepted(methods, register):
    register(**methods)
    assert check_task("Odd-v0").obs_size == 3
