"""The networks of a synthetic environment as a torch module.

Ferreira et al. (2022), section 4: next state, reward and done, each an MLP. Liesen et
al. (2024): see `envs.learned_start`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from se_hpo.agents.mlp import MLP
from se_hpo.agents.one_thread import OneThread
from se_hpo.envs.checkpoint import SECheckpoint, open_checkpoint
from se_hpo.envs.learned import LearnedConfig, kind_of
from se_hpo.envs.learned.mdp import layout
from se_hpo.envs.parameters import split_psi
from se_hpo.envs.tasks import TaskSpec, get_task
from se_hpo.errors import UserError


class LearnedNets(nn.Module):
    """The networks of a learned environment, by the names of its kind's layout.

    They give gradients by their inputs, and after `requires_grad_()` by psi.
    """

    def __init__(self, config: LearnedConfig, obs_size: int, n_actions: int) -> None:
        super().__init__()
        self.config, self.obs_size, self.n_actions = config, obs_size, n_actions
        for net in kind_of(config).layout(config, obs_size, n_actions):
            mlp = MLP(
                net.inputs,
                net.outputs,
                config.hidden_size,
                config.hidden_layers,
                config.activation,
                torch.Generator(),  # overwritten by load_psi
            )
            self.add_module(net.name, mlp)
        self.requires_grad_(False)

    @torch.no_grad()
    def load_psi(self, psi: np.ndarray) -> None:
        """Copy psi (float32 vector) into the parameters."""
        parts = split_psi(psi, self.config, self.obs_size, self.n_actions)
        for name, value in parts:
            net, layer, kind = name.split(".")
            weight, bias = getattr(self, net).layers[int(layer)]
            target = weight if kind == "weight" else bias
            target.copy_(torch.tensor(value))


class SyntheticEnvNet(LearnedNets):
    """Three MLPs on concat(one-hot action, state), with linear outputs."""

    state: MLP
    reward: MLP
    done: MLP

    def __init__(self, config: LearnedConfig, obs_size: int, n_actions: int) -> None:
        kind, nets = kind_of(config), layout(config, obs_size, n_actions)
        if kind.layout(config, obs_size, n_actions) != nets:
            raise UserError(
                f"a {kind.label} has other networks than a synthetic environment: make "
                "its own environment"
            )
        super().__init__(config, obs_size, n_actions)

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

    def fused(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """The same function for one state, as one network: a third of the calls.

        Returns:
            Maps concat(one-hot action, state) to concat(next state, reward, done).
        """
        nets = [self.state, self.reward, self.done]
        layers = list(zip(*(net.layers for net in nets), strict=True))
        activation, size = nets[0].activation, self.config.hidden_size
        weights = [[w for w, _ in layer] for layer in layers]
        biases = [torch.cat([b for _, b in layer]) for layer in layers]
        columns = [bias[:, None] for bias in biases]
        first, last = torch.cat(weights[0]), torch.block_diag(*weights[-1])
        middle = [
            (torch.stack(w), bias.view(len(nets), size, 1))
            for w, bias in zip(weights[1:-1], biases[1:-1], strict=True)
        ]

        def step(x: torch.Tensor) -> torch.Tensor:
            vector = x.ndim == 1
            affine, b = (torch.addmv, biases) if vector else (torch.addmm, columns)
            x = activation(affine(b[0], first, x))
            for w, bias in middle:
                product = torch.baddbmm(bias, w, x.view(len(nets), size, -1))
                x = activation(product.view(x.shape))
            return affine(b[-1], last, x)

        return step


class LearnedStartNet(LearnedNets):
    """As `envs.learned_start` says; a continuous action is to be in [-1, 1]."""

    init: MLP
    reward: MLP
    state: MLP  # this and the next of `mdp_learned_start` alone
    done: MLP

    def start(self, noise: torch.Tensor) -> torch.Tensor:
        """Initial states `batch x obs_size` of noise, `batch x obs_size`."""
        states: torch.Tensor = self.init(noise)
        return states

    def forward(
        self, action: torch.Tensor, state: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """One step; arguments and results as `SyntheticEnvNet.forward`.

        The raw done of kind `one_step` is 1.
        """
        x = torch.cat([action, state], dim=-1)
        rewards = self.reward(x).squeeze(-1)
        if not hasattr(self, "state"):
            return state, rewards, torch.ones_like(rewards)
        state = state + self.state(x)
        return state, rewards, self.done(state).squeeze(-1)


def module_of(checkpoint: SECheckpoint) -> SyntheticEnvNet | LearnedStartNet:
    """The networks of an SE, of whatever kind, as a module.

    Raises:
        UserError: as `SyntheticEnvNet`.
    """
    spec, config = get_task(checkpoint.task), checkpoint.se_config
    sizes = config, spec.obs_size, spec.n_actions
    names = [net.name for net in kind_of(config).layout(*sizes)]
    net = (LearnedStartNet if "init" in names else SyntheticEnvNet)(*sizes)
    net.load_psi(checkpoint.psi)
    return net


class FusedNets:
    """The three networks as one, and their input in two parts that can be written to.

    Copies and pickles hold the module and the input's values. The rest is made anew
    from them: a function inside a function cannot be pickled, and the copy of a view
    is no view.
    """

    one_hot: np.ndarray
    """The action, `n_actions` or `n_actions x copies`: a view of the input."""
    state: np.ndarray
    """The state, `obs_size` or `obs_size x copies`: a view of the input."""

    def __init__(self, net: SyntheticEnvNet, *copies: int) -> None:
        """Make the function of `net`, of one input or of a column for each copy."""
        size = net.n_actions + net.obs_size
        self._connect(net, np.zeros((size, *copies), np.float32))

    @torch.inference_mode()
    def step(self) -> np.ndarray:
        """Go on to the next state.

        Returns:
            Next state, reward and raw done, one below the other, in a new array.
        """
        with OneThread():
            output = self._function(self._input).numpy()
        self.state[:] = output[:-2]
        return output

    def __getstate__(self) -> tuple[SyntheticEnvNet, np.ndarray]:
        return self._net, self._input.numpy()

    def __setstate__(self, state: tuple[SyntheticEnvNet, np.ndarray]) -> None:
        self._connect(*state)

    def _connect(self, net: SyntheticEnvNet, values: np.ndarray) -> None:
        self._net, self._function = net, net.fused()
        self._input = torch.tensor(values)  # copies
        self.one_hot = self._input[: net.n_actions].numpy()
        self.state = self._input[net.n_actions :].numpy()


def se_net(
    task: str | None, checkpoint: SECheckpoint | Path | str | None
) -> tuple[TaskSpec, SyntheticEnvNet]:
    """A task and the networks of its SE, from a file or from memory.

    Raises:
        UserError: as `open_checkpoint`, or it is a reward network or for no such task.
    """
    spec, checkpoint = open_checkpoint(task, checkpoint, "synthetic environment")
    kind_of(checkpoint.se_config).check_actions(spec.id, spec.continuous)
    net = SyntheticEnvNet(checkpoint.se_config, spec.obs_size, spec.n_actions)
    net.load_psi(checkpoint.psi)
    return spec, net
