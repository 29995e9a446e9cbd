"""A model card for people: lines for a terminal, and the page docs/zoo.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from se_hpo.envs.checkpoint import SECheckpoint, load_se
from se_hpo.envs.learned import kind_of
from se_hpo.envs.zoo_files import zoo_file, zoo_names
from se_hpo.names import train_env_prose
from se_hpo.results.model_card import Card, Reached, card_of
from se_hpo.text import duration, score_text

EMPTY = "The zoo of this version is empty."


def facts(checkpoint: SECheckpoint, card: Card, size: int) -> dict[str, str]:
    """What a card says but for agents and limits: label -> text."""
    end, se = card.outcome, checkpoint.se_config
    kind = kind_of(se).name
    solved = f"solved in generation {end.solved_at}" if end.solved else "not solved"
    return {
        "task": checkpoint.task,
        "kind": f"{kind}, {se.hidden_layers} x {se.hidden_size} {se.activation}, "
        f"{size_text(size)}",
        "recipe": f"{card.recipe}; {train_env_prose(end.train_env)}",
        "command": card.command,
        "seed": f"{end.seed} (SE {end.index} of a set of seed {card.set_seed})",
        "version": f"{card.version}, {end.engine} engine",
        "ended": f"{end.reason} after {end.generations} of {card.generations} "
        f"generations, {solved}; best score {score_text(end.best_score or 0.0)}",
        "cost": f"{end.env_steps_task:,} task steps, {end.env_steps_se:,} SE steps, "
        f"{end.trainings:,} agents, {duration(end.cpu_seconds)} of processor time",
        "chosen": f"the best of {card.chosen_from}",
    }


def size_text(size: int) -> str:
    """Bytes as kB.

    >>> size_text(2345)
    '2.3 kB'
    """
    return f"{size / 1000:.1f} kB"


def reached_text(reached: Reached) -> str:
    """What one algorithm reaches, in short."""
    return f"{reached.agent} {score_text(reached.mean)} ({reached.se_steps:,.0f} steps)"


def reached_row(reached: Reached) -> list[str]:
    """The same as cells: agent, mean, worst, steps, agents, evaluation."""
    scores = score_text(reached.mean), score_text(reached.worst)
    steps, n = f"{reached.se_steps:,.0f}", f"{reached.n:,}"
    return [reached.agent, *scores, steps, n, reached.evaluation]


REACHED = ("agent", "mean return", "worst agent", "SE steps", "agents", "evaluation")


def page(folder: Path | None = None) -> Iterator[str]:
    """Every card of a folder in Markdown."""
    names = zoo_names(folder)
    if not names:
        yield EMPTY
    for name in names:
        file = zoo_file(name, folder)
        checkpoint = load_se(file)
        card = card_of(checkpoint.metadata, file)
        yield f"### {name}\n"
        for label, text in facts(checkpoint, card, file.stat().st_size).items():
            yield f"- {label}: `{text}`" if label == "command" else f"- {label}: {text}"
        yield f"\n{_row(REACHED)}\n{_row(['---'] * len(REACHED))}"
        yield from (_row(reached_row(reached)) for reached in card.reached)
        yield from ("", *(f"- {limit}" for limit in card.limits), "")


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"
