"""What `bench_engine.py` measures: jobs of the tuned and the untuned agents."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

import numpy as np
from paper_settings import ACROBOT_AGENT, ACROBOT_SE, CARTPOLE_AGENT, CARTPOLE_SE

from se_hpo import seeding
from se_hpo.agents.config import AgentConfig
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.td3_config import TD3Config
from se_hpo.config.variation import vary_agent
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.tasks import TaskSpec, get_task
from se_hpo.training.jobs import TrainingJob

UNTUNED = DDQNConfig()


@dataclass
class Workload:
    """Jobs of one row of the table."""

    name: str
    task: str
    agents: list[AgentConfig]
    se: SyntheticEnvConfig | None
    """What they train on; None: the task."""
    steps: int
    """Env steps per job."""
    bar: float
    """Env steps per second and core on a 2-core x86-64 with AVX-512; 0: none."""
    torch_jobs: int = 1
    """Jobs that the torch engine also runs; 0 where they differ in size."""
    per_second: dict[str, list[float]] = field(default_factory=dict)
    """Env steps per wall second of every round, by column."""
    per_cpu_second: dict[str, list[float]] = field(default_factory=dict)

    def jobs(self, steps: int | None = None) -> list[TrainingJob]:
        """Each trains on an SE of its own whose episodes never end early, if any."""
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
                self.se and LearnedEnv(self.se, endless_psi(self.se, spec, i)),
                stop_by_rule=False,
            )
            for i, agent in enumerate(self.agents)
        ]

    def add(self, column: str, per_second: float, per_cpu_second: float) -> None:
        """One more round."""
        self.per_second.setdefault(column, []).append(per_second)
        self.per_cpu_second.setdefault(column, []).append(per_cpu_second)


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

    se, untuned_se = CARTPOLE_SE, SyntheticEnvConfig(hidden_size=128)
    many = 2 if smoke else 32  # the agents of a generation, population 16 mirrored
    return [
        Workload(
            "tuned CartPole", "CartPole-v0", [CARTPOLE_AGENT] * many, se, steps, 52_000
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
            [ACROBOT_AGENT] * many,
            ACROBOT_SE,
            steps,
            25_000,
        ),
        Workload(
            "TD3 128 x 2, batch 192",
            "MountainCarContinuous-v0",
            [TD3Config(batch_size=192)] * min(many, 4),
            None,
            steps // 4,
            0,
        ),
    ]


def update_flops(agent: AgentConfig, spec: TaskSpec) -> float:
    """Of the matrix products of one update: three forward passes and a backward one.

    Of TD3: those of the target actor, both target critics, and forward and back through
    both critics; every `policy_delay`-th time also forward through actor and critic,
    back to the critic's input, and back through the actor. A backward pass has two
    products with all weights, but one with those of the first layer, whose input needs
    no gradient; the one to the critic's input has one with all.
    """
    h, batch = agent.hidden_size, agent.batch_size
    inputs, outputs = h * spec.obs_size, h * spec.n_actions
    hidden = (agent.hidden_layers - 1) * h**2
    weights = inputs + hidden + outputs
    if not isinstance(agent, TD3Config):
        return 2.0 * batch * (3 * weights + weights + weights - inputs)
    critic = weights + h
    learning = 2 * critic + 2 * (critic + 2 * critic - inputs - outputs)
    acting = weights + 2 * critic + 2 * weights - inputs
    return 2.0 * batch * (weights + learning + acting / agent.policy_delay)
