"""What tuning an agent costs on the task, on an SE, and on the SE with confirmation.

    python experiments/tune_on_se.py                 # a quarter of an hour; resumable
    python experiments/tune_on_se.py --table         # the table of what is there

Every case is a table: `--configurations` random configurations of a space, each trained
with three seeds on the task and with two seeds and several lengths on an SE of the zoo.
Those whose updates are costly (most with two hidden layers) are left out: they would
take nine tenths of the time.
Searches are then replayed over that table in 20 random orders, so that what they cost
is what these trainings have cost. A search evaluates the configurations one by one:

- on the task: one seed each; the best so far by the loss that it saw;
- on the SE: likewise, by the loss on the SE;
- on the SE, confirmed: all on the SE, then on the task the best of them one by one.

It is done when what it holds for the best is within 0.01 of the best known loss: the
lowest mean over the three seeds on the task.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from se_hpo import seeding
from se_hpo.agents.config import AgentConfig
from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.envs.checkpoint import load_se
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.tasks import measure_task
from se_hpo.envs.zoo_files import zoo_file
from se_hpo.nes.fitness import step_limit
from se_hpo.optimize.objectives.agent_on_se import level_loss
from se_hpo.optimize.objectives.agent_run import agent_loss
from se_hpo.search_spaces.loading import load_space
from se_hpo.storage.files import append_json_line, read_json_lines
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob

RESULTS = Path(__file__).with_name("results") / "tune_on_se.json"
SEEDS_ON_TASK, SEEDS_ON_SE, ORDERS = 3, 2, 20
WITHIN = 0.01


@dataclass(frozen=True)
class Case:
    """A space of agents, an SE of its task, and how long agents train there."""

    space: str
    se: str
    lengths: tuple[int, ...]


CASES = {
    "DDQN, CartPole-v0": Case("ddqn_cartpole", "CartPole-v0", (125, 250, 500, 1000)),
    "PPO, CartPole-v0": Case("ppo_cartpole", "CartPole-v0", (1024, 2048, 4096, 8192)),
    "DDQN, Acrobot-v1": Case("ddqn_acrobot", "Acrobot-v1", (125, 250, 500, 1000)),
}


TASKS = {name: name.split(", ")[1] for name in CASES}


@dataclass(frozen=True)
class Line:
    """One trained agent."""

    case: str
    configuration: int
    steps_on_se: int
    """0: trained on the task."""
    seed: int
    score: float
    loss: float
    env_steps: int
    test_env_steps: int
    cpu_seconds: float

    @property
    def task_steps(self) -> int:
        """Tests, and training where that was on the task."""
        return self.test_env_steps + (0 if self.steps_on_se else self.env_steps)


MOST_COST = 150_000
"""Hidden weights times batch of a configuration's update."""


def configurations(case: Case, n: int) -> list[AgentConfig]:
    """The first random ones of a space that are not costly."""
    space, found = load_space(case.space), []
    encoding = SpaceEncoding(space.configuration_space())
    for seed in itertools.count():
        agent = space.resolve(encoding.sample(seed)).agent
        weights = agent.hidden_size * (
            6 + (agent.hidden_layers - 1) * agent.hidden_size
        )
        if weights * agent.batch_size <= MOST_COST:
            found.append(agent)
        if len(found) == n:
            return found
    raise AssertionError


def trainings(n: int) -> Iterator[tuple[str, int, int, int]]:
    """`(case, configuration, steps on the SE, seed)` of all that are in the tables."""
    for i in range(n):
        for name, case in CASES.items():
            for seed in range(SEEDS_ON_TASK):
                yield name, i, 0, seed
            for steps in case.lengths:
                for seed in range(SEEDS_ON_SE):
                    yield name, i, steps, seed


def train(
    agent: AgentConfig, name: str, i: int, steps: int, seed: int, loop: InnerLoop
) -> Line:
    """One of them."""
    case = CASES[name]
    task = measure_task(TASKS[name])
    se = load_se(zoo_file(case.se))
    learned = LearnedEnv(se.se_config, se.psi) if steps else None
    agent = replace(agent, se_steps=steps or None)
    number = seeding.integer_seed(0, "tune on SE", name, i, steps, seed)
    job = TrainingJob(task.id, agent, number, learned)
    began = time.process_time()
    result = loop.train_agents([job])[0]
    seconds = time.process_time() - began
    if steps:
        loss = level_loss([result.score], task)
    else:
        limit = step_limit(agent, task)
        loss = agent_loss([result.score], [result.env_steps], limit, task)
    counts = result.env_steps, int(result.test_env_steps), round(seconds, 4)
    return Line(name, i, steps, seed, result.score, round(loss, 6), *counts)


def main() -> None:
    """Train what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configurations", type=int, default=24)
    parser.add_argument("--lines", type=Path, default=Path("results/tune_on_se.jsonl"))
    options = parser.parse_args()
    done = {tuple(x["key"]) for _, x in read_json_lines(options.lines)}
    options.lines.parent.mkdir(parents=True, exist_ok=True)
    pools = {k: configurations(c, options.configurations) for k, c in CASES.items()}
    with InnerLoop("native", 1) as loop:
        for key in trainings(options.configurations):
            if key not in done:
                agent = pools[key[0]][key[1]]
                line = asdict(train(agent, *key, loop))
                append_json_line(options.lines, {"key": key, **line})


if __name__ == "__main__":
    main()
