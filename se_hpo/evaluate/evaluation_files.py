"""The files of an evaluation: records that are appended, and what they are records of.

`<name>.jsonl` holds the records and `<name>.json` the settings they share. A shard has
both for itself, `<name>.shard-2-of-8.jsonl`, and looks at those of all others.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from se_hpo.envs.tasks import returns_of, use_returns
from se_hpo.errors import UserError, unwritable
from se_hpo.machine.provenance import attempt
from se_hpo.names import with_train_env
from se_hpo.results.evaluations import evaluation_name, read_records
from se_hpo.results.lines import read_json
from se_hpo.storage.files import append_json_line, write_json
from se_hpo.storage.json_records import RecordError, read_record
from se_hpo.storage.lock import RunLock, wait_for_lock
from se_hpo.storage.paths import LINES, header_of, lock_of, opening_lock_of
from se_hpo.storage.records import to_builtin
from se_hpo.storage.same_settings import Begun, differences
from se_hpo.version import __version__

log = logging.getLogger(__name__)

FORMAT = 1
_GROW = ("agents", "baselines", "sets", "ses")
"""Parts of the settings to which a later attempt may add entries."""


@dataclass(frozen=True)
class _Header:
    """What is needed of `<name>.json`."""

    format: int
    settings: dict[str, Any]
    wanted: list[str] | None = None
    """Arms that were asked for; None where an older version did not say."""


class EvaluationFiles:
    """The files of one evaluation, seen from one shard.

    Args:
        records: `<name>.jsonl`.
        shard: number and count, from (1, 1).

    Raises:
        UserError: `records` is no name for a records file.
    """

    def __init__(self, records: Path, shard: tuple[int, int] = (1, 1)) -> None:
        if records.suffix != LINES or evaluation_name(records) != records.stem:
            raise UserError(f"--out {records}: give a file name that ends in {LINES}")
        self.folder, self.name = records.parent, records.stem
        i, n = shard
        part = f".shard-{i}-of-{n}" if n > 1 else ""
        self.records = self.folder / f"{self.name}{part}{LINES}"
        if self.records.is_dir():
            raise UserError(f"--out {self.records} is a folder: give a file in it")

    @property
    def lock(self) -> RunLock:
        """Keeps a second process from these records; a context manager."""
        what = f"{self.records} is in use by an evaluation"
        return RunLock(lock_of(self.records), what=what)

    @property
    def _header(self) -> Path:
        return header_of(self.records)

    def all_records(self) -> list[Path]:
        """Records files of this evaluation that exist, of all shards."""
        files = sorted(self.folder.glob(f"*{LINES}"))
        ours = (file for file in files if evaluation_name(file) == self.name)
        return [file for file in ours if file.is_file()]

    def check(self, settings: Mapping[str, Any]) -> None:
        """See whether the records there are of equal settings.

        Raises:
            UserError: they are of other ones, or foreign.
        """
        settings = to_builtin(settings)
        for file in self.all_records():
            self._check(file, settings)
        if self._header.exists():
            self._read(self.records)

    @contextlib.contextmanager
    def opened(
        self, settings: Mapping[str, Any], wanted: Iterable[str]
    ) -> Iterator[None]:
        """Hold the records, and write the settings if those there are equal.

        Args:
            settings: what all records share.
            wanted: names in `TRAIN_ENVS` that are asked for now.

        Raises:
            UserError: another process has them, they cannot be written, or see
                `check`; nothing was changed.
        """
        self.check(settings)
        self._random_returns(settings["task"])  # may take long: not while others wait
        what = f"{self.folder / self.name}{LINES} is in use by an evaluation"
        # All shards have this one, else two new ones could be of unequal settings.
        opening = RunLock(opening_lock_of(self.folder, self.name), what=what)
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(self.lock)
                with wait_for_lock(opening):
                    self._open(settings, wanted)
            except OSError as error:
                otherwise = "choose another place with --out"
                raise unwritable(self.folder, error, otherwise) from error
            yield

    def _open(self, settings: Mapping[str, Any], wanted: Iterable[str]) -> None:
        self.check(settings)
        settings = to_builtin(settings)
        before = self._read(self.records) if self.records.exists() else {}
        header = {
            "format": FORMAT,
            "se_hpo": __version__,
            "settings": _merged(before, settings),
            "random_returns": self._random_returns(settings["task"]),
        }
        if (earlier := self._wanted_before()) is not None:
            header["wanted"] = sorted({*wanted, *earlier})
        begun = read_json(self._header).get("attempts")
        header["attempts"] = [*(begun if isinstance(begun, list) else []), attempt()]
        write_json(self._header, header)
        self.records.touch()

    def _random_returns(self, task: str) -> dict[str, Any] | None:
        """Those that a shard began with, and now this process too."""
        for file in reversed(self.all_records()):
            use_returns(task, read_json(header_of(file)).get("random_returns"))
        return returns_of(task)

    def _wanted_before(self) -> list[str] | None:
        """None where records of an older version do not say."""
        header = read_record(self._header, _Header)
        return [] if header is None else header.wanted

    def _check(self, file: Path, settings: Mapping[str, Any]) -> None:
        Begun(
            header_of(file),
            read=lambda: self._read(file),
            differences=lambda before: differences(before, settings, _GROW),
            is_one=f"{file} holds agents of",
            otherwise="go on, or another --out",
        ).read_or_refuse()

    def _read(self, file: Path) -> dict[str, Any]:
        path = header_of(file)
        try:
            header = read_record(path, _Header)
            # A run.json and a set.json have a format, too.
            if header is None:
                why = "missing"
            elif header.format == FORMAT and {"agents", "sets"} <= {*header.settings}:
                return with_train_env(header.settings)
            else:
                why = "another format"
        except (OSError, RecordError) as error:
            why = f"unreadable: {error}"
        if not file.exists():
            raise UserError(
                f"{path} is not of an evaluation ({why}): choose another --out"
            )
        raise UserError(
            f"{path}, which says what {file.name} holds, is not usable ({why}): "
            "restore it, or choose another --out"
        )

    def finished(self) -> list[dict[str, Any]]:
        """Every record so far, of all shards; unreadable lines are named in the log."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            records = [r for file in self.all_records() for r in read_records(file)]
        for warning in caught:
            log.warning("%s: that agent is trained again", warning.message)
        return records

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a finished agent."""
        append_json_line(self.records, record)


def _merged(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, with the entries that earlier attempts had besides."""
    merged = dict(now)
    for key, value in before.items():
        if isinstance(value, dict):
            merged[key] = _merged(value, now.get(key, {}))
        else:
            merged.setdefault(key, value)
    return merged
