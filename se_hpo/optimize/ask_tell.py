"""BOHB alone, for an objective of one's own: no server, no threads, no files.

    >>> from ConfigSpace import ConfigurationSpace
    >>> from se_hpo import BOHB
    >>> search = BOHB(ConfigurationSpace({"x": (-5.0, 5.0)}), 1, 9, eta=3, n_brackets=3)
    >>> while not search.finished:
    ...     trial = search.ask()
    ...     search.tell(trial, (trial.config["x"] - 1) ** 2 + 1 / trial.budget)
    >>> search.incumbent.budget, len(search.trials())
    (9.0, 20)

or in one call, `BOHB.minimize(f, space, 1, 9)`, with `f(config, budget) -> loss`.
Several trials may be out at once, and come back in any order. The same seed and results
in the same order give the same trials, those of `se_hpo.optimize`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from ConfigSpace import ConfigurationSpace

from se_hpo.bohb.brackets import (
    Bracket,
    budget_ladder,
    default_n_brackets,
    hyperband_brackets,
    plan,
)
from se_hpo.bohb.evaluated import checked_result
from se_hpo.bohb.halving import NextRun
from se_hpo.bohb.parzen import find_model
from se_hpo.bohb.schedule import Schedule
from se_hpo.errors import UserError
from se_hpo.optimize.own_objective import Objective, evaluate_all
from se_hpo.optimize.search_trial import Job, Trial, frame_of
from se_hpo.storage.paths import ConfigId
from se_hpo.storage.records import Status, to_builtin
from se_hpo.terminal.from_python import shown
from se_hpo.text import shortened

if TYPE_CHECKING:
    import pandas as pd

_FAILED_LOSS = sys.float_info.max  # worse than any other, and yet a number


class BOHB:
    """Hyperband's brackets, with proposals of BOHB's model, by ask and tell."""

    def __init__(
        self,
        space: ConfigurationSpace,
        min_budget: float,
        max_budget: float,
        eta: float = 3,
        seed: int = 0,
        n_brackets: int | None = None,
        *,
        brackets: str = "cycle",
        start_from_default: bool = True,
        start_from: Sequence[Mapping[str, Any]] = (),
        model: str = "parzen",
        **settings: Any,
    ) -> None:
        """Start without trials.

        Args:
            space: what to search; copied.
            min_budget: of the lowest rung, a whole number: epochs, seeds, ...
            max_budget: of the highest rung.
            eta: one trial in `eta` is promoted.
            seed: of every random number.
            n_brackets: how many to run; None: without end.
            brackets: as in `brackets.CYCLES`.
            start_from_default: begin with the space's default configuration.
            start_from: configurations to evaluate before that one.
            model: `parzen`, or `kde` for densities as hpbandster has them.
            **settings: of `ParzenGenerator` or `BOHBGenerator`: `random_fraction`, ...;
                `prior`: (configuration, budget, loss) of each result of an earlier
                search, which the model begins with, at a weight that fades.

        Raises:
            UserError: budgets without a ladder, or a value outside space or range.
        """
        if seed < 0:
            raise UserError(f"seed = {seed}: must be 0 or more")
        self._budgets = min_budget, max_budget, eta
        self._n_brackets, self._which = n_brackets, brackets
        self._brackets(1 if n_brackets is None else n_brackets)  # checks them
        self._space = space.to_serialized_dict()
        self._generator = find_model(model)(
            space,
            seed,
            start_from_default=start_from_default,
            start_from=start_from,
            **settings,
        )
        planned = () if n_brackets is None else self._brackets(n_brackets)
        self._schedule = Schedule(
            planned, self._generator.get_config, ends=n_brackets is not None
        )
        self._out: dict[tuple[ConfigId, float], Trial] = {}
        self._told: dict[tuple[ConfigId, float], Trial] = {}

    @property
    def finished(self) -> bool:
        """Whether all brackets have ended."""
        return self._n_brackets is not None and self._schedule.is_finished

    @property
    def incumbent(self) -> Trial | None:
        """Of the trials told at the largest budget the one of lowest loss."""
        done = [t for t in self._told.values() if t.status is Status.FINISHED]
        return min(done, key=lambda t: (-t.budget, t.loss), default=None)

    @classmethod
    def minimize(
        cls,
        f: Objective,
        space: ConfigurationSpace,
        min_budget: float,
        max_budget: float,
        eta: float = 3,
        seed: int = 0,
        n_brackets: int | None = None,
        *,
        callback: Callable[[Trial], object] | None = None,
        progress: bool = True,
        **settings: Any,
    ) -> Self:
        """Search for the configuration of lowest loss: `__init__`, then `run`.

        Without `n_brackets`: two Hyperband cycles, or 30 trials of a single budget.
        """
        if n_brackets is None:
            n_brackets = default_n_brackets(budget_ladder(min_budget, max_budget, eta))
        search = cls(space, min_budget, max_budget, eta, seed, n_brackets, **settings)
        search.run(f, callback=callback, progress=progress)
        return search

    def run(
        self,
        f: Objective,
        *,
        callback: Callable[[Trial], object] | None = None,
        progress: bool = True,
    ) -> None:
        """Evaluate until the search is finished, trials that are out first.

        So it goes on after Ctrl-C, or what a callback raised.

        Args:
            f: called with a configuration, a dict, and a budget, an int; gives the
                loss. What it raises, or a loss that is no finite number, is a failed
                trial.
            callback: told of each trial that ended. What it raises ends the call.
            progress: show a live display on a terminal and in a notebook.

        Raises:
            FailedRunError: the first five trials all failed.
        """
        evaluate_all(self, f, callback, **shown(progress))

    def following(self) -> Trial:
        """A trial that is out, the first; else as `ask`."""
        for out in self._out.values():
            return replace(out, config=dict(out.config))
        return self.ask()

    @property
    def planned(self) -> tuple[Bracket, ...]:
        """All brackets; none of a search without end."""
        n = self._n_brackets
        return self._brackets(n) if n else ()

    def __repr__(self) -> str:
        n = plan(self.planned).evaluations
        of = f" of {n}" if n else ""
        best = self.incumbent
        what = f", loss {best.loss:.4g} at budget {best.budget:g}" if best else ""
        return f"<BOHB, {len(self._told)}{of} evaluations{what}>"

    def ask(self) -> Trial:
        """The next trial to evaluate; further ones may be asked before it is told.

        Raises:
            UserError: the search is finished, or what comes next depends on the trials
                that are out.
        """
        if self.finished:
            raise UserError(
                f"the search is finished, all {self._n_brackets} brackets: begin one "
                "with more n_brackets"
            )
        following = self._next_run()
        if following is None:
            out = f"the {len(self._out)} trials that are out"
            raise UserError(f"what comes next depends on {out}: tell one first")
        config_id, config, budget = following
        bracket = self._schedule.begun[config_id[0]]
        trial = Trial(
            id=config_id,
            config=dict(config),
            budget=budget,
            rung=bracket.rung_of(budget),
            model_based=bracket.data[config_id].config_info["model_based_pick"],
        )
        self._out[(config_id, budget)] = trial
        return replace(trial, config=dict(config))  # the user's own

    def tell(
        self,
        trial: Trial,
        loss: float | None = None,
        failure: str | BaseException | None = None,
    ) -> None:
        """Say how a trial ended.

        Args:
            trial: what `ask` gave.
            loss: lower is better, finite.
            failure: instead, why there is none; it counts as worse than any loss.

        Raises:
            UserError: a trial that was told already or not asked for, or no finite
                loss; the search is as before.
        """
        asked = self._asked(trial)
        if (loss is None) == (failure is None):
            raise UserError(f"trial {asked.name}: tell either its loss or its failure")
        if failure is None:
            result = checked_result({"loss": loss})
            if result["info"]["status"] != Status.FINISHED:
                why = result["info"]["reason"].removeprefix("failed: ")
                mend = "tell that it failed with failure=..."
                raise UserError(f"trial {asked.name}: {why}: {mend}")
            loss = result["loss"]
            told = replace(asked, status=Status.FINISHED, loss=loss)
        else:
            told = replace(asked, status=Status.FAILED, reason=str(failure))
        key = (asked.id, asked.budget)
        del self._out[key]
        self._told[key] = told
        self._register(asked, _FAILED_LOSS if loss is None else loss)

    def trials(self) -> pd.DataFrame:
        """One row per evaluation in the order of telling, then those that are out.

        The columns are those of `load_trials` that make sense here.
        """
        trials = (*self._told.values(), *self._out.values())
        return frame_of(trials, to_builtin(self._space)["hyperparameters"])

    def _brackets(self, n: int) -> tuple[Bracket, ...]:
        return hyperband_brackets(*self._budgets, n, self._which)

    def _next_run(self) -> NextRun | None:
        """As the master does; a search without end has always one more bracket."""
        schedule, out = self._schedule, len(self._out)
        following = schedule.next_run(out)
        if following is None and self._n_brackets is None:
            n = len(schedule.planned) + 1
            schedule.planned.append(self._brackets(n)[-1])
            following = schedule.next_run(out)
        return following

    def _asked(self, trial: Trial) -> Trial:
        key = (getattr(trial, "id", None), getattr(trial, "budget", None))
        if key in self._out:
            return self._out[key]
        if key in self._told:
            raise UserError(
                f"trial {trial.name} at budget {trial.budget:g} was told already"
            )
        shown = shortened(" ".join(repr(trial).split()), 80)
        raise UserError(f"{shown} is no trial that this search was asked for")

    def _register(self, trial: Trial, loss: float) -> None:
        bracket = self._schedule.begun[trial.id[0]]
        values = {"config": bracket.data[trial.id].config, "budget": trial.budget}
        job = Job(trial.id, values, {"loss": loss})
        bracket.register_result(job)
        self._generator.new_result(job)
