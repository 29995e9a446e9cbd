"""The model card in an SE's file: where it comes from, its cost, what it teaches."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from se_hpo.config.run import RunConfig, run_config_from_dict
from se_hpo.errors import UserError
from se_hpo.results.se_outcome import SEOutcome
from se_hpo.storage.json_records import record
from se_hpo.storage.records import to_builtin
from se_hpo.text import shortened

KEY = "card"
"""Where the card lies in a checkpoint's metadata."""


@dataclass(frozen=True)
class Reached:
    """What fresh agents of one algorithm reach on the task, trained on the SE alone."""

    agent: str
    """Algorithm."""
    se_steps: float
    """Steps on the SE, their mean."""
    mean: float
    """Mean test return."""
    worst: float
    """That of the worst agent."""
    n: int
    """Agents."""
    evaluation: str
    """Name of the evaluation."""
    variation: Literal["default", "varied"]
    """Whether the agents had random hyperparameters."""
    fixed_steps: int | None
    """As `evaluate --fixed-steps`; None: the paper's rules."""


@dataclass(frozen=True, repr=False)
class Card:
    """What an SE's file says of the SE."""

    recipe: str
    """Recipe, or trial of a run of `optimize`."""
    command: str
    """What began its set."""
    version: str
    """Of the package that learned it."""
    set_seed: int
    """`--seed` of its set."""
    generations: int
    """At most so many."""
    config: dict[str, Any]
    """All settings of the NES run, as in `set.json`."""
    outcome: SEOutcome
    """How its NES run ended, and what it cost; its host is left out."""
    chosen_from: int
    """Finished SEs among which it is the best."""
    reached: list[Reached] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    """What a user should know before relying on it."""

    def __repr__(self) -> str:
        taught = ", ".join(f"{each.agent} {each.mean:.4g}" for each in self.reached)
        return f"<Card of recipe {self.recipe:.60}: {shortened(taught, 90)}>"

    @property
    def gaps(self) -> list[str]:
        """What is empty that a card in the zoo needs."""
        needed = ("recipe", "command", "version", "config", "reached", "limits")
        return [name for name in needed if not getattr(self, name)]

    def to_dict(self) -> dict[str, Any]:
        """As stored; builtin types."""
        return dict(to_builtin(dataclasses.asdict(self)))


def card_of(metadata: Mapping[str, Any], where: object) -> Card:
    """The card in a checkpoint's metadata.

    Raises:
        UserError: it has none, or no whole one; the line begins with `where`.
    """
    if KEY not in metadata:
        mend = "make a file that has one with `python -m se_hpo.zoo add`"
        raise UserError(f"{where}: has no model card: {mend}")
    try:
        return record(Card, metadata[KEY])
    except UserError as error:
        mend = "make it anew with `python -m se_hpo.zoo add`"
        raise UserError(f"{where}: its model card is damaged ({error}): {mend}") from (
            error
        )


def config_of_card(card: Card, where: object) -> RunConfig:
    """What the SE was learned with.

    Raises:
        UserError: the card is damaged there; the line begins with `where`.
    """
    try:
        return run_config_from_dict(card.config)
    except UserError as error:
        raise UserError(f"{where}: its model card is damaged ({error})") from error
