"""Configurations become vectors and come back legal, builtin and of the same type."""

import json

import numpy as np
import pytest

from se_hpo.bohb.encoding import SpaceEncoding
from tests.helpers.rich_space import rich_space


def test_configurations_survive_encoding_and_json():
    space = rich_space()
    encoding = SpaceEncoding(space)
    assert "constant" not in encoding.names
    for seed in range(50):
        config = json.loads(json.dumps(encoding.sample(seed)))
        vector = encoding.encode(config)
        filled = np.where(np.isnan(vector), 0.0, vector)
        decoded = encoding.decode(filled)
        assert decoded == pytest.approx(config)
        assert {k: type(v) for k, v in decoded.items()} == {
            k: type(v) for k, v in config.items()
        }


def test_sampled_values_are_builtin_and_keep_their_declared_types():
    seen = {}
    encoding = SpaceEncoding(rich_space())
    for seed in range(60):
        for name, value in encoding.sample(seed).items():
            seen.setdefault(name, set()).add(type(value))
    assert seen["mixed"] == {int, float, str}
    assert seen["flag"] == {bool}
    assert seen["layers"] == seen["batch"] == seen["size"] == seen["constant"] == {int}
    assert seen["lr"] == {float}


def test_ends_of_a_range_decode_to_legal_values():
    space = rich_space()
    encoding = SpaceEncoding(space)
    ends = [encoding.decode(np.full(len(encoding.names), end)) for end in (0.0, 1.0)]
    for name in ("share", "lr", "batch", "layers"):
        assert [config[name] for config in ends] == [
            space[name].lower,
            space[name].upper,
        ]
    assert [config["size"] for config in ends] == [16, 128]


def test_a_forbidden_vector_decodes_to_none_and_a_foreign_value_raises():
    encoding = SpaceEncoding(rich_space())
    config = {**encoding.sample(0), "algorithm": "none", "layers": 4}
    config.pop("momentum", None)
    vector = np.nan_to_num(encoding.encode(config))
    assert encoding.decode(vector) is None
    with pytest.raises(ValueError, match="rmsprop"):
        encoding.encode({"algorithm": "rmsprop"})
