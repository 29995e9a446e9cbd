"""hpbandster's own log files as a journal that survives and is replayed.

`configs.json` and `results.json` keep hpbandster's format, one JSON list per line:
`[config id, configuration, info]` and `[config id, budget, time stamps, result, null]`.
A result repeats its configuration, so that a lost line of the other file costs nothing.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from se_hpo.bohb.halving import SuccessiveHalving
from se_hpo.bohb.job_table import Job
from se_hpo.disk import naming
from se_hpo.errors import UserError
from se_hpo.paths import ConfigId, append_json_line, read_json_lines, write_atomic
from se_hpo.records import to_builtin

log = logging.getLogger(__name__)

Configuration = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """One finished evaluation."""

    config_id: ConfigId
    budget: float
    time_stamps: dict[str, float]
    result: dict[str, Any]


class Journal:
    """What is known of a run on disk; hpbandster's result logger by duck typing."""

    def __init__(self, configs: Path, results: Path) -> None:
        """Read both files and put damaged lines aside.

        Args:
            configs: hpbandster's `configs.json`, may be missing.
            results: hpbandster's `results.json`, may be missing.
        """
        self.configs_path, self.results_path = configs, results
        self.configs: dict[ConfigId, tuple[Configuration, dict[str, Any]]] = {}
        """Every configuration proposed, in order, with how it was found."""
        self.results: dict[tuple[ConfigId, float], Entry] = {}
        """Every evaluation finished, in order."""
        self._read_configs()
        self._read_results()

    @property
    def n_proposals(self) -> int:
        """How many proposals the generator had made."""
        numbers = [info.get("proposal", -1) for _, info in self.configs.values()]
        return max([len(numbers), *(n + 1 for n in numbers if isinstance(n, int))])

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

    def __call__(self, job: Any) -> None:
        """Note a finished evaluation."""
        result = {**job.result, "config": to_builtin(job.kwargs["config"])}
        budget = float(job.kwargs["budget"])
        line = [list(job.id), budget, job.timestamps, result, job.exception]
        append_json_line(self.results_path, line)
        entry = Entry(job.id, budget, dict(job.timestamps), job.result)
        self.results[(job.id, budget)] = entry

    # -- reading --------------------------------------------------------------

    def _read_configs(self) -> None:
        damaged = []
        for number, line in read_json_lines(self.configs_path):
            try:
                config_id, config, info = _triple(line)
                self.configs[_config_id(config_id)] = (dict(config), dict(info))
            except (TypeError, ValueError, IndexError, KeyError):
                damaged.append(number)
        _put_aside(self.configs_path, damaged)

    def _read_results(self) -> None:
        damaged = []
        for number, line in read_json_lines(self.results_path):
            try:
                entry = _entry(line)
                self._restore_config(entry)
            except (TypeError, ValueError, IndexError, KeyError):
                damaged.append(number)
                continue
            self.results.setdefault((entry.config_id, entry.budget), entry)
        _put_aside(self.results_path, damaged)

    def _restore_config(self, entry: Entry) -> None:
        """Take a lost configuration from its result.

        Raises:
            KeyError: it is not there either, so the result is of no use.
        """
        if entry.config_id in self.configs:
            return
        config = dict(entry.result["config"])
        log.warning("%s: restored %s", self.configs_path, entry.config_id)
        info = {"restored": True}
        append_json_line(self.configs_path, [list(entry.config_id), config, info])
        self.configs[entry.config_id] = (config, info)


def _triple(line: Any) -> tuple[Any, Any, Any]:
    config_id, config, info = line
    return config_id, config, info


def _config_id(value: Any) -> ConfigId:
    bracket, rung, index = (int(v) for v in value)
    return (bracket, rung, index)


def _entry(line: Any) -> Entry:
    config_id, budget, stamps, result, _exception = line
    if not math.isfinite(float(result["loss"])):
        raise ValueError("loss is not finite")
    stamps = {str(k): float(v) for k, v in stamps.items()}
    if "submitted" not in stamps:
        raise KeyError("submitted")
    return Entry(_config_id(config_id), float(budget), stamps, dict(result))


def _put_aside(path: Path, damaged: list[int]) -> None:
    """Move damaged lines to `<name>.damaged`, so that hpbandster can read the rest.

    Blank lines, which it cannot read either, are dropped.
    """
    text = path.read_bytes() if path.exists() else b""
    lines = text.removesuffix(b"\n").split(b"\n") if text else []
    if not damaged and all(line.strip() for line in lines):
        return
    aside = path.with_name(path.name + ".damaged")
    for number in damaged:
        log.warning("%s, line %d is damaged: set aside in %s", path, number, aside.name)
    bad = set(damaged)
    if damaged:
        with naming(aside), aside.open("ab") as file:
            file.writelines(lines[number - 1] + b"\n" for number in damaged)
    good = [line for n, line in enumerate(lines, 1) if n not in bad and line.strip()]
    write_atomic(path, b"".join(line + b"\n" for line in good))


# -- replay: generator and brackets stand where an undisturbed run stood, what was
# proposed and not finished is queued again under the same id, in the same order ------


def _finished_job(entry: Entry, configuration: Configuration, folder: str) -> Job:
    """An evaluation of the journal as hpbandster's job."""
    job = Job(
        entry.config_id,
        config=configuration,
        budget=entry.budget,
        working_directory=folder,
    )
    job.timestamps = dict(entry.time_stamps)
    job.result = dict(entry.result)
    return job


def replay_generator(journal: Journal, generator: Any, folder: str) -> list[Job]:
    """Feed every finished evaluation to the model, in the order of the journal.

    Returns:
        The evaluations as jobs.

    Raises:
        UserError: a configuration that is not of this search space.
    """
    jobs = []
    for entry in journal.results.values():
        job = _finished_job(entry, journal.configs[entry.config_id][0], folder)
        try:
            generator.new_result(job, update_model=False)
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(
                f"{journal.configs_path}: {entry.config_id} does not fit the search "
                f"space ({error}): was it another space's run? Choose another folder"
            ) from error
        jobs.append(job)
    generator.n_proposals = journal.n_proposals
    return jobs


def replay_bracket(
    bracket: SuccessiveHalving, journal: Journal, finished: dict[Any, Job]
) -> None:
    """Let a bracket catch up with the journal.

    Args:
        bracket: without trials.
        journal: the run's.
        finished: (config id, budget) -> its job; what the bracket takes is removed.
    """
    moved = True
    while moved:
        moved = False
        while (slot := bracket.next_slot()) is not None and slot in journal.configs:
            bracket.add_configuration(*journal.configs[slot])
            moved = True
        for config_id, budget in bracket.queued():
            job = finished.pop((config_id, budget), None)
            if job is not None:
                bracket.hand_out(config_id)
                bracket.register_result(job)
                moved = True


def brackets_begun(journal: Journal) -> int:
    """How many brackets have a trial."""
    return max((config_id[0] + 1 for config_id in journal.configs), default=0)
