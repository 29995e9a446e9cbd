"""Results of an earlier run that the model of a new one begins with (`--prior`)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.errors import UserError
from se_hpo.results.lines import read_configurations, read_evaluations, read_space
from se_hpo.results.trials import run_paths
from se_hpo.search_spaces.loading import Space
from se_hpo.storage.paths import trial_name
from se_hpo.storage.records import to_builtin

PriorResult = tuple[dict[str, Any], float, float]
"""Configuration, budget, loss."""


def read_prior(source: Path, space: Space) -> list[PriorResult]:
    """Every result of a run, in order, whatever its task; lines cut short are left out.

    Raises:
        UserError: no run, no results, or its search space is not `space`.
    """
    run, built = run_paths(source), space.configuration_space()
    theirs = read_space(run)["hyperparameters"]
    if not theirs:
        raise UserError(
            f"--prior {source}: {run.configspace} is missing or damaged, so that "
            "nobody knows its search space: restore it"
        )
    ours = to_builtin(built.to_serialized_dict())["hyperparameters"]
    if told := "; ".join(_differences(_ranges(theirs), _ranges(ours))):
        raise UserError(
            f"--prior {source} has another search space than {space.name!r}: {told}"
        )
    encoding, known = SpaceEncoding(built), read_configurations(run)
    found: list[PriorResult] = []
    for evaluation in read_evaluations(run):
        config_id, record = evaluation.config_id, evaluation.record
        if config_id not in known or not math.isfinite(record.loss):
            continue
        try:
            configuration = encoding.check(known[config_id].values)
        except UserError as error:
            raise UserError(
                f"--prior {source}, trial {trial_name(config_id)} does not fit space "
                f"{space.name!r}: {error}"
            ) from error
        found.append((configuration, record.budget, record.loss))
    if not found:
        raise UserError(f"--prior {source} has no result: nothing to learn from")
    return found


def _ranges(hyperparameters: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What each can be, in words."""
    return {str(hp["name"]): _range(hp) for hp in hyperparameters}


def _range(hp: Mapping[str, Any]) -> str:
    listed = hp.get("choices") or hp.get("sequence")
    if listed is None and "value" in hp:
        listed = [hp["value"]]
    if listed is not None:
        return f"one of {', '.join(map(repr, listed))}"
    scale = " on a log scale" if hp.get("log") else ""
    return f"{hp.get('lower')} .. {hp.get('upper')}{scale}"


def _differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> Iterator[str]:
    for names, what in (
        ([name for name in theirs if name not in ours], "it has {}, which this lacks"),
        ([name for name in ours if name not in theirs], "it lacks {}"),
    ):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            yield what.format(", ".join(names[:5]) + more)
    changed = [n for n in ours if theirs.get(n, ours[n]) != ours[n]]
    for name in changed[:3]:
        yield f"{name} is {theirs[name]} there, {ours[name]} here"
    if len(changed) > 3:
        yield f"{len(changed) - 3} more ranges differ"
