"""The Gumbel-softmax (Jang et al., 2017; Maddison et al., 2017)."""

from __future__ import annotations

import numpy as np
import torch


def gumbel_softmax(
    logits: torch.Tensor, gumbel: torch.Tensor, temperature: float, hard: bool
) -> torch.Tensor:
    """Softened one-hot vectors of the argmax of `logits + gumbel`.

    Args:
        logits: `... x n`.
        gumbel: standard Gumbel noise, `... x n`; with it the argmax is a sample of the
            categorical distribution that the logits give.
        temperature: above 0; the lower, the nearer to one-hot.
        hard: exactly one-hot, with the gradient of the soft vectors.
    """
    soft = ((logits + gumbel) / temperature).softmax(dim=-1)
    if not hard:
        return soft
    one_hot = torch.zeros_like(soft).scatter_(-1, soft.argmax(-1, keepdim=True), 1.0)
    return one_hot + (soft - soft.detach())


def gumbel_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> torch.Tensor:
    """Standard Gumbel noise, float32."""
    return torch.from_numpy(rng.gumbel(size=shape).astype(np.float32))


def normal_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> torch.Tensor:
    """Standard normal noise, float32."""
    return torch.from_numpy(rng.standard_normal(shape, np.float32))
