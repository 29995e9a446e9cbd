"""A learned environment's networks without torch: float32, in a few microseconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SLOPES = {"relu": 0.0, "leaky_relu": 0.01, "prelu": 0.25}
"""Factor of negative inputs."""
_FLOAT32_SLOPES = {name: np.float32(slope) for name, slope in SLOPES.items()}


class NumpyMLP:
    """Linear, activation, Linear, ..., Linear: the outputs are linear."""

    def __init__(self, arrays: Sequence[np.ndarray], activation: str) -> None:
        """Copy weight, bias, weight, ... of the layers; a lone weight has no bias.

        Weights are `out x in`, as `parameters.split_psi` gives them.
        """
        self._activation = activation
        values = [np.array(array.T) for array in arrays]
        biases = values[1::2] if len(values) > 1 else [np.zeros(1, np.float32)]
        self._layers = list(zip(values[::2], biases, strict=True))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Map `... x inputs` to `... x outputs`.

        Overflow gives infinity or NaN, and NumPy's warning unless within `silent()`.
        """
        weight, bias = self._layers[0]
        x = x @ weight + bias
        for weight, bias in self._layers[1:]:
            x = activate(self._activation, x) @ weight + bias
        return x


def silent() -> np.errstate:
    """A context, or decorator, without warnings of overflow: torch gives none."""
    return np.errstate(over="ignore", invalid="ignore")


def activate(name: str, x: np.ndarray) -> np.ndarray:
    """A hidden layer's activation, by its name."""
    if name == "tanh":
        return np.tanh(x)
    slope = _FLOAT32_SLOPES[name]
    return np.maximum(x, slope * x if slope else slope)  # not 0 times infinity
