"""What a run is: the settings that decide its result, from flags and search space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from se_hpo.bohb.brackets import Bracket, budget_ladder, hyperband_brackets
from se_hpo.optimize.objectives.objective import Objective
from se_hpo.optimize.options import Options
from se_hpo.registries import budget_unit
from se_hpo.search_spaces.loading import Space
from se_hpo.storage.json_records import record


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

    def objective_function(self) -> Objective:
        """What workers evaluate."""
        return Objective(self.objective, self.task, self.agent, self.base, self.seed)

    def to_dict(self) -> dict[str, Any]:
        """Builtin types, as stored."""
        return asdict(self)


def settings_from_dict(data: Mapping[str, Any]) -> Settings:
    """Read the settings of a `run.json`; other keys are ignored.

    Raises:
        RecordError: they are of another version, or damaged.
    """
    return record(Settings, data, at="settings")


def resolve_settings(options: Options, space: Space, engine: str) -> Settings:
    """Flags over the space's defaults.

    Args:
        options: the command line.
        space: the loaded search space.
        engine: the engine that was chosen, not `auto`.
    """

    def given(flag: Any, default: Any) -> Any:
        return default if flag is None else flag

    return Settings(
        space=space.name,
        objective=space.objective,
        task=space.task,
        agent=space.agent,
        base=dict(space.base),
        seed=options.seed,
        optimizer=options.optimizer,
        min_budget=given(options.min_budget, space.min_budget),
        max_budget=given(options.max_budget, space.max_budget),
        eta=float(given(options.eta, space.eta)),
        brackets=options.brackets,
        random_fraction=options.random_fraction,
        random_start=options.random_start,
        engine=engine,
    )
