"""A search as a study of Optuna, for its dashboard and its own plots.

A trial of the run is one of the study: its value is the loss at its largest budget, its
intermediate values those at the budgets below. Those that were not promoted to the
top are `PRUNED`, as Optuna's own Hyperband would have it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from se_hpo.analysis.pareto import RISING
from se_hpo.errors import UserError, did_you_mean
from se_hpo.results.lines import read_space
from se_hpo.results.trials import load_trials, run_paths
from se_hpo.storage.records import to_builtin

if TYPE_CHECKING:
    import optuna

_PREFIX = "config."
_TOLD = (
    *("trial", "reason", "model_based", "score_final", "score_best"),
    *("generations_to_solve", "env_steps_se", "env_steps_task"),
    *("wall_seconds", "cpu_seconds", "worker", "host", "error"),
)
"""What else is known of a trial, as its user attributes."""


def to_optuna(
    run: str | Path,
    storage: Any,
    name: str | None = None,
    objectives: Sequence[str] = ("loss",),
) -> optuna.Study:
    """Hand a search to Optuna, whose dashboard and plots then show it.

    Args:
        run: the run's folder.
        storage: what `optuna.create_study` takes: `"sqlite:///search.db"`, say.
        name: of the study; by default the run's.
        objectives: columns of `load_trials`. With more than one, as
            `("score_final", "env_steps_task")`, the study has that many, and the
            evaluations at all budgets are trials of their own.

    Returns:
        The new study.

    Raises:
        UserError: the folder is no run, there is such a study, no such column, or
            Optuna is missing.
    """
    try:
        import optuna  # noqa: F401 - that it is there
    except ModuleNotFoundError as error:
        mend = "pip install 'se-hpo[analysis]'"
        raise UserError(f"{error.name} is missing: {mend}") from error
    frame, paths = load_trials(run), run_paths(run)
    _check(objectives, frame)
    declared = {p["name"]: p for p in read_space(paths)["hyperparameters"]}
    columns = [c for c in frame.columns if c.startswith(_PREFIX)]
    ranges = {
        column.removeprefix(_PREFIX): _distribution(frame[column], declared)
        for column in columns
    }
    keys = ["trial"] if len(objectives) == 1 else ["trial", "budget"]
    groups = frame.sort_values("budget").groupby(keys, sort=False)
    top = frame["budget"].max()
    rows = [_trial(group, ranges, objectives, top) for _, group in groups]
    study = _new_study(storage, name or paths.root.resolve().name, objectives)
    study.set_user_attr("run", str(paths.root.resolve()))
    study.add_trials(sorted(rows, key=lambda t: t.datetime_complete))
    return study


def _check(objectives: Sequence[str], frame: pd.DataFrame) -> None:
    if isinstance(objectives, str) or not objectives:
        shown = repr(objectives)
        raise UserError(f"objectives = {shown}: name columns, as ('loss',)")
    for name in objectives:
        if name not in frame or not pd.api.types.is_numeric_dtype(frame[name]):
            hint = did_you_mean(name, frame.columns)
            raise UserError(f"no column of numbers {name!r}: {hint}")


def _new_study(storage: Any, name: str, objectives: Sequence[str]) -> optuna.Study:
    import optuna

    directions = ["maximize" if n in RISING else "minimize" for n in objectives]
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # no line about the study
    try:
        study = optuna.create_study(
            storage=storage, study_name=name, directions=directions
        )
    except optuna.exceptions.DuplicatedStudyError as error:
        raise UserError(
            f"there is a study {name!r} in this storage: choose another name, or "
            "delete it first (optuna.delete_study)"
        ) from error
    finally:
        optuna.logging.set_verbosity(level)
    if len(objectives) > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names(list(objectives))
    return study


def _trial(
    group: pd.DataFrame, ranges: dict[str, Any], objectives: Sequence[str], top: float
) -> optuna.trial.FrozenTrial:
    """A trial from its evaluations, by budget; of several objectives from one."""
    import optuna

    last = {str(k): v for k, v in group.iloc[-1].to_dict().items()}
    params = {n: to_builtin(last[_PREFIX + n]) for n in ranges}
    params = {n: v for n, v in params.items() if v is not None and not pd.isna(v)}
    told = {n: to_builtin(last[n]) for n in _TOLD if not pd.isna(last[n])}
    values: list[float] | None = [float(last[n]) for n in objectives]
    single = len(objectives) == 1
    below = {}
    if single:
        steps = zip(group["budget"], group[objectives[0]], strict=True)
        below = {int(b): float(v) for b, v in steps if not pd.isna(v)}
    state = optuna.trial.TrialState.COMPLETE
    if last["status"] != "finished" or any(pd.isna(v) for v in values or ()):
        state, values = optuna.trial.TrialState.FAIL, None
    elif single and last["budget"] < top:
        state = optuna.trial.TrialState.PRUNED
    trial = optuna.trial.create_trial(
        state=state,
        values=values,
        params=params,
        distributions={n: ranges[n] for n in params},
        user_attrs={**told, "budget": float(last["budget"])},
        intermediate_values=below,
    )
    trial.datetime_start = _naive(group["started"].min())
    trial.datetime_complete = _naive(last["finished"])
    return trial


def _naive(time: pd.Timestamp) -> Any:
    """Local time without a zone, as Optuna has it."""
    return time.tz_convert(None).to_pydatetime()


def _distribution(values: pd.Series, declared: dict[str, Any]) -> Any:
    """A hyperparameter's range as the space declares it, else as it was drawn."""
    from optuna import distributions as optunas

    name = str(values.name).removeprefix(_PREFIX)
    there = [to_builtin(v) for v in values.dropna()]
    space = declared.get(name, {})
    listed = space.get("choices") or space.get("sequence")
    if listed or "lower" not in space or any(isinstance(v, str) for v in there):
        return optunas.CategoricalDistribution(
            list(dict.fromkeys([*(listed or ()), *there]))
        )
    ends = (space["lower"], space["upper"])
    kind = optunas.FloatDistribution
    if pd.api.types.is_integer_dtype(values.dtype):
        kind, ends = optunas.IntDistribution, (int(ends[0]), int(ends[1]))
    return kind(*ends, log=bool(space.get("log")))
