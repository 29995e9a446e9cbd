"""The outcome of a run in a terminal: its best trials and what to type next."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console, RenderableType
from rich.text import Text

from se_hpo.envs.checkpoint import load_se
from se_hpo.envs.learned import kind_of
from se_hpo.registries import objective_kind
from se_hpo.results.ranking import ranked
from se_hpo.results.run_settings import Settings
from se_hpo.storage.paths import RunPaths, TrialPaths
from se_hpo.storage.records import Status
from se_hpo.terminal.next_steps import code_command, module_command, python_command
from se_hpo.terminal.rich_tables import table
from se_hpo.text import duration, score_text, short_count, short_number

_HOPELESS = 5
_NOTHING_BEATS_RANDOM = (
    "All evaluations have loss 1: no agent did better than random actions. Does one "
    "learn the task at all (a space of objective agent)? If so, give more generations, "
    "a larger nes.noise_std, or nes.first_limit where rewards are rare."
)


def next_commands(
    paths: RunPaths, settings: Settings, trials: pd.DataFrame
) -> Iterator[str]:
    """The report; SEs with what was found, and the best one as it is; the trials."""
    yield module_command("report", paths.root)
    best = ranked(trials).head(1)["trial"].tolist()
    if best and getattr(objective_kind(settings.objective), "learns_se", False):
        yield module_command("train", "--from", paths.root)
        yield from _make_env(settings.task, TrialPaths(paths.trials / best[0]).best_se)
    columns = "[['trial', 'budget', 'loss', 'score_best', 'wall_seconds']]"
    yield python_command("load_trials", paths.root, columns)


def _make_env(task: str, se: Path) -> Iterator[str]:
    """How a program has an SE as an environment; of a reward network nothing."""
    if not se.is_file() or kind_of(load_se(se).se_config).reward is not None:
        return
    modules = ", ".join(("gymnasium", *filter(None, [task.rpartition(":")[0]])))
    make = f"gymnasium.make('se_hpo:Synthetic', checkpoint={str(se)!r})"
    yield code_command(f"import {modules}; print({make}.reset())")


def show_best(frame: pd.DataFrame, console: Console) -> None:
    """Print the five best trials, the best one's configuration, and what failed."""
    for part in (best_trials(frame), *final_notes(frame)):
        console.print(part)


def best_trials(frame: pd.DataFrame) -> RenderableType:
    """The five best trials of `load_trials`, each at its largest budget."""
    best = ranked(frame).drop_duplicates("trial").head(5)
    seconds = frame.groupby("trial")["wall_seconds"].sum()
    best = best.assign(wall_seconds=best["trial"].map(seconds))
    if best.empty:
        return Text("No evaluation has finished.")
    numbers = (">budget", ">loss", ">best score", ">solved at", ">env steps", ">time")
    rows = map(_best_row, best.to_dict("records"))
    return table("Best trials", ("trial", *numbers), rows)


def _best_row(row: dict[Any, Any]) -> list[str]:
    solved = row["generations_to_solve"]
    steps = row["env_steps_se"] + row["env_steps_task"]
    return [
        row["trial"],
        f"{row['budget']:g}",
        f"{row['loss']:.4f}",
        score_text(row["score_best"]) if math.isfinite(row["score_best"]) else "-",
        f"{solved}" if isinstance(solved, int) else "-",
        short_count(steps),
        duration(row["wall_seconds"]),
    ]


def final_notes(frame: pd.DataFrame) -> list[Text]:
    """The configuration of the best trial, and how many evaluations did not finish."""
    notes = []
    for row in ranked(frame).head(1).to_dict("records"):
        values = {
            str(key).removeprefix("config."): short_number(value)
            for key, value in row.items()
            if str(key).startswith("config.") and not pd.isna(value)
        }
        text = "  ".join(f"{name}={value}" for name, value in values.items())
        notes.append(Text.assemble((f"{row['trial']}: ", "bold"), text))
    losses = frame.loc[frame["status"] == Status.FINISHED.value, "loss"]
    if len(losses) >= _HOPELESS and (losses == 1).all():
        notes.append(Text(_NOTHING_BEATS_RANDOM, "yellow"))
    failed = int((frame["status"] == Status.FAILED.value).sum())
    if failed:
        notes.append(Text(f"{failed} evaluation{'s' * (failed > 1)} failed", "red"))
    return notes
