"""Frozen configurations of the agents.

Defaults are the paper's untuned CartPole settings (the ones behind its Fig. 3).
"""

from __future__ import annotations

from dataclasses import dataclass

from se_hpo.validation import check, check_one_of, check_types

ACTIVATIONS = ("tanh", "relu", "leaky_relu", "prelu")


@dataclass(frozen=True)
class AgentConfig:
    """What every agent has: its inner loop, its network and its optimizer."""

    train_episodes: int = 1000
    """Most training episodes."""
    test_episodes: int = 10
    """Greedy episodes on the task after training; their mean return is the score."""
    init_episodes: int = 10
    """Episodes that only fill the replay buffer."""
    max_env_steps: int = 0
    """Stop training after this many environment steps (0: no such limit)."""
    stop_window: int = 10
    """Episodes k in each of the two windows that the stopping rules compare."""
    plateau_tolerance: float = 0.01
    """Relative change of the mean return below which training on an SE stops."""
    truncation: str = "bootstrap"
    """Done stored for a time-limit truncation on the task: `bootstrap` 0, `terminal` 1
    (the authors' code)."""
    batch_size: int = 128
    """Transitions per gradient update."""
    buffer_size: int = 100_000
    """Most transitions kept; sampled uniformly with replacement."""
    gamma: float = 0.99
    """Discount factor."""
    lr: float = 1e-3
    """Adam's step size."""
    tau: float = 0.01
    """Polyak factor of the target network, applied after every update."""
    activation: str = "relu"
    """Activation of the hidden layers."""
    hidden_size: int = 128
    """Units per hidden layer."""
    hidden_layers: int = 2
    """Hidden layers."""

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("train_episodes", "test_episodes", "stop_window", "batch_size"):
            check(getattr(self, name) >= 1, self, name, ">= 1")
        for name in ("buffer_size", "hidden_size", "hidden_layers"):
            check(getattr(self, name) >= 1, self, name, ">= 1")
        for name in ("init_episodes", "max_env_steps", "plateau_tolerance"):
            check(getattr(self, name) >= 0, self, name, ">= 0")
        check(0 < self.lr < 3.4e38, self, "lr", "> 0, and a float32")
        check(0 <= self.gamma <= 1, self, "gamma", "in [0, 1]")
        check(0 < self.tau <= 1, self, "tau", "in (0, 1]")
        check_one_of(self, "activation", ACTIVATIONS)
        check_one_of(self, "truncation", ("bootstrap", "terminal"))


@dataclass(frozen=True)
class DDQNConfig(AgentConfig):
    """Double DQN with an epsilon-greedy policy; epsilon changes once per episode."""

    eps_init: float = 1.0
    """Epsilon of the first episode."""
    eps_min: float = 0.01
    """Lowest epsilon."""
    eps_decay: float = 0.9
    """Factor on epsilon after each episode."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("eps_init", "eps_min", "eps_decay"):
            check(0 <= getattr(self, name) <= 1, self, name, "in [0, 1]")


@dataclass(frozen=True)
class DuelingDDQNConfig(DDQNConfig):
    """Double DQN with separate value and advantage streams."""

    feature_size: int = 128
    """Outputs of the shared features, and hidden units of both streams."""
    advantage_mean: str = "sample"
    """Subtracted mean: per `sample`, or over the whole `batch` (the authors')."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.feature_size >= 1, self, "feature_size", ">= 1")
        check_one_of(self, "advantage_mean", ("sample", "batch"))


@dataclass(frozen=True)
class TD3DiscreteConfig(AgentConfig):
    """TD3 for discrete actions: the actor gives Gumbel-softmax action vectors.

    Defaults are the paper's phase-2 settings for CartPole.
    """

    buffer_size: int = 1_000_000
    lr: float = 5e-4
    activation: str = "tanh"
    policy_delay: int = 2
    """Critic updates per update of the actor and the targets."""
    action_std: float = 0.1
    """Standard deviation of the noise on the action vector when acting."""
    policy_std: float = 0.2
    """Standard deviation of the noise on the target action vector."""
    policy_std_clip: float = 0.5
    """Largest absolute noise on the target action vector."""
    gumbel_temperature: float = 1.0
    """Softmax temperature until the first update."""
    gumbel_anneal_updates: int = 2000
    """Updates in which the temperature falls linearly to a twentieth (0: constant)."""
    gumbel_hard: bool = False
    """Action vectors are one-hot, with the gradient of the soft ones."""
    layer_norm: bool = True
    """Layer normalization in every hidden layer of actor and critics but the first,
    before its activation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.policy_delay >= 1, self, "policy_delay", ">= 1")
        for name in ("action_std", "policy_std", "policy_std_clip"):
            value = getattr(self, name)
            check(0 <= value < float("inf"), self, name, ">= 0")
        temperature = self.gumbel_temperature
        check(0 < temperature < float("inf"), self, "gumbel_temperature", "> 0")
        check(self.gumbel_anneal_updates >= 0, self, "gumbel_anneal_updates", ">= 0")


AGENT_CONFIGS: dict[str, type[AgentConfig]] = {
    "ddqn": DDQNConfig,
    "dueling_ddqn": DuelingDDQNConfig,
    "td3_discrete": TD3DiscreteConfig,
}


def algorithm_of(config: AgentConfig) -> str:
    """The registry name of an agent configuration (`ddqn`)."""
    return next(name for name, cls in AGENT_CONFIGS.items() if type(config) is cls)
