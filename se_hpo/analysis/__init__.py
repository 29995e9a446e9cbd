"""The numbers of a run, from pandas frames only: docs/analysis.md explains each.

Nothing here reads a file, draws a figure or imports torch.
"""

# ruff: noqa: F401 - what is imported here is to be found here

from se_hpo.analysis.break_even import break_even
from se_hpo.analysis.budgets import budget_correlation, model_based_picks
from se_hpo.analysis.curve_arms import (
    curve_agents,
    curve_break_even,
    curve_table,
    mean_curves,
)
from se_hpo.analysis.curves import nes_curves, run_curves
from se_hpo.analysis.estimates import Estimate
from se_hpo.analysis.importance import Importance, hyperparameter_importance
from se_hpo.analysis.incumbents import Cost, bohb_cost, incumbent_trajectory
from se_hpo.analysis.pareto import pareto_front
from se_hpo.analysis.phase2 import se_table, train_env_table
from se_hpo.analysis.proxy import rank_agreement
from se_hpo.analysis.sensitivity import main_effects, sensitivity_table
from se_hpo.analysis.trained_agents import paired, solved_only
from se_hpo.names import REAL, TRAIN_ENVS
