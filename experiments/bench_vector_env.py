"""Speed of the vectorized SE: environment steps per CPU second, one thread.

The tuned CartPole SE (83 x 1, leaky ReLU) with random actions drawn beforehand, beside
the same SE in Gymnasium's SyncVectorEnv, the torch function alone, Gymnasium's own
vectorized CartPole, and the worst case: an SE that ends every episode at once, so that
every other step only draws initial states. All take turns, so that a busy machine slows
all of them.

What one step of 256 copies costs, counted first. The three networks fused are 6 -> 249
-> 6, the second product block-diagonal but computed dense: 2 (6 * 249 + 249 * 6) =
5,976 FLOP per copy, 1.5 MFLOP in all, 0.04 ms at 40 GFLOP/s. The hidden layer is 249
x 256 floats, 0.25 MB: written, read and written by the activation, read: 1 MB through
the second-level cache, 0.03 ms at 30 GB/s. The bar, 500,000 steps/s, allows 0.51 ms:
what must be avoided is Python per copy (256 calls of 2 us each would use all of it).
Initial states are drawn by the task, 5 us each: 256 of them, 1.3 ms.

    python experiments/bench_vector_env.py [--smoke] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from paper_settings import CARTPOLE_SE

from se_hpo.envs.checkpoint import SECheckpoint
from se_hpo.envs.parameters import initial_psi, split_psi
from se_hpo.envs.tasks import get_task
from se_hpo.storage.files import write_json

TASK = get_task("CartPole-v0")
BAR = 500_000
"""Steps per second that 256 copies must reach."""

Play = Callable[[int], None]
"""Takes so many batch steps."""


def se(done: float) -> SECheckpoint:
    """A random SE of the tuned size whose raw done output is constant."""
    psi = initial_psi(CARTPOLE_SE, TASK, np.random.default_rng(0))
    parts = dict(split_psi(psi, CARTPOLE_SE, TASK.obs_size, TASK.n_actions))
    parts["done.1.weight"][:], parts["done.1.bias"][:] = 0.0, done
    return SECheckpoint(psi, TASK.id, CARTPOLE_SE)


def stepping(env: gymnasium.vector.VectorEnv) -> Play:
    """Steps a vector environment."""
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    actions = [rng.integers(TASK.n_actions, size=env.num_envs) for _ in range(64)]

    def play(steps: int) -> None:
        for t in range(steps):
            env.step(actions[t % 64])

    return play


def vectorized(
    checkpoint: SECheckpoint, num_envs: int, mode: str | None = None
) -> Play:
    """The SE as `gymnasium.make_vec` gives it."""
    env = gymnasium.make_vec(
        "se_hpo:Synthetic/CartPole-v0",
        num_envs,
        vectorization_mode=mode,
        checkpoint=checkpoint,
    )
    return stepping(env)


def function_alone(checkpoint: SECheckpoint, num_envs: int) -> Play:
    """The three networks without an environment around them."""
    env = gymnasium.make_vec("Synthetic/CartPole-v0", num_envs, checkpoint=checkpoint)
    function = env.unwrapped.net.fused()
    x = torch.randn(TASK.n_actions + TASK.obs_size, num_envs)

    @torch.inference_mode()
    def play(steps: int) -> None:
        for _ in range(steps):
            function(x)

    return play


def cases(smoke: bool) -> dict[str, tuple[Play, int, int]]:
    """Name -> (what plays, copies, batch steps per round)."""
    # As long as the task's limit: 1 in 200 steps starts an episode.
    long, short = se(0.0), se(1.0)
    sizes = (1, 256) if smoke else (1, 16, 64, 256, 1024)
    found = {
        f"SE, {n} copies": (vectorized(long, n), n, 402 if n <= 256 else 201)
        for n in sizes
    }
    found["SE, 256, episodes of 1 step"] = (vectorized(short, 256), 256, 40)
    found["networks alone, 256"] = (function_alone(long, 256), 256, 400)
    found["SyncVectorEnv, SE, 16"] = (vectorized(long, 16, "sync"), 16, 40)
    cartpole = gymnasium.make_vec("CartPole-v1", 256)
    found["Gymnasium's CartPole, 256"] = (stepping(cartpole), 256, 400)
    return found


def measure(
    found: dict[str, tuple[Play, int, int]], rounds: int
) -> list[dict[str, Any]]:
    """One row per case: microseconds per batch step and steps per CPU second."""
    seconds: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, (play, _, steps) in found.items():
            started = time.process_time()
            play(steps)
            seconds[name].append((time.process_time() - started) / steps)
    return [
        {
            "case": name,
            "copies": copies,
            "us_per_batch_step": round(1e6 * float(np.median(seconds[name])), 1),
            "steps_per_second": round(copies / float(np.median(seconds[name]))),
            "best_steps_per_second": round(copies / min(seconds[name])),
        }
        for name, (_, copies, _) in found.items()
    ]


def main() -> None:
    """Print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="one short round")
    parser.add_argument("--out", type=Path, help="JSON to write")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = measure(cases(args.smoke), 1 if args.smoke else 7)
    capability = torch.backends.cpu.get_cpu_capability()
    print(f"torch {torch.__version__}, {capability}, steps per CPU second, 1 thread\n")
    print(f"{'':30}{'us per batch step':>18}{'median':>12}{'best':>12}")
    for row in rows:
        print(
            f"{row['case']:30}{row['us_per_batch_step']:>18}"
            f"{row['steps_per_second']:>12,}{row['best_steps_per_second']:>12,}"
        )
    at_bar = next(row for row in rows if row["case"] == "SE, 256 copies")
    print(f"\n256 copies: {at_bar['steps_per_second'] / BAR:.2f} times the bar {BAR:,}")
    if args.out:
        about = {"torch": torch.__version__, "cpu": capability, "bar": BAR}
        write_json(args.out, {**about, "rows": rows})


if __name__ == "__main__":
    main()
