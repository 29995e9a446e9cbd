"""The authors' BOHB-tuned agents and SEs, shared by the benchmarks.

Ferreira et al. (2022), the "tuned" configuration files of their code. Without
`init_episodes` (1 on CartPole, 20 on Acrobot), which a benchmark sets as it needs.
"""

from se_hpo.config import DDQNConfig, SyntheticEnvConfig

CARTPOLE_AGENT = DDQNConfig(
    batch_size=199,
    gamma=0.988,
    lr=3.04e-4,
    tau=0.00848,
    eps_init=0.809,
    eps_min=0.0371,
    eps_decay=0.961,
    activation="tanh",
    hidden_size=57,
    hidden_layers=1,
)
CARTPOLE_SE = SyntheticEnvConfig(activation="leaky_relu", hidden_size=83)
ACROBOT_AGENT = DDQNConfig(
    batch_size=149,
    gamma=0.991,
    lr=2.22e-3,
    tau=0.0209,
    eps_init=0.904,
    eps_min=0.0471,
    eps_decay=0.899,
    activation="leaky_relu",
    hidden_size=112,
    hidden_layers=1,
)
ACROBOT_SE = SyntheticEnvConfig(activation="prelu", hidden_size=167)
