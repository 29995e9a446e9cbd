"""What a person sees of an evaluation: progress while it runs, a table at its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from se_hpo.analysis.curve_arms import curve_table
from se_hpo.evaluate.plan import PlannedAgent
from se_hpo.results.evaluations import summary
from se_hpo.terminal.live import LiveLog
from se_hpo.terminal.rich_tables import table
from se_hpo.text import duration

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 30.0
PAPER_AGENTS = 400
"""The paper's agents per train_env: 40 SEs x 10, each tested in 10 episodes."""


@dataclass
class Tally:
    """Agents of one algorithm in one train_env."""

    planned: int = 0
    done: int = 0
    score_sum: float = 0.0
    steps_sum: int = 0
    seconds_sum: float = 0.0

    def add(self, record: Mapping[str, Any]) -> None:
        """Count a finished agent."""
        self.done += 1
        self.score_sum += record["score"]
        self.steps_sum += record["env_steps"]
        self.seconds_sum += record["seconds"]


class Progress(LiveLog):
    """Running means and the time to go; a context manager around the evaluation.

    On a terminal a live table; else a log line every half a minute. Of the `planned`
    agents of this process, `finished` are the records of those trained before.
    """

    def __init__(
        self,
        planned: Iterable[PlannedAgent],
        finished: Iterable[Mapping[str, Any]],
        quiet: bool = False,
        only_live: bool = False,
        console: Console | None = None,
    ) -> None:
        self.tallies: dict[tuple[str, str], Tally] = {}
        for agent in planned:
            self.tallies.setdefault(agent.group, Tally()).planned += 1
        for record in finished:
            self.tallies[record["agent"], record["train_env"]].add(record)
        self.trained, self.cpu_seconds = 0, 0.0
        self._started = self._last_line = time.monotonic()
        super().__init__(quiet=quiet, only_live=only_live, console=console)

    @property
    def wall_seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._started

    @property
    def time_to_go(self) -> float | None:
        """Seconds still to go, by what each algorithm costs in each train_env."""
        if not self.cpu_seconds:
            return None
        done = sum(t.done for t in self.tallies.values())
        overall = sum(t.seconds_sum for t in self.tallies.values()) / done
        cpu = sum(
            (t.planned - t.done) * (t.seconds_sum / t.done if t.done else overall)
            for t in self.tallies.values()
        )
        return cpu / self.cpu_seconds * self.wall_seconds

    def add(self, record: Mapping[str, Any]) -> None:
        """Count an agent that was just trained."""
        self.tallies[record["agent"], record["train_env"]].add(record)
        self.trained += 1
        self.cpu_seconds += record["seconds"]
        now = time.monotonic()
        if self._live is None and now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = now
            log.info("%s", self._line())

    def _head(self) -> str:
        done = sum(t.done for t in self.tallies.values())
        planned = sum(t.planned for t in self.tallies.values())
        return f"{done:,} of {planned:,} agents, {duration(self.time_to_go)} to go"

    def _line(self) -> str:
        means = [
            f"{agent} {train_env} {t.score_sum / t.done:.1f}"
            for (agent, train_env), t in self.tallies.items()
            if t.done
        ]
        return f"{self._head()}; mean returns: {', '.join(means)}"

    def view(self, height: int) -> RenderableType:
        """A row per algorithm and train_env, and how far it is."""
        rows = []
        for (agent, train_env), t in self.tallies.items():
            score = f"{t.score_sum / t.done:.1f}" if t.done else ""
            steps = f"{t.steps_sum / t.done:,.0f}" if t.done else ""
            rows.append((agent, train_env, f"{t.done}/{t.planned}", score, steps))
        numbers = (">done~", ">mean return~", ">mean env steps~")
        shown = table(None, ("agent~", "train_env~", *numbers), rows)
        return Group(shown, Text(self._head()))


def work_table(
    planned: Iterable[PlannedAgent], done: set[Any], test_episodes: int
) -> Table:
    """How many agents are to be trained, per algorithm and train_env."""
    counts: dict[tuple[str, str], list[int]] = {}
    for agent in planned:
        count = counts.setdefault(agent.group, [0, 0])
        count[0] += 1
        count[1] += agent.key in done
    rows = (
        (*group, *(f"{k:,}" for k in (n, n * test_episodes, trained, n - trained)))
        for group, (n, trained) in counts.items()
    )
    numbers = (">agents~", ">test returns~", ">trained~", ">to train~")
    return table(None, ("agent~", "train_env~", *numbers), rows)


def outcome_table(frame: pd.DataFrame, solved_return: float) -> Table:
    """Returns and steps per algorithm and train_env; arguments as of `summary`."""
    numbers = (">agents", ">return", ">solved", ">steps", ">(median)", ">episodes")
    # Without rules between columns, the longest names fit into 80 characters.
    return table(
        "Mean per agent and train_env",
        ("agent", "train_env", *numbers),
        map(_means, summary(frame, solved_return).reset_index().itertuples()),
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
        title_justify="center",
        title_style=None,
    )


def curve_outcome_table(frame: pd.DataFrame) -> Table:
    """Learning curves per algorithm and what it was trained on."""
    numbers = (">agents", ">steps", ">solved", ">return", ">mean")
    return table(
        "Median steps until solved, returns at the end, means of learning curves",
        ("agent~", "trained on~", *numbers),
        map(_curve_means, curve_table(frame, n_resamples=1).itertuples()),
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
        title_justify="center",
        title_style=None,
    )


def _curve_means(row: Any) -> tuple[str, ...]:
    return (
        str(row.agent),
        f"{row.train_env} {row.kind}".strip(),
        f"{row.n_agents:,}",
        f"{row.steps_to_solve:,.0f}",
        f"{row.share_solved:.0%}",
        f"{row.final:.2f}",
        f"{row.area:.2f}",
    )


def _means(row: Any) -> tuple[str, ...]:
    return (
        str(row.agent),
        str(row.train_env),
        f"{row.agents:,}",
        f"{row.score:.2f}",
        f"{row.solved:.0%}",
        f"{row.env_steps:,.0f}",
        f"{row.median_env_steps:,.0f}",
        f"{row.episodes:.1f}",
    )


def cost_lines(frame: pd.DataFrame, progress: Progress, n_threads: int) -> list[str]:
    """How fast this attempt was, and what the paper's number of agents would take."""
    lines = []
    if progress.trained:
        wall = progress.wall_seconds
        rate = progress.trained / wall
        busy = progress.cpu_seconds / wall
        lines.append(
            f"{progress.trained:,} agents trained in {duration(wall)} with {n_threads} "
            f"thread(s): {rate:.2f} agents/s ({busy:.1f} cores busy)"
        )
    for agent, rows in frame.groupby("agent", sort=False):
        seconds = rows.groupby("train_env")["seconds"].mean()
        total = PAPER_AGENTS * float(seconds.sum())
        lines.append(
            f"{agent}: {float(rows['seconds'].mean()):.2f} cpu seconds per agent; the "
            f"paper's {PAPER_AGENTS} agents in each of {len(seconds)} environment(s) "
            f"take {duration(total / n_threads)} on {n_threads} free core(s)"
        )
    return lines
