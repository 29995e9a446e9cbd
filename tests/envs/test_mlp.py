import copy

import pytest
import torch
from torch import nn

from se_hpo.agents.config import ACTIVATIONS
from se_hpo.agents.mlp import MLP, flatten_

TORCH_ACTIVATIONS = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "prelu": nn.PReLU,
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("hidden_layers", [1, 2, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_mlp_equals_a_sequential_of_torch_layers(activation, hidden_layers):
    mlp = MLP(4, 2, 7, hidden_layers, activation, seeded())
    act = TORCH_ACTIVATIONS[activation]()
    modules = []
    for weight, bias in mlp.layers:
        linear = nn.Linear(weight.shape[1], weight.shape[0])
        linear.weight, linear.bias = weight, bias
        modules += [linear, act]
    x = torch.randn(5, 4, generator=seeded(1))
    expected = nn.Sequential(*modules[:-1])(x)
    assert torch.equal(mlp(x), expected)
    torch.testing.assert_close(mlp(x[0]), expected[0])


def test_parameters_have_the_distribution_of_torchs_linear():
    mlp = MLP(4, 300, 100, 1, "relu", seeded())
    (w1, b1), (w2, b2) = mlp.layers
    for values, bound in ((w1, 0.5), (b1, 0.5), (w2, 0.1), (b2, 0.1)):
        assert values.abs().max() <= bound
        assert values.abs().max() > 0.95 * bound
    torch.testing.assert_close(w2.std().item(), 0.1 / 3**0.5, rtol=0.02, atol=0)
    assert abs(w2.mean().item()) < 0.002


def test_parameters_come_from_the_generator_alone():
    torch.manual_seed(1)
    first = MLP(3, 2, 5, 2, "tanh", seeded(7))
    torch.manual_seed(2)
    second = MLP(3, 2, 5, 2, "tanh", seeded(7))
    other = MLP(3, 2, 5, 2, "tanh", seeded(8))
    for a, b, c in zip(
        first.parameters(), second.parameters(), other.parameters(), strict=True
    ):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


def test_prelu_has_one_trainable_slope_for_all_layers():
    mlp = MLP(3, 2, 5, 3, "prelu", seeded())
    *_, (name, slope) = mlp.named_parameters()
    assert (name, slope.shape, slope.item()) == ("activation.weight", (1,), 0.25)
    assert len(list(mlp.parameters())) == 4 * 2 + 1
    assert len(list(MLP(3, 2, 5, 3, "tanh", seeded()).parameters())) == 4 * 2


def test_flattened_network_follows_its_vector_and_keeps_its_gradients():
    plain = MLP(3, 2, 5, 2, "prelu", seeded())
    flat = copy.deepcopy(plain)
    values, gradients = flatten_(flat)
    x = torch.randn(6, 3, generator=seeded(1))
    assert torch.equal(flat(x), plain(x))

    plain(x).square().sum().backward()
    flat(x).square().sum().backward()
    expected = torch.cat([p.grad.reshape(-1) for p in plain.parameters()])
    assert torch.equal(gradients, expected)

    values.zero_()
    assert not flat(x).any()
    assert plain(x).any()


def test_a_copied_network_shares_nothing_with_the_original():
    mlp = MLP(3, 2, 5, 1, "prelu", seeded())
    copied = copy.deepcopy(mlp)
    values, _ = flatten_(copied)
    values.zero_()
    assert mlp(torch.ones(3)).any()
    assert not copied(torch.ones(3)).any()
