"""safetensors bytes that are the same for the same content.

The library writes metadata in the order of a hash map that differs between processes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
from safetensors.numpy import save

from se_hpo.paths import parse_json

_ALIGNMENT = 8  # of the header, as the format demands


def tensor_bytes(
    tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> bytes:
    """A safetensors file as bytes, its metadata sorted by name.

    >>> a = tensor_bytes({"x": np.zeros(2)}, {"a": "1", "b": "2"})
    >>> a == tensor_bytes({"x": np.zeros(2)}, {"b": "2", "a": "1"})
    True
    """
    data = save(dict(tensors), dict(metadata))
    size = int.from_bytes(data[:8], "little")
    header = parse_json(data[8 : 8 + size])
    header["__metadata__"] = dict(sorted(metadata.items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]
