"""Adam for a network whose parameters are one vector."""

from __future__ import annotations

import math

import torch
from torch import nn

from se_hpo.agents.mlp import flatten_


class Adam:
    """Adam (Kingma and Ba, 2015) as in torch, without its bookkeeping per call.

    For networks of some thousand parameters `torch.optim.Adam` spends most of its time
    outside arithmetic.
    """

    def __init__(self, module: nn.Module, lr: float, eps: float = 1e-8) -> None:
        """Take over the module's parameters (`flatten_`)."""
        self.parameters, self.gradients = flatten_(module)
        self._lr, self._beta1, self._beta2, self._eps = lr, 0.9, 0.999, eps
        self._mean = torch.zeros_like(self.parameters)
        self._square = torch.zeros_like(self.parameters)
        self._steps = 0

    def minimize(self, loss: torch.Tensor, max_norm: float = 0.0) -> None:
        """One step down the gradient of `loss`, shortened to `max_norm` (0: never)."""
        self.gradients.zero_()
        loss.backward()
        if max_norm:
            norm = self.gradients.norm().item()
            self.gradients.mul_(min(1.0, max_norm / (norm + 1e-6)))
        self._steps += 1
        bias1 = 1 - self._beta1**self._steps
        bias2 = 1 - self._beta2**self._steps
        self._mean.lerp_(self.gradients, 1 - self._beta1)
        self._square.mul_(self._beta2)
        self._square.addcmul_(self.gradients, self.gradients, value=1 - self._beta2)
        scale = self._square.sqrt().div_(math.sqrt(bias2)).add_(self._eps)
        self.parameters.addcdiv_(self._mean, scale, value=-self._lr / bias1)
