"""What a terminal shows of the zoo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from se_hpo.envs.checkpoint import load_se
from se_hpo.envs.learned import kind_of
from se_hpo.envs.zoo_files import name_of_file, zoo_file, zoo_names
from se_hpo.errors import UserError
from se_hpo.results.model_card import KEY, card_of
from se_hpo.terminal.next_steps import module_command
from se_hpo.terminal.rich_tables import table
from se_hpo.zoo.candidates import Candidate
from se_hpo.zoo.card_text import REACHED, facts, reached_row, reached_text, size_text
from se_hpo.zoo.zoo_frame import best_known

_COLUMNS = "name~", "kind~", ">size", ">task steps", "agents: mean return (SE steps)~"


def list_table(folder: Path | None) -> Table:
    """A row per SE, and of what cannot be read."""
    return table(None, _COLUMNS, (_row(zoo_file(n, folder)) for n in zoo_names(folder)))


def _row(file: Path) -> list[str]:
    try:
        return _whole_row(file)
    except UserError as error:  # one damaged file must not hide the others
        why = str(error).removeprefix(f"{file}: ")
        return [name_of_file(file), "", "", "", f"unreadable: {why}"]


def _whole_row(file: Path) -> list[str]:
    checkpoint, size = load_se(file), size_text(file.stat().st_size)
    start = [name_of_file(file), kind_of(checkpoint.se_config).name, size]
    if KEY not in checkpoint.metadata:
        return [*start, "", "no model card"]
    card = card_of(checkpoint.metadata, file)
    agents = "\n".join(map(reached_text, best_known(card))) or "not evaluated"
    return [*start, f"{card.outcome.env_steps_task:,}", agents]


def card_tables(file: Path) -> Iterator[Table | str]:
    """The whole card of one SE."""
    checkpoint = load_se(file)
    card = card_of(checkpoint.metadata, file)
    texts = facts(checkpoint, card, file.stat().st_size)
    yield table(str(file), ("", "~"), texts.items(), show_header=False, box=None)
    if card.reached:
        names = [f">{name}" if i else name for i, name in enumerate(REACHED)]
        yield table(None, names, map(reached_row, card.reached))
    yield from (f"- {limit}" for limit in card.limits)


def added(path: Path, candidate: Candidate) -> str:
    """What `add` did, and what to do next."""
    end = candidate.outcome
    agents = ", ".join(map(reached_text, candidate.reached)) or "not evaluated"
    solved = f"solved in generation {end.solved_at}" if end.solved else "not solved"
    done = f"{path}: SE {end.index} of {candidate.se_set.paths.root}, {solved}, "
    next_ = module_command("zoo", "show", path)
    if not candidate.reached:
        next_ = module_command("evaluate", "--envs", path)
    return f"{done}{size_text(path.stat().st_size)}; {agents}\nNext:\n  {next_}"
