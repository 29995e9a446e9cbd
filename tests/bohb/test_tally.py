"""When failures are enough."""

import pytest

from se_hpo.bohb.job_table import Job
from se_hpo.bohb.master_settings import TooManyFailures
from se_hpo.bohb.tally import Tally
from se_hpo.errors import FailedRunError


def tally_of(*reasons):
    """A tally of evaluations that failed for these reasons (None: they did not)."""
    tally = Tally()
    for number, reason in enumerate(reasons):
        job = Job((0, 0, number), config={}, budget=1.0)
        job.result = {"loss": 1.0, "info": {"status": "finished"}}
        if reason:
            job.result["info"] = {"status": "failed", "reason": reason}
        tally.count(job)
    return tally


@pytest.mark.parametrize(
    ("most", "reasons", "enough"),
    [
        (2, ["a"], False),
        (2, ["a", None, "b"], True),
        (1, ["a"], True),
        (0, ["a"], True),
        (0, [None] * 9, False),
    ],
)
def test_a_run_stops_after_so_many_failures(most, reasons, enough):
    tally = tally_of(*reasons)
    if not enough:
        return tally.check(most)
    with pytest.raises(TooManyFailures, match=f"evaluations failed.*{reasons[-1]}"):
        tally.check(most)


SIZES = ("900 MiB", "1.50 GiB", "1.2e-3 s", "17 bytes", "0.3%")


@pytest.mark.parametrize(
    ("reasons", "enough"),
    [
        ([f"pid {n} died" for n in range(5)], True),
        ([f"{x} free on gpu{n}" for n, x in enumerate(SIZES)], True),
        ([f"a object at 0x{n:x}" for n in range(2_000, 2_005)], True),
        ([f"no {unit} at port {n}" for n, unit in enumerate("abcde")], False),
        (["a"] * 4, False),
        ([None, *["a"] * 9], False),
        ([*["a"] * 4, "b"], False),
        ([*["a"] * 5, None], False),
    ],
)
def test_a_run_that_only_fails_and_always_in_the_same_way_is_hopeless(reasons, enough):
    tally = tally_of(*reasons)
    if not enough:
        return tally.check(None)
    with pytest.raises(FailedRunError, match="the first 5 evaluations all failed"):
        tally.check(None)
    tally.check(9)  # whoever names a number gets that many
