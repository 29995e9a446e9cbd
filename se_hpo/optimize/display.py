"""How the progress of a run looks in a terminal, from 80 columns on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from se_hpo.optimize.progress import Bracket, Plan, RunningTrial, Snapshot, WorkerState
from se_hpo.storage.records import EvaluationRecord, Status
from se_hpo.terminal.live import LiveLog
from se_hpo.text import duration, first_line, sparkline

_CURVE_WIDTH = 16
_LATEST = 3
_MAX_BRACKETS = 4
STATUS_STYLES = {Status.FINISHED: "", Status.FAILED: "red"}


def evaluation_line(record: EvaluationRecord) -> str:
    """One line about an evaluation that ended.

    >>> evaluation_line(EvaluationRecord("000-0-003", 0, 1, 9.0, Status.FINISHED, 0.25,
    ...     "solved", score_best=196.2, generations_to_solve=7, wall_seconds=75))
    'trial 000-0-003 budget 9 loss 0.2500 score 196.2 solved at 7 in 0:01:15'
    """
    parts = [f"trial {record.trial} budget {record.budget:g}"]
    if record.status is Status.FINISHED:
        parts.append(f"loss {record.loss:.4f}")
    else:
        parts.append(str(record.status))
    if record.score_best is not None:
        parts.append(f"score {record.score_best:.1f}")
    if record.generations_to_solve is not None:
        parts.append(f"solved at {record.generations_to_solve}")
    elif record.reason not in ("budget", "solved", ""):
        parts.append(f"({first_line(record.reason)})")
    return " ".join([*parts, f"in {duration(record.wall_seconds)}"])


def draw(
    plan: Plan,
    snapshot: Snapshot,
    age: float,
    latest: Sequence[EvaluationRecord],
    height: int,
) -> RenderableType:
    """The live display.

    Args:
        plan: what stays the same.
        snapshot: the state to show.
        age: seconds since it was taken; clocks go on by as much.
        latest: evaluations that ended last, newest first.
        height: lines of the terminal.
    """
    fixed = 6 + min(len(snapshot.brackets), _MAX_BRACKETS) + len(latest)
    rows = max(1, height - fixed - 2)
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(width=11, style="dim", no_wrap=True)
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    grid.add_row("evaluations", _totals(snapshot, age))
    for index, line in enumerate(_brackets(snapshot.brackets)):
        grid.add_row("" if index else "brackets", line)
    grid.add_row("incumbent", _incumbent(snapshot, plan))
    grid.add_row("workers", _workers(snapshot.workers))
    if snapshot.running:
        grid.add_row("running", _running(snapshot, age, rows))
    for index, record in enumerate(latest):
        line = Text(evaluation_line(record), style=STATUS_STYLES.get(record.status, ""))
        grid.add_row("" if index else "latest", line)
    return Group(_head(plan, snapshot.elapsed + age), grid)


def _head(plan: Plan, elapsed: float) -> RenderableType:
    head = Table.grid(expand=True, padding=(0, 1))
    head.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    head.add_column(justify="right", no_wrap=True)
    title = Text.assemble((plan.title, "bold"), f"  {plan.run}")
    head.add_row(title, Text(duration(elapsed)))
    return head


def _totals(snapshot: Snapshot, age: float) -> RenderableType:
    done, planned = snapshot.evaluations_done, snapshot.evaluations_planned
    eta = None if snapshot.eta is None else max(0.0, snapshot.eta - age)
    line = Table.grid(expand=True, padding=(0, 1))
    line.add_column(ratio=1)
    line.add_column(no_wrap=True, justify="right")
    bar = ProgressBar(total=max(planned, 1), completed=done)
    line.add_row(bar, f"{done}/{planned}  ETA {duration(eta)}")
    return line


def _brackets(brackets: Sequence[Bracket]) -> list[Text]:
    """The brackets being worked on, and how many lie before and after them."""
    begun = [b for b in brackets if b.done < b.total]
    shown = begun[:_MAX_BRACKETS] or list(brackets[-1:])
    lines = [_bracket(b) for b in shown]
    before = sum(b.done >= b.total for b in brackets if b not in shown)
    after = len(brackets) - len(shown) - before
    rest = [f"{n} {word}" for n, word in ((before, "done"), (after, "to come")) if n]
    if rest:
        lines[-1].append(f"   ({', '.join(rest)})", style="dim")
    return lines


def _bracket(bracket: Bracket) -> Text:
    text = Text(f"{bracket.index:<3d}")
    for rung in bracket.rungs:
        style = "green" if rung.done >= rung.total else "" if rung.done else "dim"
        text.append(f" {rung.budget:g}: ", style="dim")
        text.append(f"{rung.done}/{rung.total} ", style=style)
    return text


def _incumbent(snapshot: Snapshot, plan: Plan) -> Text:
    best = snapshot.incumbent
    if best is None:
        return Text("none yet", style="dim")
    return Text.assemble(
        (f"loss {best.loss:.4f}", "bold green"),
        f"  trial {best.trial}  {best.budget:g} {plan.unit}",
    )


def _workers(workers: Sequence[WorkerState]) -> Text:
    if not workers:
        return Text("none: waiting for the first to register", style="yellow")
    idle = sum(worker.trial is None for worker in workers)
    hosts = len({worker.host for worker in workers})
    on = workers[0].host if hosts == 1 else f"{hosts} hosts"
    return Text(f"{len(workers)} alive on {on}" + (f", {idle} idle" if idle else ""))


def _running(snapshot: Snapshot, age: float, rows: int) -> RenderableType:
    """A row per evaluation under way, longest first; with hosts, if several."""
    hosts = {worker.trial: worker.host for worker in snapshot.workers if worker.trial}
    several = len({worker.host for worker in snapshot.workers}) > 1
    running = sorted(snapshot.running, key=lambda trial: -trial.seconds)
    shown = running if len(running) <= rows else running[: max(1, rows - 1)]
    table = Table.grid(padding=(0, 2))
    for _ in range(6):
        table.add_column(no_wrap=True)
    for trial in shown:
        host = _short_host(hosts.get(trial.trial, "")) if several else ""
        table.add_row(*_running_row(trial, age), Text(host, style="dim"))
    more = len(running) - len(shown)
    return Group(table, Text(f"and {more} more", style="dim")) if more else table


def _short_host(host: str, width: int = 12) -> str:
    """The first label of a host name (not of an address), cut to `width`."""
    first = host.partition(".")[0]
    return (host if first.isdigit() else first)[:width]


def _running_row(trial: RunningTrial, age: float) -> list[str]:
    curve = trial.curve
    return [
        trial.trial,
        f"{len(curve)}/{trial.budget:g}" if curve else f"0/{trial.budget:g}",
        duration(trial.seconds + age),
        sparkline(curve, _CURVE_WIDTH),
        f"{curve[-1]:.1f}" if curve else "",
    ]


class ProgressDisplay(LiveLog):
    """Shows a BOHB run while it lasts: a line per finished evaluation, or live.

    Args:
        plan: what stays the same during the run.
        shown: see `LiveLog`.
    """

    def __init__(self, plan: Plan, **shown: Any) -> None:
        self.plan = plan
        self._snapshot = Snapshot()
        self._taken = time.monotonic()
        self._latest: tuple[EvaluationRecord, ...] = ()
        super().__init__(**shown)

    def update(self, snapshot: Snapshot) -> None:
        """Show this state of the run from now on."""
        self._snapshot, self._taken = snapshot, time.monotonic()

    def evaluation_finished(self, record: EvaluationRecord) -> None:
        """Log the line of an evaluation that ended, however it ended."""
        self._latest = (record, *self._latest)[:_LATEST]
        self.say(evaluation_line(record))

    def view(self, height: int) -> RenderableType:
        """The state of the run, its clocks as of now."""
        age = time.monotonic() - self._taken
        return draw(self.plan, self._snapshot, age, self._latest, height)
