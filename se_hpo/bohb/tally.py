"""How many evaluations have finished and failed, and when that is enough."""

from __future__ import annotations

import re

from se_hpo.bohb.job_table import Job
from se_hpo.bohb.master_settings import TooManyFailures
from se_hpo.errors import FailedRunError
from se_hpo.storage.records import Status

HOPELESS = 5
"""So many failures for the same reason, before anything has succeeded, are enough."""
_QUANTITY = re.compile(
    r"0x[0-9a-f]+|\d[\d.,]*(e[-+]?\d+)?( ?([kKMGTP]?i?B|bytes?|[mun]?s|min|h|%))?(?!\w)"
    r"|\d+"
)
"""What differs from one failure to the next of the same kind: pids, sizes, times."""


class Tally:
    """Counts the evaluations of a run, those of earlier attempts included."""

    def __init__(self) -> None:
        self.finished = self.failures = 0
        self._reason = ""
        """Of the last failure."""
        self._kinds: set[str] = set()

    def count(self, job: Job) -> None:
        """Take a finished evaluation in."""
        self.finished += 1
        info = job.result.get("info")
        if isinstance(info, dict) and info.get("status") == Status.FAILED:
            self.failures += 1
            self._reason = str(info.get("reason"))
            self._kinds.add(_QUANTITY.sub("#", self._reason))

    def check(self, most: int | None) -> None:
        """End a run that fails more than it may, or does nothing but fail.

        Raises:
            TooManyFailures: `most`, if that is given (0 and 1: the first).
            FailedRunError: from the beginning, and always for the same reason.
        """
        n, always = self.failures, self.failures == self.finished
        if most is not None and n >= max(most, 1):
            raise TooManyFailures(
                f"{n} evaluations failed, max_failures = {most}; the last one: "
                f"{self._reason}; a larger number lets the same command go on"
            )
        if most is None and always and n >= HOPELESS and len(self._kinds) == 1:
            raise FailedRunError(
                f"the first {n} evaluations all failed for the same reason: "
                f"{self._reason}; mend it and start over with --overwrite, or allow "
                "more with --max-failures"
            )
