"""What a person sees of a run: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.highlighter import NullHighlighter
from rich.live import Live
from rich.logging import RichHandler

from se_hpo.text import typed_line

log = logging.getLogger(__name__)

REFRESHES_PER_SECOND = 2


class LiveLog:
    """A live display below log lines; use as a context manager.

    On a terminal at the bottom of the screen, with log lines scrolling above it; else
    log lines only. While it is open, it owns how `se_hpo` log records reach the screen
    (other libraries' from WARNING on), and the lines of `cli.log_to_stderr` are set
    aside. Subclasses say what is drawn.

    Args:
        quiet: no display, and log lines from WARNING on only.
        verbose: log lines from DEBUG on, and those of `say` on a terminal too.
        only_live: where there is no live display, nothing is shown, and log records go
            where the program around has them go.
        console: where to write; standard error by default.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        verbose: bool = False,
        only_live: bool = False,
        console: Console | None = None,
    ) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        terminal = self.console.is_terminal and not self.console.is_dumb_terminal
        self._live: Live | None = None
        self._told = False
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
        self._handler: logging.Handler | None = None
        if self._live is not None or not only_live:
            self._handler = _handler(self.console, terminal, quiet, verbose, hide_lines)
        self._restore = logging.NOTSET
        self._aside: list[logging.Handler] = []

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
        if self._live is not None:
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

    def say(self, line: str) -> None:
        """Log what the display, where there is one, shows in its own way."""
        log.info("%s", line)

    def view(self, height: int) -> RenderableType:
        """What to draw on a terminal with so many lines."""
        raise NotImplementedError

    def _draw(self) -> RenderableType:
        width, height = self.console.size
        drawn: list[RenderableType] = []
        self.attempt(lambda: drawn.append(self.view(height)))
        # The terminal echoes ^C after the last line: it must not begin a new one there.
        return Constrain(Group(*drawn), width - 3)


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
