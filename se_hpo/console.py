"""What a person sees of a run: a live display on a terminal, plain lines elsewhere.

The master hands in a `Snapshot` every second or so; drawing it is in `console_view`.
"""

from __future__ import annotations

import logging
import time
from types import TracebackType

from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.highlighter import NullHighlighter
from rich.live import Live
from rich.logging import RichHandler

from se_hpo.console_view import draw, evaluation_line
from se_hpo.progress import Plan, Snapshot
from se_hpo.records import EvaluationRecord

log = logging.getLogger(__name__)

REFRESHES_PER_SECOND = 2
_LATEST = 3


class ProgressDisplay:
    """Shows a run while it lasts; use as a context manager around it.

    On a terminal a live display at the bottom of the screen, with log lines scrolling
    above it; else one log line per finished evaluation. While it is open, it owns how
    `se_hpo` log records reach the screen (other libraries' from WARNING on).

    Args:
        plan: what stays the same during the run.
        quiet: no display, and log lines from WARNING on only.
        verbose: log lines from DEBUG on, and the evaluation lines on a terminal too.
        console: where to write; standard error by default.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        quiet: bool = False,
        verbose: bool = False,
        console: Console | None = None,
    ) -> None:
        self.plan = plan
        self._snapshot = Snapshot()
        self._taken = time.monotonic()
        self._latest: tuple[EvaluationRecord, ...] = ()
        self.console = console or Console(stderr=True, highlight=False)
        terminal = self.console.is_terminal and not self.console.is_dumb_terminal
        self._live: Live | None = None
        if terminal and not quiet and not self.console.options.ascii_only:
            self._live = Live(
                get_renderable=self._draw,
                console=self.console,
                refresh_per_second=REFRESHES_PER_SECOND,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
        hide_lines = self._live is not None and not verbose
        self._handler = _handler(self.console, terminal, quiet, verbose, hide_lines)
        self._restore = logging.NOTSET

    def __enter__(self) -> ProgressDisplay:
        package = logging.getLogger("se_hpo")
        self._restore = package.level
        package.setLevel(self._handler.level)
        logging.getLogger().addHandler(self._handler)
        if self._live is not None:
            self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
        logging.getLogger().removeHandler(self._handler)
        logging.getLogger("se_hpo").setLevel(self._restore)

    def update(self, snapshot: Snapshot) -> None:
        """Show this state of the run from now on."""
        self._snapshot, self._taken = snapshot, time.monotonic()

    def evaluation_finished(self, record: EvaluationRecord) -> None:
        """Log the line of an evaluation that ended, however it ended."""
        self._latest = (record, *self._latest)[:_LATEST]
        log.info("%s", evaluation_line(record))

    def _draw(self) -> RenderableType:
        age = time.monotonic() - self._taken
        width, height = self.console.size
        view = draw(self.plan, self._snapshot, age, self._latest, height)
        # The terminal echoes ^C after the last line: it must not begin a new one there.
        return Constrain(view, width - 3)


def _handler(
    console: Console, terminal: bool, quiet: bool, verbose: bool, hide_lines: bool
) -> logging.Handler:
    """To the console, without tearing the display; plain lines off a terminal."""
    handler: logging.Handler
    if terminal:
        handler = RichHandler(
            console=console,
            show_path=False,
            log_time_format="%H:%M:%S",
            highlighter=NullHighlighter(),
        )
    else:
        handler = logging.StreamHandler(console.file)
        line = "%(asctime)s %(levelname)s %(message)s"
        handler.setFormatter(logging.Formatter(line, "%Y-%m-%d %H:%M:%S"))
    level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
    handler.setLevel(level)

    def shown(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            return True
        if hide_lines and record.name == __name__:
            return False
        return record.name.partition(".")[0] == "se_hpo"

    handler.addFilter(shown)
    return handler
