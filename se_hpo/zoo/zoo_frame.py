"""The SEs of a folder as a frame: a row per file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from se_hpo.envs.checkpoint import load_se
from se_hpo.envs.learned import kind_of
from se_hpo.envs.zoo_files import zoo_file, zoo_names
from se_hpo.errors import UserError
from se_hpo.results.columns import ZOO_COLUMNS, dtypes_of, tidy
from se_hpo.results.lines import warn_unreadable
from se_hpo.results.model_card import KEY, Card, Reached, card_of


def zoo_frame(folder: Path | None = None) -> pd.DataFrame:
    """See `se_hpo.zoo.list`; a file that cannot be read is named in a warning."""
    rows = list(_rows(folder))
    columns = dict(ZOO_COLUMNS)
    for prefix in ("mean.", "worst.", "se_steps."):
        columns |= dtypes_of(rows, prefix, {})
    return tidy(rows, columns)


def _rows(folder: Path | None) -> Iterator[dict[str, Any]]:
    for name in zoo_names(folder):
        file = zoo_file(name, folder)
        try:
            checkpoint = load_se(file)
            has_card = KEY in checkpoint.metadata
            card = card_of(checkpoint.metadata, file) if has_card else None
        except UserError as error:
            warn_unreadable(file, str(error).removeprefix(f"{file}: "))
            continue
        yield {
            "name": name,
            "task": checkpoint.task,
            "kind": kind_of(checkpoint.se_config).name,
            "bytes": file.stat().st_size,
            **(_of_card(card) if card else {}),
        }


def _of_card(card: Card) -> dict[str, Any]:
    row = {**vars(card), **card.outcome.to_dict()}
    for reached in best_known(card):
        for value in ("mean", "worst", "se_steps"):
            row[f"{value}.{reached.agent}"] = float(getattr(reached, value))
    return row


def best_known(card: Card) -> list[Reached]:
    """Of each agent the evaluation with most agents; of those with the fewest steps."""
    found: dict[str, Reached] = {}
    for reached in sorted(card.reached, key=lambda r: (-r.n, r.se_steps)):
        found.setdefault(reached.agent, reached)
    return [found[name] for name in dict.fromkeys(r.agent for r in card.reached)]
