"""Tune an agent with BOHB where a step is cheap: on an SE of the zoo.

A budget is hundreds of steps on the SE; the loss is what the agent then lacks on the
real task. Any function of a configuration and a budget can be minimized like this.

python examples/tune.py
"""

import argparse

from ConfigSpace import ConfigurationSpace, Float, Integer

import se_hpo

flags = argparse.ArgumentParser(description=__doc__)
flags.add_argument("--task", default="CartPole-v0", help="a name in the zoo")
flags.add_argument("--brackets", type=int, default=3)
flags.add_argument("--max-budget", type=int, default=9)
args = flags.parse_args()

space = ConfigurationSpace()
space.add(Float("lr", (1e-4, 1e-1), log=True))
space.add(Float("tau", (1e-3, 1e-1), log=True))
space.add(Integer("hidden_size", (8, 128), log=True))


def loss(config: dict, budget: int) -> float:
    agent = se_hpo.train_agent(f"zoo:{args.task}", steps=100 * budget, **config)
    return -agent.evaluate(episodes=5).mean()


search = se_hpo.BOHB.minimize(loss, space, 1, args.max_budget, n_brackets=args.brackets)
print(search.trials()[["trial", "budget", "status", "loss"]])
print(search.incumbent)
