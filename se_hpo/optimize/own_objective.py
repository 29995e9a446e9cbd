"""The loop of `BOHB.run`: ask, call the user's function, tell."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from rich.console import RenderableType

from se_hpo.bohb.brackets import Bracket, plan
from se_hpo.bohb.evaluated import checked_result
from se_hpo.errors import FailedRunError
from se_hpo.storage.records import Status
from se_hpo.terminal.live import LiveLog
from se_hpo.text import typed_line

log = logging.getLogger(__name__)

FIRST_FAILURES = 5
"""So many at the beginning, and nothing else: the function is broken."""

Objective = Callable[[dict[str, Any], int], float]
"""(configuration, budget) -> loss."""
OnTrial = Callable[[Any], object]


class Search(Protocol):
    """What the loop asks of a `BOHB`."""

    @property
    def finished(self) -> bool: ...  # noqa: D102
    @property
    def planned(self) -> Sequence[Bracket]: ...  # noqa: D102
    @property
    def incumbent(self) -> Any: ...  # noqa: D102
    def following(self) -> Any: ...  # noqa: D102
    def tell(self, trial: Any, loss: float | None, failure: str | None) -> Any: ...  # noqa: D102
    def trials(self) -> Any: ...  # noqa: D102


class SearchDisplay(LiveLog):
    """A search while it runs: how far it is, and what is best."""

    def __init__(self, search: Search, **shown: Any) -> None:
        super().__init__("BOHB", **shown)
        self._search, self.best = search, ""
        before = search.trials()
        before = before[before["status"] != Status.RUNNING]
        self.done, self._spent = len(before), 0.0
        self._left = _budget(search.planned) - before["budget"].sum()

    def ended(self, trial: Any) -> None:
        """Count a trial, and say how it ended."""
        self.done += 1
        self._spent, self._left = self._spent + trial.budget, self._left - trial.budget
        self.eta_at = time.time()
        if self._search.planned:
            self.eta = (self.eta_at - self.began) / self._spent * self._left
        best = self._search.incumbent
        self.best = f"loss {best.loss:.4g} at budget {best.budget:g}" if best else ""
        how = f"loss {trial.loss:.4g}" if not trial.reason else trial.reason
        style = "red" if trial.reason else ""
        self.tell_end(f"trial {trial.name} budget {trial.budget:g} {how}", style)

    def rows(self, height: int) -> Iterator[tuple[str, RenderableType]]:
        """Evaluations, and the incumbent."""
        planned = plan(self._search.planned).evaluations
        yield "evaluations", self.bar(self.done, planned or self.done)
        yield "incumbent", self.best or "none yet"


def _budget(brackets: Iterable[Bracket]) -> float:
    """Of all evaluations together: one of a function begins anew at each rung."""
    pairs = (zip(b.num_configs, b.budgets, strict=True) for b in brackets)
    return float(sum(n * budget for each in pairs for n, budget in each))


def evaluate_all(
    search: Search, f: Objective, on_trial: OnTrial | None, **shown: Any
) -> None:
    """Evaluate until the search is finished.

    Raises:
        FailedRunError: the first evaluations all failed.
    """
    failed, well = 0, search.incumbent is not None
    with SearchDisplay(search, **shown) as display:
        while not search.finished:
            trial = search.following()
            loss, error = _evaluated(f, trial)
            why = error if error is None else typed_line(error)
            search.tell(trial, loss, why)
            ended = _ended(trial, loss, why)
            display.attempt(partial(display.ended, ended))
            if on_trial is not None:
                on_trial(ended)
            failed, well = failed + (error is not None), well or error is None
            if error is not None and failed == FIRST_FAILURES and not well:
                raise FailedRunError(
                    f"the first {failed} evaluations all failed; the last one: {why}"
                ) from error


def _ended(trial: Any, loss: float | None, why: str | None) -> Any:
    if loss is None:
        return replace(trial, status=Status.FAILED, reason=why)
    return replace(trial, status=Status.FINISHED, loss=loss)


def _evaluated(f: Objective, trial: Any) -> tuple[float | None, Exception | None]:
    """The loss, or why there is none."""
    try:
        loss = f(dict(trial.config), int(trial.budget))
        result = checked_result({"loss": loss})
        if result["info"]["status"] != Status.FINISHED:
            raise ValueError(result["info"]["reason"].removeprefix("failed: "))
        return result["loss"], None
    except Exception as error:  # noqa: BLE001 - it is anyone's function
        log.warning("trial %s: %s", trial.name, typed_line(error))
        return None, error
