"""Learn a reward for a gridworld, and see what agents make of it after few steps.

The task stays as it is; an agent just gets the reward of a network that was learned so
that agents are good soon. Both kinds of agents are tested by the task's own reward.

python examples/reward_network.py
"""

import argparse

import numpy as np

import se_hpo

if __name__ == "__main__":
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--generations", type=int, default=100)
    flags.add_argument("--steps", type=int, default=500, help="of an agent")
    flags.add_argument("--agents", type=int, default=10)
    args = flags.parse_args()

    learned = se_hpo.train.run(
        config="rn-cliff", num_envs=1, generations=args.generations
    )
    network = learned.ses()["checkpoint"].iloc[0]
    own = {"lr": 1.0, "gamma": 0.8, "eps_init": 0.1, "eps_min": 0.1, "init_episodes": 0}
    for env in (network, "Cliff-v0"):
        agents = [
            se_hpo.train_agent(env, "q_learning", steps=args.steps, seed=seed, **own)
            for seed in range(args.agents)
        ]
        returns = np.mean([agent.evaluate(episodes=1) for agent in agents])
        print(f"{args.steps} steps on {env}: mean return {returns:.1f} on the task")
