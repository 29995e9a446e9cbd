"""PPO: what can be set, and its entry in the registry."""

from __future__ import annotations

from dataclasses import dataclass

from se_hpo.agents.config import ACTIVATIONS, AgentConfig
from se_hpo.agents.registry import VARIED, AgentKind
from se_hpo.errors import check, check_one_of

VARIANTS = ("standard", "authors")


@dataclass(frozen=True)
class PPOConfig(AgentConfig):
    """PPO for discrete or continuous actions. Defaults: those of Stable-Baselines3."""

    init_episodes: int = 0
    """Episodes that only fill the first rollout."""
    rollout_steps: int = 2048
    """Steps between two updates of the policy, over the ends of episodes."""
    batch_size: int = 64
    """Steps per gradient update."""
    epochs: int = 10
    """Times that every step of a rollout is used."""
    gamma: float = 0.99
    """Discount factor."""
    gae_lambda: float = 0.95
    """Decay of the advantage's trace: 0 for one step, 1 for the whole return."""
    lr: float = 3e-4
    """Adam's step size."""
    clip_range: float = 0.2
    """How far from 1 the ratio of probabilities still has a gradient."""
    ent_coef: float = 0.0
    """Weight of the policy's entropy."""
    vf_coef: float = 0.5
    """Weight of the critic's squared error."""
    max_grad_norm: float = 0.5
    """Largest norm of the gradient of actor and critic together (0: any)."""
    action_std: float = 1.0
    """Standard deviation of continuous actions at first; it is learned."""
    activation: str = "tanh"
    """Activation of the hidden layers."""
    hidden_size: int = 64
    """Units per hidden layer of actor and critic."""
    hidden_layers: int = 2
    """Hidden layers of actor and critic."""
    variant: str = "standard"
    """`standard`, or `authors`: the update of Ferreira et al. (2022), see `ppo.py`."""
    update_episodes: int = 10
    """Whole episodes between two updates of the variant `authors`, which does without
    `rollout_steps`, `batch_size`, `gae_lambda` and `max_grad_norm`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("rollout_steps", "batch_size", "epochs", "update_episodes"):
            check(getattr(self, name) >= 1, self, name, ">= 1")
        for name in ("hidden_size", "hidden_layers"):
            check(getattr(self, name) >= 1, self, name, ">= 1")
        for name in ("gamma", "gae_lambda"):
            check(0 <= getattr(self, name) <= 1, self, name, "in [0, 1]")
        for name in ("lr", "action_std"):
            check(0 < getattr(self, name) < 3.4e38, self, name, "> 0, and a float32")
        for name in ("clip_range", "ent_coef", "vf_coef", "max_grad_norm"):
            check(0 <= getattr(self, name) < 3.4e38, self, name, ">= 0, and a float32")
        check_one_of(self, "activation", ACTIVATIONS)
        check_one_of(self, "variant", VARIANTS)


KIND = AgentKind(
    name="ppo",
    label="PPO",
    config=PPOConfig,
    make="se_hpo.agents.ppo:PPO",
    native=True,
    varied=VARIED,
    actions=("discrete", "continuous"),
    se_steps=8192,
)
