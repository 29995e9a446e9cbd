"""The tables of phase 2: what agents learned on SEs, and what it took."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from se_hpo.agents.registry import agent_label
from se_hpo.names import train_env_label
from se_hpo.report.answers import Answers
from se_hpo.report.paper import paper_numbers
from se_hpo.report.rules import rule_in_words
from se_hpo.report.run_data import RunData
from se_hpo.report.tables import Column, Table, make_table, number, numbers, text, texts

_AGENT = text("agent", words=agent_label)
_TRAIN_ENV = text("train_env", "trained on", train_env_label)
_RULE = text("rule_words", "stopping rule")
_UNITS = {
    "env_steps_task": "env steps on the task",
    "env_steps": "env steps of any kind",
    "cpu_seconds": "cpu seconds",
}


_CAPPED = (
    " There no number of steps ends a training on an SE; here one does (evaluate "
    "--no-step-cap lifts it)."
)


def _keys(frame: pd.DataFrame) -> list[Column]:
    """What a row is of; the stopping rule only where there are several."""
    several = "rule" in frame and frame["rule"].nunique() > 1
    return [*([_RULE] if several else []), _AGENT, _TRAIN_ENV]


def phase2_tables(data: RunData, answers: Answers) -> list[Table | None]:
    """Returns, training, rank agreement, sensitivity and SEs, where there are any."""
    return [
        *_train_env_tables(answers.train_envs),
        _paper_table(data, answers),
        make_table(
            "Rank agreement between SE and task",
            _named(answers.rank_agreement),
            [
                *_keys(answers.rank_agreement),
                *texts(level="level", measure="measure"),
                *numbers(n="n", n_clusters="SEs"),
                number("correlation", spec=".2f", interval=True),
            ],
            caption="Rank correlation between the scores of the same agents trained "
            "on an SE and on the task. Pooled: over all pairs; within SE: mean over "
            "SEs of the correlation among that SE's agents; averaged: scores of the "
            "same hyperparameters averaged over SEs first.",
            folded=True,
        ),
        make_table(
            "Sensitivity to hyperparameters",
            _named(answers.sensitivity),
            [
                *_keys(answers.sensitivity),
                number("n_agents", "agents"),
                number("std", "std of scores", ".1f", interval=True),
                number("explained", "explained by hyperparameters", ".0%"),
                number("p_value", "p", ".3f"),
                number("between_se", "explained by which SE", ".0%"),
                number("explained_forest", "explained by a forest", ".0%"),
            ],
            caption="Explained: adjusted R² of main effects; p from permutations; "
            "forest: cross-validated R², where scikit-learn is installed.",
            folded=True,
        ),
        make_table(
            "Hyperparameters one by one",
            _named(answers.main_effects),
            [
                *_keys(answers.main_effects),
                text("hyperparameter"),
                number("share", "share of variance", ".1%"),
                number("spearman", "direction (Spearman)", "+.2f"),
            ],
            folded=True,
        ),
        make_table(
            "SE by SE",
            _named(answers.ses),
            [
                *_keys(answers.ses),
                text("se_set", "set"),
                number("se", "SE", "03.0f"),
                text("se_solved", "SE solved the task"),
                number("n_agents", "agents"),
                *numbers(".1f", mean="mean return", median="median"),
                *numbers(".1f", minimum="minimum", maximum="maximum"),
                number("share_solved", "agents that solved", ".0%"),
                number("env_steps_mean", "mean env steps"),
            ],
            folded=True,
        ),
    ]


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    if frame.empty or "rule" not in frame:
        return frame
    return frame.assign(rule_words=frame["rule"].map(rule_in_words))


def _train_env_tables(table: pd.DataFrame) -> Iterator[Table | None]:
    frame = _named(table)
    yield make_table(
        "Returns on the task",
        frame,
        [
            *_keys(frame),
            *numbers(n_ses="SEs", n_ses_solved="of these solved"),
            *numbers(n_agents="agents", n_missing="without score"),
            *numbers(".1f", True, mean="mean return", iqm="interquartile mean"),
            number("median", spec=".1f"),
            number("share_solved", "agents that solved", ".0%", interval=True),
            number("worst_decile", "worst decile", ".1f", interval=True),
            number("difference", "minus real", "+.1f", interval=True),
            number("improvement", "P(better than real)", ".2f", interval=True),
        ],
        caption="Brackets: 95 % bootstrap intervals, resampled over SEs. Minus real "
        "and P(better): on pairs of agents with the same hyperparameters and seed.",
    )
    yield make_table(
        "What training took",
        frame.drop(columns="note", errors="ignore"),
        [
            *_keys(frame),
            *numbers(env_steps_mean="env steps, mean", env_steps_std="std"),
            number("env_steps_median", "median"),
            number("env_steps_saved", "fewer than real", ".1%", interval=True),
            *numbers(".1f", episodes_mean="episodes, mean", episodes_std="std"),
            number("episodes_median", "median", ".1f"),
            number("seconds_mean", "cpu seconds", ".2f"),
        ],
        caption="Env steps of one agent's training: on SEs, or on the real task.",
    )


def _paper_table(data: RunData, answers: Answers) -> Table | None:
    if answers.train_envs.empty or "paper" not in set(answers.train_envs["rule"]):
        return None
    rows = answers.evaluations
    steps = rows.loc[rows["rule"] == "paper", "max_env_steps"]
    agents = [str(agent) for agent in answers.train_envs["agent"]]
    figure, rows = paper_numbers(data.task, agents)
    return make_table(
        "For comparison: the paper's numbers",
        rows,
        [
            _AGENT,
            _TRAIN_ENV,
            number("mean", "mean return", ".1f"),
            *numbers(env_steps_mean="env steps, mean", env_steps_std="std"),
            number("saved", "fewer than real", ".1%"),
        ],
        caption=f"{figure} of the paper: 40 SEs that solved the task, 10 agents each."
        + _CAPPED * bool(steps.notna().any()),
    )


def break_even_table(answers: Answers) -> Table | None:
    """After how many agents an SE has paid for itself."""
    return make_table(
        "Break-even",
        _named(answers.break_even),
        [
            *_keys(answers.break_even),
            text("unit", words=lambda unit: _UNITS.get(unit, unit)),
            text("with_bohb", "with BOHB's share"),
            number("cost_per_se", "cost of one SE"),
            number("saved_per_agent", "saved per agent", ",.3g", interval=True),
            number("agents", "agents to break even", interval=True),
            text("verdict"),
        ],
        caption="After how many agents trained on it an SE has saved what it cost.",
    )
