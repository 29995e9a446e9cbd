"""The frozen configuration of the outer loop; defaults: the paper's untuned ones."""

from __future__ import annotations

from dataclasses import dataclass

from se_hpo.agents.config import VARIATIONS
from se_hpo.errors import check, check_one_of, check_types
from se_hpo.registries import STRATEGIES

SCORE_TRANSFORMS = (
    "linear",
    "rank",
    "nes",
    "nes_unnormalized",
    "single_best",
    "single_better",
    "all_better",
    "all_better_sum",
    "centered_rank",
)
FITNESSES = ("return", "threshold", "area", "rank_agreement")
_RANKS = "rank_agreement"
SAMPLINGS = ("mirrored_best", "antithetic", "single")


@dataclass(frozen=True)
class NESConfig:
    """The outer loop (Ferreira et al. 2022, Algorithm 1; Salimans et al. 2017)."""

    strategy: str = "nes"
    """The evolution strategy; docs/nes.md says which settings it reads."""
    population: int = 16
    """Perturbation directions per generation."""
    noise_std: float = 0.05
    """Standard deviation of the Gaussian perturbation of every SE parameter."""
    step_size: float = 1.0
    """Factor of the weighted sum of perturbations added to the SE parameters."""
    score_transform: str = "all_better_sum"
    """How scores become update weights."""
    sampling: str = "mirrored_best"
    """`mirrored_best`: better sign of a pair; `antithetic`: their difference;
    `single`: +eps only."""
    n_evaluations: int = 1
    """Agents trained per direction and sign."""
    evaluation_aggregate: str = "mean"
    """How the scores of these agents become one: `mean` or `min`."""
    n_center_evaluations: int = 16
    """Agents trained on the unperturbed SE per generation."""
    n_confirmations: int = 0
    """More agents for a center that seems to solve the task: all of them must."""
    n_initial: int = 1
    """Start from the best of this many random SEs."""
    start: str = "random"
    """The first center, and each of `n_initial`: a random network, or for a reward
    network `task_reward`: fitted to the task's reward."""
    common_random_numbers: bool = False
    """All members of a generation share agent seeds and hyperparameter draws."""
    weight_decay: float = 0.0
    """Fraction of the parameters removed per generation."""
    divide_step_by_population: bool = False
    """Divide the step size by the population."""
    best_window: int = 1
    """Generations whose mean center score says which center is best: with more than one
    it is no lucky center, and of equal ones the last."""
    stop_when_solved: bool = True
    """Stop when the mean center score reaches the task's solved return."""
    vary_agents: bool = False
    """Draw agent hyperparameters anew for each inner loop."""
    vary_members: bool = True
    """Where agents vary, those of the members do, too; else only the center's, which
    say what an SE is worth."""
    most_update_cost: float = 0.0
    """Agents are drawn again whose update costs more than so many of the base agent's
    (0: none)."""
    most_cost: float = 0.0
    """Billions of multiplications of a generation, about, above which the run ends with
    it (0: none): see `nes.cost`."""
    vary: str = "paper"
    """What is drawn: `paper` learning rate, batch and network size; `wide` the
    activation, too."""
    fitness: str = "return"
    """What of an agent's training is its score, see `nes.fitness`: `return`,
    `threshold` or `area`; or `rank_agreement`, see `nes.rank_agreement`."""
    rank_space: str = ""
    """Space of agents whose configurations are to be ranked (`rank_agreement`)."""
    rank_agents: int = 32
    """How many of them, at random."""
    rank_seeds: int = 4
    """Seeds with which each of them is trained on the task, once."""
    horizon: int = 0
    """Environment steps that each agent trains for, whether it solves the task or not,
    where the fitness looks at them (0: until the task is solved)."""
    unsolved_weight: float = 100.0
    """Of a shortfall of the solved return, against a training step (`threshold`)."""
    restart_after: int = 0
    """Generations after which a run starts anew from another random SE, if no center
    has come 1 % of the way from the worst to the solved return (0: never)."""
    first_limit: int = 0
    """Step limit of test episodes in the first generations, above the task's own, for
    tasks whose reward is seldom seen (0: the task's)."""
    limit_generations: int = 0
    """Generations until it is the task's own: in the second half it falls evenly."""

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("population", "n_evaluations", "n_center_evaluations"):
            check(getattr(self, name) >= 1, self, name, ">= 1")
        check(self.n_initial >= 1, self, "n_initial", ">= 1")
        check(self.best_window >= 1, self, "best_window", ">= 1")
        check(self.n_confirmations >= 0, self, "n_confirmations", ">= 0")
        check(0 < self.noise_std < float("inf"), self, "noise_std", "> 0")
        check(0 <= self.step_size < float("inf"), self, "step_size", ">= 0")
        check(0 <= self.weight_decay < 1, self, "weight_decay", "in [0, 1)")
        check_one_of(self, "strategy", tuple(STRATEGIES))
        check_one_of(self, "score_transform", SCORE_TRANSFORMS)
        check_one_of(self, "sampling", SAMPLINGS)
        check_one_of(self, "evaluation_aggregate", ("mean", "min"))
        check_one_of(self, "vary", VARIATIONS)
        some = self.most_update_cost == 0 or 1 <= self.most_update_cost < float("inf")
        check(some, self, "most_update_cost", "0, or >= 1")
        check(0 <= self.most_cost < float("inf"), self, "most_cost", ">= 0")
        check_one_of(self, "fitness", FITNESSES)
        check_one_of(self, "start", ("random", "task_reward"))
        check(self.horizon >= 0, self, "horizon", ">= 0")
        check(0 <= self.unsolved_weight < float("inf"), self, "unsolved_weight", ">= 0")
        area = self.fitness == "area"
        check(self.horizon > 0 or not area, self, "horizon", "> 0 for fitness `area`")
        check(self.restart_after >= 0, self, "restart_after", ">= 0")
        either = not (self.restart_after and self.first_limit)
        check(either, self, "restart_after", "0 with first_limit")
        check(self.limit_generations >= 0, self, "limit_generations", ">= 0")
        check(self.first_limit >= 0, self, "first_limit", ">= 0")
        both = bool(self.first_limit) == bool(self.limit_generations)
        check(both, self, "limit_generations", "> 0 with first_limit, else 0")
        unread = self.fitness == "return" and self.horizon
        check(not unread, self, "horizon", "0 for fitness `return`")
        self._check_ranking()

    def _check_ranking(self) -> None:
        ranks = self.fitness == _RANKS
        wanted = f"a space's name for fitness `{_RANKS}`, else ''"
        check(bool(self.rank_space) == ranks, self, "rank_space", wanted)
        check(self.rank_agents >= 3, self, "rank_agents", ">= 3")
        check(self.rank_seeds >= 1, self, "rank_seeds", ">= 1")
        for name in ("vary_agents", "first_limit", "restart_after", "horizon"):
            unread = ranks and getattr(self, name)
            check(not unread, self, name, f"unset for fitness `{_RANKS}`")
