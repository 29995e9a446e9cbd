"""Parts of a command's work: `--shard i/n`, counted from 1, for job arrays."""

from __future__ import annotations

from se_hpo.errors import UserError


def parse_shard(text: str | None) -> tuple[int, int]:
    """`i/n` as numbers; None is all.

    Raises:
        UserError: not i/n with 1 <= i <= n.

    >>> parse_shard("2/8"), parse_shard(None)
    ((2, 8), (1, 1))
    """
    if text is None:
        return 1, 1
    first, slash, second = text.partition("/")
    if not (slash and first.isdecimal() and second.isdecimal()):
        raise UserError(f"--shard {text!r}: say i/n, as 1/8")
    i, n = int(first), int(second)
    if not 1 <= i <= n:
        raise UserError(f"--shard {text}: shards count from 1/{max(n, 1)} to {n}/{n}")
    return i, n
