"""A file of the zoo from an own SE: its name, and what its card says."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from se_hpo.agents.registry import algorithm_of
from se_hpo.envs.checkpoint import SECheckpoint, save_se
from se_hpo.envs.learned import kind_of
from se_hpo.envs.learned.mdp import raw_done
from se_hpo.envs.zoo_files import file_name, name_of_task
from se_hpo.errors import UserError, did_you_mean, unwritable
from se_hpo.machine.provenance import as_typed
from se_hpo.results.model_card import KEY, Card
from se_hpo.results.se_set_settings import damaged, read_set_json
from se_hpo.storage.json_records import RecordError, record
from se_hpo.zoo.candidates import Candidate


@dataclass(frozen=True)
class _Origin:
    """What a card needs of `set.json` besides the settings."""

    origin: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    attempts: list[dict[str, Any]] = field(default_factory=list)


def write(
    candidate: Candidate,
    n: int,
    name: str | None,
    out: Path,
    notes: Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Write the SE with its card.

    Args:
        candidate: which.
        n: candidates among which it was the best.
        name: `TASK` or `TASK:KIND`; None: the task's.
        out: folder.
        notes: more limits.
        overwrite: replace a file that is there.

    Raises:
        UserError: another name, there is such a file, or it cannot be written.
    """
    checkpoint = candidate.checkpoint
    path = out / file_name(_checked(name, checkpoint))
    if path.exists() and not overwrite:
        raise UserError(f"{path} is there: give --overwrite to replace it, or --out")
    card = card_for(candidate, n, notes).to_dict()
    metadata = {**checkpoint.metadata, KEY: card}
    what = checkpoint.psi, checkpoint.task, checkpoint.se_config, metadata
    try:
        save_se(path, *what)
    except OSError as error:
        raise unwritable(out, error, "choose another folder with --out") from error
    return path


def _checked(name: str | None, checkpoint: SECheckpoint) -> str:
    """A name that says what the SE is of, so that it is found by its task."""
    plain = name_of_task(checkpoint.task)
    allowed = [plain, f"{plain}:{kind_of(checkpoint.se_config).name}"]
    if name not in (None, *allowed):
        known = did_you_mean("", allowed)
        raise UserError(f"--name {name}: an SE is found by its task; {known}")
    return name or plain


def portable(text: str) -> str:
    """Without the folders of the machine it was typed on.

    >>> portable("python -m se_hpo.train --out /home/me/results/a/ses/varied")
    'python -m se_hpo.train --out results/a/ses/varied'
    >>> portable("python -m se_hpo.train --config '/home/me/mine.yaml' --out=x/y")
    "python -m se_hpo.train --config 'mine.yaml' --out=x/y"
    """
    return re.sub(r"(?<![\w./])/[^\s'\",)]+", _shortened, text)


def _shortened(path: re.Match[str]) -> str:
    *folders, name = path[0].rstrip("/").split("/")
    if "results" not in folders:
        return name
    return "/".join(
        [*folders[len(folders) - 1 - folders[::-1].index("results") :], name]
    )


def card_for(candidate: Candidate, n: int, notes: Sequence[str] = ()) -> Card:
    """The card of a candidate, `n` SEs having been looked at."""
    se_set = candidate.se_set
    try:
        data = record(_Origin, read_set_json(se_set.paths))
    except RecordError as error:
        raise damaged(se_set.paths, str(error)) from error
    origin = {key: str(value) for key, value in data.origin.items()}
    words = data.attempts[-1].get("command") if data.attempts else None
    return Card(
        recipe=portable(
            origin.get("config") or ", ".join(f"{k} {v}" for k, v in origin.items())
        ),
        command=portable(as_typed(words)) if isinstance(words, list) and words else "",
        version=str(data.versions.get("se_hpo", "")),
        set_seed=se_set.seed,
        generations=se_set.generations,
        config=se_set.config.to_dict(),
        outcome=dataclasses.replace(candidate.outcome, host=""),
        chosen_from=n,
        reached=candidate.reached,
        limits=[*_limits(candidate), *notes],
    )


def _limits(candidate: Candidate) -> Iterator[str]:
    task, kind = candidate.checkpoint.task, kind_of(candidate.checkpoint.se_config)
    learned_with = ", ".join(map(algorithm_of, candidate.se_set.config.agents))
    if not candidate.outcome.solved:
        yield "It did not solve the task when it was learned."
    if task.startswith("Scaled/"):
        yield f"Observations are scaled: agents act on `se_hpo:{task}` afterwards."
    if kind.stored_done is raw_done:
        yield "Agents of other libraries must store its raw done (environments.md)."
    yield f"Learned with {learned_with}; agents that the table does not have may fail."
