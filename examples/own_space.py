"""A search space of your own, which runs itself: only the step of NES is searched.

python examples/own_space.py

is python -m se_hpo.optimize --space examples/own_space.py
"""

import sys

from ConfigSpace import ConfigurationSpace, Float

META = {
    "objective": "nes",  # an evaluation is an NES run that learns an SE
    "task": "CartPole-v0",
    "agent": "ddqn",
    "min_budget": 1,  # generations
    "max_budget": 9,
    "eta": 3,
    "base": {"nes.population": 4, "ddqn.max_env_steps": 2000, "ddqn.hidden_size": 64},
}


def space(seed: int | None = None) -> ConfigurationSpace:
    cs = ConfigurationSpace(seed=seed)
    cs.add(Float("nes.noise_std", (0.01, 1.0), log=True, default=0.05))
    cs.add(Float("nes.step_size", (0.1, 1.0), log=True, default=1.0))
    return cs


if __name__ == "__main__":  # workers import this file, too
    import se_hpo

    most = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    run = se_hpo.optimize.run(__file__, max_budget=most, n_brackets=1)
    print(run.trials()[["trial", "budget", "loss", "score_best"]])
    print(run, run.incumbent, sep="\n")
