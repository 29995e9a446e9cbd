"""Columns and dtypes of every table; docs/analysis.md says what each column means."""

from __future__ import annotations

from se_hpo.results.columns import counts, numbers, texts


def estimated(*names: str) -> dict[str, str]:
    """Each with the ends of its interval, as `Estimate.columns` names them."""
    return numbers(*(f"{name}{end}" for name in names for end in ("", "_low", "_high")))


def spread(name: str) -> dict[str, str]:
    """Mean, standard deviation and median."""
    return numbers(f"{name}_mean", f"{name}_std", f"{name}_median")


KEYS = ["rule", "agent", "train_env"]
SE_KEYS = ["se_set", "se"]
ARM = [
    *("task", "max_env_steps", "agent_values", "agent", "variation"),
    *("kind", "train_env"),
]
"""What the agents of one mean learning curve share."""
_ARM = texts(*ARM) | counts("max_env_steps")

TRAIN_ENV_TABLE = {
    **texts("task", *KEYS),
    **counts("n_ses", "n_ses_solved", "n_agents", "n_missing"),
    **estimated("mean"),
    **numbers("std", "median"),
    **estimated("iqm", "share_solved", "worst_decile"),
    **spread("env_steps"),
    **spread("episodes"),
    **numbers("seconds_mean", "test_env_steps_mean"),
    **counts("n_pairs", "n_pair_ses"),
    **estimated("env_steps_saved", "difference", "improvement"),
    **texts("note"),
}

SE_TABLE = {
    **texts(*KEYS, "se_set"),
    **counts("se"),
    "se_solved": "boolean",
    **numbers("se_score"),
    **counts("n_agents"),
    **numbers("mean", "median", "minimum", "maximum", "share_solved"),
    **numbers("env_steps_mean"),
}

RANK_AGREEMENT = {
    **texts(*KEYS, "level", "measure"),
    **counts("n", "n_clusters"),
    **estimated("correlation"),
    **texts("note"),
}

SENSITIVITY = {
    **texts(*KEYS),
    **counts("n_agents"),
    **estimated("std"),
    **numbers("variance", "explained", "explained_variance", "p_value", "between_se"),
    **numbers("explained_forest"),
    **texts("note"),
}

MAIN_EFFECTS = {
    **texts(*KEYS, "hyperparameter"),
    **counts("n_levels"),
    **numbers("share", "spearman"),
    **texts("note"),
}

BUDGET_CORRELATION = {
    **numbers("low_budget", "high_budget"),
    **counts("n_trials"),
    **estimated("spearman", "kendall"),
    **numbers("tied_share"),
    **texts("informative", "note"),
}

MODEL_BASED_PICKS = {
    **numbers("budget"),
    **counts("n_model", "n_random"),
    **numbers("share_model", "median_model", "median_random"),
    **estimated("gain", "superiority"),
    **texts("note"),
}

BREAK_EVEN = {
    **texts(*KEYS, "unit"),
    "with_bohb": "bool",
    **numbers("cost_per_se", "nes_cost", "bohb_cost"),
    **counts("n_ses"),
    **estimated("saved_per_agent", "agents", "difference"),
    **texts("verdict", "note"),
}

IMPORTANCE = {**texts("hyperparameter"), **numbers("importance")}

CURVE_TABLE = {
    **_ARM,
    **counts("n_envs", "n_agents"),
    **estimated("steps_to_solve", "share_solved", "final", "area"),
    **estimated("steps_saved", "area_gain"),
    **texts("note"),
}

MEAN_CURVES = {**_ARM, **counts("n_agents", "step"), **numbers("mean", "low", "high")}

CURVE_BREAK_EVEN = {
    **_ARM,
    **numbers("cost"),
    **estimated("steps_saved", "agents"),
    **texts("verdict"),
}

NES_CURVES = {
    **counts("generation", "n_runs", "n_known"),
    **numbers("mean", "median", "std", "q25", "q75", "share_solved"),
}
