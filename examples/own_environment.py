"""Learn an SE for an environment of your own, balance.py, and see what it teaches.

    cd examples
    python own_environment.py

Processes that train import the module that the task names, `balance`, from the folder
where this is started: so start it where the file is.
"""

import argparse

import se_hpo

if __name__ == "__main__":
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--generations", type=int, default=40, help="at most so many")
    flags.add_argument("--agents", type=int, default=5, help="that try the SE")
    args = flags.parse_args()

    learned = se_hpo.train.run(
        config="own_environment.yaml", num_envs=1, generations=args.generations
    )
    print(learned.ses()[["solved", "generations", "best_score", "env_steps_task"]])
    evaluation = se_hpo.evaluate.run(
        envs=learned.folder,
        task="balance:Balance-v0",  # allows to import the module that it names
        num_agents=args.agents,
        fixed_steps=500,
    )
    print(evaluation.summary())  # on the SE and on the task, 500 steps each
    checkpoint = learned.ses()["checkpoint"].iloc[0]
    agent = se_hpo.train_agent(checkpoint, "ddqn")
    print(f"{agent}: returns {agent.evaluate().mean():g} on the task")
