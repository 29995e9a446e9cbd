"""The errors a user can mend, and "did you mean" for a name they mistyped."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Bad input: one line that says what is wrong and names the mend.

    Command lines print the line and end with exit code 2.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that points from a mistyped name to the closest known ones.

    >>> did_you_mean("nes_cartpol", ["nes_cartpole", "smoke"])
    "did you mean 'nes_cartpole'?"
    >>> did_you_mean("xyz", ["nes_cartpole", "smoke"])
    'known: nes_cartpole, smoke'
    """
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=2, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close) + "?"
    return "known: " + ", ".join(known)
