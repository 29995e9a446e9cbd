"""What a person sees of a run while it lasts, from 80 columns on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from se_hpo.bohb.status import Bracket, MasterStatus, Worker
from se_hpo.bohb.status import Running as RunningTrial
from se_hpo.optimize.time_to_go import StepSeconds, seconds_to_go
from se_hpo.results.curve_reader import CurveReader
from se_hpo.results.ranking import best_first
from se_hpo.storage.agent_progress import read_progress
from se_hpo.storage.damaged import DamageReport
from se_hpo.storage.paths import RunPaths
from se_hpo.storage.records import EvaluationRecord, Status
from se_hpo.terminal.live import LiveLog, Running, running_rows, scaled
from se_hpo.text import duration, first_line, score_text

_MAX_BRACKETS = 4


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
        parts.append(f"score {score_text(record.score_best)}")
    if record.generations_to_solve is not None:
        parts.append(f"solved at {record.generations_to_solve}")
    elif record.reason not in ("budget", "solved", ""):
        parts.append(f"({first_line(record.reason)})")
    return " ".join([*parts, f"in {duration(record.wall_seconds)}"])


class RunDisplay(LiveLog):
    """A BOHB run while it lasts: a line per finished evaluation, or live.

    Args:
        run: the run's folder.
        title: space and optimizer.
        unit: what a budget counts, `generations`.
        earlier: records of earlier attempts, for the incumbent and the time to go.
        solved: score from which the task is solved, if scores are of that kind.
        shown: `quiet`, `verbose` and `console` of `LiveLog`.
    """

    def __init__(
        self,
        run: RunPaths,
        title: str,
        unit: str,
        earlier: Iterable[EvaluationRecord] = (),
        solved: float | None = None,
        **shown: Any,
    ) -> None:
        super().__init__(title, str(run.root), **shown)
        self.run, self.unit, self.solved = run, unit, solved
        self.status = MasterStatus("running", self.began, 0, 0, 0, 0, [], [], [])
        self.running: list[Running] = []
        """What is under way, longest first."""
        self.best: EvaluationRecord | None = None
        """The incumbent."""
        self._damaged = DamageReport(run.trials, "*")
        self._curves: dict[Path, CurveReader] = {}
        self._spent_before: float | None = None
        self._ended: list[EvaluationRecord] = []
        """Records that `_seconds` has not counted yet."""
        self._seconds = StepSeconds()
        """What the time to go is estimated from."""
        for record in earlier:
            self._compare(record)

    def _compare(self, record: EvaluationRecord) -> None:
        self._ended.append(record)
        records = [record] if self.best is None else [self.best, record]
        self.best = next(iter(best_first(records, lambda each: each)), None)

    def evaluation_finished(self, record: EvaluationRecord) -> None:
        """Log the line of an evaluation that ended, and which files were damaged."""
        self._compare(record)
        self._damaged.tell(record.trial)
        style = "red" if record.status is Status.FAILED else ""
        self.tell_end(evaluation_line(record), style)

    def update(self, status: MasterStatus) -> None:
        """Show this state of the run from now on."""
        several = len({worker.host for worker in status.workers}) > 1
        by_age = sorted(status.running, key=lambda trial: trial.since)
        running = [self._row(trial, several) for trial in by_age]
        self.status, self.running, self.eta_at = status, running, time.time()
        self.eta = self._by_rung()

    def _row(self, trial: RunningTrial, with_host: bool) -> Running:
        files = self.run.trial(trial.config_id)
        path = files.agents if files.agents.exists() else files.generations
        curve = self._curves.setdefault(path, CurveReader(path)).read()
        return Running(
            trial.trial,
            len(curve),
            trial.budget,
            trial.since,
            curve,
            host=_short_host(trial.host) if with_host else "",
            agents=read_progress(files),
            solved=self.solved,
        )

    def _by_rung(self) -> float | None:
        """What is left, by the median time of what has ended."""
        status, seconds, n = self.status, self._seconds, len(self.status.workers)
        for record in self._ended:
            seconds.add(record, status.brackets)
        self._ended.clear()
        to_go = seconds_to_go(status.brackets, status.running, seconds, self.eta_at, n)
        return self._by_pace() if to_go is None else to_go

    def _by_pace(self) -> float | None:
        """Remaining budget at the pace of this attempt; None before a first step."""
        brackets = self.status.brackets
        spent, planned = spent_budget(brackets)
        for each in self.running:  # what no finished evaluation has counted
            rungs = brackets[int(each.name.partition("-")[0])].rungs
            below = max((r.budget for r in rungs if r.budget < each.of), default=0.0)
            spent += max(0.0, each.done - below)
        if self._spent_before is None:
            self._spent_before = spent
        gained = spent - self._spent_before
        if spent >= planned:
            return 0.0
        elapsed = self.eta_at - self.began
        return elapsed * (planned - spent) / gained if gained > 0 else None

    def rows(self, height: int) -> Iterator[tuple[str, RenderableType]]:
        """Totals, brackets, incumbent, workers, and evaluations under way."""
        status = self.status
        yield "evaluations", self.bar(status.finished, status.planned)
        for line in _bracket_lines(status.brackets):
            yield "brackets", line
        yield "incumbent", self._incumbent()
        yield "workers", _alive(status.workers, status.state)
        if self.running:
            n_brackets = min(len(status.brackets), _MAX_BRACKETS)
            fixed = 6 + n_brackets + len(self.latest)
            yield "running", self._running(max(1, height - fixed - 2))

    def _incumbent(self) -> Text:
        if self.best is None:
            return Text("none yet", style="dim")
        score = self.best.score_best
        return Text.assemble(
            (f"loss {self.best.loss:.4f}", "bold green"),
            f"  trial {self.best.trial}  {_counted(self.best.budget, self.unit)}",
            "" if score is None else f"  score {scaled(score, self.solved)}",
        )

    def _running(self, rows: int) -> RenderableType:
        """A row per evaluation under way, longest first; with hosts, if several."""
        n = len(self.running) if len(self.running) <= rows else max(1, rows - 1)
        table, more = running_rows(self.running[:n]), len(self.running) - n
        return Group(table, Text(f"and {more} more", style="dim")) if more else table


def _counted(budget: float, unit: str) -> str:
    """A budget with its unit: `1 generation`, `9 generations`."""
    return f"{budget:g} {unit.removesuffix('s') if budget == 1 else unit}"


def spent_budget(brackets: Iterable[Bracket]) -> tuple[float, float]:
    """Budget spent and planned; a promoted trial pays only the difference.

    >>> from se_hpo.bohb.status import Rung
    >>> spent_budget([Bracket(0, False, [Rung(1, 3, 3), Rung(3, 0, 1)])])
    (3.0, 5.0)
    """
    spent = planned = 0.0
    for bracket in brackets:
        below = 0.0
        for rung in bracket.rungs:
            step, below = rung.budget - below, rung.budget
            spent += step * rung.done
            planned += step * rung.planned
    return spent, planned


def _bracket_lines(brackets: Sequence[Bracket]) -> list[Text]:
    """The brackets being worked on, and how many lie before and after them."""
    complete = [all(r.done >= r.planned for r in b.rungs) for b in brackets]
    begun = [i for i, done in enumerate(complete) if not done][:_MAX_BRACKETS]
    shown = begun or list(range(len(brackets)))[-1:]
    lines = [_bracket(brackets[i]) for i in shown]
    before = sum(done for i, done in enumerate(complete) if i not in shown)
    after = len(brackets) - len(shown) - before
    rest = [f"{n} {word}" for n, word in ((before, "done"), (after, "to come")) if n]
    if rest:
        lines[-1].append(f"   ({', '.join(rest)})", style="dim")
    return lines


def _bracket(bracket: Bracket) -> Text:
    text = Text(f"{bracket.bracket:<3d}")
    for rung in bracket.rungs:
        style = "green" if rung.done >= rung.planned else "" if rung.done else "dim"
        text.append(f" {rung.budget:g}: ", style="dim")
        text.append(f"{rung.done}/{rung.planned} ", style=style)
    return text


def _alive(workers: Sequence[Worker], state: str) -> Text:
    if state != "running":
        return Text(f"ended: the run is {state}")
    if not workers:
        return Text("none: waiting for the first to register", style="yellow")
    idle = sum(worker.trial is None for worker in workers)
    hosts = len({worker.host for worker in workers})
    on = workers[0].host if hosts == 1 else f"{hosts} hosts"
    return Text(f"{len(workers)} alive on {on}" + (f", {idle} idle" if idle else ""))


def _short_host(host: str, width: int = 12) -> str:
    """The first label of a host name (not of an address), cut to `width`."""
    first = host.partition(".")[0]
    return (host if first.isdigit() else first)[:width]
