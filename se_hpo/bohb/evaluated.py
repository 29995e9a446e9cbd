"""What an evaluation may return, and what becomes of everything else.

hpbandster hangs for ever on a loss of None, a NumPy scalar or an array in `info`, since
the message is lost on the wire. Here whatever `compute` returns or raises becomes a
result of builtin types; a bad one is a failed evaluation with loss 1 and a reason.
"""

from __future__ import annotations

import json
import math
import numbers
import traceback
from collections.abc import Mapping
from typing import Any

from se_hpo.storage.files import parse_json
from se_hpo.storage.records import Status, to_builtin
from se_hpo.text import first_line, shortened, text_of

FAILED_LOSS = 1.0
"""The worst loss there is: a configuration that fails is a bad one."""
MAX_RESULT_BYTES = 4 * 2**20
"""Longest result as JSON; the wire takes 16 MiB."""


def failed_result(reason: str, error: str | None = None) -> dict[str, Any]:
    """The result of an evaluation that went wrong; `error`: the traceback, if any."""
    info = {"status": str(Status.FAILED), "reason": f"failed: {first_line(reason)}"}
    info["error"] = error or reason
    return {"loss": FAILED_LOSS, "info": to_builtin(info)}


def failure_of(error: BaseException) -> dict[str, Any]:
    """The result of an evaluation that raised."""
    trace = "".join(traceback.format_exception(error))
    return failed_result(f"{type(error).__name__}: {text_of(error)}", trace[-20_000:])


def checked_result(value: Any) -> dict[str, Any]:
    """Turn what an evaluation returned into `{"loss": float, "info": dict}`.

    >>> checked_result({"loss": 0.5})["info"]
    {'status': 'finished'}
    >>> checked_result({"loss": None})["info"]["reason"]
    'failed: its loss is None, not a finite number'
    """
    if not isinstance(value, Mapping):
        return failed_result(
            f"it returned {shortened(repr(value), 80)}, not a dict with a loss"
        )
    if "loss" not in value:
        return failed_result(
            f"it returned no 'loss', only {shortened(repr(sorted(value)), 80)}"
        )
    loss = _scalar(value["loss"])
    if (n := _n_objectives(value["loss"])) is not None:
        one = "a loss is one number, a weighted sum of them, say"
        return failed_result(f"{n} objectives where one is needed: {one}")
    if loss is None or not math.isfinite(loss):
        return failed_result(
            f"its loss is {shortened(repr(value['loss']), 80)}, not a finite number"
        )
    try:
        info = to_builtin(value.get("info") or {})
        info = info if isinstance(info, dict) else {"value": info}
        result = {"loss": loss, "info": {"status": str(Status.FINISHED), **info}}
        text = json.dumps(result, allow_nan=False)
        parse_json(text)
    except (TypeError, ValueError, RecursionError) as error:
        return failed_result(f"its info cannot be stored: {error}")
    if len(text) > MAX_RESULT_BYTES:
        size = f"{len(text)} bytes, over {MAX_RESULT_BYTES}"
        return failed_result(f"its info takes {size}")
    return result


def _n_objectives(loss: Any) -> int | None:
    """How many numbers a loss is, if it is several."""
    several = isinstance(loss, list | tuple) or bool(getattr(loss, "ndim", 0))
    return len(loss) if several and len(loss) > 1 else None


def _scalar(loss: Any) -> float | None:
    """A number from a builtin or NumPy scalar; None for everything else."""
    if isinstance(loss, bool) or type(loss).__name__ == "bool":
        return None
    if getattr(loss, "ndim", None) == 0 and hasattr(loss, "item"):
        loss = loss.item()  # NumPy or torch scalar
    return float(loss) if isinstance(loss, numbers.Real) else None
