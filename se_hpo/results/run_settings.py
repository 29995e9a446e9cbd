"""What a run is: `run.json`, and the settings in it that decide the run's result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from se_hpo.bohb.brackets import (
    MOST_BRACKETS,
    Bracket,
    budget_ladder,
    hyperband_brackets,
)
from se_hpo.envs.gymnasium_specs import remember_solved
from se_hpo.errors import UserError
from se_hpo.registries import budget_unit
from se_hpo.storage.files import parse_json
from se_hpo.storage.json_records import record
from se_hpo.storage.paths import RunPaths

FIRST_MODEL = "kde"
FIRST_LOSS = "clipped"
UNNAMED = {"loss": FIRST_LOSS, "model": FIRST_MODEL, "prefer_cheap": False}
"""Of the runs from before `run.json` named one."""


@dataclass(frozen=True)
class Settings:
    """Stored in `run.json`; a run is continued only with equal settings."""

    space: str
    objective: str
    task: str
    agent: str
    base: dict[str, Any]
    seed: int
    optimizer: str
    min_budget: int
    max_budget: int
    eta: float
    brackets: str
    random_fraction: float
    random_start: bool
    engine: str
    """`native` or `torch`: the two agree in distribution, not in every bit."""
    loss: str = FIRST_LOSS
    """What is minimized: a name in `se_hpo.optimize.objectives.losses.LOSSES`."""
    model: str = FIRST_MODEL
    """What proposes configurations: a name in `se_hpo.bohb.parzen.MODELS`."""
    prefer_cheap: bool = False
    """Whether the model weighs what a configuration costs."""
    on: dict[str, str] | None = None
    """SEs that agents train on instead of the task: as they were named -> digest."""

    @property
    def ladder(self) -> tuple[float, ...]:
        """Budgets of the rungs."""
        return budget_ladder(self.min_budget, self.max_budget, self.eta)

    @property
    def unit(self) -> str:
        """What a budget counts: `generations`, `seeds`."""
        return budget_unit(self.objective)

    def bracket_list(self, n_brackets: int) -> tuple[Bracket, ...]:
        """The first `n_brackets` brackets."""
        which = "top" if self.optimizer == "random" else self.brackets
        return hyperband_brackets(
            self.min_budget, self.max_budget, self.eta, n_brackets, which
        )

    def to_dict(self) -> dict[str, Any]:
        """Builtin types, as stored."""
        return asdict(self)


def settings_from_dict(data: Mapping[str, Any]) -> Settings:
    """Read the settings of a `run.json`; other keys are ignored.

    Raises:
        RecordError: they are of another version, or damaged.
    """
    return record(Settings, data, at="settings")


def read_run(paths: RunPaths) -> dict[str, Any]:
    """The contents of `run.json`.

    Raises:
        UserError: no run there, or an unreadable one.
    """
    try:
        data = parse_json(paths.run.read_text())
    except FileNotFoundError:
        raise UserError(
            f"{paths.root} is no run folder (it has no run.json): start one with "
            f"python -m se_hpo.optimize --space NAME --run {paths.root}"
        ) from None
    except ValueError as error:
        raise UserError(
            f"{paths.run} is damaged ({error}): restore it, or start over with "
            "--overwrite"
        ) from error
    shape = {"settings": dict, "attempts": list, "n_brackets": int}
    if not isinstance(data, dict) or not isinstance(data.get("settings"), dict):
        raise UserError(f"{paths.run} was not written by se_hpo: use another --run")
    for key, kind in shape.items():
        if not isinstance(data.setdefault(key, kind()), kind):
            raise UserError(
                f"{paths.run} is damaged ({key} is no {kind.__name__}): restore it, or "
                "start over with --overwrite"
            )
    data["settings"] = {**UNNAMED, **data["settings"]}
    if data["n_brackets"] > MOST_BRACKETS:
        raise UserError(
            f"{paths.run} is damaged (n_brackets has {len(str(data['n_brackets']))} "
            "digits): restore it, or start over with --overwrite"
        )
    remember_solved(data["settings"].get("task"), data.get("solved_return"))
    return data
