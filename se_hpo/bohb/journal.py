"""hpbandster's own log files as a journal that survives and is replayed.

`configs.json` and `results.json` keep hpbandster's format, one JSON list per line:
`[config id, configuration, info]` and `[config id, budget, time stamps, result, null]`.
A result repeats its configuration, so that a lost line of the other file costs nothing;
`info["state"]` is the status as DeepCAVE calls it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from se_hpo.bohb.halving import SuccessiveHalving
from se_hpo.bohb.job_table import Job
from se_hpo.errors import UserError
from se_hpo.storage.damaged import set_lines_aside
from se_hpo.storage.files import append_json_line, read_json_lines
from se_hpo.storage.json_records import RecordError, checked, record
from se_hpo.storage.paths import ConfigId
from se_hpo.storage.records import Status, to_builtin

log = logging.getLogger(__name__)

Configuration = dict[str, Any]


class Journal:
    """What is known of a run on disk; hpbandster's result logger by duck typing."""

    def __init__(self, configs: Path, results: Path) -> None:
        """Read both files, which may be missing, and put damaged lines aside."""
        self.configs_path, self.results_path = configs, results
        self.configs: dict[ConfigId, tuple[Configuration, dict[str, Any]]] = {}
        """Every configuration proposed, in order, with how it was found."""
        self.results: dict[tuple[ConfigId, float], Job] = {}
        """Every evaluation finished, in order."""
        self._read_configs()
        self._read_results()

    @property
    def n_proposals(self) -> int:
        """How many proposals the generator had made."""
        numbers = [info.get("proposal", -1) for _, info in self.configs.values()]
        return max([len(numbers), *(n + 1 for n in numbers if type(n) is int)])

    # -- writing: hpbandster calls these two ----------------------------------

    def new_config(
        self, config_id: ConfigId, config: Configuration, config_info: Mapping[str, Any]
    ) -> None:
        """Note a proposal before it is run; one that is known is not written again."""
        if config_id in self.configs:
            return
        config, info = to_builtin(config), to_builtin(config_info)
        append_json_line(self.configs_path, [list(config_id), config, info])
        self.configs[config_id] = (config, info)

    def __call__(self, job: Job) -> None:
        """Note a finished evaluation."""
        info = job.result.get("info")
        info = {"state": _state(info), **info} if isinstance(info, dict) else info
        config = to_builtin(job.kwargs["config"])
        result = {**job.result, "info": info, "config": config}
        line = [list(job.id), job.budget, job.timestamps, result, job.exception]
        append_json_line(self.results_path, line)
        self.results[(job.id, job.budget)] = job

    # -- reading --------------------------------------------------------------

    def _read_configs(self) -> None:
        damaged = []
        for number, line in read_json_lines(self.configs_path):
            try:
                config_id, config, info = checked(_CONFIG, line)
            except RecordError:
                damaged.append(number)
            else:
                self.configs[config_id] = (config, info)
        set_lines_aside(self.configs_path, damaged)

    def _read_results(self) -> None:
        damaged = []
        for number, line in read_json_lines(self.results_path):
            try:
                config_id, budget, stamps, result, _exception = checked(_RESULT, line)
                record(_Stamps, stamps)
                record(_Loss, result)
                self._restore_config(config_id, result)
            except RecordError:
                damaged.append(number)
                continue
            job = Job(config_id, config=self.configs[config_id][0], budget=budget)
            job.timestamps, job.result = stamps, result
            self.results.setdefault((config_id, budget), job)
        set_lines_aside(self.results_path, damaged)

    def _restore_config(self, config_id: ConfigId, result: dict[str, Any]) -> None:
        """Take a lost configuration from its result.

        Raises:
            RecordError: it is not there either, so the result is of no use.
        """
        if config_id in self.configs:
            return
        config = checked(dict[str, Any], result.get("config"), "config")
        log.warning("%s: restored %s", self.configs_path, config_id)
        info = {"restored": True}
        append_json_line(self.configs_path, [list(config_id), config, info])
        self.configs[config_id] = (config, info)


@dataclass(frozen=True)
class _Stamps:
    """hpbandster's time stamps of an evaluation, Unix seconds."""

    submitted: float
    started: float | None = None
    finished: float | None = None


@dataclass(frozen=True)
class _Loss:
    """What the model needs of a result."""

    loss: float


_CONFIG = tuple[ConfigId, dict[str, Any], dict[str, Any]]
_RESULT = tuple[ConfigId, float, dict[str, float], dict[str, Any], Any]


def _state(info: Mapping[str, Any]) -> str:
    """How DeepCAVE calls an evaluation's status."""
    return "CRASHED" if info.get("status") == Status.FAILED else "SUCCESS"


# -- replay: generator and brackets stand where an undisturbed run stood, what was
# proposed and not finished is queued again under the same id, in the same order ------


def replay_generator(journal: Journal, generator: Any) -> None:
    """Feed every finished evaluation to the model, in the order of the journal.

    Raises:
        UserError: a configuration that is not of this search space.
    """
    for job in journal.results.values():
        try:
            generator.new_result(job, update_model=False)
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(
                f"{journal.configs_path}: {job.id} does not fit the search space "
                f"({error}): was it another space's run? Choose another folder"
            ) from error
    generator.n_proposals = journal.n_proposals


def replay_bracket(
    bracket: SuccessiveHalving,
    journal: Journal,
    finished: dict[Any, Job],
    proposed: Callable[[Configuration, float], None],
) -> None:
    """Let a bracket catch up with the journal.

    Args:
        bracket: without trials.
        journal: the run's.
        finished: (config id, budget) -> its job; what the bracket takes is removed.
        proposed: told each configuration and the budget it was proposed for.
    """
    moved = True
    while moved:
        moved = False
        while (slot := bracket.next_slot()) is not None and slot in journal.configs:
            config, info = journal.configs[slot]
            bracket.add_configuration(config, info)
            proposed(config, bracket.budgets[slot[1]])
            moved = True
        for config_id, budget in bracket.queued():
            job = finished.pop((config_id, budget), None)
            if job is not None:
                bracket.hand_out(config_id)
                bracket.register_result(job)
                moved = True
        # Of trials that were promoted early those that have got somewhere by it.
        moved = moved or bracket.promote_early(finished.__contains__)


def brackets_begun(journal: Journal) -> int:
    """How many brackets have a trial."""
    return max((config_id[0] + 1 for config_id in journal.configs), default=0)
