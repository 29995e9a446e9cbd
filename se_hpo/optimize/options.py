"""The flags of `python -m se_hpo.optimize`; the comment under a field is its help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Options:
    """Tune NES, SE and agent with BOHB; every evaluation is a complete NES run."""

    space: str | None = None
    """Search space: a shipped one by name, or your own file by path."""
    run: Path | None = None
    """Run folder; an existing run is continued. Default: results/SPACE-SEED."""
    seed: int = 0
    """Seed of the whole run."""
    optimizer: Literal["bohb", "hyperband", "random"] = "bohb"
    """How configurations are proposed and promoted."""
    min_budget: int | None = None
    """Generations on the lowest rung (seeds, for agent-only spaces)."""
    max_budget: int | None = None
    """Generations on the highest rung."""
    eta: float | None = None
    """One trial in eta is promoted to the next rung."""
    n_brackets: int | None = None
    """Brackets to run; may be raised later. Default: what the space says, else two
    Hyperband cycles, or 30 trials where there is only one rung."""
    brackets: Literal["cycle", "aggressive"] = "cycle"
    """Hyperband's cycle, or always the bracket with all rungs."""
    model: Literal["parzen", "kde"] | None = None
    """Densities of BOHB's model: a tree-structured Parzen estimator's, or those of
    hpbandster. Default: an existing run's own; parzen for a new one."""
    random_fraction: float | None = None
    """Share of proposals that ignore BOHB's model. Default: an existing run's own; 0.1
    with parzen, 1/3 with kde."""
    prefer_cheap: bool = False
    """Let the model weigh what a configuration costs in processor time."""
    random_start: bool = False
    """Do not begin with the space's default configuration."""
    on: Path | None = None
    """Train the agents of an agent-only space on this SE instead of the task: zoo:NAME,
    a checkpoint file, or a set of SEs."""
    start_from: Path | None = None
    """Evaluate these configurations first: the best of another run, by its folder, or a
    list of them in a JSON or YAML file."""
    start_best: int = 5
    """How many of that run's best."""
    prior: Path | None = None
    """Let the model know the results of another run of the same space, by its folder;
    their weight fades as own results come."""
    n_workers: int = 1
    """Worker processes on this machine."""
    threads: int = 0
    """Threads per worker; 0 shares the cores among the workers."""
    loss: Literal["progress", "clipped"] | None = None
    """What is minimized, see docs/search.md. Default: the run's; new: progress."""
    engine: Literal["auto", "native", "torch"] = "auto"
    """What trains the agents; auto takes native where it is built."""
    role: Literal["all", "master", "worker"] = "all"
    """Master and workers together, or one of them per machine with a shared --run."""
    host: str | None = None
    """Address the master or worker listens on and is reached at. Default: loopback; in
    a SLURM job, with --role master, the node's own name."""
    nic: str | None = None
    """Network interface to listen on, instead of --host: `ib0`."""
    overwrite: bool = False
    """Delete an earlier run in the folder."""
    max_failures: int | None = None
    """Stop after this many failed evaluations, of all attempts. Default: only if the
    first five all fail for the same reason."""
    confirm: int | None = None
    """Afterwards rerun the best trials on fresh seeds, four times as many as this, then
    the better of them on more, until so many are left; the best then is the run's best.
    Default: what the space says, 3 as a rule; 0 with --role master."""
    plan: bool = False
    """Print brackets, rungs, trials and expected wall time, then exit."""
    list_spaces: bool = False
    """List the shipped spaces, then exit."""
    describe: str | None = None
    """Show the hyperparameters of a space, then exit."""
    tensorboard: bool = False
    """Write losses, center scores and costs to RUN/tensorboard, too (extra
    `tensorboard`)."""
    quiet: bool = False
    """Only warnings and the final table."""
    verbose: bool = False
    """Also log every generation."""
