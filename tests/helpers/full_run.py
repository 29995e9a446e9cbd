"""A whole run as the commands write it, made up: search, sets of SEs, evaluations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from se_hpo.storage.files import write_json
from se_hpo.storage.paths import RunPaths, SESetPaths
from tests.helpers.fake_run import (
    add_configuration,
    add_generation,
    add_result,
    generation_line,
    make_run,
)
from tests.helpers.fake_sets import make_set

SETS = {"varied": "se_varied", "fixed": "se_fixed", "random": "se_random"}
AGENTS = ("ddqn", "dueling_ddqn", "td3_discrete")
_RETURN = {"real": 185.0, "se_varied": 189.0, "se_fixed": 170.0, "se_random": 90.0}
_STEPS = {"real": 15_000, "se_varied": 6_500, "se_fixed": 6_300, "se_random": 5_000}


def make_full_run(root: Path, n_ses: int = 3, n_agents: int = 2) -> RunPaths:
    """Everything there is in a run."""
    run = add_search(make_run(root))
    add_sets(run, n_ses)
    add_evaluations(run, n_ses, n_agents)
    return run


def add_search(run: RunPaths, n_trials: int = 9) -> RunPaths:
    """Trials at budgets 1, 3 and 9, and their generations."""
    settings = {"space": "fake", "objective": "nes", "task": "CartPole-v0"}
    attempt = {
        "started": 1e9,
        "host": "laptop",
        "pid": 1,
        "command": ["/opt/se_hpo/optimize.py"],
    }
    write_json(run.run, {"settings": settings, "attempts": [attempt]})
    rng = np.random.default_rng(0)
    finished = 1_000_000.0
    for index in range(n_trials):
        values = {"nes.step_size": float(rng.uniform(0.1, 1)), "se.hidden_size": index}
        add_configuration(run, (0, 0, index), model_based=index % 3 == 2, **values)
        for rung, budget in enumerate((1.0, 3.0, 9.0)):
            if index % 3**rung:
                break
            finished += 60.0
            loss = float(rng.uniform(0.3, 1.0))
            add_result(run, (0, 0, index), budget, loss, finished, rung=rung)
        for generation in range(int(budget)):
            add_generation(run, (0, 0, index), generation, [20.0 + 10 * generation])
    return run


def add_sets(run: RunPaths, n: int) -> None:
    """Sets of varied, fixed and random SEs, with the curves of the learned ones."""
    rng = np.random.default_rng(1)
    for name, train_env in SETS.items():
        paths = make_set(run.ses / name, train_env, n, solved=tuple(range(n - 1)))
        if train_env == "se_random":
            continue
        for index in range(n):
            length = int(rng.integers(8, 30))
            for g in range(length):
                score = 200 / (1 + np.exp(3 - 8 * g / length)) + rng.normal(0, 6)
                add_se_generation(paths, index, g, float(np.clip(score, 8, 200)))


def add_se_generation(
    paths: SESetPaths, index: int, generation: int, score: float
) -> None:
    files = paths.run(index)
    if not files.config.exists():
        write_json(files.config, {"task": "CartPole-v0"})
    append_lines(files.generations, [generation_line(generation, [score])])


def append_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    """Many lines at once, as `append_json_line` writes each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def add_evaluations(
    run: RunPaths,
    n_ses: int,
    n_agents: int,
    agents: tuple[str, ...] = AGENTS,
    train_envs: tuple[str, ...] = tuple(_RETURN),
    **changes: Any,
) -> Path:
    """Records of phase 2, as `python -m se_hpo.evaluate` writes them."""
    path = run.evaluations / "paper-0.jsonl"
    append_lines(
        path,
        [
            evaluation_line(agent, train_env, pair, n_agents) | changes
            for agent in agents
            for train_env in train_envs
            for pair in range(n_ses * n_agents)
        ],
    )
    return path


def evaluation_line(
    agent: str, train_env: str, pair: int, n_agents: int
) -> dict[str, Any]:
    """One agent; the hyperparameters are those of its pair."""
    rng = np.random.default_rng([pair, *f"{agent} {train_env}".encode()])
    hp = np.random.default_rng([pair, *agent.encode()])
    lr, on_se = float(np.exp(hp.uniform(-9, -6))), train_env != "real"
    score = 10.0 if rng.random() < 0.1 else _RETURN[train_env] + 8 * (np.log(lr) + 7.5)
    returns = np.clip(rng.normal(score, 6, 10), 8, 200).round().tolist()
    steps = int(rng.gamma(3, _STEPS[train_env] / 3))
    return {
        "train_env": train_env,
        "task": "CartPole-v0",
        "se_set": train_env.removeprefix("se_") if on_se else None,
        "se": pair // n_agents if on_se else None,
        "se_solved": bool(pair // n_agents < 2) if on_se else None,
        "se_score": 196.0 if on_se else None,
        "agent": agent,
        "pair": pair,
        "hyperparameters": {"lr": lr, "batch_size": int(hp.integers(40, 400))},
        "agent_seed": pair,
        "rule": "paper",
        "max_env_steps": None,
        "env_steps": steps,
        "episodes": steps // 150,
        "stop_reason": "plateau" if on_se else "solved",
        "test_returns": returns,
        "score": float(np.mean(returns)),
        "test_env_steps": int(sum(returns)),
        "seconds": steps / 20_000,
        "engine": "native",
    }


def damage(path: Path) -> None:
    """A line that is no JSON, one of another kind, and one cut off."""
    with path.open("a") as file:
        file.write('{"half": \n[1, 2]\n{"agent": "dd')
