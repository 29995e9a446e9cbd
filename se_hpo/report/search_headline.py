"""What the search found, at a glance."""

from __future__ import annotations

from collections.abc import Iterator

from se_hpo.registries import objective_kind
from se_hpo.report.run_data import RunData
from se_hpo.report.tiles import Tile
from se_hpo.results.ranking import ranked
from se_hpo.text import score_text


def best_of_search(data: RunData) -> Iterator[str]:
    """Sentences: how much was tried, what the best reached, what it is."""
    best = data.incumbent
    if best is None:
        yield "The search has no finished evaluation yet."
        return
    record, trials = best.record, data.trials
    yield (
        f"The search evaluated {trials['trial'].nunique()} configurations "
        f"({len(trials)} evaluations); the best, trial {best.trial}, has loss "
        f"{best.loss:.3f} at {best.budget:g} {data.unit_of_budget}."
    )
    if record.score_best is None:
        return
    at, learns_se = data.solved_return, _learns_se(data)
    what = "Its best center" if learns_se else "Its best seed"
    of = f"score by {data.fitness}"
    of = "mean return" if data.fitness == "return" else of
    text = f"{what} reached a {of} of {score_text(record.score_best)}"
    if at is not None and record.generations_to_solve is not None:
        text += f" and solved the task in generation {record.generations_to_solve}"
    elif at is not None and learns_se:
        text += f", which does not solve the task ({at:g})"
    yield f"{text}; as the best of many noisy runs this is optimistic."
    if _default_trial(data) == best.trial:
        yield "It is the space's default configuration, which the run began with."


def search_tiles(data: RunData) -> list[Tile]:
    """Best loss, what was tried, what it took; none without an evaluation."""
    best = data.incumbent
    if best is None:
        return []
    budget = f"{best.budget:g} {data.unit_of_budget}"
    hours = data.trials["cpu_seconds"].sum() / 3600
    n, of = data.trials["trial"].nunique(), len(data.trials)
    return [
        Tile("Lowest loss", f"{best.loss:.3f}", "", f"trial {best.trial} at {budget}"),
        _against_default(data),
        Tile("Tried", f"{n}", "configurations", f"{of} evaluations, {hours:.2f} cpu h"),
    ]


def _against_default(data: RunData) -> Tile:
    """What the space's own values have, where the run began with them."""
    name, first = "The default's loss", _default_trial(data)
    table = ranked(data.trials)
    rows = table[table["trial"] == first]
    if rows.empty:
        return Tile(name, "not known", "", "the run did not begin with the default")
    loss, budget = rows[["loss", "budget"]].iloc[0]
    how_far = f"at {budget:g} {data.unit_of_budget}, the largest that it reached"
    return Tile(name, f"{loss:.3f}", "", how_far)


def _default_trial(data: RunData) -> str | None:
    known = not data.settings.get("random_start", True) and len(data.trials)
    return data.trials["trial"].min() if known else None


def _learns_se(data: RunData) -> bool:
    kind = objective_kind(data.settings.get("objective", "nes"))
    return bool(getattr(kind, "learns_se", False))
