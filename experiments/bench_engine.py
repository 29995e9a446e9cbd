"""Speed and memory of the native engine, with the torch engine beside it.

    python experiments/bench_engine.py            # about six minutes
    python experiments/bench_engine.py --smoke    # seconds; the numbers mean nothing

Env steps per second, one update each, come in rounds in which one thread, all threads
and the torch engine take turns: medians over the rounds, and ratios within each. With
`--cpu` they are per CPU second, for a machine that does other things too, but all cores
over one thread ("cores/1") is always wall time. GFLOP/s are those of the matrix
products, in whole env steps; "update" is the gradient update alone, best of five, as a
share of the core's peak in a loop of independent multiply-adds. Writes OUT.json and
OUT.png.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from engine_table import ALL_CORES, draw, show
from engine_workloads import Workload, update_flops, workloads
from machine import machine
from paper_settings import ACROBOT_AGENT, CARTPOLE_AGENT
from rich.console import Console

from se_hpo import _engine_testing
from se_hpo.agents.config import AgentConfig
from se_hpo.agents.registry import algorithm_of
from se_hpo.envs.tasks import TaskSpec, get_task
from se_hpo.storage.files import write_json
from se_hpo.training import native_engine
from se_hpo.training.jobs import TrainingJob, TrainingResult
from se_hpo.training.torch_engine import run_job

OUT = Path(__file__).parent / "results" / "bench_engine"


def timed(
    run: Callable[[Sequence[TrainingJob]], Sequence[TrainingResult]],
    jobs: Sequence[TrainingJob],
) -> tuple[float, float]:
    """Env steps per wall second and per CPU second."""
    wall, cpu = time.perf_counter(), time.process_time()
    steps = sum(result.env_steps for result in run(jobs))
    return steps / (time.perf_counter() - wall), steps / (time.process_time() - cpu)


def measure_rates(rows: list[Workload], args: argparse.Namespace) -> None:
    """Fill the rounds of all rows."""
    threads, torch_steps = os.cpu_count() or 1, 100 if args.smoke else 600
    for _ in range(1 if args.smoke else args.rounds):
        for row in rows:
            jobs, few = row.jobs(), row.jobs(torch_steps)[: row.torch_jobs]
            row.add("native", *timed(native_engine.train_agents, jobs))
            row.add(
                ALL_CORES,
                *timed(lambda j: native_engine.train_agents(j, threads), jobs),
            )
            if few:
                row.add("torch", *timed(lambda j: [run_job(job) for job in j], few))


def update_seconds(agent: AgentConfig, spec: TaskSpec, smoke: bool) -> float:
    """CPU seconds of one update, best of a few."""
    config = {"algorithm": algorithm_of(agent), **dataclasses.asdict(agent)}
    n = 3 if smoke else max(5, int(5e8 / update_flops(agent, spec)))
    name = native_engine.isa().replace("-", "_")
    return min(
        _engine_testing.time_updates(config, spec.obs_size, spec.n_actions, n, name)
        for _ in range(2 if smoke else 5)
    )


def peak_flops(smoke: bool) -> float:
    """Of one core, in a loop of independent multiply-adds."""
    name = native_engine.isa().replace("-", "_")
    rounds = 100_000 if smoke else 3_000_000
    return max(_engine_testing.peak_flops(rounds, name) for _ in range(5))


def describe(row: Workload, peak: float, args: argparse.Namespace) -> dict[str, Any]:
    """One row of the results."""
    spec = get_task(row.task)
    flops = [update_flops(agent, spec) for agent in row.agents]
    some = list(dict.fromkeys(row.agents))[:12]
    seconds = [update_seconds(agent, spec, args.smoke) for agent in some]
    in_updates = sum(update_flops(agent, spec) for agent in some) / sum(seconds)
    rounds = row.per_cpu_second if args.cpu else row.per_second
    rates = {name: statistics.median(rates) for name, rates in rounds.items()}
    rates[ALL_CORES] = statistics.median(row.per_second[ALL_CORES])
    return {
        "workload": row.name,
        "env_steps_per_second": {name: round(rate) for name, rate in rates.items()},
        "bar": row.bar,
        "times_torch": ratio(rounds, "native", "torch") if row.torch_jobs else None,
        "all_cores_over_one": ratio(row.per_second, ALL_CORES, "native"),
        "gflops": rates["native"] * float(np.mean(flops)) / 1e9,
        "update_us": 1e6 * float(np.mean(seconds)),
        "update_gflops": in_updates / 1e9,
        "update_share_of_peak": in_updates / peak,
    }


def ratio(rounds: Mapping[str, Sequence[float]], one: str, other: str) -> float:
    """Median of the rounds' own ratios: both were measured in the same seconds."""
    pairs = zip(rounds[one], rounds[other], strict=True)
    return statistics.median(a / b for a, b in pairs)


def test_rate(job: TrainingJob, episodes: int) -> tuple[float, float]:
    """Steps per CPU second of greedy tests of the trained agent, and their mean return.

    The training, which is the same bytes each time, is timed alone and taken off.
    """
    seconds, steps, score = [], [], 0.0
    for n in (1, episodes):
        agent = dataclasses.replace(job.agent, test_episodes=n)
        start = time.process_time()
        (result,) = native_engine.train_agents([dataclasses.replace(job, agent=agent)])
        seconds.append(time.process_time() - start)
        steps.append(result.test_env_steps)
        score = result.score
    return (steps[1] - steps[0]) / (seconds[1] - seconds[0]), score


def measure_steps(smoke: bool) -> dict[str, dict[str, float]]:
    """Real steps per CPU second: the task alone, and tests of a trained agent."""
    out = {}
    for task, agent, bar in (
        ("CartPole-v0", CARTPOLE_AGENT, 1_000_000),
        ("Acrobot-v1", ACROBOT_AGENT, 400_000),
    ):
        n = 10_000 if smoke else 300_000
        alone = 1 / _engine_testing.time_steps(get_task(task).native, n)
        config = dataclasses.replace(agent, max_env_steps=100 if smoke else 20_000)
        rate, score = test_rate(TrainingJob(task, config, 1), n // 30)
        out[task] = {
            "task_alone": alone,
            "greedy_test": rate,
            "greedy_test_return": score,
            "bar": bar,
        }
    return out


def generation_memory(smoke: bool) -> float:
    """Peak resident MB of a process that runs one NES generation of tuned CartPole.

    As a worker of `optimize` does, with its modules loaded: 16 mirrored directions, 16
    center evaluations. Agents may take as many steps as nes_cartpole gives them.
    """
    code = f"""
import dataclasses, resource, tempfile
from pathlib import Path
import se_hpo.worker
from experiments.paper_settings import CARTPOLE_AGENT, CARTPOLE_SE
from se_hpo.config.nes_config import NESConfig
from se_hpo.config.run import RunConfig
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.nes.run import run_nes
from se_hpo.storage.paths import TrialPaths
config = RunConfig(
    agent=dataclasses.replace(CARTPOLE_AGENT, max_env_steps={100 if smoke else 6000}),
    se=CARTPOLE_SE,
    nes=NESConfig(population=16, sampling="mirrored_best", n_center_evaluations=16),
)
with tempfile.TemporaryDirectory() as folder, InnerLoop("native", 2) as loop:
    outcome = run_nes(config, 0, TrialPaths(Path(folder)), loop, 1)
assert len(outcome.history) == 1
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--cpu", action="store_true", help="per CPU second")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=OUT, help="without ending")
    args = parser.parse_args(argv)
    rows = workloads(args.smoke)
    measure_rates(rows, args)
    peak = peak_flops(args.smoke)
    data = {
        "machine": machine(),
        "per": "cpu second" if args.cpu else "wall second",
        "peak_gflops": peak / 1e9,
        "workloads": [describe(row, peak, args) for row in rows],
        "real_steps": measure_steps(args.smoke),
        "generation_peak_mb": generation_memory(args.smoke),
        "own_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    show(Console(width=110), data)
    write_json(args.out.with_suffix(".json"), data)
    draw(args.out.with_suffix(".png"), data)


if __name__ == "__main__":
    main()
