"""From the zoo to an agent: trained on an SE alone, acting on the real task.

python examples/train_agent.py --task CartPole-v1
"""

import argparse

import gymnasium

import se_hpo

flags = argparse.ArgumentParser(description=__doc__)
flags.add_argument("--task", default="CartPole-v1", help="a name in the zoo")
flags.add_argument("--algorithm", default="ddqn")
flags.add_argument("--steps", type=int, help="on the SE; by default as its card says")
flags.add_argument("--out", default="agent.safetensors")
args = flags.parse_args()

agent = se_hpo.train_agent(f"zoo:{args.task}", args.algorithm, steps=args.steps)
print(agent)
returns = agent.evaluate(episodes=10)
print(f"mean return of 10 episodes on {agent.task}: {returns.mean():.1f}")

loaded = se_hpo.Agent.load(agent.save(args.out))  # numbers and text, no pickle
env = gymnasium.make(f"se_hpo:{agent.task}" if "/" in agent.task else agent.task)
observation, _ = env.reset(seed=0)
ended, total = False, 0.0
while not ended:
    observation, reward, terminated, truncated, _ = env.step(loaded.act(observation))
    ended, total = terminated or truncated, total + float(reward)
print(f"{args.out}: return {total:g}")
