"""A start for reward networks: the learned reward that is nearest to the task's own.

Not in the paper, whose runs start from a random network. Where nothing but the learned
reward guides an agent, nearly all random networks are equally bad, and the search has
no slope to climb; from the task's reward it starts where agents learn as they do
without a network, and makes them quicker.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from se_hpo import seeding
from se_hpo.config.run import RunConfig
from se_hpo.envs.learned.reward_network import RewardNetworkConfig
from se_hpo.envs.numpy_mlp import SLOPES, activate
from se_hpo.envs.parameters import split_psi
from se_hpo.envs.reward_inputs import checked_discount, discount_of
from se_hpo.envs.tasks import TaskSpec, measure_task
from se_hpo.nes.optimizers import Adam
from se_hpo.training.environments import TaskTrainingEnv

STEPS = 4000
"""Random decisions on the task whose rewards are learned."""
_HOLD = 0.8
"""Probability that an action is taken again: to get further than a random walk."""
_UPDATES, _BATCH, _LR = 1500, 256, 0.02


@dataclass(frozen=True)
class Transitions:
    """Random decisions: what the network sees before and after, and the reward."""

    before: np.ndarray
    """`n x inputs`, float32."""
    after: np.ndarray
    """`n x inputs`, float32."""
    reward: np.ndarray
    """Of the task, `n`, float32."""
    terminated: np.ndarray
    """`n`, bool."""
    env_steps: int
    """Steps of the task that they took."""


def random_transitions(config: RunConfig, seed: int) -> Transitions:
    """`STEPS` decisions of a random policy that holds its actions for a while."""
    task, keys = measure_task(config.task), getattr(config.se, "info_keys", ())
    agent, linear = config.agent, getattr(config.se, "linear", False)
    env = TaskTrainingEnv(
        task,
        seeding.integer_seed(seed, "start", "environment"),
        agent.truncation,
        agent.action_repeat,
    )
    rng = seeding.generator(seed, "start", "actions")

    def seen(state: np.ndarray) -> np.ndarray:
        numbers = np.array([env.info.get(key, 0.0) for key in keys], np.float32)
        return numbers if linear else np.concatenate((state, numbers))

    rows, steps, action = [], 0, _random_action(task, rng)
    state, ended = seen(env.reset()), False
    for _ in range(STEPS):
        if ended:
            state = seen(env.reset())
        if rng.random() > _HOLD:
            action = _random_action(task, rng)
        step = env.step(action)
        after, ended, steps = seen(step.next_state), step.ended, steps + step.env_steps
        rows.append((state, after, step.reward, step.terminated))
        state = after
    before, afters, rewards, ends = zip(*rows, strict=True)
    return Transitions(
        before=np.array(before, np.float32),
        after=np.array(afters, np.float32),
        reward=np.array(rewards, np.float32),
        terminated=np.array(ends, bool),
        env_steps=steps,
    )


def _random_action(task: TaskSpec, rng: np.random.Generator) -> int | np.ndarray:
    if task.continuous:
        return rng.uniform(-1, 1, task.n_actions).astype(np.float32)
    return int(rng.integers(task.n_actions))


def like_the_task(
    config: RunConfig, psi: np.ndarray, seen: Transitions, rng: np.random.Generator
) -> np.ndarray:
    """Psi, float32, fitted so that agents get the task's reward.

    Least squares over `seen`, by Adam from `psi`. Of an additive kind the learned part
    comes to nothing.
    """
    # Products this small are twenty times slower on two threads, and not the same.
    with threadpool_limits(1, "blas"):
        return _fitted(config, psi, seen, rng)


def _fitted(
    config: RunConfig, psi: np.ndarray, seen: Transitions, rng: np.random.Generator
) -> np.ndarray:
    se, task = config.se, measure_task(config.task)
    assert isinstance(se, RewardNetworkConfig)
    target = np.zeros_like(seen.reward) if se.additive else seen.reward
    discount = checked_discount(se, discount_of(config.agent))
    before = np.float32(-1.0)
    adam = Adam(_LR)
    memory = adam.init(len(psi))
    for _ in range(_UPDATES):
        rows = rng.integers(len(target), size=_BATCH)
        alive = np.where(seen.terminated[rows] & se.zero_terminal, 0.0, 1.0)
        net = _Net(psi, se, task)
        if se.potential:  # discount Phi(s') - Phi(s)
            terms = [(seen.after[rows], discount * alive), (seen.before[rows], before)]
        else:
            terms = [(seen.after[rows], alive)]
        tapes = [net.forward(inputs) for inputs, _ in terms]
        values = (w * tape[-1][:, 0] for (_, w), tape in zip(terms, tapes, strict=True))
        error = sum(values) - target[rows]
        gradient = np.zeros(len(psi))
        for (_, w), tape in zip(terms, tapes, strict=True):
            gradient += net.backward(tape, w * error / _BATCH)
        memory, step = adam.step(memory, -gradient)
        psi = (psi + step).astype(np.float32)
    return psi


class _Net:
    """A reward network, and the gradient of its outputs."""

    def __init__(self, psi: np.ndarray, se: RewardNetworkConfig, task: TaskSpec):
        values = split_psi(psi, se, task.obs_size, task.n_actions)
        self._values, self._activation = [v for _, v in values], se.activation

    def forward(self, inputs: np.ndarray) -> list[np.ndarray]:
        """What each layer takes in, then the outputs: `batch x size` each."""
        tape = [inputs]
        for at in range(0, len(self._values), 2):
            weight, *bias = self._values[at : at + 2]
            if at:
                tape[-1] = activate(self._activation, tape[-1])
            tape.append(tape[-1] @ weight.T + (bias[0] if bias else 0))
        return tape

    def backward(self, tape: list[np.ndarray], delta: np.ndarray) -> np.ndarray:
        """The gradient of sum(delta * output) for psi: `n`."""
        parts: list[np.ndarray] = []
        flowing = delta[:, None]
        for layer in range(len(tape) - 2, -1, -1):
            weight, *bias = self._values[2 * layer : 2 * layer + 2]
            parts = [flowing.T @ tape[layer], *[flowing.sum(0) for _ in bias], *parts]
            if layer:
                slope = _slope(self._activation, tape[layer])
                flowing = (flowing @ weight) * slope
        return np.concatenate([part.ravel() for part in parts])


def _slope(name: str, activated: np.ndarray) -> np.ndarray:
    """The derivative, from what came out."""
    if name == "tanh":
        return 1 - activated**2
    return np.where(activated > 0, 1.0, SLOPES[name])
