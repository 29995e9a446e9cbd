"""Speed and memory of the native engine, with the torch engine beside it.

    python experiments/bench_engine.py            # about five minutes
    python experiments/bench_engine.py --smoke    # seconds; the numbers mean nothing

Env steps per second, one update each, come in rounds in which one thread, all threads
and the torch engine take turns; the best round counts. With `--cpu` they are per CPU
second, for a machine that does other things too. All cores are always measured in wall
time, and compared with one thread in wall time ("cores/1"). GFLOP/s are those of the
matrix products, in whole env steps; "update" is the gradient update alone, as a share
of the core's peak in a loop of independent multiply-adds. Writes OUT.json and OUT.png.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine
from paper_settings import ACROBOT_AGENT, ACROBOT_SE, CARTPOLE_AGENT, CARTPOLE_SE
from rich.console import Console
from rich.table import Table

from se_hpo import engine, seeding
from se_hpo.config import AgentConfig, DDQNConfig, SyntheticEnvConfig, algorithm_of
from se_hpo.jobs import TrainingJob
from se_hpo.paths import write_json
from se_hpo.tasks import TaskSpec, get_task
from se_hpo.variation import vary_agent

OUT = Path(__file__).parent / "results" / "bench_engine"

UNTUNED = DDQNConfig()


@dataclass
class Workload:
    """Jobs of one row of the table."""

    name: str
    task: str
    agents: list[AgentConfig]
    se: SyntheticEnvConfig
    steps: int
    """Env steps per job."""
    bar: float
    """Env steps per second and core on a 2-core x86-64 with AVX-512; 0: none."""
    torch_jobs: int = 1
    """Jobs that the torch engine also runs; 0 where they differ in size."""
    rates: dict[str, float] = field(default_factory=dict)
    """Env steps per second, by column."""

    def jobs(self, steps: int | None = None) -> list[TrainingJob]:
        """Each trains on an SE of its own whose episodes never end early."""
        spec = get_task(self.task)
        return [
            TrainingJob(
                self.task,
                dataclasses.replace(
                    agent,
                    max_env_steps=steps or self.steps,
                    train_episodes=10**6,
                    test_episodes=1,
                    init_episodes=0,
                    plateau_tolerance=0.0,
                ),
                seeding.integer_seed(0, "bench", i),
                self.se,
                endless_psi(self.se, spec, i),
            )
            for i, agent in enumerate(self.agents)
        ]


def endless_psi(se: SyntheticEnvConfig, spec: TaskSpec, seed: int) -> np.ndarray:
    """Random SE parameters with a done output far below one half."""
    inputs, hidden = spec.obs_size + spec.n_actions, se.hidden_size
    rng, parts = seeding.generator(0, "psi", seed), []
    for outputs in (spec.obs_size, 1, 1):
        for size, fan_in in ((hidden, inputs), (outputs, hidden)):
            bound = 1 / math.sqrt(fan_in)
            parts.append(rng.uniform(-bound, bound, size * (fan_in + 1)))
    parts[-1][-1] = -5.0
    return np.concatenate(parts).astype(np.float32)


def workloads(smoke: bool) -> list[Workload]:
    """The rows of the table."""
    varied, steps = (4, 200) if smoke else (48, 4000)

    def vary(base: AgentConfig) -> list[AgentConfig]:
        return [
            vary_agent(base, seeding.generator(0, "varied", i)) for i in range(varied)
        ]

    se, acrobot_se = (
        CARTPOLE_SE,
        ACROBOT_SE,
    )
    untuned_se = SyntheticEnvConfig(hidden_size=128)
    few = 2 if smoke else 8
    return [
        Workload(
            "tuned CartPole", "CartPole-v0", [CARTPOLE_AGENT] * few, se, steps, 52_000
        ),
        Workload(
            "tuned CartPole, varied",
            "CartPole-v0",
            vary(CARTPOLE_AGENT),
            se,
            steps,
            13_000,
            0,
        ),
        Workload(
            "untuned CartPole, varied",
            "CartPole-v0",
            vary(UNTUNED)[:: 1 if smoke else 4],
            untuned_se,
            steps // 4,
            0,
            0,
        ),
        Workload(
            "tuned Acrobot",
            "Acrobot-v1",
            [ACROBOT_AGENT] * few,
            acrobot_se,
            steps,
            25_000,
        ),
    ]


def update_flops(agent: AgentConfig, spec: TaskSpec) -> float:
    """Of the matrix products of one update: three forward passes and a backward one."""
    h, batch = agent.hidden_size, agent.batch_size
    first, last = h * spec.obs_size, h * spec.n_actions
    weights = first + (agent.hidden_layers - 1) * h**2 + last
    return 2.0 * batch * (3 * weights + weights + weights - first)


def timed(
    run: Callable[[Sequence[TrainingJob]], Any], jobs: list[TrainingJob], cpu: bool
) -> float:
    """Env steps per second."""
    clock = time.process_time if cpu else time.perf_counter
    start = clock()
    results = run(jobs)
    return sum(r.env_steps for r in results) / (clock() - start)


def measure_rates(rows: list[Workload], args: argparse.Namespace) -> None:
    """Fill the rates of all rows."""
    from se_hpo.training import run_job

    threads, torch_steps = os.cpu_count() or 1, 100 if args.smoke else 600
    for _ in range(1 if args.smoke else args.rounds):
        for row in rows:
            jobs = row.jobs()
            columns: dict[str, Callable[[], float]] = {
                "native": lambda jobs=jobs: timed(engine.train_agents, jobs, args.cpu),
                "native, one core": lambda jobs=jobs: timed(
                    engine.train_agents, jobs, False
                ),
                "native, all cores": lambda jobs=jobs: timed(
                    lambda j: engine.train_agents(j, threads), jobs, False
                ),
                "torch": lambda row=row: timed(
                    lambda j: [run_job(job) for job in j],
                    row.jobs(torch_steps)[: row.torch_jobs],
                    args.cpu,
                ),
            }
            if not row.torch_jobs:
                del columns["torch"]
            if not args.cpu:  # then "native" is that already
                del columns["native, one core"]
            for name, measure in columns.items():
                row.rates[name] = max(row.rates.get(name, 0.0), measure())


def update_seconds(agent: AgentConfig, spec: TaskSpec, smoke: bool) -> float:
    """CPU seconds of one update, best of a few."""
    config = {"algorithm": algorithm_of(agent), **dataclasses.asdict(agent)}
    n = 3 if smoke else max(5, int(5e8 / update_flops(agent, spec)))
    name = engine.isa().replace("-", "_")
    return min(
        engine._engine.time_updates(config, spec.obs_size, spec.n_actions, n, name)
        for _ in range(2 if smoke else 5)
    )


def peak_flops(smoke: bool) -> float:
    """Of one core, in a loop of independent multiply-adds."""
    name = engine.isa().replace("-", "_")
    rounds = 100_000 if smoke else 3_000_000
    return max(engine._engine.peak_flops(rounds, name) for _ in range(5))


def describe(row: Workload, peak: float, smoke: bool) -> dict[str, Any]:
    """One row of the results."""
    spec = get_task(row.task)
    flops = [update_flops(agent, spec) for agent in row.agents]
    seconds = [update_seconds(agent, spec, smoke) for agent in row.agents[:12]]
    in_updates = sum(flops[:12]) / sum(seconds)
    native, many = row.rates["native"], row.rates["native, all cores"]
    one = row.rates.get("native, one core", native)  # both in wall time
    return {
        "workload": row.name,
        "env_steps_per_second": {k: round(v) for k, v in row.rates.items()},
        "bar": row.bar,
        "times_torch": native / row.rates["torch"] if row.torch_jobs else None,
        "all_cores_over_one": many / one,
        "gflops": native * float(np.mean(flops)) / 1e9,
        "update_us": 1e6 * float(np.mean(seconds)),
        "update_gflops": in_updates / 1e9,
        "update_share_of_peak": in_updates / peak,
    }


def test_rate(job: TrainingJob, episodes: int) -> tuple[float, float]:
    """Steps per CPU second of greedy tests of the trained agent, and their mean return.

    The training, which is the same bytes each time, is timed alone and taken off.
    """
    seconds, steps, score = [], [], 0.0
    for n in (1, episodes):
        agent = dataclasses.replace(job.agent, test_episodes=n)
        start = time.process_time()
        (result,) = engine.train_agents([dataclasses.replace(job, agent=agent)])
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
        alone = 1 / engine._engine.time_steps(get_task(task).native, n)
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
from se_hpo.config import NESConfig, RunConfig
from se_hpo.inner_loop import InnerLoop
from se_hpo.nes.run import run_nes
from se_hpo.paths import TrialPaths
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


def show(console: Console, data: dict[str, Any]) -> None:
    """Print the one table."""
    info = data["machine"]
    table = Table(
        title=f"{info['processor']}, {info['cores']} cores, {info['isa']}, "
        f"peak {data['peak_gflops']:.0f} GFLOP/s per core"
    )
    names = "workload;steps/s;bar*;torch;x torch;cores/1;GFLOP/s;update us;% peak"
    for name in names.split(";"):
        table.add_column(name, justify="left" if name == "workload" else "right")
    for row in data["workloads"]:
        rates = row["env_steps_per_second"]
        table.add_row(
            row["workload"],
            f"{rates['native']:,}",
            f"{row['bar']:,}" if row["bar"] else "",
            f"{rates['torch']:,}" if row["times_torch"] else "",
            f"{row['times_torch']:.1f}" if row["times_torch"] else "",
            f"{row['all_cores_over_one']:.2f}",
            f"{row['gflops']:.1f}",
            f"{row['update_us']:.1f}",
            f"{100 * row['update_share_of_peak']:.0f}",
        )
    for task, rates in data["real_steps"].items():
        greedy = f"greedy test, return {rates['greedy_test_return']:.0f}"
        for name, what in (("task_alone", "alone"), ("greedy_test", greedy)):
            label = f"{task}, {what}"
            table.add_row(label, f"{rates[name]:,.0f}", f"{rates['bar']:,}")
    memory = data["generation_peak_mb"]
    table.add_row("NES generation, peak MB", f"{memory:.0f}", "500")
    table.caption = "* per core, for a processor with AVX-512"
    console.print(table)


def draw(path: Path, data: dict[str, Any]) -> None:
    """Bars of env steps per second, both engines."""
    try:
        import matplotlib as mpl
    except ImportError:
        return
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = data["workloads"]
    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    for i, name in enumerate(("torch", "native", "native, all cores")):
        rates = [row["env_steps_per_second"].get(name, np.nan) for row in rows]
        axes.barh(np.arange(len(rows)) + 0.27 * (i - 1), rates, 0.25, label=name)
    axes.set_yticks(range(len(rows)), [row["workload"] for row in rows])
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="env steps per second, one update each")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--cpu", action="store_true", help="per CPU second")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT, help="without ending")
    args = parser.parse_args(argv)
    rows = workloads(args.smoke)
    measure_rates(rows, args)
    peak = peak_flops(args.smoke)
    data = {
        "machine": machine(),
        "per": "cpu second" if args.cpu else "wall second",
        "peak_gflops": peak / 1e9,
        "workloads": [describe(row, peak, args.smoke) for row in rows],
        "real_steps": measure_steps(args.smoke),
        "generation_peak_mb": generation_memory(args.smoke),
        "own_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    show(Console(width=110), data)
    write_json(args.out.with_suffix(".json"), data)
    draw(args.out.with_suffix(".png"), data)


if __name__ == "__main__":
    main()
