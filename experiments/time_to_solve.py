"""How long until an NES run first solves its task, over many seeds.

    python experiments/time_to_solve.py --task cartpole --seeds 10 --threads 2

Trains what the recipes `cartpole` and `acrobot` say. A run
counts as solved when the mean center score reaches the task's solved return (195 on
CartPole-v0, -100 on Acrobot-v1). Prints a table and writes JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from machine import machine

from se_hpo.config.run import RunConfig
from se_hpo.nes.run import run_nes
from se_hpo.storage.files import write_json
from se_hpo.storage.paths import TrialPaths
from se_hpo.train.recipes import load_recipe
from se_hpo.training.inner_loop import InnerLoop

SETTINGS = {name: load_recipe(name).config for name in ("cartpole", "acrobot")}
"""The shipped recipes, whose files say why they are as they are."""


def run_seed(config: RunConfig, seed: int, generations: int, threads: int) -> dict:
    """One NES run in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder, InnerLoop("auto", threads) as loop:
        started, cpu = time.perf_counter(), loop.cpu_seconds()
        outcome = run_nes(config, seed, TrialPaths(Path(folder)), loop, generations)
        return {
            "seed": seed,
            "solved_at": outcome.state.solved_at,
            "best_score": round(float(outcome.state.best_score), 1),
            "wall_seconds": round(time.perf_counter() - started, 1),
            "cpu_seconds": round(loop.cpu_seconds() - cpu, 1),
            "env_steps_se": outcome.total("env_steps_se"),
            "env_steps_task": outcome.total("env_steps_task"),
            "center_scores": [round(float(s), 1) for s in outcome.center_scores],
        }


def summary(rows: list[dict], generations: int) -> str:
    """Share solved, and medians over all runs (an unsolved one counts as longest)."""
    solved = [row for row in rows if row["solved_at"]]
    walls = [row["wall_seconds"] if row["solved_at"] else np.inf for row in rows]
    median = float(np.median(walls))
    text = f"{median:.0f} s" if np.isfinite(median) else f"not in {generations}"
    return f"solved {len(solved)} of {len(rows)}; median wall time {text}"


def main() -> None:
    """Run all seeds and print a row each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=SETTINGS, default="cartpole")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--generations", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--smoke", action="store_true", help="seconds, not minutes")
    options = parser.parse_args()
    config, generations = SETTINGS[options.task], options.generations
    if options.smoke:
        agent = replace(config.agent, max_env_steps=300)
        nes = replace(config.nes, population=2, n_center_evaluations=2, n_initial=2)
        config, generations = replace(config, agent=agent, nes=nes), 2
    rows = []
    print("seed  solved at  best score  wall s   cpu s   SE steps")
    for seed in range(1, (1 if options.smoke else options.seeds) + 1):
        row = run_seed(config, seed, generations, options.threads)
        rows.append(row)
        print(
            f"{seed:4}  {row['solved_at'] or '-':>9}  {row['best_score']:10.1f}"
            f"  {row['wall_seconds']:6.1f}  {row['cpu_seconds']:6.1f}"
            f"  {row['env_steps_se']:9,}",
            flush=True,
        )
    print(summary(rows, generations))
    if options.out:
        data = {
            "config": config.to_dict(),
            "machine": machine(),
            "threads": options.threads,
            "runs": rows,
        }
        write_json(options.out, json.loads(json.dumps(data)))


if __name__ == "__main__":
    main()
