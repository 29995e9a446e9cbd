"""The authors' BOHB-tuned agents and SEs, shared by the benchmarks.

Those of the recipes `paper-cartpole-tuned` and `paper-acrobot-tuned`, without
`init_episodes` (1 on CartPole, 20 on Acrobot), which a benchmark sets as it needs, and
with this package's `truncation`.
"""

from dataclasses import replace

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.train.recipes import load_recipe


def _agent(recipe: str) -> DDQNConfig:
    agent = load_recipe(recipe).config.agent
    assert isinstance(agent, DDQNConfig)
    default = DDQNConfig()
    return replace(
        agent, init_episodes=default.init_episodes, truncation=default.truncation
    )


CARTPOLE_AGENT = _agent("paper-cartpole-tuned")
CARTPOLE_SE = load_recipe("paper-cartpole-tuned").config.se
ACROBOT_AGENT = _agent("paper-acrobot-tuned")
ACROBOT_SE = load_recipe("paper-acrobot-tuned").config.se
