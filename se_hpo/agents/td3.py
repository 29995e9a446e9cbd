"""TD3 (Fujimoto et al., 2018) for continuous actions in [-1, 1].

As in the authors' code for Ferreira et al. (2022), except where said. The
specification, for every engine:

Networks: actor(s) -> `n_actions`, the action is A(s) = tanh of it; critics Q1, Q2 on
concat(s, action) -> 1. Each an MLP of `hidden_layers` x `hidden_size`, linear output;
layout, initial values and their order as discrete TD3's (`td3_discrete.py`).

Acting, training: in the first `init_episodes` an action of U(-1, 1); afterwards
A(s) + `action_std` x N(0, I), clipped to [-1, 1]. Testing: A(s), deterministic (the
authors add the noise of training).

Update, number u from 0, on a batch (s, a, r, s', d):

1. a' = A_target(s') + clip(`policy_std` x N(0, I), +-`policy_std_clip`), clipped to
   [-1, 1]; y = r + `gamma` (1 - d) min(Q1_target, Q2_target)(s', a').
2. One step of Adam on both critics for mean (Q1(s, a) - y)^2 + mean (Q2(s, a) - y)^2.
3. If (u + 1) is a multiple of `policy_delay`: one step of Adam on the actor for
   -mean Q1(s, A(s)), with the new Q1; then each of the three targets moves by `tau`
   towards its network.

Diverged: the actor's output before tanh is not finite, or a loss of 2. or 3. is not.

Streams: "network" (torch) for weights; "replay" for batches; "exploration" for, per
training step, the random action or the noise; "update noise" for, per update, the noise
of a', batch x `n_actions`, row by row.
"""

from __future__ import annotations

import numpy as np
import torch

from se_hpo.agents.actor_critic import normal_noise
from se_hpo.agents.td3_config import TD3Config
from se_hpo.agents.twin_delayed import TwinDelayedAgent, check_finite


class TD3(TwinDelayedAgent[TD3Config, torch.Tensor]):
    """The noise of an update is that of a', standard normal: `batch x n_actions`."""

    def act(self, state: np.ndarray) -> np.ndarray:
        """The actor's action with noise; at first a random one."""
        rng, n = self.exploration_rng, self.n_actions
        if self._random_actions:
            return rng.uniform(-1, 1, n).astype(np.float32)
        noise = self.config.action_std * rng.standard_normal(n, np.float32)
        return (self.act_greedily(state) + noise).clip(-1, 1)

    @torch.inference_mode()
    def act_greedily(self, state: np.ndarray) -> np.ndarray:
        """The actor's action, without noise."""
        output = self.actor(torch.from_numpy(state))
        check_finite(output.sum().item(), "the actor's output")
        action: np.ndarray = output.tanh().numpy()
        return action

    def remember(
        self,
        state: np.ndarray,
        action: np.ndarray,
        reward: float,
        next_state: np.ndarray,
        done: float,
    ) -> None:
        """Store a transition."""
        self.replay.add(state, action, reward, next_state, done)

    def draw_noise(self) -> torch.Tensor:
        """Row by row."""
        return normal_noise(self.noise_rng, (self.config.batch_size, self.n_actions))

    def target_actions(
        self, next_state: torch.Tensor, noise: torch.Tensor
    ) -> torch.Tensor:
        """Clipped to what actions may be."""
        action = self.actor_target(next_state).tanh() + self.smoothing(noise)
        return action.clamp(-1, 1)

    def own_actions(self, state: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Without noise."""
        return self.actor(state).tanh()
