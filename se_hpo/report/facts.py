"""What was run: names and values for the head of the report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from se_hpo.agents.registry import agent_label
from se_hpo.machine.provenance import as_typed
from se_hpo.names import is_random, noun_of, train_env_prose
from se_hpo.registries import budget_unit, objective_kind
from se_hpo.report.run_data import RunData
from se_hpo.report.tables import list_words
from se_hpo.results.lines import check_time, read_json
from se_hpo.results.se_sets import SESet
from se_hpo.storage.json_records import RecordError, checked
from se_hpo.storage.paths import JSON

Fact = tuple[str, str]
_DATE = "%Y-%m-%d %H:%M UTC"


def facts(data: RunData) -> list[Fact]:
    """Task, search, sets, evaluations, versions, commands, hosts, dates."""
    return [
        *_task(data),
        *(_search(data) if data.has_bohb else ()),
        *_sets(data),
        *_evaluations(data),
        *_provenance(data),
    ]


def _task(data: RunData) -> Iterator[Fact]:
    at = data.solved_return
    known = f", solved at a mean return of {at:g}" if at is not None else ""
    if data.task is not None:
        yield "Task", f"{data.task}{known}"


def _search(data: RunData) -> Iterator[Fact]:
    settings = data.settings
    if not settings:
        yield "Search", "run.json is missing or damaged"
        return
    known = defaultdict(lambda: "?", settings)
    name, eta = settings.get("objective"), settings.get("eta")
    kind = objective_kind(name)
    yield (
        "Search",
        f"{known['optimizer']} over the space {known['space']} "
        f"({len(data.configspace.get('hyperparameters', []))} hyperparameters), "
        f"evaluating {kind.what if kind else '?'} with "
        f"{agent_label(str(known['agent']))}",
    )
    yield (
        "Budgets",
        f"{known['min_budget']} to {known['max_budget']} {budget_unit(name)}, "
        f"eta {f'{eta:g}' if isinstance(eta, int | float) else '?'}, "
        f"{data.info.get('n_brackets', '?')} brackets",
    )
    yield "Seed and engine", f"{known['seed']}, {settings.get('engine')}"
    n = data.trials["trial"].nunique() if len(data.trials) else 0
    yield "Evaluated", f"{n} trials, {len(data.trials)} evaluations"


def _sets(data: RunData) -> Iterator[Fact]:
    for se_set in data.sets:
        solved = sum(outcome.solved for outcome in se_set.outcomes)
        made = train_env_prose(se_set.train_env)
        yield (
            f"{noun_of(se_set.train_env)} set {se_set.name}",
            f"{made}: {len(se_set.outcomes)} of {se_set.n_envs} finished, {solved} of "
            f"these solved the task; {_how_long(se_set)}, seed {se_set.seed}",
        )


def _how_long(se_set: SESet) -> str:
    """What ends its runs; a random search has no generations."""
    if is_random(se_set.train_env):
        return "each the best of as many random ones as an NES run trains agents for"
    return f"at most {se_set.generations} generations"


def _evaluations(data: RunData) -> Iterator[Fact]:
    rows = data.evaluations
    if rows.empty:
        return
    agents = [agent_label(str(a)) for a in rows["agent"].unique()]
    tests = int(rows["test_returns"].map(len).sum())
    yield "Evaluated agents", f"{len(rows):,} ({list_words(agents)}), {tests:,} tests"


def _provenance(data: RunData) -> Iterator[Fact]:
    sources = [data.info, *(read_json(s.paths.set) for s in data.sets)]
    sources += [read_json(f) for f in sorted(data.paths.evaluations.glob(f"*{JSON}"))]
    versions: dict[str, set[str]] = {}
    for source in sources:
        found = source.get("versions")
        for name, version in found.items() if isinstance(found, Mapping) else ():
            versions.setdefault(str(name), set()).add(str(version))
    if versions:
        shown = (f"{n} {' and '.join(sorted(v))}" for n, v in versions.items())
        yield "Versions", ", ".join(shown)
    commits = [str(s["git_commit"]) for s in sources if s.get("git_commit")]
    if commits:
        yield "Commit", ", ".join(dict.fromkeys(commits))
    attempts = [a for s in sources for a in _attempts(s)]
    attempts.sort(key=lambda attempt: attempt.started)
    commands = dict.fromkeys(as_typed(a.command or ["?"]) for a in attempts)
    report = ["python", "-m", "se_hpo.report", data.paths.root]
    yield "Commands", "\n".join([*commands, as_typed(report)])
    hosts = {a.host for a in attempts if a.host}
    for frame in (data.trials, data.ses):
        hosts |= {str(host) for host in frame["host"].dropna().unique() if host}
    if hosts:
        yield "Hosts", ", ".join(sorted(hosts))
    dates = [a.started for a in attempts if a.started]
    if dates:
        first = datetime.fromtimestamp(min(dates), UTC).strftime(_DATE)
        yield "Begun", f"{first}, in {len(attempts)} attempt(s)"
    if len(data.trials) and data.trials["finished"].notna().any():
        yield "Last evaluation", data.trials["finished"].max().strftime(_DATE)


@dataclass(frozen=True)
class _Attempt:
    command: list[str] = field(default_factory=lambda: ["?"])
    host: str = ""
    started: float = 0.0
    """Unix seconds."""

    def __post_init__(self) -> None:
        check_time("started", self.started)


def _attempts(source: Mapping[str, Any]) -> list[_Attempt]:
    """Of a `run.json` or `set.json`; none where it does not say."""
    try:
        return list(checked(list[_Attempt], source.get("attempts")))
    except RecordError:
        return []
