"""Texts for people: one line of many, shortened values, durations, curves."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

_BARS = "▁▂▃▄▅▆▇█"


def text_of(value: object, how: Callable[[object], str] = str) -> str:
    """`str` or `repr` of anyone's object; its type's name where that raises."""
    try:
        return how(value)
    except Exception:  # noqa: BLE001 - it is not ours
        return type(value).__name__


def first_line(text: object, otherwise: str = "") -> str:
    """The first line that is not blank."""
    return next((s for x in text_of(text).splitlines() if (s := x.strip())), otherwise)


def last_line(text: object, otherwise: str = "") -> str:
    """The last line that is not blank: of a traceback, what went wrong."""
    lines = reversed(str(text).splitlines())
    return next((s for x in lines if (s := x.strip())), otherwise)


def one_line(error: BaseException) -> str:
    """All that an error says, in one line; its type where it says nothing.

    >>> one_line(ValueError("no  such date")), one_line(KeyError("task"))
    ('no such date', "'task' is missing")
    """
    text = " ".join(text_of(error).split()) or type(error).__name__
    return f"{text} is missing" if isinstance(error, KeyError) and error.args else text


def typed_line(error: BaseException) -> str:
    """As `one_line`, with the error's type: for errors of code that is not ours."""
    name, text = type(error).__name__, " ".join(text_of(error).split())
    return f"{name}: {text}" if text not in ("", name) else name


def command_line(text: str, otherwise: str) -> str:
    """What a command of SLURM said, as one line without its own name."""
    lines = [re.sub(r"^\w+: (error: )?", "", line) for line in text.splitlines()]
    return "; ".join(line.rstrip(" .") for line in lines if line.strip()) or otherwise


def shortened(text: str, width: int) -> str:
    """At most `width` characters.

    >>> shortened("a long text", 8), shortened("short", 8)
    ('a lon...', 'short')
    """
    return text if len(text) <= width else text[: width - 3] + "..."


def short_json(value: Any, width: int = 60) -> str:
    """A setting as it is stored, shortened."""
    return shortened(json.dumps(value), width)


def short_number(value: Any, digits: int = 4) -> str:
    """A hyperparameter's value: floats to some digits, others as they are."""
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def score_text(score: float) -> str:
    """A score: a return or a number of steps, or near 1.

    >>> score_text(195.0), score_text(-13000.0), score_text(0.7134)
    ('195.0', '-13000.0', '0.713')
    """
    return f"{score:.1f}" if abs(score) >= 2 else f"{score:.3f}"


def short_count(n: int) -> str:
    """A number of steps.

    >>> short_count(1_940_000), short_count(81_000)
    ('1.9 M', '81,000')
    """
    return f"{n / 1e6:.1f} M" if n >= 1e6 else f"{n:,}"


def duration(seconds: float | None) -> str:
    """Hours, minutes and seconds.

    >>> duration(3725.4), duration(59.9), duration(200000), duration(None)
    ('1:02:05', '0:00:59', '2d 07:33', '?')
    """
    if seconds is None or not math.isfinite(seconds):
        return "?"
    minutes, s = divmod(max(0, int(seconds)), 60)
    hours, m = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24}d {hours % 24:02d}:{m:02d}"
    return f"{hours}:{m:02d}:{s:02d}"


def busy_note(slowed: float) -> str:
    """What to expect while others use the cores; nothing where they hardly do.

    >>> busy_note(1.1), busy_note(3.14)
    ('', 'others are using the cores: now it takes 3.1 times as long')
    """
    told = f"others are using the cores: now it takes {slowed:.1f} times as long"
    return told if slowed >= 1.3 else ""


def sparkline(values: Sequence[float], width: int) -> str:
    """A curve in at most `width` characters, from its own minimum to its maximum.

    Longer curves are drawn by the means of equal pieces.

    >>> sparkline([0, 1, 2, 7], 4), sparkline([0, 0, 7, 7], 2), sparkline([3, 3], 9)
    ('▁▂▃█', '▁█', '▁▁')
    """
    finite = [v for v in values if math.isfinite(v)]
    if len(finite) > width:
        edges = [round(i * len(finite) / width) for i in range(width + 1)]
        pieces = [finite[a:b] for a, b in pairwise(edges)]
        finite = [sum(piece) / len(piece) for piece in pieces]
    if not finite:
        return ""
    low, span = min(finite), max(finite) - min(finite)
    scale = (len(_BARS) - 1) / span if span > 0 else 0.0
    return "".join(_BARS[round((v - low) * scale)] for v in finite)
