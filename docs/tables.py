"""Tables of the pages here whose facts stand in the code: `make docs-tables`.

A table lies between `<!-- table: NAME -->` and `<!-- end -->`. What it says are
docstrings of attributes and functions, the comments above stop reasons, the model cards
of the zoo, defaults of configurations and, of columns that no record has, `COMPUTED`.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from se_hpo import names
from se_hpo.agents.config import AgentConfig, DeepAgentConfig
from se_hpo.agents.icm_config import ICMConfig
from se_hpo.config.nes_config import NESConfig
from se_hpo.envs.learned import LearnedConfig
from se_hpo.registries import AGENTS, LEARNED
from se_hpo.results import columns, evaluations, learning_curves
from se_hpo.results.se_outcome import SEOutcome
from se_hpo.storage import paths, records
from se_hpo.zoo import card_text

PAGES = sorted(Path(__file__).parent.glob("*.md"))
_STOP_REASONS = "See [what ends a training](agents.md#what-ends-a-training)."
_PLACE = re.compile(r"(<!-- table: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def rendered(page: str) -> str:
    """A page with all its tables as the code has them now."""
    return _PLACE.sub(lambda m: m[1] + "\n".join(TABLES[m[2]]()) + f"\n{m[3]}", page)


def comments(module: ModuleType, name: str) -> dict[str, str]:
    """The comments above the entries of a tuple that a module defines."""
    source = inspect.getsource(module)
    lines = source.splitlines()
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            for entry in node.value.elts:
                end = start = entry.lineno - 1
                while lines[start - 1].lstrip().startswith("#"):
                    start -= 1
                text = " ".join(line.strip(" #") for line in lines[start:end])
                found[ast.literal_eval(entry)] = text
    return found


def docstrings(kind: type) -> dict[str, str]:
    """What a class says of its attributes and methods, in its order."""
    found = {}
    body = ast.parse(inspect.getsource(kind)).body[0].body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef):
            found[node.name] = _text(ast.get_docstring(node))
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                found[target.id] = _text(after.value.value)
    return found


def _text(text: str | None) -> str:
    return " ".join((text or "").split())


def column_table(frame: str, columns: dict[str, str], *kinds: type) -> Iterator[str]:
    """Name, dtype and meaning of the columns of a frame."""
    yield "| column | dtype | meaning |\n|---|---|---|"
    meanings = {k: v for kind in kinds for k, v in docstrings(kind).items()}
    meanings |= COMPUTED[frame]
    shown = {}
    for column, dtype in columns.items():
        shown[re.sub(r"^stop_reasons\..*", "stop_reasons.<reason>", column)] = dtype
    for column, dtype in shown.items():
        link = f" {_STOP_REASONS}" if column.startswith("stop_reason") else ""
        yield f"| `{column}` | `{dtype}` | {meanings[column]}{link} |"


class _Any(str):
    """Stands for any value in the name of a file."""

    def __format__(self, _: str) -> str:
        return "NNN" if self == "index" else "<" + self + ">"


def file_table(kind: type) -> Iterator[str]:
    """Name and content of the files that a class of `paths` names."""
    yield "| file | what |\n|---|---|"
    root = kind(Path())
    for name, text in docstrings(kind).items():
        path = getattr(root, name)
        if inspect.ismethod(path):
            parameters = inspect.signature(path).parameters
            fits = len(parameters) == 1 and "config_id" not in parameters
            path = path(*map(_Any, parameters)) if fits else None
        if isinstance(path, paths.TrialPaths):
            path = path.root
        if isinstance(path, Path):
            yield _file_row(path, text)


def evaluation_files() -> Iterator[str]:
    """The files of an evaluation."""
    yield "| file | what |\n|---|---|"
    run = paths.RunPaths(Path())
    file = run.evaluation("<name>")
    yield _file_row(file, _text(run.evaluation.__doc__))
    for beside in (paths.header_of, paths.lock_of):
        yield _file_row(beside(file), _text(beside.__doc__))
    opening = paths.opening_lock_of(file.parent, "<name>")
    yield _file_row(opening, _text(paths.opening_lock_of.__doc__))


def _file_row(path: Path, text: str) -> str:
    return f"| `{path}{'' if path.suffix else '/'}` | {text} |"


def stop_reasons() -> Iterator[str]:
    """Why the training of an agent ends."""
    yield "| stop reason | when |\n|---|---|"
    texts = comments(names, "STOP_REASONS")
    yield from (f"| `{name}` | {texts[name]} |" for name in names.STOP_REASONS)


def settings(prefix: str, *kinds: type, beside: tuple[type, ...] = ()) -> Iterator[str]:
    """Fields of configurations with their defaults, but for those of `beside`."""
    yield "| name | default | meaning |\n|---|---|---|"
    for kind in kinds:
        known = {
            f.name: f.default for other in beside for f in dataclasses.fields(other)
        }
        texts = {
            k: v for c in kind.__mro__[::-1] for k, v in _own_docstrings(c).items()
        }
        for field in dataclasses.fields(kind):
            default = _default(field)
            if field.name not in known or known[field.name] != default:
                text = texts[field.name]
                yield f"| `{prefix}{field.name}` | {_shown(default)} | {text} |"


def _own_docstrings(kind: type) -> dict[str, str]:
    return docstrings(kind) if kind.__module__.startswith("se_hpo") else {}


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _shown(value: Any) -> str:
    return "none" if value is None else f"`{value}`"


def agent_settings(name: str) -> Iterator[str]:
    """What an agent has beside the settings of all, or with another default."""
    kind = AGENTS[name].config
    base = DeepAgentConfig if issubclass(kind, DeepAgentConfig) else AgentConfig
    return settings(f"{name}.", kind, beside=(base,))


def learned_settings(prefix: str) -> Iterator[str]:
    """What kinds of learned environments have beside those of all."""
    yield "| kind | name | default | meaning |\n|---|---|---|---|"
    kinds = [kind for kind in LEARNED.values() if kind.prefix == prefix[:-1]]
    having: dict[str, list[str]] = {}
    for kind in kinds:
        for row in [*settings(prefix, kind.config, beside=(LearnedConfig,))][1:]:
            having.setdefault(row, []).append(f"`{kind.name}`")
    for row, named in having.items():
        yield f"| {'all' if len(named) == len(kinds) else ', '.join(named)} {row}"


COMPUTED = {
    "trials": {
        "run": "Name of the run's folder.",
        "status": "`finished`; `failed`: it raised; `running`.",
        "model_based": "The configuration was picked by BOHB's model, not at random.",
        "submitted": "Queued by the master.",
        "started": "Begun by the worker.",
        "finished": "Ended; missing while it runs.",
    },
    "generations": {
        "run": "Name of the run's folder.",
        "trial": "Name of the trial.",
        "center_return": "Mean test return on the task of the same agents; the score, "
        "where `nes.fitness` is `return`.",
        "center_std": "Sample standard deviation of their scores; NaN for one agent.",
        "member_score_mean": "Mean score over the perturbed SEs, both signs.",
        "member_score_max": "Best score of a perturbed SE.",
        "solved": "The center's return reached the task's solved return; missing for "
        "tasks outside the package's list.",
        "stop_reasons.<reason>": "Agents of it whose training ended so.",
    },
    "SEs": {
        "run": "Name of the run's folder; missing for a set elsewhere.",
        "se_set": "Name of the set's folder.",
        "se": "Number of the SE in its set, from 0.",
        "checkpoint": "File of the SE; missing where the run raised.",
    },
    "zoo": {
        "name": "As in `zoo:NAME`.",
        "kind": "Kind of learned environment.",
        "bytes": "Size of its file.",
        "recipe": "Recipe, or trial of a run; missing for a file without a card.",
        "cpu_seconds": "Processor time of its NES run.",
    },
    "curves": {
        "record_file": "File it was read from.",
        "step": "Training steps up to this test.",
        "return": "Of the test; it holds from the step of the row before.",
    },
    "evaluations": {
        "record_file": "File it was read from.",
        "agent_base": "Fingerprint of what all agents of the algorithm share; missing "
        "where the settings beside the records are.",
    },
}
"""Frame -> column that the reader computes -> meaning."""

TABLES: dict[str, Callable[[], Any]] = {
    "trials": lambda: column_table(
        "trials", columns.TRIAL_COLUMNS, records.EvaluationRecord
    ),
    "generations": lambda: column_table(
        "generations",
        columns.GENERATION_COLUMNS,
        records.GenerationLine,
        records.TimingLine,
    ),
    "SEs": lambda: column_table("SEs", columns.SE_COLUMNS, SEOutcome),
    "zoo": lambda: column_table("zoo", columns.ZOO_COLUMNS, SEOutcome),
    "zoo cards": card_text.page,
    "evaluations": lambda: column_table(
        "evaluations", evaluations.EVALUATION_COLUMNS, evaluations._AgentRecord.__base__
    ),
    "curves": lambda: column_table(
        "curves",
        learning_curves.CURVE_COLUMNS,
        evaluations._AgentRecord.__base__,
    ),
    "files of a run": lambda: file_table(paths.RunPaths),
    "files of a trial": lambda: file_table(paths.TrialPaths),
    "files of a set": lambda: file_table(paths.SESetPaths),
    "files of an evaluation": evaluation_files,
    "stop reasons": stop_reasons,
    "settings of NES": lambda: settings("nes.", NESConfig),
    "settings of all agents": lambda: settings("AGENT.", AgentConfig),
    "settings of agents with networks": lambda: settings(
        "AGENT.", DeepAgentConfig, beside=(AgentConfig,)
    ),
    **{
        f"settings of {name}": partial(agent_settings, name)
        for name in AGENTS
        if not name.startswith("sb3:") and not name.endswith("_icm")
    },
    "settings of curiosity": lambda: settings(
        "AGENT.", ICMConfig, beside=(AgentConfig,)
    ),
    "settings of SEs": lambda: settings("se.", LearnedConfig),
    "settings of SEs of other kinds": lambda: learned_settings("se."),
    "settings of reward networks": lambda: learned_settings("rn."),
}

if __name__ == "__main__":
    for path in PAGES:
        path.write_text(rendered(path.read_text()))
