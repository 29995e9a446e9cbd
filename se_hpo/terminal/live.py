"""What a person sees of a run: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.control import Control
from rich.highlighter import NullHighlighter
from rich.live import Live
from rich.logging import RichHandler
from rich.progress_bar import ProgressBar
from rich.segment import ControlType
from rich.table import Table
from rich.text import Text

from se_hpo.text import duration, score_text, short_number, sparkline, typed_line

log = logging.getLogger(__name__)

REFRESHES_PER_SECOND = 2
LATEST = 3
"""So many of what ended last are shown."""
CURVE_WIDTH = 16
_CLEAR = Control(ControlType.CLEAR, ControlType.HOME)
"""Leaves what has scrolled out of sight."""


class Running(NamedTuple):
    """Something under way that has a curve."""

    name: str
    done: int
    of: float
    since: float
    """Unix seconds."""
    curve: Sequence[float]
    host: str = ""
    agents: tuple[int, int] | None = None
    """Trained so far in the step under way, and of how many."""
    solved: float | None = None
    """What the curve is to reach, if that is known."""


def running_rows(running: Iterable[Running]) -> Table:
    """A row each: name, how far, clock, curve, its last value, host.

    How far: steps done of all, and `+` agents of the step under way. The last value has
    what solves the task behind it.
    """
    table = Table.grid(padding=(0, 2))
    for _ in range(6):
        table.add_column(no_wrap=True)
    for each in running:
        table.add_row(
            each.name,
            how_far(each),
            duration(max(0.0, time.time() - each.since)),
            sparkline(each.curve, CURVE_WIDTH),
            scaled(each.curve[-1], each.solved) if each.curve else "",
            Text(each.host, style="dim"),
        )
    return table


def how_far(running: Running) -> str:
    """Steps done of all, and the agents of the step under way.

    >>> how_far(Running("a", 3, 27.0, 0.0, (), agents=(12, 72)))
    '3/27 +12/72'
    """
    agents = "" if running.agents is None else " +{}/{}".format(*running.agents)
    return f"{running.done}/{short_number(running.of, 6)}{agents}"


def scaled(score: float, solved: float | None) -> str:
    """A score, and what solves the task.

    >>> scaled(160.54, 195.0), scaled(-0.5, None)
    ('160.5/195', '-0.500')
    """
    return score_text(score) + ("" if solved is None else f"/{solved:g}")


class LiveLog:
    """A live display below log lines; use as a context manager.

    On a terminal at the bottom of the screen, with log lines scrolling above it; else
    log lines only. While it is open, it owns how `se_hpo` log records reach the screen
    (other libraries' from WARNING on), and the lines of `cli.log_to_stderr` are set
    aside. Subclasses give the rows between the head and what ended last.

    Args:
        title: what stays the same, in bold.
        place: the folder, as the user named it.
        quiet: no display, and log lines from WARNING on only.
        verbose: log lines from DEBUG on, and those of `say` on a terminal too.
        only_live: where there is no live display, nothing is shown, and log records go
            where the program around has them go.
        console: where to write; standard error by default.
    """

    label_width = 11

    def __init__(
        self,
        title: str = "",
        place: str = "",
        *,
        quiet: bool = False,
        verbose: bool = False,
        only_live: bool = False,
        console: Console | None = None,
    ) -> None:
        self.title, self.place = title, place
        self.began = time.time()
        self.latest: tuple[Text, ...] = ()
        self.eta: float | None = None
        """Seconds still to go at `eta_at`, Unix seconds; None while nobody knows."""
        self.eta_at = self.began
        self.console = console or Console(stderr=True, highlight=False)
        terminal = self.console.is_terminal and not self.console.is_dumb_terminal
        ascii_only = self.console.options.ascii_only
        self._is_live = terminal and not quiet and not ascii_only
        self._live: Live | None = None
        self._width: int | None = None
        """Of the last frame."""
        self._told = False
        self._restore = logging.NOTSET
        self._aside: list[logging.Handler] = []
        self._handler: logging.Handler | None = None
        if only_live and not self._is_live:
            return
        self._handler = _handler(self.console, terminal)
        level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
        self._handler.setLevel(level)
        self._handler.addFilter(self._shows)
        self._hides_said = self._is_live and not verbose

    def __enter__(self) -> Self:
        if self._handler is None:
            return self
        package = logging.getLogger("se_hpo")
        self._restore = package.level
        package.setLevel(self._handler.level)
        root = logging.getLogger()
        self._aside = [h for h in root.handlers if type(h) is logging.StreamHandler]
        for handler in self._aside:
            root.removeHandler(handler)
        root.addHandler(self._handler)
        if self._is_live:
            self._live = Live(  # draws at once
                get_renderable=self._draw,
                console=self.console,
                refresh_per_second=REFRESHES_PER_SECOND,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self.attempt(partial(self._live.start, refresh=True))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._handler is None:
            return
        if self._live is not None:
            self.attempt(self._live.stop)
        root = logging.getLogger()
        root.removeHandler(self._handler)
        for handler in self._aside:
            root.addHandler(handler)
        logging.getLogger("se_hpo").setLevel(self._restore)

    def attempt(self, show: Callable[[], object]) -> None:
        """Do what only shows something: where that fails, say so once and go on."""
        try:
            show()
        except Exception as error:  # noqa: BLE001 - no run ends for its display
            if not self._told:
                self._told = True
                why = typed_line(error)
                log.warning("the display is incomplete (%s): the run goes on", why)

    def _shows(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            return True
        said = self._hides_said and record.name == __name__
        return not said and record.name.partition(".")[0] == "se_hpo"

    def say(self, line: str) -> None:
        """Log what the display, where there is one, shows in its own way."""
        log.info("%s", line)

    def tell_end(self, line: str, style: str = "", more: str = "") -> None:
        """`say` how something ended, and keep it among the latest, without `more`."""
        self.latest = (Text(line, style), *self.latest)[:LATEST]
        self.say(line + more)

    def view(self, height: int) -> RenderableType:
        """What to draw on a terminal with so many lines."""
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(width=self.label_width, style="dim", no_wrap=True)
        grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        before = ""
        for label, row in (*self.rows(height), *(("latest", x) for x in self.latest)):
            grid.add_row("" if label == before else label, row)
            before = label
        return Group(self.head(), grid)

    def rows(self, height: int) -> Iterable[tuple[str, RenderableType]]:
        """What changes, with labels; one label may have several rows."""
        return ()

    @property
    def clock(self) -> str:
        """How long this attempt has taken."""
        return duration(time.time() - self.began)

    def head(self) -> RenderableType:
        """Title, folder and, at the right edge, the clock."""
        head = Table.grid(expand=True, padding=(0, 1))
        head.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        head.add_column(justify="right", no_wrap=True)
        title = Text.assemble((self.title, "bold"), f"  {self.place}")
        head.add_row(title, Text(self.clock))
        return head

    def bar(self, done: int, total: int, note: str = "") -> RenderableType:
        """How much is done, and the time to go, which runs down between updates."""
        age = time.time() - self.eta_at
        eta = None if self.eta is None else max(0.0, self.eta - age)
        line = Table.grid(expand=True, padding=(0, 1))
        line.add_column(ratio=1)
        line.add_column(no_wrap=True, justify="right")
        bar = ProgressBar(total=max(total, 1), completed=done)
        line.add_row(bar, f"{done}/{total}{note}  ETA {duration(eta)}")
        return line

    def _draw(self) -> RenderableType:
        width, height = self.console.size
        if self._width not in (None, width):  # how it was wrapped, nobody knows
            self.console.control(_CLEAR)
        self._width = width
        drawn: list[RenderableType] = []
        self.attempt(lambda: drawn.append(self.view(height)))
        # The terminal echoes ^C after the last line: it must not begin a new one there.
        return Constrain(Group(*drawn), width - 3)


def _handler(console: Console, terminal: bool) -> logging.Handler:
    """To the console, without tearing the display; plain lines off a terminal."""
    if terminal:
        return RichHandler(
            console=console,
            show_path=False,
            log_time_format="%H:%M:%S",
            highlighter=NullHighlighter(),
        )
    handler = logging.StreamHandler(console.file)
    line = "%(asctime)s %(levelname)s %(message)s"
    handler.setFormatter(logging.Formatter(line, "%Y-%m-%d %H:%M:%S"))
    return handler
