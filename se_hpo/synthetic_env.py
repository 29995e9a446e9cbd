"""The synthetic environment as a torch module and as a Gymnasium environment.

Ferreira et al. (2022), section 4: networks for next state, reward and done that an
agent trains on instead of the task; initial states come from the task.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from torch import nn

from se_hpo.checkpoint import SECheckpoint, load_se
from se_hpo.config import SyntheticEnvConfig
from se_hpo.errors import UserError
from se_hpo.networks import MLP
from se_hpo.se_parameters import (
    NETS,
    initial_psi,
    n_parameters,
    parameter_shapes,
    split_psi,
)
from se_hpo.tasks import get_task, make_env

__all__ = [
    "SyntheticEnv",
    "SyntheticEnvNet",
    "initial_psi",
    "n_parameters",
    "parameter_shapes",
]

DONE_THRESHOLD = 0.5
"""An episode ends when the raw done output exceeds this."""


class SyntheticEnvNet(nn.Module):
    """Three MLPs on concat(one-hot action, state), with linear outputs."""

    def __init__(
        self, config: SyntheticEnvConfig, obs_size: int, n_actions: int
    ) -> None:
        super().__init__()
        self.config, self.obs_size, self.n_actions = config, obs_size, n_actions

        def mlp(outputs: int) -> MLP:
            return MLP(
                n_actions + obs_size,
                outputs,
                config.hidden_size,
                config.hidden_layers,
                config.activation,
                torch.Generator(),  # overwritten by load_psi
            )

        self.state, self.reward, self.done = mlp(obs_size), mlp(1), mlp(1)
        self.requires_grad_(False)

    def forward(
        self, action: torch.Tensor, state: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """One step.

        Args:
            action: one-hot, `batch x n_actions`.
            state: `batch x obs_size`.

        Returns:
            Next state `batch x obs_size`, reward `batch`, raw done `batch`.
        """
        x = torch.cat([action, state], dim=-1)
        return self.state(x), self.reward(x).squeeze(-1), self.done(x).squeeze(-1)

    def load_psi(self, psi: np.ndarray) -> None:
        """Copy psi (float32 vector) into the parameters."""
        parts = split_psi(psi, self.config, self.obs_size, self.n_actions)
        for name, value in parts:
            net, layer, kind = name.split(".")
            weight, bias = getattr(self, net).layers[int(layer)]
            target = weight if kind == "weight" else bias
            target.copy_(torch.tensor(value))

    def fused(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """The same function for one state, as one network: a third of the calls.

        Returns:
            Maps concat(one-hot action, state) to concat(next state, reward, done).
        """
        nets = [getattr(self, name) for name in NETS]
        layers = list(zip(*(net.layers for net in nets), strict=True))
        activation, size = nets[0].activation, self.config.hidden_size
        biases = [torch.cat([b for _, b in layer]) for layer in layers]
        first_w, first_b = torch.cat([w for w, _ in layers[0]]), biases[0]
        middle = [
            (torch.stack([w for w, _ in layer]), bias.view(len(nets), size, 1))
            for layer, bias in zip(layers[1:-1], biases[1:-1], strict=True)
        ]
        last_w, last_b = torch.block_diag(*[w for w, _ in layers[-1]]), biases[-1]

        def step(x: torch.Tensor) -> torch.Tensor:
            x = activation(torch.addmv(first_b, first_w, x))
            for w, b in middle:
                x = activation(torch.baddbmm(b, w, x.view(b.shape)).view(-1))
            return torch.addmv(last_b, last_w, x)

        return step


class SyntheticEnv(gymnasium.Env[np.ndarray, np.intp]):
    """A learned stand-in for a task, on which agents train in fewer steps.

    ### Action space
    As in the task: `Discrete(n_actions)`.

    ### Observation space
    `Box(-inf, inf, (obs_size,), float32)`. The numbers play the part of the task's
    (for CartPole: position, velocity, angle, angular velocity), but nothing bounds
    them, and their units are the network's own.

    ### Rewards
    The reward net's output, any float; its scale is not the task's, so that returns of
    the two cannot be compared.

    ### Starting state
    Drawn from the task, reproducible with `reset(seed=...)`. Everything after it is
    deterministic.

    ### Episode end
    Terminated when the raw done output exceeds 0.5. Truncated at the task's step limit
    by the wrapper that `gymnasium.make` adds.

    ### Info
    `step` gives `raw_done`: an agent of the paper bootstraps with `1 - raw_done`.

    ### Arguments
    `checkpoint`: a file that `se_hpo.checkpoint.save_se` wrote, or a `SECheckpoint`.

    ```python
    env = gymnasium.make("se_hpo:Synthetic/CartPole-v0", checkpoint="se.safetensors")
    ```

    ### Version history
    Ids carry the version of the task.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(
        self,
        task: str,
        checkpoint: SECheckpoint | Path | str | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Make the SE of `task` (an id) from a checkpoint.

        Raises:
            UserError: no checkpoint, one that cannot be read, or for another task.
        """
        if checkpoint is None:
            raise UserError(
                f"the synthetic environment of {task} needs its parameters: add "
                'checkpoint="<file>.safetensors"'
            )
        if not isinstance(checkpoint, SECheckpoint):
            checkpoint = load_se(checkpoint, task)
        self.render_mode = render_mode
        self.task = get_task(task)
        obs_size, n_actions = self.task.obs_size, self.task.n_actions
        self.observation_space = Box(-np.inf, np.inf, (obs_size,), np.float32)
        self.action_space = Discrete(n_actions)
        self.net = SyntheticEnvNet(checkpoint.se_config, obs_size, n_actions)
        self.net.load_psi(checkpoint.psi)
        self._function = self.net.fused()
        self._task_env = make_env(self.task)
        self._input = torch.zeros(n_actions + obs_size)
        self._one_hot = self._input[:n_actions].numpy()
        self._state = self._input[n_actions:].numpy()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode in a state of the task.

        Args:
            seed: seeds the task's generator of initial states.
            options: handed to the task.

        Returns:
            The observation `obs_size` and an empty dict.
        """
        super().reset(seed=seed)
        observation, _ = self._task_env.reset(seed=seed, options=options)
        self._state[:] = observation
        return self._state.copy(), {}

    @torch.inference_mode()
    def step(
        self, action: np.intp | int
    ) -> tuple[np.ndarray, SupportsFloat, bool, bool, dict[str, Any]]:
        """Take one step; reset first once it returned `terminated`."""
        self._one_hot[:] = 0
        self._one_hot[action] = 1
        output = self._function(self._input).numpy()
        state, reward, raw_done = output[:-2], float(output[-2]), float(output[-1])
        self._state[:] = state
        terminated = raw_done > DONE_THRESHOLD
        return state, reward, terminated, False, {"raw_done": raw_done}

    def close(self) -> None:
        """Close the task environment that gives the initial states."""
        self._task_env.close()


def from_parameters(
    task: str, se_config: SyntheticEnvConfig, psi: np.ndarray
) -> SyntheticEnv:
    """The SE of a vector of parameters."""
    return SyntheticEnv(task, SECheckpoint(psi, task, se_config))
