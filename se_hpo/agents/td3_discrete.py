"""TD3 (Fujimoto et al., 2018) for discrete actions, by a Gumbel-softmax actor.

Actions are vectors of `n_actions` numbers; the environment gets the index of the
largest, the critics and the replay buffer the vector itself. As in the authors' code
for Ferreira et al. (2022), except where said. The specification, for every engine:

Networks: actor(s) -> `n_actions` logits; critics Q1, Q2 on concat(s, action vector) ->
1. Each an MLP of `hidden_layers` x `hidden_size`, linear output. With `layer_norm` a
hidden layer after the first is Linear, LayerNorm (eps 1e-5), activation; each has its
own gain and shift (the authors share one pair among all layers of a net). Flat order:
layer by layer weight (out x in), bias, then gain, shift where normalized; for PReLU at
last the net's slope. Initial weights and biases U(+-1 / sqrt(fan_in)), gain 1, shift 0,
drawn in the order actor, Q1, Q2; targets are copies.

Action vector: G(s, g) = softmax((logits(s) + g) / T), g standard Gumbel; if
`gumbel_hard`, the one-hot of its argmax, with the gradient of the softmax. With u
updates done, T = `gumbel_temperature` x (1 - 0.95 min(u / `gumbel_anneal_updates`, 1));
constant if that is 0. T(u) also holds for acting.

Acting, training: in the first `init_episodes` a uniformly random action and its one-hot
vector; afterwards v = G(s, g) + `action_std` x N(0, I), not clipped, and argmax v. v is
what the buffer stores. Testing: argmax of the logits, deterministic (the authors sample
as in training). Ties go to the first index.

Update, number u from 0, on a batch (s, v, r, s', d):

1. a' = G_target(s', g1) + clip(`policy_std` x N(0, I), +-`policy_std_clip`), with T(u),
   not renormalized; y = r + `gamma` (1 - d) min(Q1_target, Q2_target)(s', a').
2. One step of Adam on both critics for mean (Q1(s, v) - y)^2 + mean (Q2(s, v) - y)^2.
3. If (u + 1) is a multiple of `policy_delay`: one step of Adam on the actor for
   -mean Q1(s, G(s, g2)), with the new Q1 and T(u); then each of the three targets moves
   by `tau` towards its network.

Adam as everywhere (0.9, 0.999, 1e-8), one learning rate. Diverged: v (training) or the
logits (testing) not finite, or a loss of 2. or 3. not finite.

Streams: "network" (torch) for weights; "replay" for batches; "exploration" for, per
training step, the random action or g and then the noise; "update noise" for, per
update, g1, the noise of a', and g2 only if the actor is updated; each batch x
`n_actions`, row by row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from se_hpo.agents.actor_critic import gumbel_noise, gumbel_softmax, normal_noise
from se_hpo.agents.td3_discrete_config import TD3DiscreteConfig
from se_hpo.agents.twin_delayed import TwinDelayedAgent, check_finite

FINAL_TEMPERATURE = 0.05
"""Where annealing ends, as a fraction of `gumbel_temperature`."""


class UpdateNoise(NamedTuple):
    """All that is random in an update besides the batch; `batch x n_actions`."""

    target_gumbel: torch.Tensor
    """Standard Gumbel noise of the target actor."""
    target_normal: torch.Tensor
    """Standard normal noise of the target action, neither scaled nor clipped yet."""
    actor_gumbel: torch.Tensor | None = None
    """Standard Gumbel noise of the actor; not needed where the actor rests."""


class TD3Discrete(TwinDelayedAgent[TD3DiscreteConfig, UpdateNoise]):
    """The environment gets the index of the largest entry of an action vector."""

    def __init__(
        self, config: TD3DiscreteConfig, obs_size: int, n_actions: int, seed: int
    ) -> None:
        super().__init__(config, obs_size, n_actions, seed, config.layer_norm)
        self._one_hot = np.eye(n_actions, dtype=np.float32)
        self._chosen, self._vector = -1, self._one_hot[0]

    @property
    def temperature(self) -> float:
        """Temperature of the Gumbel-softmax after the updates so far."""
        config = self.config
        if config.gumbel_anneal_updates == 0:
            return config.gumbel_temperature
        progress = min(self.updates / config.gumbel_anneal_updates, 1.0)
        return config.gumbel_temperature * (1 - (1 - FINAL_TEMPERATURE) * progress)

    def act(self, state: np.ndarray) -> int:
        """The largest entry of a noisy action vector; at first a random action."""
        if self._random_actions:
            self._chosen = int(self.exploration_rng.integers(self.n_actions))
            self._vector = self._one_hot[self._chosen]
        else:
            self._vector = self._noisy_vector(state)
            self._chosen = int(self._vector.argmax())
        return self._chosen

    @torch.inference_mode()
    def _noisy_vector(self, state: np.ndarray) -> np.ndarray:
        gumbel = gumbel_noise(self.exploration_rng, (self.n_actions,))
        noise = normal_noise(self.exploration_rng, (self.n_actions,))
        action = self._actions(self.actor(torch.from_numpy(state)), gumbel)
        vector: np.ndarray = (action + self.config.action_std * noise).numpy()
        check_finite(float(vector.sum()), "the action vector")
        return vector

    @torch.inference_mode()
    def act_greedily(self, state: np.ndarray) -> int:
        """The action of the highest logit, without noise; the first of equals."""
        logits = self.actor(torch.from_numpy(state)).tolist()
        check_finite(sum(logits), "the actor's output")
        return int(logits.index(max(logits)))

    def remember(
        self,
        state: np.ndarray,
        action: int,
        reward: float,
        next_state: np.ndarray,
        done: float,
    ) -> None:
        """Store a transition with the action vector that `act` had chosen it by.

        An action that is not the last one of `act` is stored as a one-hot vector.
        """
        chosen = action == self._chosen
        vector = self._vector if chosen else self._one_hot[action]
        self.replay.add(state, vector, reward, next_state, done)

    def draw_noise(self) -> UpdateNoise:
        """`actor_gumbel` only where the actor is updated."""
        shape, rng = (self.config.batch_size, self.n_actions), self.noise_rng
        noise = UpdateNoise(gumbel_noise(rng, shape), normal_noise(rng, shape))
        if self._updates_actor():
            noise = noise._replace(actor_gumbel=gumbel_noise(rng, shape))
        return noise

    def target_actions(
        self, next_state: torch.Tensor, noise: UpdateNoise
    ) -> torch.Tensor:
        """Not renormalized after the smoothing."""
        vectors = self._actions(self.actor_target(next_state), noise.target_gumbel)
        return vectors + self.smoothing(noise.target_normal)

    def own_actions(self, state: torch.Tensor, noise: UpdateNoise) -> torch.Tensor:
        """Gumbel-softmax vectors."""
        assert noise.actor_gumbel is not None
        return self._actions(self.actor(state), noise.actor_gumbel)

    def _actions(self, logits: torch.Tensor, gumbel: torch.Tensor) -> torch.Tensor:
        return gumbel_softmax(logits, gumbel, self.temperature, self.config.gumbel_hard)
