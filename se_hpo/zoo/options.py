"""The flags of `python -m se_hpo.zoo`; the comment under a field is its help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro


@dataclass(frozen=True)
class ZooOptions:
    """SEs by name: list them, show one, or make a file of an SE of your own."""

    action: tyro.conf.Positional[Literal["list", "show", "add"]] = "list"
    """list all; show the model card of one; add one of your own."""
    what: tyro.conf.Positional[str | None] = None
    """show: a name (CartPole-v1) or a file. add: a run or set (results/RUN)."""
    se: int | None = None
    """add: this SE of the set. Default: the best, of those that solved the task."""
    name: str | None = None
    """add: TASK or TASK:KIND. Default: the task's id."""
    evaluations: Path | None = None
    """add: a run, folder or file of records that say what agents reach on the SE.
    Default: those of its run."""
    note: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """add: a limit of the SE, in a sentence for its card; may be given again."""
    out: Path = Path("zoo")
    """add: the folder to write to."""
    overwrite: bool = False
    """add: replace a file of that name."""
