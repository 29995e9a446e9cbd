"""PPO of Stable-Baselines3, trained on an SE of the zoo and tested on the real task.

pip install 'se-hpo[sb3]'
python examples/train_on_zoo_se.py --task CartPole-v1
"""

import argparse

import gymnasium
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor

from se_hpo.envs.tasks import make_env

flags = argparse.ArgumentParser(description=__doc__)
flags.add_argument("--task", default="CartPole-v1", help="a name in the zoo")
flags.add_argument("--checkpoint", help="an SE of yours instead of the zoo's")
flags.add_argument("--steps", type=int, default=8_192, help="on the SE")
args = flags.parse_args()

se = gymnasium.make(f"se_hpo:Synthetic/{args.task}", checkpoint=args.checkpoint)
model = PPO("MlpPolicy", se, seed=0, device="cpu").learn(args.steps)

task = Monitor(make_env(se.unwrapped.task))  # observations scaled as the SE's are
task.reset(seed=0)
mean, _ = evaluate_policy(model, task, n_eval_episodes=10)
print(f"{model.num_timesteps:,} steps on the SE, none on {args.task}")
print(f"mean return of 10 episodes on {args.task}: {mean:.1f}")
