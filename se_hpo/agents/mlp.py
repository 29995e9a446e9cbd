"""Multilayer perceptrons: how they are built, drawn and laid out in memory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

PRELU_SLOPE = 0.25
"""Slope with which a PReLU starts, as in torch."""

_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": F.leaky_relu,
}


class MLP(nn.Module):
    """Linear, activation, Linear, ..., Linear: the outputs are linear.

    Parameters are, per layer, the weight (`out x in`) and the bias; for PReLU then one
    slope shared by all layers. With `layer_norm` a hidden layer after the first is
    Linear, layer normalization, activation, and has a gain and a shift too.
    """

    def __init__(
        self,
        in_size: int,
        out_size: int,
        hidden_size: int,
        hidden_layers: int,
        activation: str,
        generator: torch.Generator,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        sizes = [in_size, *[hidden_size] * hidden_layers, out_size]
        # A plain list beside the registered parameters: iterating torch's containers
        # would take as long as the small matrix products.
        self.layers: list[tuple[nn.Parameter, nn.Parameter]] = []
        self.norms: list[tuple[nn.Parameter, nn.Parameter] | None] = []
        for i, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
            weight = uniform_parameter((fan_out, fan_in), fan_in, generator)
            bias = uniform_parameter((fan_out,), fan_in, generator)
            self.register_parameter(f"weight_{i}", weight)
            self.register_parameter(f"bias_{i}", bias)
            self.layers.append((weight, bias))
            self.norms.append(None)
            if layer_norm and 0 < i < hidden_layers:
                self._normalize_layer(i, fan_out)
        self.activation = _ACTIVATIONS.get(activation) or nn.PReLU(init=PRELU_SLOPE)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `... x in_size` to `... x out_size`."""
        for (weight, bias), norm in zip(self.layers[:-1], self.norms, strict=False):
            x = F.linear(x, weight, bias)
            if norm is not None:
                x = F.layer_norm(x, norm[0].shape, *norm)
            x = self.activation(x)
        return F.linear(x, *self.layers[-1])

    def _normalize_layer(self, i: int, size: int) -> None:
        gain, shift = nn.Parameter(torch.ones(size)), nn.Parameter(torch.zeros(size))
        self.register_parameter(f"gain_{i}", gain)
        self.register_parameter(f"shift_{i}", shift)
        self.norms[i] = gain, shift


def uniform_parameter(
    shape: tuple[int, ...], fan_in: int, generator: torch.Generator
) -> nn.Parameter:
    """Draw from U(-1 / sqrt(fan_in), 1 / sqrt(fan_in)), `nn.Linear`'s default."""
    bound = 1 / math.sqrt(fan_in)
    values = torch.empty(shape).uniform_(-bound, bound, generator=generator)
    return nn.Parameter(values)


def flatten_(module: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Move all parameters of a module into one vector, and their gradients too.

    Afterwards every parameter is a view of the first vector returned and its gradient
    a view of the second, so that one operation updates the whole network. Both are
    plain tensors outside autograd. Backward passes add to the gradients.
    """
    parameters = list(module.parameters())
    values = torch.cat([p.detach().reshape(-1) for p in parameters])
    gradients = torch.zeros_like(values)
    offset = 0
    for p in parameters:
        part = slice(offset, offset + p.numel())
        p.data, p.grad = values[part].view_as(p), gradients[part].view_as(p)
        offset += p.numel()
    return values, gradients
