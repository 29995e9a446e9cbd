"""The paper's Fig. 5 with this package, from nothing to committed frames and networks.

    python experiments/reward_networks.py rn-cliff      # minutes; the same continues
    python experiments/reward_networks.py rn-cartpole
    python experiments/reward_networks.py rn-cmc
    python experiments/reward_networks.py rn-cliff --collect    # the frames again
    python experiments/reward_networks.py rn-cliff --dry-run    # print the commands

Trains a set of reward networks of each kind, and the control without NES, evaluates
agents on all of them and on the task by learning curves, writes the report, and copies
what is small to `experiments/results/STUDY/`: the sets as they are, but for logs and
states, so that `train --like`, `evaluate`, `report` and `load_ses` take them.
`experiments/README.md` reads the outcome beside the paper's numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from study import keep, keep_run, run_study

import se_hpo
from se_hpo import analysis
from se_hpo.storage.paths import RunPaths

POTENTIALS = ("exclusive_potential", "additive_potential")
OTHERS = ("exclusive", "additive")
SMOKE = ["nes.population=2", "nes.n_center_evaluations=1", "nes.horizon=300"]


@dataclass(frozen=True)
class Study:
    """Sets of reward networks of one recipe, and the rows of the figure."""

    rows: tuple[tuple[int, tuple[str, ...]], ...]
    """Of an evaluation each: agents per network (fewer where one takes long), flags."""
    per_kind: int = 10
    """Networks."""
    kinds: tuple[str, ...] = (*POTENTIALS, *OTHERS)
    flags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Of `train`, by kind."""
    control: str | None = None
    """Kind whose best random networks are the control."""
    at: tuple[int, ...] = ()
    """Training steps at which returns are collected."""


LESS_NOISE = ("--set", "nes.noise_std=0.1", "--set", "nes.step_size=1.0")
COUNTS = ("--baselines", "q_learning+count_bonus=0.1")
TEXTBOOK, VARIED = ("--agent-values", "textbook"), ("--hyperparameters", "varied")
STUDIES = {
    "rn-cliff": Study(
        (
            (10, ("q_learning", "sarsa", *COUNTS, *TEXTBOOK)),
            (10, ("q_learning", *COUNTS, *TEXTBOOK, *VARIED)),
        ),
        flags=dict.fromkeys(OTHERS, LESS_NOISE),
        control="additive_potential",
        at=(100, 200, 300, 500, 1_000, 1_500, 2_000, 3_000, 5_000),
    ),
    "rn-cartpole": Study(
        (
            (10, ("ddqn", *TEXTBOOK)),
            (3, ("ddqn", *TEXTBOOK, *VARIED)),
        ),
        # The others stand still long before.
        flags={
            **dict.fromkeys((*POTENTIALS, *OTHERS), ("--vary-hp",)),
            "exclusive_potential": ("--vary-hp", "--generations", "60"),
        },
        at=(500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 50_000),
    ),
    "rn-cmc": Study(
        (
            (5, ("td3", "--curve-steps", "70000")),
            (5, ("ppo", *TEXTBOOK, "--curve-steps", "70000")),
        ),
        per_kind=5,
        kinds=("additive",),
        at=(10_000, 15_000, 20_000, 30_000, 50_000, 70_000),
    ),
}


def commands(name: str, run: Path, smoke: bool) -> Iterator[list[str]]:
    """What a user would type, one command after the other."""
    study, sets = STUDIES[name], RunPaths(run).ses
    n = "1" if smoke else str(study.per_kind)
    small = [word for value in SMOKE for word in ("--set", value)] if smoke else []
    small += ["--generations", "1"] if smoke else []
    recipe = ["train", "--config", name, "--num-envs", n, *small]
    for kind in study.kinds:
        own = ["--set", f"rn.kind={kind}", *study.flags.get(kind, ())]
        yield [*recipe, *own, "--out", str(sets / kind)]
    if study.control:
        like = ["--like", str(sets / study.control), "--num-envs", n]
        out = ["--out", str(sets / f"{study.control}-random")]
        yield ["train", "--config", name, "--random-search", *small, *like, *out]
    short = ["--curve-steps", "300"] if smoke else []
    for number, row in study.rows:
        number = 1 if smoke else number
        agents = ["--num-agents", str(number), "--agents", *row, *short]
        yield ["evaluate", "--envs", str(run), *agents]
    yield ["report", str(run)]


def collect(name: str, run: Path, out: Path) -> None:
    """Copy figures and networks, and write the small frames."""
    evaluations, networks = se_hpo.load_evaluations(run), se_hpo.load_ses(run)
    means = analysis.mean_curves(se_hpo.load_curves(run), list(STUDIES[name].at))
    cost = networks.groupby("se_set")[["cpu_seconds", "env_steps_se", "env_steps_task"]]
    table = analysis.curve_table(evaluations)
    frames = {
        "curve_table": table,
        "returns_at_steps": means,
        "break_even": analysis.curve_break_even(table, evaluations, networks),
        "cost": cost.sum().reset_index(),
        "networks": networks.drop(columns=["checkpoint", "host", "run", "task"]),
    }
    keep(frames, run, ["learning_curves*", "reward_maps*", "nes_curves"], out)
    keep_run(run, out)


def main() -> None:
    """Run what is asked for."""
    run_study(__doc__, STUDIES, commands, collect)


if __name__ == "__main__":
    main()
