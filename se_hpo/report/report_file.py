"""The files of a report: figures, and one HTML file that holds them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from se_hpo.errors import UserError
from se_hpo.report.analyses import analyse
from se_hpo.report.answers import Answers
from se_hpo.report.curve_tables import curve_break_even_table, curve_tables
from se_hpo.report.facts import facts
from se_hpo.report.headline import headline
from se_hpo.report.missing import missing
from se_hpo.report.page import Image, Page, Section, render
from se_hpo.report.pareto_tables import pareto_table
from se_hpo.report.phase2_tables import break_even_table, phase2_tables
from se_hpo.report.run_data import RunData, read_run
from se_hpo.report.search_tables import (
    bohb_tables,
    configuration_table,
    cost_table,
    se_table,
)
from se_hpo.report.tables import Table
from se_hpo.storage.files import write_atomic
from se_hpo.terminal.flags import at_least
from se_hpo.version import __version__

if TYPE_CHECKING:
    from se_hpo.figures import Picture

log = logging.getLogger(__name__)


def write_report(
    run: str | Path, figures: bool = True, transition_agents: int = 0
) -> Path:
    """Write `figures/` and `report.html` of a run; returns the latter.

    Args:
        run: the run's folder.
        figures: also draw the figures.
        transition_agents: agents trained for the histograms of one SE; with 0, only
            histograms that were made before are drawn.

    Raises:
        UserError: the folder is no run, a number below 0, or matplotlib is missing.
    """
    at_least(0, transition_agents=transition_agents)
    data = read_run(run)
    answers = analyse(data)
    groups: dict[str, list[Image]] = {}
    if figures:
        groups = _draw(data, answers, transition_agents)
    page = _page(data, answers, groups)
    write_atomic(data.paths.report, render(page))
    return data.paths.report


def _draw(data: RunData, answers: Answers, agents: int) -> dict[str, list[Image]]:
    """The figures by section, written to the run's folder."""
    try:
        from se_hpo.report import report_figures as drawn
        from se_hpo.report.transitions_source import transitions_of
    except ModuleNotFoundError as error:
        raise UserError(
            f"{error.name} is needed to draw figures: pip install {error.name}, or "
            "give --no-figures"
        ) from error
    transitions = transitions_of(data, agents)
    drawings: dict[str, Iterable[Picture]] = {
        "worth": drawn.draw_phase2(data, answers),
        "curves": drawn.draw_curves(data, answers),
        "ses": drawn.draw_ses(data, answers, transitions),
        "search": drawn.draw_bohb(data, answers),
    }
    return {
        section: [_write(picture, data.paths.figures) for picture in pictures]
        for section, pictures in drawings.items()
    }


def _write(picture: Picture, folder: Path) -> Image:
    from se_hpo.figures import spots_of, write_picture

    log.info("figure %s", folder / f"{picture.name}.png")
    png = write_picture(picture, folder)
    spots = spots_of(picture.figure, picture.marks)
    return Image(picture.name, picture.title, picture.caption, png, spots)


def _page(data: RunData, answers: Answers, images: dict[str, list[Image]]) -> Page:
    def section(anchor: str, title: str, empty: str, *tables: Table | None) -> Section:
        there = [table for table in tables if table is not None]
        return Section(anchor, title, images.get(anchor, ()), there, empty)

    rewards = data.of_rewards
    what = "Reward networks" if rewards else "Synthetic environments"
    worth = section(
        "worth",
        "What the SEs are worth",
        "No agents have been evaluated yet.",
        *phase2_tables(data, answers),
    )
    curves = section(
        "curves",
        "How fast agents learn",
        "No learning curves have been recorded.",
        *curve_tables(answers),
    )
    learned = "The reward networks" if rewards else "The SEs"
    search = section("search", "The search", "", *bohb_tables(data, answers))
    best = section(
        "best",
        "The best configuration",
        "None has been found.",
        configuration_table(data),
    )
    return Page(
        title=data.name,
        subtitle=f"{what} for reinforcement learning, and what they are worth",
        headline=headline(data, answers),
        facts=facts(data),
        sections=[
            *([] if rewards else [worth]),
            *([curves] if rewards or len(data.curves) else []),
            section("ses", learned, "No SEs have been trained yet.", se_table(data)),
            *([search, best] if data.has_bohb else []),
            section(
                "cost",
                "What it cost",
                "Nothing has been spent.",
                cost_table(data),
                pareto_table(data),
                break_even_table(answers),
                curve_break_even_table(answers),
            ),
        ],
        missing=missing(data, answers),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=__version__,
        figures=str(data.paths.figures),
    )
