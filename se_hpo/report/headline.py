"""The answer at a glance: a sentence, three numbers, and a row per agent."""

from __future__ import annotations

from collections.abc import Iterator

from se_hpo.report.answers import Answers
from se_hpo.report.curve_headline import curve_headline
from se_hpo.report.run_data import RunData
from se_hpo.report.search_headline import best_of_search, search_tiles
from se_hpo.report.tiles import Headline
from se_hpo.report.worth import agent_rows, main_arm, worth_tiles, worth_verdict


def headline(data: RunData, answers: Answers) -> Headline:
    """Of agents on SEs, of learning curves, or of the search: the first there is."""
    further = list(best_of_search(data)) if data.has_bohb else []
    if len(answers.learning):
        verdict, tiles, table = curve_headline(answers)
        return Headline(verdict, tiles, table, further)
    if (arm := main_arm(data, answers)) is not None:
        verdict = " ".join(worth_verdict(data, answers, arm))
        tiles = worth_tiles(data, arm, answers)
        return Headline(verdict, tiles, agent_rows(answers), further)
    return Headline(
        " ".join(_nothing_known(data, answers)),
        search_tiles(data),
        agent_rows(answers),
        further,
    )


def _nothing_known(data: RunData, answers: Answers) -> Iterator[str]:
    what = "reward networks" if data.of_rewards else "synthetic environments"
    if data.has_bohb and not data.sets:
        what = "learned environments"
    why = "no agents have been trained on them"
    if len(answers.train_envs):
        why = "no agents have been trained both on them and on the task"
    yield f"What the {what} are worth is not known yet: {why}."
