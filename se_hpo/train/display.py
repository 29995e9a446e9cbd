"""What a person sees of a set in training, live or by lines, and its final table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from se_hpo.results.se_outcome import SEOutcome
from se_hpo.terminal.live import LiveLog
from se_hpo.text import duration, sparkline

_CURVE_WIDTH = 16
_LATEST = 3


@dataclass(frozen=True)
class RunningSE:
    """An SE in training."""

    index: int
    done: int
    """Generations, or agents of a random search."""
    of: int
    """At most so many."""
    seconds: float
    """Since its process started."""
    curve: tuple[float, ...] = ()
    """Mean center score of each generation."""


@dataclass(frozen=True)
class SetProgress:
    """Everything that changes."""

    done: int = 0
    """SEs of this shard."""
    total: int = 0
    solved: int = 0
    running: tuple[RunningSE, ...] = ()
    elapsed: float = 0.0
    """Seconds of this attempt."""
    eta: float | None = None
    """Seconds still to go; None while nobody knows."""


class SetDisplay(LiveLog):
    """Shows a set while it is trained.

    Args:
        title: what stays the same: train_env and task.
        folder: the set's, as the user named it.
        shown: see `LiveLog`.
    """

    def __init__(self, title: str, folder: str, **shown: Any) -> None:
        self.title, self.folder = title, folder
        self._progress = SetProgress()
        self._taken = time.monotonic()
        self._latest: tuple[str, ...] = ()
        super().__init__(**shown)

    def update(self, progress: SetProgress) -> None:
        """Show this state from now on."""
        self._progress, self._taken = progress, time.monotonic()

    def finished(self, outcome: SEOutcome, wall_seconds: float) -> None:
        """Log the line of an SE that is finished, with how far the set is."""
        line = outcome_line(outcome, wall_seconds)
        self._latest = (line, *self._latest)[:_LATEST]
        now = self._progress
        far = f"({now.done}/{now.total}, ETA {duration(now.eta)})"
        self.say(f"{line} {far}")

    def view(self, height: int) -> RenderableType:
        """The state of the set, its clocks as of now."""
        now, age = self._progress, time.monotonic() - self._taken
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(width=8, style="dim", no_wrap=True)
        grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        eta = None if now.eta is None else max(0.0, now.eta - age)
        bar = Table.grid(expand=True, padding=(0, 1))
        bar.add_column(ratio=1)
        bar.add_column(no_wrap=True, justify="right")
        count = f"{now.done}/{now.total}, {now.solved} solved  ETA {duration(eta)}"
        bar.add_row(ProgressBar(total=max(now.total, 1), completed=now.done), count)
        grid.add_row("SEs", bar)
        if now.running:
            grid.add_row("running", _running(now.running, age, height))
        for k, line in enumerate(self._latest):
            grid.add_row("" if k else "latest", Text(line))
        head = Text.assemble((self.title, "bold"), f"  {self.folder}  ")
        head.append(duration(now.elapsed + age))
        return Group(head, grid)


def _running(running: Sequence[RunningSE], age: float, height: int) -> RenderableType:
    rows = max(1, height - 5 - _LATEST)
    table = Table.grid(padding=(0, 2))
    for _ in range(5):
        table.add_column(no_wrap=True)
    for se in running[:rows]:
        score = f"{se.curve[-1]:.1f}" if se.curve else ""
        done, clock = f"{se.done}/{se.of}", duration(se.seconds + age)
        curve = sparkline(se.curve, _CURVE_WIDTH)
        table.add_row(f"{se.index:03d}", done, clock, curve, score)
    return table


def outcome_line(outcome: SEOutcome, wall_seconds: float) -> str:
    """One line about an SE that is finished."""
    parts = [f"SE {outcome.index:03d}", _how(outcome)]
    if outcome.best_score is not None:
        parts.append(f"score {outcome.best_score:.1f}")
    return " ".join([*parts, f"in {duration(wall_seconds)}"])


def _how(outcome: SEOutcome) -> str:
    if outcome.solved_at is not None:
        return f"solved at generation {outcome.solved_at}"
    if outcome.solved:
        return "solved"
    reason = "" if outcome.reason == "budget" else f" ({outcome.reason})"
    return f"not solved{reason}"


def set_table(outcomes: Sequence[SEOutcome], missing: Mapping[int, str]) -> Table:
    """A row per SE: whether and when it solved the task, what it scores and cost.

    Args:
        outcomes: of the finished SEs.
        missing: SEs without an outcome, and why.
    """
    table = Table(title="SEs", title_justify="left", title_style="bold")
    table.add_column("SE", no_wrap=True)
    for name in ("solved at", "best", "last", "agents", "env steps", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("ended by")
    rows = {outcome.index: _row(outcome) for outcome in outcomes}
    rows |= {
        index: [*[""] * 6, f"not finished: {why}"] for index, why in missing.items()
    }
    for index in sorted(rows):
        table.add_row(f"{index:03d}", *rows[index])
    return table


def _row(outcome: SEOutcome) -> list[str | Text]:
    unsolved = Text("no", style="yellow")
    solved = str(outcome.solved_at or "yes") if outcome.solved else unsolved
    steps = outcome.env_steps_se + outcome.env_steps_task
    return [
        solved,
        _score(outcome.best_score),
        _score(outcome.final_score),
        f"{outcome.trainings:,}",
        f"{steps / 1e6:.1f} M" if steps >= 1e6 else f"{steps:,}",
        duration(outcome.wall_seconds),
        Text(outcome.reason, style="red" if outcome.failed else ""),
    ]


def _score(score: float | None) -> str:
    return "-" if score is None else f"{score:.1f}"


def summary(outcomes: Sequence[SEOutcome]) -> str:
    """How many solved the task, when, and what all cost together."""
    if not outcomes:
        return "No SE is finished."
    solved = [o for o in outcomes if o.solved]
    when = [o.solved_at for o in solved if o.solved_at is not None]
    median = f" (median generation {statistics.median(when):g})" if when else ""
    steps_se = sum(o.env_steps_se for o in outcomes) / 1e6
    steps_task = sum(o.env_steps_task for o in outcomes) / 1e6
    cpu = duration(sum(o.cpu_seconds for o in outcomes))
    return (
        f"{len(solved)} of {len(outcomes)} solved the task{median}. "
        f"{sum(o.trainings for o in outcomes):,} agents, {steps_se:.1f} M steps on "
        f"SEs, {steps_task:.1f} M on the task, {cpu} of processor time. "
        "Unsolved SEs are kept, and marked."
    )
