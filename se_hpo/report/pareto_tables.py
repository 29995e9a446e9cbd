"""The table of what scores cost."""

from __future__ import annotations

from se_hpo.analysis.pareto import pareto_front
from se_hpo.report.run_data import RunData
from se_hpo.report.tables import Table, make_table, number, numbers, text
from se_hpo.text import score_text


def pareto_table(data: RunData) -> Table | None:
    """The evaluations that no other beats in both steps on the task and score."""
    if data.trials.empty:
        return None
    front = pareto_front(data.trials)
    return make_table(
        "What scores cost: the Pareto front",
        front[front["on_front"]],
        [
            text("trial"),
            number("budget", spec="g"),
            number("env_steps_task", "env steps on the task"),
            *numbers(score_text, score_final="last score"),
            number("loss", spec=".4f"),
            text("reason", "ended by"),
        ],
        caption="Evaluations than which no other reached as much with fewer steps on "
        "the task, by what they cost.",
    )
