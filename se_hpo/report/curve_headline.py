"""What learning curves say at a glance: how much sooner agents solve the task."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from se_hpo.agents.registry import agent_label
from se_hpo.analysis.estimates import FEW_CLUSTERS
from se_hpo.names import REAL, arm_label, is_random, noun_of
from se_hpo.report.answers import Answers
from se_hpo.report.tables import Table, make_table, number, rows_of, text
from se_hpo.report.tiles import Tile, amount, share

Row = Mapping[str, Any]
_EQUAL = 0.05
_GROUP = ["agent", "agent_values", "variation", "max_env_steps"]


@dataclass(frozen=True)
class Group:
    """Agents with the same hyperparameters: alone, and with what was learned."""

    alone: Row | None
    best: Row
    """Of the kinds that were learned the one that is solved soonest."""
    n_kinds: int

    @property
    def judgement(self) -> str:
        """`sooner`, with a warning where it is lost again, `later`, `not clear`, ..."""
        low, high = self.best["steps_saved_low"], self.best["steps_saved_high"]
        if self.alone is None or not math.isfinite(self.best["steps_saved"]):
            return "not compared"
        if self.best["n_envs"] < FEW_CLUSTERS or not math.isfinite(low + high):
            return f"too few {noun_of(self.best['train_env'])}s to say"
        if low > 0:
            return "sooner, but returns less at the end" if self.is_lost else "sooner"
        return "later" if high < 0 else "not clear"

    @property
    def is_lost(self) -> bool:
        """At the end returns are more than a twentieth below those alone."""
        alone = self.alone["final"] if self.alone else -math.inf
        return bool(self.best["final"] < alone - _EQUAL * abs(alone))


def curve_headline(answers: Answers) -> tuple[str, list[Tile], Table | None]:
    """Of `analysis.curve_table`: the first group of agents, and a row for each."""
    groups = list(_groups(answers.learning))
    if not groups:
        return "No agents have been trained on what was learned yet.", [], None
    compared = [group for group in groups if group.alone is not None]
    main = next(iter([*compared, *groups]))
    return _verdict(main), _tiles(main, answers), _table(groups)


def _groups(table: pd.DataFrame) -> Iterator[Group]:
    groups: Any = table.groupby(_GROUP, sort=False)
    for _, rows in groups:
        every = rows_of(rows)
        alone = next((row for row in every if row["train_env"] == REAL), None)
        learned = [row for row in every if row["train_env"] != REAL]
        learned = [r for r in learned if not is_random(r["train_env"])] or learned
        learned.sort(key=lambda row: (row["steps_to_solve"], -row["share_solved"]))
        if learned:
            yield Group(alone, learned[0], len(learned))


def _verdict(group: Group) -> str:
    best, alone = group.best, group.alone
    name, agent = arm_label(best["kind"], best["train_env"]), agent_label(best["agent"])
    among = f", the best of {group.n_kinds} kinds" * (group.n_kinds > 1)
    says = (
        f"On {best['task']}, {agent} with {name}{among}, solves the task after "
        f"{amount(best['steps_to_solve'])} training steps at the median "
        f"({best['share_solved']:.0%} of {best['n_agents']} agents)"
    )
    if alone is None:
        return f"{says}; it has not been trained alone, so nothing is compared."
    words = f"{amount(alone['steps_to_solve'])} steps ({alone['share_solved']:.0%})"
    return f"{says}; alone after {words}. That is {group.judgement}."


def _tiles(group: Group, answers: Answers) -> list[Tile]:
    best, alone = group.best, group.alone
    if alone is None:
        return []
    n, of = best["steps_to_solve"], alone["steps_to_solve"]
    kind = arm_label(best["kind"], best["train_env"])
    tiles = [
        Tile(
            f"Steps until {agent_label(best['agent'])} solves it",
            amount(n),
            f"against {amount(of)}",
            f"with {kind}, against alone; medians",
        )
    ]
    if of > 0 and math.isfinite(n):
        saved = 1 - n / of
        name, more = ("Steps saved", "fewer") if saved >= 0 else ("Steps lost", "more")
        final = f"return at the end {best['final']:.1f}, alone {alone['final']:.1f}"
        tiles.append(Tile(name, f"{share(abs(saved))} %", more, final))
    return [*tiles, _break_even(best, answers)]


def _break_even(best: Row, answers: Answers) -> Tile:
    keys = {name: best[name] for name in (*_GROUP, "kind", "train_env", "task")}
    rows = rows_of(answers.curve_break_even)
    row = next((row for row in rows if keys.items() <= row.items()), None)
    name = "Agents to break even"
    if row is None or not math.isfinite(row["cost"]):
        return Tile(name, "not known", "", "what was learned has no known cost")
    saved = amount(row["steps_saved"])
    means = f"one cost {amount(row['cost'])} steps on the task, an agent saves {saved}"
    few = best["n_envs"] < FEW_CLUSTERS
    number = math.isfinite(row["agents"]) and not few
    words = f"too few {noun_of(best['train_env'])}s to say" if few else row["verdict"]
    return Tile(name, f"{row['agents']:,.0f}" if number else words, "", means)


def _table(groups: list[Group]) -> Table | None:
    return make_table(
        "Agent by agent",
        pd.DataFrame([_row(group) for group in groups]),
        [
            text("agent", words=agent_label),
            text("agent_values", "values of"),
            text("variation", "hyperparameters"),
            text("kind", "solved soonest with"),
            number("steps", "steps until solved"),
            number("steps_alone", "alone"),
            number("solved", "agents that solve", ".0%"),
            number("solved_alone", "alone", ".0%"),
            number("final", "return at the end", ".1f"),
            number("final_alone", "alone", ".1f"),
            text("verdict"),
        ],
        caption="Medians of steps, means of returns. Agents that never solve the task "
        "count with all their steps. Intervals are in the tables below.",
    )


def _row(group: Group) -> dict[str, Any]:
    best, alone = group.best, group.alone or {}
    return {
        **{name: best[name] for name in _GROUP},
        "kind": arm_label(best["kind"], best["train_env"]),
        "steps": best["steps_to_solve"],
        "steps_alone": alone.get("steps_to_solve"),
        "solved": best["share_solved"],
        "solved_alone": alone.get("share_solved"),
        "final": best["final"],
        "final_alone": alone.get("final"),
        "verdict": group.judgement,
    }
