"""A trial of one generation, as a worker evaluates it."""

from __future__ import annotations

from collections.abc import Iterator

from se_hpo.doctor.finding import Finding, error, ok
from se_hpo.doctor.scratch import Scratch
from se_hpo.optimize.objectives.objective import Objective
from se_hpo.search_spaces.loading import load_space
from se_hpo.storage.paths import RunPaths
from se_hpo.storage.records import Status, to_builtin
from se_hpo.text import last_line
from se_hpo.training.inner_loop import InnerLoop


def check(scratch: Scratch) -> Iterator[Finding]:
    """The default configuration of the space `smoke`, through the real objective."""
    space = load_space("smoke")
    objective = Objective(space.objective, space.task, space.agent, space.base, 0)
    default = space.configuration_space(0).get_default_configuration()
    configuration = to_builtin(dict(default))
    run = RunPaths(scratch.path / "run")
    with InnerLoop("auto", 1) as inner_loop:
        record = objective.evaluate((0, 0, 0), configuration, 1, run, inner_loop)
    if record.status is not Status.FINISHED:
        said = last_line(record.error or record.reason)
        yield error("one generation", said, "report this, with the line above")
        return
    yield ok(
        "one generation",
        f"{inner_loop.engine_name} engine, {record.env_steps_se} env steps on the SE "
        f"in {record.wall_seconds:.1f} s, loss {record.loss:.2f}",
    )
