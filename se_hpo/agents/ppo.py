"""PPO (Schulman et al., 2017) with the clipped surrogate objective.

As in Stable-Baselines3: actor and critic are separate networks with orthogonal initial
weights (gain sqrt 2, of the outputs 0.01 and 1) and biases of 0. A continuous action is
normal with standard deviations exp(`spread`) that do not depend on the state; the
environment gets it clipped to [-1, 1], its log-probability is that of the raw sample.

After `rollout_steps` steps, with V and the log-probability of the policy that acted:

1. Generalized advantage estimation (Schulman et al., 2016), where e is 1 if the episode
   ended after step t, for whatever reason, or the rollout did:
   delta = r + `gamma` (1 - d) V(s') - V(s),
   A(t) = delta + `gamma` `gae_lambda` (1 - d) (1 - e) A(t + 1). A time limit has d = 0
   (`truncation`), so V of the last next state stands for what is cut off. On an SE the
   raw done weighs what follows, as it does for agents with a replay buffer.
2. `epochs` times, in a new order: per `batch_size` steps (the last of an epoch may be
   fewer) one step of Adam (epsilon 1e-5) on actor and critic together for the mean of
   -min(p A', clip(p, 1 +- `clip_range`) A') + `vf_coef` (V(s) - y)^2 - `ent_coef` H,
   where p is the ratio of the probability to that before, y = A + V as of 1., and A'
   is A less its mean and over its standard deviation, both of the batch. The norm of
   the gradient is at most `max_grad_norm`.

The variant `authors` (Ferreira et al., 2022, their code) learns after `update_episodes`
whole episodes, `epochs` times from all steps at once: y is the discounted sum of the
rewards to the end of the episode, whatever ended it, standardized over all steps, and
A' = y - V(s) with the critic of that moment. Means are tanh of the actor's outputs;
`spread` is the standard deviation itself, in acting at least 0.001, in learning 0.01;
weights and Adam's epsilon (1e-8) are torch's defaults, no gradient is clipped.
Differences to their code: actions are clipped for the environment (its bounds do not
allow others), tests are without noise, no update comes in mid-episode.

Testing: the likeliest action or the clipped mean. Diverged: an output of the actor, or
a loss, is not finite.

Streams: "network" (torch) for weights, actor first; "exploration" for acting, n_actions
Gumbel or normal numbers a step; "minibatches" for the orders.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from se_hpo import seeding
from se_hpo.agents.actor_critic import gumbel_noise, normal_noise
from se_hpo.agents.adam import Adam
from se_hpo.agents.base import DivergedError
from se_hpo.agents.ppo_config import PPOConfig
from se_hpo.agents.ppo_policy import STD_FLOOR_ACTING, Policy


class Transitions(NamedTuple):
    """`n` steps in the order in which they were taken."""

    state: torch.Tensor
    """`n x obs_size`."""
    action: torch.Tensor
    """Indices, `n`; of continuous actions the raw samples, `n x n_actions`."""
    reward: torch.Tensor
    """`n`."""
    next_state: torch.Tensor
    """`n x obs_size`."""
    done: torch.Tensor
    """`n`; (1 - done) bootstraps."""
    last: torch.Tensor
    """`n`, bool: the episode ended here."""


class Samples(NamedTuple):
    """What a gradient update needs of some steps; one row each."""

    state: torch.Tensor
    action: torch.Tensor
    log_probability: torch.Tensor
    """Of the action, by the policy that took it."""
    advantage: torch.Tensor
    """Not standardized; unused by the variant `authors`."""
    target: torch.Tensor
    """What the critic should say."""


class PPO:
    """An actor and a critic that learn from what the actor itself has just done."""

    acts_by = "policy"

    def __init__(
        self,
        config: PPOConfig,
        obs_size: int,
        n_actions: int,
        seed: int,
        continuous: bool = False,
    ) -> None:
        self.config, self.n_actions = config, n_actions
        self.continuous, self.authors = continuous, config.variant == "authors"
        generator = torch.Generator()
        generator.manual_seed(seeding.integer_seed(seed, "network"))
        self.policy = Policy(config, obs_size, n_actions, continuous, generator)
        eps = 1e-8 if self.authors else 1e-5
        self.adam = Adam(self.policy, config.lr, eps)
        self.exploration_rng = seeding.generator(seed, "exploration")
        self.minibatch_rng = seeding.generator(seed, "minibatches")
        self._learning = config.init_episodes == 0
        self._raw = self._clipped = np.zeros(0, np.float32)
        self._clear()

    def _clear(self) -> None:
        self._steps: list[tuple[np.ndarray, ...]] = []
        self._last: list[bool] = []

    def start_episode(self, episode: int) -> None:
        """The first `init_episodes` fill the rollout; nothing is learned before."""
        self._learning = episode >= self.config.init_episodes

    @torch.inference_mode()
    def act(self, state: np.ndarray) -> int | np.ndarray:
        """A sample of the policy; a continuous one is clipped to [-1, 1].

        Raises:
            DivergedError: what the actor says is not finite.
        """
        center = self.policy.center(torch.from_numpy(state))
        if not self.continuous:
            center = center + gumbel_noise(self.exploration_rng, (self.n_actions,))
            _check_finite(sum(center.tolist()), "the actor's output")
            return int(center.argmax())
        noise = normal_noise(self.exploration_rng, (self.n_actions,))
        raw = center + self.policy.std(STD_FLOOR_ACTING) * noise
        _check_finite(sum(raw.tolist()), "the action")
        self._raw, self._clipped = raw.numpy(), raw.clamp(-1, 1).numpy()
        return self._clipped

    @torch.inference_mode()
    def act_greedily(self, state: np.ndarray) -> int | np.ndarray:
        """The likeliest action (the first of equals), or the clipped mean.

        Raises:
            DivergedError: what the actor says is not finite.
        """
        center = self.policy.center(torch.from_numpy(state))
        _check_finite(sum(center.tolist()), "the actor's output")
        if self.continuous:
            clipped: np.ndarray = center.clamp(-1, 1).numpy()
            return clipped
        return int(center.argmax())

    def remember(
        self,
        state: np.ndarray,
        action: int | np.ndarray,
        reward: float,
        next_state: np.ndarray,
        done: float,
    ) -> None:
        """Add a step to the rollout.

        A continuous action stands for the raw sample that `act` clipped to it; one that
        is not the last one of `act` stands for itself.
        """
        if self.continuous and np.array_equal(action, self._clipped):
            action = self._raw
        step = (state, action, reward, next_state, done)
        self._steps.append(tuple(np.array(part) for part in step))
        self._last.append(False)

    def update(self) -> None:
        """Learn if the rollout is full, unless whole episodes are learned from.

        Raises:
            DivergedError: a loss is not finite.
        """
        if not self.authors and len(self._steps) >= self.config.rollout_steps:
            self.learn()

    def end_episode(self, truncated: bool) -> None:
        """Note that the last step ended its episode; learn if those are enough.

        What was cut off is in the `done` of that step.

        Raises:
            DivergedError: a loss is not finite.
        """
        if self._last:  # else it is already learned from
            self._last[-1] = True
        enough = sum(self._last) >= self.config.update_episodes
        if self.authors and self._learning and enough:
            self.learn()

    def learn(self) -> None:
        """Learn from the rollout and begin a new one."""
        columns = [
            torch.from_numpy(np.stack(c)) for c in zip(*self._steps, strict=True)
        ]
        state, action, reward, next_state, done = columns
        last = torch.tensor(self._last)
        self._clear()
        self.learn_from(
            Transitions(state, action, reward.float(), next_state, done.float(), last),
            [self._order(len(last)) for _ in range(self.config.epochs)],
        )

    def _order(self, n: int) -> torch.Tensor:
        if self.authors:
            return torch.arange(n)
        return torch.from_numpy(self.minibatch_rng.permutation(n))

    def learn_from(
        self, transitions: Transitions, orders: Sequence[torch.Tensor]
    ) -> None:
        """Learn from given steps in given orders, one per epoch: no random number.

        Raises:
            DivergedError: a loss is not finite.
        """
        config = self.config
        samples = self.samples(transitions)
        size = len(samples.state) if self.authors else config.batch_size
        max_norm = 0.0 if self.authors else config.max_grad_norm
        for order in orders:
            for index in order.split(size):
                loss = self.loss(Samples(*(part[index] for part in samples)))
                self.adam.minimize(loss, max_norm)
                _check_finite(loss.item(), "the loss")

    @torch.no_grad()
    def samples(self, transitions: Transitions) -> Samples:
        """Advantages and targets of a rollout."""
        state, action, reward, next_state, done, last = transitions
        log_probability, _ = self.policy.log_probability(state, action)
        value = self.policy.value(state)
        gamma = self.config.gamma
        if self.authors:
            go_on = gamma * (~last).double()
            returns = discounted_sums(reward, go_on)
            target = standardized(returns, 1e-5)
            return Samples(state, action, log_probability, value, target)
        go_on = gamma * (1 - done)
        error = reward + go_on * self.policy.value(next_state) - value
        advantage = discounted_sums(error, self.config.gae_lambda * go_on * ~last)
        return Samples(state, action, log_probability, advantage, advantage + value)

    def loss(self, samples: Samples) -> torch.Tensor:
        """What a gradient update makes smaller, on one batch."""
        state, action, before, advantage, target = samples
        log_probability, entropy = self.policy.log_probability(state, action)
        value = self.policy.value(state)
        if self.authors:
            advantage = target - value.detach()
        else:
            advantage = standardized(advantage, 1e-8)
        ratio = (log_probability - before).exp()
        clip = self.config.clip_range
        clipped = ratio.clamp(1 - clip, 1 + clip)
        surrogate = torch.minimum(ratio * advantage, clipped * advantage)
        error = (value - target).square()
        config = self.config
        return (-surrogate + config.vf_coef * error - config.ent_coef * entropy).mean()


def discounted_sums(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """`y[t] = x[t] + factor[t] y[t + 1]`, 0 behind the end; in double precision.

    >>> discounted_sums(torch.ones(3), torch.tensor([0.5, 0.0, 0.5])).tolist()
    [1.5, 1.0, 1.0]
    """
    sums, y = [], 0.0
    for now, weight in zip(
        reversed(x.tolist()), reversed(factor.tolist()), strict=True
    ):
        y = now + weight * y
        sums.append(y)
    return torch.tensor(sums[::-1])


def standardized(x: torch.Tensor, epsilon: float) -> torch.Tensor:
    """With mean 0 and standard deviation 1; a single number as it is."""
    return (x - x.mean()) / (x.std() + epsilon) if len(x) > 1 else x


def _check_finite(value: float, what: str) -> None:
    if not math.isfinite(value):
        raise DivergedError(f"{what} is not finite")
