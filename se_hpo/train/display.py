"""What a person sees of a set in training, live or by lines, and its final table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from se_hpo.envs.tasks import get_task
from se_hpo.names import noun_of
from se_hpo.nes.random_search import scored_candidates
from se_hpo.results.curve_reader import CurveReader
from se_hpo.results.se_outcome import SEOutcome
from se_hpo.results.se_set_settings import SetSettings
from se_hpo.storage.agent_progress import read_progress
from se_hpo.storage.damaged import DamageReport
from se_hpo.storage.paths import SESetPaths
from se_hpo.terminal.live import LATEST, LiveLog, Running, running_rows
from se_hpo.terminal.rich_tables import table
from se_hpo.text import duration, score_text, short_count
from se_hpo.train.supervisor import SEWorkers


class SetDisplay(LiveLog):
    """A set while it is trained: curves, pace, who solved the task, time to go.

    `total` counts the SEs of this shard; `shown` are options of `LiveLog`.
    """

    label_width = 8

    def __init__(
        self, paths: SESetPaths, settings: SetSettings, total: int, **shown: Any
    ) -> None:
        title = f"{settings.train_env}, {settings.config.task}"
        super().__init__(title, str(paths.root), **shown)
        self.paths, self.settings, self.total = paths, settings, total
        self.done = self.solved = 0
        self.running: list[Running] = []
        self._curves: dict[int, CurveReader] = {}
        self._begun_at: dict[str, int] = {}
        self._seconds: list[float] = []
        self._damaged = DamageReport(paths.root, "runs/*")
        nes, task = settings.config.nes, settings.config.task
        of_returns = nes.fitness == "return"
        self._solved = get_task(task).solved_return if of_returns else None

    def ended(self, outcome: SEOutcome, workers: SEWorkers) -> None:
        """Log the line of an SE that is finished, with how far the set is."""
        self.solved += outcome.solved
        self._seconds.append(time.time() - workers.started.pop(outcome.index))
        self.update(workers)
        far = f" ({self.done}/{self.total}, ETA {duration(self.eta)})"
        self.tell_end(outcome_line(outcome, self._seconds[-1]), more=far)

    def update(self, workers: SEWorkers) -> None:
        """Show how far they are; name files that one of them had to set aside."""
        self.running = [
            self._running(index, workers.started[index])
            for index in sorted(workers.running)
        ]
        left = (workers.running, workers.waiting, workers.lost, workers.held)
        self.done = self.total - sum(map(len, left))
        self.eta_at = time.time()
        self.eta = self._time_to_go(len(workers.waiting), workers.n_parallel)
        self._damaged.tell("runs/*")

    def _running(self, index: int, since: float) -> Running:
        files, name = self.paths.run(index), f"{index:03d}"
        curve: tuple[float, ...] = ()
        if self.settings.trainings is not None:
            done, of = scored_candidates(files), self.settings.trainings
        else:
            reader = self._curves.setdefault(index, CurveReader(files.generations))
            curve = reader.read()
            done, of = len(curve), self.settings.generations
        self._begun_at.setdefault(name, done)
        agents = read_progress(files)
        return Running(name, done, of, since, curve, "", agents, self._solved)

    def _time_to_go(self, waiting: int, n_parallel: int) -> float | None:
        """From the SEs that ended; before, as if none solved the task early."""
        remaining = [self._remaining(se) for se in self.running]
        known = [seconds for seconds in remaining if seconds is not None]
        if len(known) < len(remaining):
            return None
        whole = self._seconds or [
            self.eta_at - se.since + left
            for se, left in zip(self.running, known, strict=True)
        ]
        if waiting:
            if not whole:
                return None
            known += [float(np.mean(whole))] * waiting
        return max([sum(known) / n_parallel, *known], default=0.0)

    def _remaining(self, se: Running) -> float | None:
        """Seconds that an SE still takes."""
        seconds, done_now = self.eta_at - se.since, se.done - self._begun_at[se.name]
        limits = []
        if done_now:
            limits.append(seconds / done_now * (se.of - se.done))
        if self._seconds:
            limits.append(max(0.0, float(np.mean(self._seconds)) - seconds))
        return min(limits, default=None)

    def head(self) -> RenderableType:
        """Title, folder and clock."""
        place = f"  {self.place}  {self.clock}"
        return Text.assemble((self.title, "bold"), place)

    def rows(self, height: int) -> Iterator[tuple[str, RenderableType]]:
        """How many SEs are finished, and a row for each in training."""
        yield (
            f"{noun_of(self.settings.train_env)}s",
            self.bar(self.done, self.total, f", {self.solved} solved"),
        )
        if self.running:
            shown = self.running[: max(1, height - 5 - LATEST)]
            yield "running", running_rows(shown)


def outcome_line(outcome: SEOutcome, wall_seconds: float) -> str:
    """One line about an SE that is finished."""
    noun = noun_of(outcome.train_env)
    parts = [f"{noun} {outcome.index:03d}", _how(outcome)]
    if outcome.best_score is not None:
        parts.append(f"score {score_text(outcome.best_score)}")
    return " ".join([*parts, f"in {duration(wall_seconds)}"])


def _how(outcome: SEOutcome) -> str:
    if outcome.solved_at is not None:
        return f"solved at generation {outcome.solved_at}"
    if outcome.solved:
        return "solved"
    reason = "" if outcome.reason == "budget" else f" ({outcome.reason})"
    return f"not solved{reason}"


def set_table(
    outcomes: Sequence[SEOutcome],
    missing: Mapping[int, str],
    train_env: str = "",
    fitness: str = "return",
) -> Table:
    """A row per SE: whether and when it solved the task, what it scores and cost.

    `missing` says of SEs without an outcome why they have none.
    """
    noun = noun_of(train_env)
    of = "" if fitness == "return" else f" {fitness}"
    scores = (f">best{of}", f">last{of}")
    numbers = (">solved at", *scores, ">agents", ">env steps", ">time")
    rows = {outcome.index: _row(outcome) for outcome in outcomes}
    for index, why in missing.items():
        rows[index] = [*[""] * 6, f"not finished: {why}"]
    cells = ((f"{index:03d}", *rows[index]) for index in sorted(rows))
    return table(f"{noun}s", (noun, *numbers, "ended by~"), cells)


def _row(outcome: SEOutcome) -> list[str | Text]:
    unsolved = Text("no", style="yellow")
    solved = str(outcome.solved_at or "yes") if outcome.solved else unsolved
    return [
        solved,
        _score(outcome.best_score),
        _score(outcome.final_score),
        f"{outcome.trainings:,}",
        short_count(outcome.env_steps_se + outcome.env_steps_task),
        duration(outcome.wall_seconds),
        Text(outcome.reason, style="red" if outcome.failed else ""),
    ]


def _score(score: float | None) -> str:
    return "-" if score is None else score_text(score)


def _steps(n: int) -> str:
    """Millions; what would be none of them in full."""
    return f"{n / 1e6:.1f} M" if n >= 100_000 else f"{n:,}"


def summary(outcomes: Sequence[SEOutcome]) -> str:
    """How many solved the task, when, and what all cost together."""
    if not outcomes:
        return "No SE is finished."
    noun = noun_of(outcomes[0].train_env)
    solved = [o for o in outcomes if o.solved]
    when = [o.solved_at for o in solved if o.solved_at is not None]
    median = f" (median generation {statistics.median(when):g})" if when else ""
    steps_se = _steps(sum(o.env_steps_se for o in outcomes))
    steps_task = _steps(sum(o.env_steps_task for o in outcomes))
    seconds = sum(o.cpu_seconds for o in outcomes)
    cpu = duration(seconds) if seconds >= 60 else f"{seconds:.1f} s"
    return (
        f"{len(solved)} of {len(outcomes)} solved the task{median}. "
        f"{sum(o.trainings for o in outcomes):,} agents, {steps_se} steps on "
        f"{noun}s, {steps_task} on the task, {cpu} of processor time. "
        f"Unsolved {noun}s are kept, and marked."
    )
