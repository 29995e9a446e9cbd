"""What the flags of several commands have in common: ranges, shards, leading dashes."""

from __future__ import annotations

from typing import Any

from se_hpo.errors import UserError

_TAKES_DASHES = ("--sbatch", "--setup")


def at_least(least: int, **flags: int | None) -> None:
    """Refuse a flag below `least`; one that was not given (None) is fine.

    >>> at_least(1, n_workers=0)
    Traceback (most recent call last):
    se_hpo.errors.UserError: --n-workers 0: must be 1 or more
    """
    for name, value in flags.items():
        if value is not None and value < least:
            flag = name.replace("_", "-")
            raise UserError(f"--{flag} {value}: must be {least} or more")


def check_seed(seed: int) -> None:
    """Refuse a `--seed` that NumPy does not take.

    Raises:
        UserError: it is not in [0, 2**32).
    """
    if not 0 <= seed < 2**32:
        raise UserError(f"--seed {seed}: must be in [0, 2**32)")


def only_for_terminals(options: Any, command: str, *names: str) -> None:
    """Refuse flags that only print something, where Python gave them."""
    for name in names:
        if getattr(options, name):
            typed = f"python -m se_hpo.{command} --{name.replace('_', '-')}"
            raise UserError(
                f"{name}: it only prints something, ask for it with {typed}"
            )


def parse_shard(text: str | None) -> tuple[int, int]:
    """`--shard i/n` as numbers, counted from 1; None is all.

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


def joined(arguments: list[str]) -> list[str]:
    """Flags whose values may begin with a dash, as one word each.

    >>> joined(["--sbatch", "--mem=4G", "--quiet"])
    ['--sbatch=--mem=4G', '--quiet']
    """
    words: list[str] = []
    for word in arguments:
        if words and words[-1] in _TAKES_DASHES:
            words[-1] += f"={word}"
        else:
            words.append(word)
    return words
