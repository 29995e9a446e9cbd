"""What is left of a disturbed run, compared with what was planned and undisturbed."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from se_hpo.optimize.objectives.objective import Objective
from se_hpo.results.run_settings import Settings, read_run, settings_from_dict
from se_hpo.storage.files import read_json_lines
from se_hpo.storage.paths import ConfigId, RunPaths, trial_name
from se_hpo.training.inner_loop import InnerLoop

Evaluations = dict[tuple[ConfigId, float], tuple[float, dict[str, Any]]]
"""(config id, budget) -> loss, configuration."""


def settings_of(run: RunPaths) -> tuple[Settings, int]:
    """What a run is, and how many brackets it has."""
    data = read_run(run)
    return settings_from_dict(data["settings"]), data["n_brackets"]


def journal(run: RunPaths) -> list[tuple[ConfigId, float, float, dict[str, Any]]]:
    """Every line of `results.json`: config id, budget, loss, configuration."""
    lines = [line for _, line in read_json_lines(run.results)]
    return [(tuple(x[0]), x[1], x[3]["loss"], x[3]["config"]) for x in lines]


def check(run: RunPaths) -> dict[str, Any]:
    """Count what is complete, lost, duplicated, failed, and has gaps."""
    settings, n_brackets = settings_of(run)
    brackets = settings.bracket_list(n_brackets)
    done = Counter((cid, budget) for cid, budget, _, _ in journal(run))
    per_rung = Counter((cid[0], budget) for cid, budget in done)
    planned = {
        (bracket.index, budget): count
        for bracket in brackets
        for budget, count in zip(bracket.budgets, bracket.num_configs, strict=True)
    }
    complete = [
        all(per_rung[b.index, x] == planned[b.index, x] for x in b.budgets)
        for b in brackets
    ]
    statuses = Counter(x["status"] for x in _infos(run))
    return {
        "brackets": len(brackets),
        "brackets_complete": sum(complete),
        "planned": sum(planned.values()),
        "evaluated": len(done),
        "lost": sum(max(0, n - per_rung[key]) for key, n in planned.items()),
        "duplicated": sum(done.values()) - len(done),
        "not_finished": sum(statuses.values()) - statuses["finished"],
        "trials_with_gaps": sorted(_broken_trials(run)),
        "set_aside": sorted(p.name for p in run.root.rglob("*.damaged")),
    }


def _infos(run: RunPaths) -> Iterator[dict[str, Any]]:
    for _, line in read_json_lines(run.results):
        yield line[3]["info"]


def _broken_trials(run: RunPaths) -> Iterator[str]:
    """Trials whose generations are not 0, 1, 2, ... up to what their record says."""
    last: dict[str, int] = {}
    for info in _infos(run):
        last[info["trial"]] = max(last.get(info["trial"], 0), info["generations"])
    for trial, generations in last.items():
        lines = read_json_lines(run.trials / trial / "generations.jsonl")
        if [x and x["generation"] for _, x in lines] != list(range(generations)):
            yield trial


def evaluate_again(run: RunPaths, n: int, seed: int) -> dict[str, Any]:
    """Evaluate `n` trials undisturbed, at all their budgets, elsewhere.

    Returns:
        How many evaluations that were, and those of which the loss or the bytes of
        `generations.jsonl` differ.
    """
    settings, _ = settings_of(run)
    rows = journal(run)
    trials = sorted({cid for cid, *_ in rows})
    rng = np.random.default_rng(seed)
    chosen = {trials[i] for i in rng.choice(len(trials), min(n, len(trials)), False)}
    objective, differ, count = Objective.of(settings), [], 0
    with (
        tempfile.TemporaryDirectory(prefix="chaos-") as folder,
        InnerLoop(settings.engine, 1) as inner_loop,
    ):
        fresh = RunPaths(Path(folder))
        for cid, budget, loss, config in rows:
            if cid in chosen:
                record = objective.evaluate(cid, config, budget, fresh, inner_loop)
                count += 1
                if record.loss != loss:
                    differ.append(f"{trial_name(cid)}@{budget:g}")
        differ += [
            f"{trial_name(c)}: bytes" for c in chosen if not _same(run, fresh, c)
        ]
    return {"trials": len(chosen), "evaluations": count, "differ": differ}


def _same(one: RunPaths, two: RunPaths, config_id: ConfigId) -> bool:
    paths = [run.trial(config_id).generations for run in (one, two)]
    return paths[0].read_bytes() == paths[1].read_bytes()


def differences(run: RunPaths, undisturbed: RunPaths) -> list[str]:
    """In what a run of one worker differs from one that nobody disturbed."""
    found = []
    ours, theirs = journal(run), journal(undisturbed)
    if ours != theirs:
        found.append("results.json: trials, budgets, losses, configurations, order")
    if _configs(run) != _configs(undisturbed):
        found.append("configs.json")
    for cid in sorted({cid for cid, *_ in theirs}):
        path = run.trial(cid).generations
        if not path.exists() or not _same(run, undisturbed, cid):
            found.append(f"{trial_name(cid)}/generations.jsonl")
    return found


def _configs(run: RunPaths) -> list[str]:
    return [json.dumps(x, sort_keys=True) for _, x in read_json_lines(run.configs)]
