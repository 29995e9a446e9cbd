"""A GIF of an agent on the real task that was trained on an SE of the zoo alone.

pip install 'se-hpo[examples]'
python examples/watch_agent.py --task CartPole-v1 --out cartpole.gif
"""

import argparse

import gymnasium
from PIL import Image
from stable_baselines3 import PPO

flags = argparse.ArgumentParser(description=__doc__)
flags.add_argument("--task", default="CartPole-v1", help="a name in the zoo")
flags.add_argument("--checkpoint", help="an SE of yours instead of the zoo's")
flags.add_argument("--steps", type=int, default=8_192, help="on the SE")
flags.add_argument("--frames", type=int, default=150, help="at most so many")
flags.add_argument("--out", default="agent.gif")
args = flags.parse_args()

se = gymnasium.make(f"se_hpo:Synthetic/{args.task}", checkpoint=args.checkpoint)
model = PPO("MlpPolicy", se, seed=0, device="cpu").learn(args.steps)

spec = se.unwrapped.task  # of a scaled task the id is one of this package
name = f"se_hpo:{spec.id}" if spec.scale else spec.gymnasium_id
task = gymnasium.make(name, max_episode_steps=spec.max_steps, render_mode="rgb_array")
observation, _ = task.reset(seed=0)
frames, ended, total = [], False, 0.0
while not ended:
    frames.append(Image.fromarray(task.render()))
    action, _ = model.predict(observation, deterministic=True)
    observation, reward, terminated, truncated, _ = task.step(action)
    ended, total = terminated or truncated, total + float(reward)

every = -(-len(frames) // args.frames)  # rounded up
small = [frame.resize((300, 200)).quantize(16) for frame in frames[::every]]
small[0].save(args.out, save_all=True, append_images=small[1:], duration=40, loop=0)
print(f"{args.out}: {len(small)} frames, return {total:g} on {args.task}")
