"""The evolution strategy as ask / tell over an explicit state (paper, Algorithm 1).

Differences from the authors' code: tied ranks are averaged, and besides the last
center the best one is kept. `antithetic` and `single` sampling are additions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from se_hpo.config import NESConfig
from se_hpo.nes.score_transforms import transform_scores


@dataclass(frozen=True)
class NESState:
    """What the next generation needs. `n` is the number of SE parameters."""

    psi: np.ndarray
    """Center, float32: `n`."""
    best_psi: np.ndarray
    """Center with the best mean score so far, float32: `n`."""
    generation: int = 0
    """Finished generations."""
    best_score: float = -np.inf
    """Mean center score of `best_psi`."""
    solved_at: int | None = None
    """First generation (from 1) whose mean center score reached the solved return."""


@dataclass(frozen=True)
class Update:
    """What `tell` did, for the log."""

    weights: np.ndarray
    """Weight of each direction as `ask` gave it, so a kept -eps has its sign: `P`."""
    step_norm: float
    """Euclidean norm of the change of psi."""


def n_signs(config: NESConfig) -> int:
    """Members evaluated per direction: +eps, and -eps unless sampling is `single`."""
    return 1 if config.sampling == "single" else 2


def ask(state: NESState, config: NESConfig, rng: np.random.Generator) -> np.ndarray:
    """Draw the directions eps ~ N(0, noise_std^2 I), float32: `P x n`."""
    shape = (config.population, len(state.psi))
    noise = rng.standard_normal(shape, dtype=np.float32)
    return noise * np.float32(config.noise_std)


def members(state: NESState, config: NESConfig, directions: np.ndarray) -> np.ndarray:
    """The perturbed parameters, float32: `P x signs x n`, +eps first."""
    signs = np.array([1, -1][: n_signs(config)], dtype=np.float32)
    return state.psi + signs[:, None] * directions[:, None, :]


def observe_center(
    state: NESState, center_scores: np.ndarray, solved_return: float
) -> NESState:
    """Keep the center if it is the best so far and note whether it solves the task.

    Args:
        state: before this generation's update.
        center_scores: scores of agents trained on the center: `n_center_evaluations`.
        solved_return: mean score at which the task counts as solved.
    """
    score = float(np.mean(center_scores))
    if score > state.best_score:
        state = replace(state, best_psi=state.psi, best_score=score)
    if state.solved_at is None and score >= solved_return:
        state = replace(state, solved_at=state.generation + 1)
    return state


def tell(
    state: NESState,
    config: NESConfig,
    directions: np.ndarray,
    scores: np.ndarray,
    baseline: float,
) -> tuple[NESState, Update]:
    """One update: psi <- psi (1 - weight_decay) + a sum_i w_i eps_i.

    Args:
        state: the state that `ask` was given.
        config: strategy settings.
        directions: as `ask` returned them: `P x n`.
        scores: score of each member: `P x signs`.
        baseline: mean center score.
    """
    weights = direction_weights(config, np.asarray(scores, np.float64), baseline)
    step_size = config.step_size
    if config.divide_step_by_population:
        step_size /= config.population
    # Not a BLAS product: its sum order, hence the last bit, varies between machines.
    step = step_size * (weights[:, None] * directions).sum(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):  # divergence is the caller's
        psi = (state.psi * (1.0 - config.weight_decay) + step).astype(np.float32)
        moved = np.linalg.norm(psi.astype(np.float64) - state.psi)
    next_state = replace(state, psi=psi, generation=state.generation + 1)
    return next_state, Update(weights, float(moved))


def direction_weights(
    config: NESConfig, scores: np.ndarray, baseline: float
) -> np.ndarray:
    """Signed weight of every direction: `P x signs` scores -> `P`.

    `mirrored_best`: each pair counts with its better sign (a tie keeps +), as the
    authors do. `antithetic`: all 2P members are transformed together and a direction
    gets the difference of its pair (Salimans et al. 2017). `single`: +eps only.
    """
    name = config.score_transform
    if config.sampling == "antithetic":
        both = transform_scores(name, scores.T.ravel(), baseline).reshape(2, -1)
        return both[0] - both[1]
    if config.sampling == "single":
        return transform_scores(name, scores[:, 0], baseline)
    signs = np.where(scores[:, 1] > scores[:, 0], -1.0, 1.0)
    return signs * transform_scores(name, scores.max(axis=1), baseline)
