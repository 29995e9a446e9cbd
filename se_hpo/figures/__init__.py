"""The figures of a run, one file per figure, in the paper's arrangement.

Each `draw_...` takes frames and returns a `Picture`, or None where there is nothing to
draw. Nothing here reads a run's folder or imports torch.
"""

# ruff: noqa: F401 - what is imported here is to be found here

from se_hpo.figures.agreement import draw_agreement
from se_hpo.figures.break_even_figure import draw_break_even
from se_hpo.figures.curve_panels import draw_learning_curves
from se_hpo.figures.histograms import draw_histograms
from se_hpo.figures.importance_figure import draw_importance, draw_parallel
from se_hpo.figures.nes_curves import draw_nes_curves, draw_trial_curves
from se_hpo.figures.pareto_figure import draw_pareto
from se_hpo.figures.returns import draw_returns
from se_hpo.figures.reward_maps import draw_reward_maps
from se_hpo.figures.search import (
    draw_losses_over_budgets,
    draw_losses_over_time,
    words_of_configurations,
)
from se_hpo.figures.sensitivity_figure import draw_sensitivity
from se_hpo.figures.spots import spots_of
from se_hpo.figures.style import Picture, write_picture
from se_hpo.figures.taught_figure import draw_taught
