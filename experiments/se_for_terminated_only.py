"""Learn an SE for agents that see `terminated`, and not the raw done output.

This project's agents bootstrap with 1 - raw done (as the paper's do), and most SEs lean
on that: agents of other libraries, which know only whether the episode has ended, learn
little on them (docs/environments.md has numbers). Here the done net is silenced, its
last layer 0, before every training, so that NES can only use next state and reward.
`tests/data/cartpole_se_terminated_only.safetensors` is what this made:

    python experiments/se_for_terminated_only.py OUT_FOLDER [--smoke]

Two minutes on one core; the SE is OUT_FOLDER/terminated_only.safetensors.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.config.nes_config import NESConfig
from se_hpo.config.run import RunConfig
from se_hpo.envs.checkpoint import load_se, save_se
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.parameters import split_psi
from se_hpo.envs.tasks import get_task
from se_hpo.nes.run import run_nes
from se_hpo.storage.paths import TrialPaths
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob, TrainingResult

TASK = get_task("CartPole-v0")
CONFIG = RunConfig(
    task=TASK.id,
    agent=DDQNConfig(
        init_episodes=1,
        max_env_steps=4000,
        test_episodes=5,
        batch_size=64,
        gamma=0.988,
        lr=1e-3,
        tau=0.00848,
        activation="tanh",
        hidden_size=32,
        hidden_layers=1,
        eps_init=0.9,
        eps_min=0.0371,
        eps_decay=0.93,
    ),
    se=SyntheticEnvConfig("leaky_relu", hidden_size=32, hidden_layers=1),
    nes=NESConfig(
        step_size=0.5,
        score_transform="nes_unnormalized",
        n_center_evaluations=8,
        n_initial=32,
        common_random_numbers=True,
    ),
)


def silenced(psi: np.ndarray, se: SyntheticEnvConfig) -> np.ndarray:
    """The same SE with a raw done output of 0."""
    psi = psi.copy()
    parts = dict(split_psi(psi, se, TASK.obs_size, TASK.n_actions))
    parts[f"done.{se.hidden_layers}.weight"][:] = 0
    parts[f"done.{se.hidden_layers}.bias"][:] = 0
    return psi


class Silenced(InnerLoop):
    """Trains agents on SEs without their done nets."""

    def train_agents(self, jobs: Sequence[TrainingJob]) -> list[TrainingResult]:
        """Run the jobs; results in the order of `jobs`."""
        changed = []
        for job in jobs:
            assert job.learned is not None
            psi = silenced(job.learned.psi, job.learned.config)
            learned = dataclasses.replace(job.learned, psi=psi)
            changed.append(dataclasses.replace(job, learned=learned))
        return super().train_agents(changed)


def main() -> None:
    """Run NES and write the SE."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--smoke", action="store_true", help="one tiny generation")
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config, generations = CONFIG, 14
    if args.smoke:
        agent = dataclasses.replace(CONFIG.agent, max_env_steps=50, test_episodes=1)
        nes = dataclasses.replace(CONFIG.nes, population=2, n_initial=2)
        config, generations = dataclasses.replace(CONFIG, agent=agent, nes=nes), 1
    paths = TrialPaths(args.out)
    with Silenced() as inner_loop:
        outcome = run_nes(config, args.seed, paths, inner_loop, generations)
    best = load_se(paths.best_se)
    path = args.out / "terminated_only.safetensors"
    psi = silenced(best.psi, best.se_config)
    save_se(path, psi, best.task, best.se_config, best.metadata)
    print(f"best center score {outcome.state.best_score:.1f}: {path}")


if __name__ == "__main__":
    main()
