"""The paper's reward networks: the task's own transitions, a learned reward.

Ferreira et al. (2022), section 5. With v the step's info, r the task's reward and Phi
the network:

- `exclusive_potential`: discount Phi(s') - Phi(s), `additive_potential`: r + that;
- `exclusive`: Phi(s'), `additive`: r + Phi(s');
- `..._info`: the same of (s, v);
- `weighted_info`: w v, `additive_weighted_info`: r + w v (Faust et al. 2019).

Differences to the authors' code (their types 1 to 8, 101 and 102): the potential of a
terminal state is 0 for additive kinds, so that optimal policies stay optimal (Ng et al.
1999); a potential of (s, v) takes for s the info that came with s, not that of s'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from se_hpo.envs.learned import LearnedConfig, LearnedKind, Net
from se_hpo.errors import UserError, check, check_one_of


@dataclass(frozen=True)
class RewardNetworkConfig(LearnedConfig):
    """A reward network; of the classes below each kind has its own."""

    activation: str = "prelu"
    hidden_size: int = 64
    potential: ClassVar[bool] = False
    """The learned reward is a difference of potentials."""
    additive: ClassVar[bool] = False
    """The task's reward is added."""
    linear: ClassVar[bool] = False
    """A weighted sum of the info, and nothing else."""

    @property
    def reads_info(self) -> tuple[str, ...]:
        """Keys of the step's info that are inputs, in their order."""
        return getattr(self, "info_keys", ())

    @property
    def zero_terminal(self) -> bool:
        """The potential of a terminal state is 0, whatever the network says."""
        return getattr(self, "terminal_potential", "network") == "zero"


@dataclass(frozen=True)
class InfoConfig(RewardNetworkConfig):
    """Reads the step's info."""

    info_keys: tuple[str, ...] = (
        *("x_position", "x_velocity", "reward_forward", "reward_ctrl"),
    )
    """Numbers of the step's info that the network reads (default: HalfCheetah's)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        keys = self.info_keys
        if isinstance(keys, str):  # as it is written on a command line: "a,b"
            keys = tuple(keys.split(","))
        if isinstance(keys, list):
            keys = tuple(keys)
        object.__setattr__(self, "info_keys", keys)
        names = isinstance(keys, tuple) and all(isinstance(k, str) and k for k in keys)
        sound = names and 0 < len(set(keys)) == len(keys)
        check(sound, self, "info_keys", "different names, one or more: a,b")


@dataclass(frozen=True)
class PotentialConfig(RewardNetworkConfig):
    """A difference of potentials."""

    terminal_potential: str = "zero"
    """Potential where an episode terminates: `zero`, or `network`: as anywhere."""
    potential: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_one_of(self, "terminal_potential", ("zero", "network"))
        if self.zero_terminal and not self.additive:
            raise UserError(
                f"{type(self).__name__}.terminal_potential = 'zero': is void without "
                "the task's reward, as all policies then have the same return: choose "
                "'network', or an additive kind"
            )


@dataclass(frozen=True)
class ExclusivePotentialConfig(PotentialConfig):
    """Of `exclusive_potential`, the authors' type 1."""

    terminal_potential: str = "network"


@dataclass(frozen=True)
class AdditivePotentialConfig(PotentialConfig):
    """Of `additive_potential`, the authors' type 2."""

    additive: ClassVar[bool] = True


@dataclass(frozen=True)
class ExclusivePotentialInfoConfig(PotentialConfig, InfoConfig):
    """Of `exclusive_potential_info`, the authors' type 3."""

    terminal_potential: str = "network"


@dataclass(frozen=True)
class AdditivePotentialInfoConfig(PotentialConfig, InfoConfig):
    """Of `additive_potential_info`, the authors' type 4."""

    additive: ClassVar[bool] = True


@dataclass(frozen=True)
class ExclusiveConfig(RewardNetworkConfig):
    """Of `exclusive`, the authors' type 5."""


@dataclass(frozen=True)
class AdditiveConfig(RewardNetworkConfig):
    """Of `additive`, the authors' type 6."""

    additive: ClassVar[bool] = True


@dataclass(frozen=True)
class ExclusiveInfoConfig(InfoConfig):
    """Of `exclusive_info`, the authors' type 7."""


@dataclass(frozen=True)
class AdditiveInfoConfig(InfoConfig):
    """Of `additive_info`, the authors' type 8."""

    additive: ClassVar[bool] = True


@dataclass(frozen=True)
class WeightedInfoConfig(InfoConfig):
    """Of `weighted_info`, the authors' type 101: has no hidden layers."""

    linear: ClassVar[bool] = True


@dataclass(frozen=True)
class AdditiveWeightedInfoConfig(WeightedInfoConfig):
    """Of `additive_weighted_info`, the authors' type 102: has no hidden layers."""

    additive: ClassVar[bool] = True


def layout(
    config: RewardNetworkConfig, obs_size: int, n_actions: int
) -> tuple[Net, ...]:
    """One network on concat(state, info), or on the info alone; the action is none."""
    inputs = len(config.reads_info) + (0 if config.linear else obs_size)
    return (Net("reward", inputs, 1, config.linear),)


def _kind(name: str, config: type[RewardNetworkConfig]) -> LearnedKind:
    return LearnedKind(
        name=name,
        label=f"reward network ({name.replace('_', ' ')})",
        config=config,
        layout=layout,
        reward="se_hpo.envs.reward_function:RewardFunction",
        own=("terminal_potential",),
        prefix="rn",
        native=not issubclass(config, InfoConfig),
    )


EXCLUSIVE_POTENTIAL = _kind("exclusive_potential", ExclusivePotentialConfig)
ADDITIVE_POTENTIAL = _kind("additive_potential", AdditivePotentialConfig)
EXCLUSIVE = _kind("exclusive", ExclusiveConfig)
ADDITIVE = _kind("additive", AdditiveConfig)
EXCLUSIVE_POTENTIAL_INFO = _kind(
    "exclusive_potential_info", ExclusivePotentialInfoConfig
)
ADDITIVE_POTENTIAL_INFO = _kind("additive_potential_info", AdditivePotentialInfoConfig)
EXCLUSIVE_INFO = _kind("exclusive_info", ExclusiveInfoConfig)
ADDITIVE_INFO = _kind("additive_info", AdditiveInfoConfig)
WEIGHTED_INFO = _kind("weighted_info", WeightedInfoConfig)
ADDITIVE_WEIGHTED_INFO = _kind("additive_weighted_info", AdditiveWeightedInfoConfig)
