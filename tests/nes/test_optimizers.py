"""Optimizers of the outer loop step as torch's do."""

import numpy as np
import torch

from se_hpo.nes.optimizers import Adam


def test_adam_takes_the_steps_of_torch_uphill():
    gradients = np.random.default_rng(0).standard_normal((20, 3)) * [1.0, 1e-3, 1e3]
    psi = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    theirs = torch.optim.Adam([psi], lr=0.1, maximize=True)
    ours, here = Adam(0.1), np.zeros(3)
    state = ours.init(3)
    for gradient in gradients:
        psi.grad = torch.from_numpy(gradient)
        theirs.step()
        state, step = ours.step(state, gradient)
        here = here + step
        np.testing.assert_allclose(here, psi.detach().numpy(), rtol=1e-9)
