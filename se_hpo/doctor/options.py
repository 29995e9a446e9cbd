"""The flags of `python -m se_hpo.doctor`; the comment under a field is its help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class DoctorOptions:
    """Check this machine, its cluster, and a run if its folder is given.

    On a cluster the flags of `python -m se_hpo.slurm` choose the node that is asked.
    """

    run: Path | None = None
    """A run's folder, or the one that runs are to be made in. Default: results."""
    reward_network: Path | None = None
    """File of a reward network: look at it alone, and say what holds for it."""
    host: str | None = None
    """Address that a master is to listen on. Default: as a run would choose."""
    nic: str | None = None
    """Network interface to listen on, instead of --host: `ib0`."""
    partition: str | None = None
    """Partition that the second node is to be of."""
    setup: str = ""
    """Shell commands before Python starts there: `module load gcc`."""
    sbatch: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """More options of SLURM: `"--account=x"`; may be given again."""
