"""Speed of the torch engine's inner loop beside the authors' code structure.

Both train the tuned CartPole agent (DDQN, batch 199, 57 x 1 tanh) on one random SE
(83 x 1 leaky ReLU), one thread, in rounds that take turns, so that a busy machine slows
both. The table gives environment steps per CPU second, each with one gradient update.

The second loop is written as the authors' published code works: separate
`nn.Sequential` networks called with gradients on while acting and in the SE, a replay
buffer of tensors filled one field at a time, `torch.optim.Adam`, a Polyak update per
parameter. What it leaves out (logging, timers, wrappers) would make it slower.

    python experiments/bench_torch_engine.py [--smoke]
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from paper_settings import CARTPOLE_AGENT, CARTPOLE_SE
from torch import nn

from se_hpo.agents import make_agent
from se_hpo.agents.config import AgentConfig
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.se_net import SyntheticEnvNet
from se_hpo.envs.tasks import get_task, make_env
from se_hpo.training.environments import LearnedTrainingEnv
from se_hpo.training.torch_engine import train_agent

TASK = get_task("CartPole-v0")
SE = CARTPOLE_SE
AGENT = replace(CARTPOLE_AGENT, init_episodes=0)


def torch_engine(psi: np.ndarray, steps: int, seed: int) -> None:
    """Train with the package's own loop."""
    agent = make_agent(AGENT, TASK.obs_size, TASK.n_actions, seed)
    env = LearnedTrainingEnv(TASK, LearnedEnv(SE, psi), seed)
    settings = AgentConfig(max_env_steps=steps, init_episodes=0, train_episodes=10**9)
    train_agent(agent, env, settings, lambda returns: None)


class AuthorsReplayBuffer:
    """One preallocated tensor per field; sampling builds and moves new tensors."""

    def __init__(self, size: int) -> None:
        widths = (TASK.obs_size, 1, TASK.obs_size, 1, 1)
        self.fields = [torch.zeros(size, width) for width in widths]
        self.count, self.size = 0, size

    def add(self, *transition: torch.Tensor) -> None:
        """State, action, next state, reward, done."""
        for field, value in zip(self.fields, transition, strict=True):
            field[self.count % self.size] = value.detach()
        self.count += 1

    def sample(self, batch_size: int) -> list[torch.Tensor]:
        """The five fields, `batch_size` rows each."""
        index = np.random.randint(0, min(self.count, self.size), size=batch_size)  # noqa: NPY002
        return [field[index].detach().to("cpu") for field in self.fields]


class AuthorsDDQN:
    """Acting with gradients on, an optimizer and a Polyak update by parameter."""

    def __init__(self) -> None:
        self.model, self.target = self.network(), self.network()
        self.target.load_state_dict(self.model.state_dict())
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=AGENT.lr)

    @staticmethod
    def network() -> nn.Module:
        """The Q-network."""
        size = AGENT.hidden_size
        return nn.Sequential(nn.Linear(4, size), nn.Tanh(), nn.Linear(size, 2))

    def act(self, state: torch.Tensor, epsilon: float) -> torch.Tensor:
        """Epsilon-greedy, as a tensor."""
        if random.random() < epsilon:
            return torch.tensor([random.randrange(2)])
        return torch.argmax(self.model(state)).unsqueeze(0).detach()

    def learn(self, buffer: AuthorsReplayBuffer) -> None:
        """One gradient update."""
        sample = [field.squeeze() for field in buffer.sample(AGENT.batch_size)]
        states, actions, next_states, rewards, dones = sample
        q_values, next_q_values = self.model(states), self.model(next_states)
        next_target = self.target(next_states)
        q_value = q_values.gather(1, actions.long().unsqueeze(1)).squeeze(1)
        best = next_q_values.max(1)[1].unsqueeze(1)
        next_value = next_target.gather(1, best).squeeze(1)
        expected = rewards + AGENT.gamma * next_value * (1 - dones)
        loss = F.mse_loss(q_value, expected.detach())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        for target, p in zip(
            self.target.parameters(), self.model.parameters(), strict=True
        ):
            target.data.copy_(AGENT.tau * p + (1 - AGENT.tau) * target)


def authors_structure(psi: np.ndarray, steps: int, seed: int) -> None:
    """Train as the authors' code is structured."""
    torch.manual_seed(seed)
    agent, buffer = AuthorsDDQN(), AuthorsReplayBuffer(AGENT.buffer_size)
    net = SyntheticEnvNet(SE, TASK.obs_size, TASK.n_actions)
    net.load_psi(psi)
    net.requires_grad_(True)
    starts = make_env(TASK)
    starts.reset(seed=seed)
    done_steps, episode = 0, 0
    while done_steps < steps:
        epsilon = max(AGENT.eps_init * AGENT.eps_decay**episode, AGENT.eps_min)
        state = torch.from_numpy(starts.reset()[0])
        for _ in range(TASK.max_steps):
            action = agent.act(state, epsilon)
            one_hot = F.one_hot(action, TASK.n_actions).squeeze().float()
            next_state, reward, done = net(one_hot, state)
            buffer.add(state, action, next_state, reward, done)
            agent.learn(buffer)
            state = next_state.detach()
            done_steps += 1
            if done > 0.5 or done_steps == steps:
                break
        episode += 1


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    smoke = parser.parse_args().smoke
    steps, rounds = (20, 1) if smoke else (1500, 7)
    torch.set_num_threads(1)
    psi = initial_psi(SE, TASK, np.random.default_rng(0))
    loops: dict[str, Callable[[np.ndarray, int, int], None]] = {
        "torch engine": torch_engine,
        "authors' structure": authors_structure,
    }
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for seed in range(rounds):
        for name, loop in loops.items():
            started = time.process_time()
            loop(psi, steps, seed)
            rates[name].append(steps / (time.process_time() - started))
    print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
    print(f"{rounds} rounds of {steps} steps in turns, env steps per CPU second\n")
    print(f"{'':20}{'median':>8}{'best':>8}{'worst':>8}")
    for name, values in rates.items():
        row = (np.median(values), max(values), min(values))
        print(f"{name:20}" + "".join(f"{value:8.0f}" for value in row))
    ours, theirs = (np.array(values) for values in rates.values())
    print(f"{'ratio':20}{np.median(ours / theirs):8.2f}")


if __name__ == "__main__":
    main()
