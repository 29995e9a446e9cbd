"""The tables of the search, and of what everything cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from se_hpo.analysis import bohb_cost
from se_hpo.envs.learned import kind_of
from se_hpo.names import noun_of, train_env_label
from se_hpo.report.answers import Answers
from se_hpo.report.run_data import Confirmed, RunData
from se_hpo.report.tables import Table, make_table, number, numbers, text, texts
from se_hpo.results.ranking import ranked
from se_hpo.text import score_text, short_number

_BEST = 20


def bohb_tables(data: RunData, answers: Answers) -> list[Table | None]:
    """Best trials, fresh seeds, rank information of budgets, the model's picks."""
    if data.trials.empty:
        return []
    steps = data.trials["env_steps_se"] + data.trials["env_steps_task"]
    best = ranked(data.trials.assign(env_steps=steps)).drop_duplicates("trial")
    return [
        make_table(
            "Best trials" + (f" ({_BEST} of {len(best)})" if len(best) > _BEST else ""),
            best.head(_BEST),
            [
                text("trial"),
                number("budget", spec="g"),
                number("loss", spec=".4f"),
                *numbers(score_text, score_final="last score", score_best="best score"),
                number("generations_to_solve", "solved at generation"),
                text("model_based", "picked by the model"),
                number("env_steps", "env steps"),
                number("cpu_seconds", "cpu seconds", ",.1f"),
                text("reason", "ended by"),
            ],
            caption="Each trial at its largest budget: large budgets first, then low "
            f"loss. {_meaning({'the search': data.fitness})}".strip(),
        ),
        make_table(
            "The best trials on fresh seeds",
            pd.DataFrame([_confirmation(row) for row in data.confirmations]),
            [
                text("trial"),
                number("budget", spec="g"),
                number("loss", "loss in the run", ".4f"),
                text("fresh", "fresh losses"),
                number("fresh_loss", "their mean", ".4f"),
                number("optimism", "fresh minus run", "+.4f"),
            ],
            caption="The lowest of many noisy losses is too low; fresh seeds are fair. "
            "The incumbent is the one whose mean is lowest, of those with most seeds.",
        ),
        make_table(
            "Do low budgets rank as high ones do?",
            answers.budgets,
            [
                *numbers("g", low_budget="low budget", high_budget="high budget"),
                number("n_trials", "trials"),
                *numbers(".2f", True, spearman="Spearman", kendall="Kendall"),
                number("tied_share", "tied at the low budget", ".0%"),
                text("informative"),
            ],
            folded=True,
        ),
        make_table(
            "What BOHB's model added",
            answers.picks,
            [
                number("budget", spec="g"),
                *numbers(n_model="by the model", n_random="at random"),
                number("median_model", "median loss, model", ".3f"),
                number("median_random", "median loss, random", ".3f"),
                number("gain", spec="+.3f", interval=True),
                number("superiority", "P(model better)", ".2f", interval=True),
            ],
            caption="First evaluation of each trial. Gain: how much lower the median "
            "loss of the model's picks is.",
            folded=True,
        ),
        make_table(
            "Evaluations that failed",
            _not_finished(data.trials),
            [
                text("trial"),
                number("budget", spec="g"),
                *texts(status="status", reason="ended by", last_line="error"),
            ],
            folded=True,
        ),
    ]


def _confirmation(row: Confirmed) -> dict[str, Any]:
    fresh = ", ".join(f"{x:.4f}" for x in row.fresh_losses)
    return {**vars(row), "fresh": fresh, "fresh_loss": row.fresh_loss}


def _not_finished(trials: pd.DataFrame) -> pd.DataFrame:
    rows = trials[trials["status"].eq("failed")]
    last = rows["error"].fillna("").str.strip().str.rsplit("\n", n=1).str[-1]
    return rows.assign(last_line=last)


def configuration_table(data: RunData) -> Table | None:
    """The best trial's hyperparameters beside their ranges and defaults."""
    if data.incumbent is None:
        return None
    space = {p["name"]: p for p in data.configspace["hyperparameters"]}
    rows = []
    for name, value in data.incumbent.configuration.items():
        parameter = space.get(name, {})
        default = parameter.get("default_value", parameter.get("value"))
        row = {"name": name, "value": short_number(value, 5)}
        row["range"] = _range(parameter)
        row["default"] = "-" if default is None else short_number(default, 5)
        rows.append(row)
    columns = texts(name="hyperparameter", value="value", range="searched")
    return make_table(
        f"Configuration of the best trial, {data.incumbent.trial}",
        pd.DataFrame(rows),
        [*columns, text("default")],
        caption="A name with one_minus_ sets 1 - value. What the space does not "
        "search is fixed.",
    )


def _range(parameter: Mapping[str, Any]) -> str:
    if "lower" in parameter and "upper" in parameter:
        log = ", log" if parameter.get("log") else ""
        ends = (short_number(parameter[end], 5) for end in ("lower", "upper"))
        return " to ".join(ends) + log
    choices = parameter.get("choices") or parameter.get("sequence")
    return ", ".join(map(str, choices)) if choices else "fixed"


def se_table(data: RunData) -> Table | None:
    """One row per finished SE of all sets."""
    noun = "RN" if data.of_rewards else "SE"
    return make_table(
        f"The {'reward networks' if data.of_rewards else 'SEs'} and their NES runs",
        data.ses,
        [
            text("se_set", "set"),
            number("se", noun, "03.0f"),
            text("train_env", "kind", train_env_label),
            text("solved", "solved the task"),
            number("solved_at", "at generation"),
            number("generations"),
            *numbers(score_text, best_score="best score", final_score="last score"),
            text("reason", "ended by"),
            *numbers(trainings="agents trained", env_steps_se=f"env steps on {noun}s"),
            number("env_steps_task", "env steps on the task"),
            number("cpu_seconds", "cpu seconds", ",.0f"),
        ],
        caption=_meaning({s.name: s.config.nes.fitness for s in data.sets}),
        folded=len(data.ses) > 12,
    )


def _meaning(fitness: dict[str, str]) -> str:
    """What scores are, where they are no returns."""
    others = [f"{name}: {what}" for name, what in fitness.items() if what != "return"]
    return f"Scores are of nes.fitness ({', '.join(others)})." if others else ""


def cost_table(data: RunData) -> Table | None:
    """What search, NES runs and evaluations took."""
    rows = pd.DataFrame(_costs(data))
    if len(rows) > 1:
        total = rows.sum(numeric_only=True).to_dict() | {"what": "all together"}
        rows = pd.concat([rows, pd.DataFrame([total])], ignore_index=True)
    return make_table(
        "Cost so far",
        rows,
        [
            text("what"),
            number("cpu_seconds", "cpu hours", ",.2f", scale=1 / 3600),
            number("env_steps_task", "env steps on the real task"),
            number("env_steps_se", "env steps on SEs"),
        ],
        caption="Env steps on the real task: tests of agents, and training where they "
        "train on it, also with the reward of a reward network.",
    )


def _costs(data: RunData) -> Iterator[dict[str, Any]]:
    columns = ["cpu_seconds", "env_steps_task", "env_steps_se"]
    if not data.trials.empty:
        cost = bohb_cost(data.trials)
        yield {"what": "BOHB"} | {name: getattr(cost, name) for name in columns}
    for se_set in data.sets:
        mine = data.ses[data.ses["se_set"] == se_set.name]
        sums = {name: mine[name].sum() for name in columns}
        if kind_of(se_set.config.se).reward:  # all its steps are on the task
            sums["env_steps_task"] += sums.pop("env_steps_se")
        noun = noun_of(se_set.train_env)
        yield {"what": f"{noun} set {se_set.name}", **sums}
    rows = data.evaluations
    if not rows.empty:
        real = (rows["train_env"] == "real") | rows["train_env"].str.startswith("rn_")
        on_task = rows["test_env_steps"].sum() + rows.loc[real, "env_steps"].sum()
        values = (rows["seconds"].sum(), on_task, rows.loc[~real, "env_steps"].sum())
        sums = dict(zip(columns, values, strict=True))
        yield {"what": "evaluation of agents", **sums}
