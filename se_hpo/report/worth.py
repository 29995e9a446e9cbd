"""What SEs are worth to agents: against the task, in return, steps and cost."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from se_hpo.agents.registry import agent_label, algorithm_of
from se_hpo.analysis.estimates import FEW_CLUSTERS
from se_hpo.names import REAL, is_random, train_env_label
from se_hpo.report.answers import Answers
from se_hpo.report.rules import rule_in_words
from se_hpo.report.run_data import RunData
from se_hpo.report.tables import Table, make_table, number, rows_of, text
from se_hpo.report.tiles import Tile, amount, share
from se_hpo.text import score_text

Row = Mapping[str, Any]
_EQUAL = 0.05
"""Of the return on the task: a difference that is smaller is none to speak of."""


@dataclass(frozen=True)
class Arm:
    """Agents of one kind by one stopping rule: on the best-made SEs and on the task."""

    on_ses: Row
    """Rows of `train_env_table`."""
    on_task: Row | None
    on_random: Row | None

    @property
    def judgement(self) -> str:
        """How their returns compare: see `judged`."""
        return judged(self.on_ses, self.on_task)


def arms(answers: Answers) -> list[Arm]:
    """One per stopping rule and agent, in the order of the tables."""
    by_agent: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)
    for row in rows_of(answers.train_envs):
        by_agent[row["rule"], row["agent"]][row["train_env"]] = row
    found = []
    for rows in by_agent.values():
        task = rows.pop(REAL, None)
        control = [rows.pop(name) for name in list(rows) if is_random(name)]
        learned = [*rows.values(), *control]
        if learned:
            found.append(Arm(learned[0], task, next(iter(control), None)))
    return found


def main_arm(data: RunData, answers: Answers) -> Arm | None:
    """That of the agent which the SEs were learned with, if it was on the task too."""
    compared = [arm for arm in arms(answers) if arm.on_task is not None]
    learned = [s.config for s in data.sets if not is_random(s.train_env)]
    own = {algorithm_of(config.agent) for config in learned}
    ours = [arm for arm in compared if arm.on_ses["agent"] in own]
    return next(iter([*ours, *compared]), None)


def judged(on_ses: Row, on_task: Row | None) -> str:
    """`better`, `worse`, `as good`, `not clear`, `too few SEs`, `no pairs`.

    By the interval of the difference on pairs; `as good` where that interval reaches no
    further than a twentieth of the return on the task below 0, and is not wholly above
    that. Means of all agents that contradict the pairs leave it open.
    """
    low, high = on_ses["difference_low"], on_ses["difference_high"]
    if on_task is None or not math.isfinite(on_ses["difference"]):
        return "no pairs"
    if on_ses["n_pair_ses"] < FEW_CLUSTERS or not math.isfinite(low + high):
        return "too few SEs"
    seen = on_ses["mean"] - on_task["mean"]
    margin = _EQUAL * abs(on_task["mean"])
    near = min(low, seen) >= -margin
    if near and high <= margin:
        return "as good"
    if low > 0 and seen > 0:
        return "better"
    if high < 0 and seen < 0:
        return "worse"
    return "as good" if near else "not clear"


def worth_verdict(data: RunData, answers: Answers, arm: Arm) -> Iterator[str]:
    """Sentences: the main agent, what is left open, all agents."""
    on_ses, on_task = arm.on_ses, arm.on_task
    if on_task is None:
        return
    n, agent = on_ses["n_ses"], agent_label(on_ses["agent"])
    kind = "random" if is_random(on_ses["train_env"]) else "learned"
    ses = f"one {kind} SE alone" if n == 1 else f"{kind} SEs alone ({n:.0f})"
    steps = (amount(row["env_steps_mean"]) for row in (on_ses, on_task))
    yield (
        f"On {data.task}, {agent} trained on {ses} returns {_return(on_ses)} after "
        f"{next(steps)} steps; trained on the task, {_return(on_task)} after "
        f"{next(steps)}. {_in_words(arm)}"
    )
    yield from _who_solves(data, answers, on_ses["rule"])


def _return(row: Row) -> str:
    return score_text(row["mean"]) if math.isfinite(row["mean"]) else "an unknown score"


def _in_words(arm: Arm) -> str:
    by = score_text(abs(arm.on_ses["difference"]))
    return {
        "better": f"That is better, by {by}.",
        "worse": f"That is worse, by {by}.",
        "as good": "That is as good.",
        "not clear": "Whether that is as good is not clear: SEs differ too much.",
        "too few SEs": f"These are too few SEs to say more ({_compared(arm.on_ses)}).",
        "no pairs": "These are not the same agents, so nothing is concluded.",
    }[arm.judgement]


def _compared(row: Row) -> str:
    """How many were compared with the task."""
    n, of = row["n_pair_ses"], row["n_ses"]
    return f"{n:.0f}" if n == of else f"{n:.0f} of {of:.0f} are compared"


def _who_solves(data: RunData, answers: Answers, rule: str) -> Iterator[str]:
    at = data.solved_return
    same = [arm.on_ses for arm in arms(answers) if arm.on_ses["rule"] == rule]
    if at is None or len(same) < 2:
        return
    solve = sum(row["mean"] >= at for row in same)
    how_many = f"All {solve}" if solve == len(same) else f"{solve} of {len(same)}"
    yield f"{how_many} algorithms reach the solved return, {at:g}, on SEs alone."


def worth_tiles(data: RunData, arm: Arm, answers: Answers) -> list[Tile]:
    """Return on SEs against the task, steps saved, agents to break even."""
    on_ses, on_task = arm.on_ses, arm.on_task
    if on_task is None:
        return []
    agent, at = agent_label(on_ses["agent"]), data.solved_return
    solved = f"; solved: {at:g}" if at is not None else ""
    tiles = [
        Tile(
            f"Return of {agent}",
            _return(on_ses),
            f"against {_return(on_task)}",
            f"trained on SEs, against trained on the task{solved}",
        )
    ]
    saved = on_ses["env_steps_saved"]
    steps = [amount(row["env_steps_mean"]) for row in (on_ses, on_task)]
    if math.isfinite(saved):
        more = "more" if saved < 0 else "fewer"
        tiles.append(
            Tile(
                "Steps saved" if saved >= 0 else "Steps not saved",
                f"{share(abs(saved))} %",
                more,
                f"{steps[0]} in place of {steps[1]} training steps",
            )
        )
    return [*tiles, _break_even(arm, answers)]


def _break_even(arm: Arm, answers: Answers) -> Tile:
    name = "Agents to break even"
    row = _paid(arm.on_ses, answers)
    if row is None:
        return Tile(name, "not known", "", "no NES run's cost is known")
    cost, saved = amount(row["cost_per_se"]), amount(row["saved_per_agent"])
    both = f"an SE cost {cost} steps on the task, an agent saves {saved}"
    # Surely worse, but by too little to speak of, is as good.
    as_good = row["verdict"] == "cheaper but worse" and arm.judgement == "as good"
    if row["verdict"] == "pays off" or as_good:
        agents = math.ceil(row["cost_per_se"] / row["saved_per_agent"])
        unsure = "; returns may differ" * (arm.judgement == "not clear")
        return Tile(name, f"{agents:,}", "", both + unsure)
    words = {"too few SEs": "too few SEs to say", "unknown": "not known"}
    verdict = str(words.get(row["verdict"], row["verdict"]))
    meaning = row["note"] if row["verdict"] == "unknown" else both
    return Tile(name, verdict, "", meaning)


def _paid(on_ses: Row, answers: Answers) -> Row | None:
    """In steps on the task, without the search's share."""
    keys = {name: on_ses[name] for name in ("rule", "agent", "train_env")}
    keys |= {"unit": "env_steps_task", "with_bohb": False}
    rows = rows_of(answers.break_even)
    return next((row for row in rows if keys.items() <= row.items()), None)


def agent_rows(answers: Answers) -> Table | None:
    """A row per agent (and stopping rule): returns, steps, what follows."""
    found = [_agent_row(arm) for arm in arms(answers)]
    frame = pd.DataFrame(found)
    several = len(found) > 0 and frame["rule"].nunique() > 1
    return make_table(
        "Agent by agent",
        frame,
        [
            text("agent", words=agent_label),
            *([text("rule", "stopping rule", rule_in_words)] * several),
            text("kind", "SEs"),
            number("mean", "return, trained on SEs", ".1f"),
            number("mean_task", "return, on the task", ".1f"),
            number("mean_random", "return, on random SEs", ".1f"),
            number("env_steps", "steps on the SE"),
            number("env_steps_task", "steps on the task"),
            number("saved", "fewer steps", ".0%"),
            number("agents", "agents (SEs)"),
            number("agents_task", "agents (task)"),
            text("verdict"),
        ],
        caption="Means over agents, all tested on the real task. Verdict: by pairs of "
        f"the same agents; as good: at most {_EQUAL:.0%} below the task. Intervals are "
        "in the tables below.",
    )


def _agent_row(arm: Arm) -> dict[str, Any]:
    row, task, control = arm.on_ses, arm.on_task or {}, arm.on_random or {}
    n = row["n_ses"]
    verdict = {
        "too few SEs": f"too few SEs to say ({_compared(row)})",
        "no pairs": "no pairs" if task else "not on the task",
    }
    return {
        "agent": row["agent"],
        "rule": row["rule"],
        "kind": f"{n:.0f} {train_env_label(row['train_env']).removeprefix('SE, ')}",
        "mean": row["mean"],
        "mean_task": task.get("mean"),
        "mean_random": control.get("mean"),
        "env_steps": row["env_steps_mean"],
        "env_steps_task": task.get("env_steps_mean"),
        "saved": row["env_steps_saved"],
        "agents": row["n_agents"],
        "agents_task": task.get("n_agents"),
        "verdict": verdict.get(arm.judgement, arm.judgement),
    }
