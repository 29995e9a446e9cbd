"""The name of one evaluation: trial, budget and a digest of the configuration.

The same in master and worker, and in a restarted master: a worker that comes back with
a trial can say which, and nobody mistakes another configuration's result for it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from se_hpo.paths import ConfigId, trial_name


def evaluation_token(
    config_id: ConfigId, configuration: Mapping[str, Any], budget: float
) -> str:
    """The name of an evaluation.

    >>> evaluation_token((0, 0, 3), {"x": 1}, 9.0)
    '000-0-003@9#df78ddc4'
    """
    text = json.dumps(configuration, sort_keys=True)
    return f"{trial_name(config_id)}@{budget:g}#{zlib.crc32(text.encode()):08x}"
