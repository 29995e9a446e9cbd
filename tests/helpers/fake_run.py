"""Run folders as the master writes them, made without running anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from se_hpo.storage.files import append_json_line, write_json
from se_hpo.storage.paths import ConfigId, RunPaths, trial_name
from se_hpo.storage.records import EvaluationRecord, Status

SPACE = {
    "name": "fake",
    "hyperparameters": [
        {"name": "nes.step_size", "type": "uniform_float", "lower": 0.1, "upper": 1.0},
        {"name": "se.hidden_size", "type": "uniform_int", "lower": 1, "upper": 99},
        {"name": "nes.sampling", "type": "categorical", "choices": ["single", "x"]},
        {"name": "nes.vary_agents", "type": "categorical", "choices": [True, False]},
        {"name": "nes.weight_decay", "type": "constant", "value": 0.5},
        {"name": "ddqn.batch_size", "type": "ordinal", "sequence": [32, 64]},
    ],
    "conditions": [],
    "forbiddens": [],
    "json_format_version": 0.4,
}
CONFIGURATION = {
    "nes.step_size": 0.5,
    "se.hidden_size": 83,
    "nes.sampling": "single",
    "nes.vary_agents": True,
    "nes.weight_decay": 0.5,
}


def make_run(root: Path) -> RunPaths:
    paths = RunPaths(root)
    write_json(paths.run, {"settings": {}})
    write_json(paths.configspace, SPACE)
    paths.configs.touch()
    paths.results.touch()
    return paths


def add_configuration(
    paths: RunPaths, config_id: ConfigId, model_based: bool = False, **changes: Any
) -> None:
    info = {"model_based_pick": model_based, "model_budget": None}
    append_json_line(paths.configs, [config_id, {**CONFIGURATION, **changes}, info])


def make_record(
    config_id: ConfigId, budget: float, loss: float, finished: float, **changes: Any
) -> EvaluationRecord:
    values: dict[str, Any] = {
        "trial": trial_name(config_id),
        "bracket": config_id[0],
        "rung": 0,
        "budget": budget,
        "status": Status.FINISHED,
        "loss": loss,
        "reason": "budget",
        "score_final": 100.0,
        "score_best": 120.5,
        "generations": int(budget),
        "env_steps_se": 1000,
        "env_steps_task": 300,
        "wall_seconds": 2.5,
        "cpu_seconds": 4.5,
        "seed": 2**62 + 1,
        "worker": "w0",
        "host": "laptop",
        "started": finished - 10,
        "finished": finished,
    }
    return EvaluationRecord(**{**values, **changes})


def result_line(
    config_id: ConfigId, budget: float, loss: float, finished: float, **changes: Any
) -> list[Any]:
    record = make_record(config_id, budget, loss, finished, **changes).to_dict()
    times = {
        "submitted": finished - 11,
        "started": finished - 10,
        "finished": finished,
    }
    result = {"loss": record["loss"], "info": record}
    return [list(config_id), budget, times, result, None]


def add_result(
    paths: RunPaths,
    config_id: ConfigId,
    budget: float,
    loss: float,
    finished: float,
    **changes: Any,
) -> None:
    line = result_line(config_id, budget, loss, finished, **changes)
    append_json_line(paths.results, line)


def generation_line(generation: int, center: list[float], **changes: Any) -> dict:
    line = {
        "generation": generation,
        "center_scores": center,
        "member_scores": [[10.0, 30.0], [20.0, 40.0]],
        "weights": [0.0, 1.0],
        "step_norm": 0.25,
        "env_steps_se": 500,
        "env_steps_task": 100,
        "best_score": max(center),
        "center_diverged": 0,
        "stop_reasons": {"plateau": 5, "train_episodes": 1},
    }
    return {**line, **changes}


def add_generation(
    paths: RunPaths, config_id: ConfigId, generation: int, center: list[float]
) -> None:
    trial = paths.trial(config_id)
    if not trial.config.exists():
        write_json(trial.config, {"task": "CartPole-v0"})
    append_json_line(trial.generations, generation_line(generation, center))
    timing = {"generation": generation, "wall_seconds": 1.5, "cpu_seconds": 3.0}
    append_json_line(trial.timing, timing)


def write_many(paths: RunPaths, n: int) -> None:
    """`n` evaluations, written at once."""
    ids = [(i // 100, 0, i % 100) for i in range(n)]
    info = {"model_based_pick": True, "model_budget": 3.0}
    paths.configs.write_text(
        "".join(json.dumps([i, CONFIGURATION, info]) + "\n" for i in ids)
    )
    lines = [result_line(c, 3.0, k / n, 1000.0 + k) for k, c in enumerate(ids)]
    paths.results.write_text("".join(json.dumps(line) + "\n" for line in lines))
