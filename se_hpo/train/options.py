"""The flags of `python -m se_hpo.train`; the comment under a field is its help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class TrainOptions:
    """Train a set of SEs or RNs: independent NES runs from different seeds."""

    from_run: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Take the best configuration of this run of `optimize` (results/...)."""
    trial: str | None = None
    """With --from: that of this trial instead."""
    config: str | None = None
    """Take a recipe: a shipped one by name, or your own YAML file by path."""
    list_configs: bool = False
    """List the shipped recipes, then exit."""
    describe: str | None = None
    """Show what a recipe, by name or path, sets and leaves as it is; then exit."""
    task: str | None = None
    """With --from or --like: allow to import the module that their task names, as
    MODULE:ID. What the space file of the run names is imported anyway."""
    set: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Change a value, as often as needed: --set nes.step_size=0.5."""
    num_envs: int | None = None
    """SEs in the set; may be raised later. Default: 40, or as many as --like has."""
    vary_hp: bool = False
    """Draw the agent's hyperparameters anew for each inner loop (`se_varied`,
    `rn_varied`)."""
    random_search: bool = False
    """No NES: the best of as many random SEs as NES trains agents for (`se_random`)."""
    trainings: int | None = None
    """With --random-search: agents per SE. Default: those of a full NES run."""
    like: Path | None = None
    """With --random-search: as many agents as this finished set took per SE, and its
    configuration if no other is given."""
    generations: int | None = None
    """At most so many per NES run; may be raised later, for those that did not solve
    the task. Default: the recipe's; 50 with --from."""
    seed: int = 0
    """Seed of the whole set."""
    out: Path | None = None
    """The set's folder; an existing set is continued. Default:
    RUN/ses/{fixed,varied,random}, of RNs RUN/ses/KIND-{...}; with results/RECIPE for
    RUN."""
    workers: int = 0
    """SEs trained side by side; 0: one per core."""
    engine: Literal["auto", "native", "torch"] = "auto"
    """What trains the agents; auto takes native where it is built."""
    shard: str | None = None
    """Only part i of n, as 1/8; all parts together are the set."""
    plan: bool = False
    """Print what would be done and the expected wall time, then exit."""
    quiet: bool = False
    """Only warnings and the final table."""
