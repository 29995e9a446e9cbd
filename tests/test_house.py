"""The house: rooms in one order, short chains, one name each; docs/architecture.md."""

import ast
import itertools
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "se_hpo"

ORDER = (
    *("ground", "storage", "machine", "agents", "envs", "config", "terminal", "bohb"),
    *("search_spaces", "results", "figures", "training", "analysis", "nes", "report"),
    *("evaluate", "optimize", "benchmarks", "train", "zoo", "slurm", "doctor", "front"),
)
"""A module imports its own room and rooms to the left."""
FRONT = {"__main__", "worker"}
"""Files of the package's root that only start what a room holds."""
COMMANDS = {"optimize", "train", "evaluate", "report", "slurm", "doctor", "zoo"}
SHARED_NAMES = {"__init__", "__main__", "options", "plan", "run", "display", "worker"}
LONGEST_CHAIN = 12
ROOT_FILES = 9
LONGEST_FILE = 290
LINES = 41_500

# hpbandster brings the last three, and is not to be had without them.
DECLARED = {
    *("ConfigSpace", "gymnasium", "hpbandster", "numpy", "pandas", "rich"),
    *("docstring_parser", "safetensors", "torch", "tyro", "yaml"),
    *("Pyro4", "scipy", "serpent", "threadpoolctl"),
    *("optuna", "sklearn"),  # extra `analysis`
    *("jinja2", "matplotlib"),
    "tensorboard",  # an extra, too
    "stable_baselines3",  # extra `sb3`
}


def modules() -> dict[str, Path]:
    """Dotted name -> file, of every module."""
    files = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        files[name] = path
    return files


MODULES = modules()
COMPILED = {"se_hpo._engine", "se_hpo._engine_testing"}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path) -> Iterator[str]:
    """Dotted names that a file imports anywhere in it, for type checkers too."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                known = inner in MODULES or inner in COMPILED
                yield inner if known else str(node.module)


GRAPH = {
    name: {other for other in imports(path) if other in MODULES} - {name}
    for name, path in MODULES.items()
}


def room(name: str) -> str:
    """The room a module stands in."""
    if name in ("se_hpo", *(f"se_hpo.{top}" for top in FRONT)):
        return "front"
    top = name.split(".")[1]
    return top if (PACKAGE / top).is_dir() else "ground"


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_rooms_to_its_left(name: str) -> None:
    here = ORDER.index(room(name))
    right = [other for other in GRAPH[name] if ORDER.index(room(other)) > here]
    assert not right, f"{name} imports {right}, to its right in ORDER"


def test_no_modules_import_each_other_in_a_circle_and_chains_are_short() -> None:
    chains: dict[str, list[str]] = {}
    path: list[str] = []

    def longest(name: str) -> list[str]:
        assert name not in path, f"a circle: {[*path[path.index(name) :], name]}"
        if name not in chains:
            path.append(name)
            below = (longest(other) for other in sorted(GRAPH[name]))
            chains[name] = [name, *max(below, key=len, default=[])]
            path.pop()
        return chains[name]

    chain = max((longest(name) for name in GRAPH), key=len)
    assert len(chain) <= LONGEST_CHAIN, " > ".join(chain)


def test_few_files_lie_at_the_root_and_every_room_is_in_the_order() -> None:
    files = list(PACKAGE.glob("*.py"))
    assert len(files) <= ROOT_FILES, sorted(path.name for path in files)
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms == set(ORDER) - {"ground", "front"}


def test_no_two_files_have_one_name() -> None:
    count = Counter(path.stem for path in PACKAGE.rglob("*.py"))
    assert {n for n, k in count.items() if k > 1} <= SHARED_NAMES


def test_files_and_package_stay_small() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in MODULES.values()}
    long = {str(p): n for p, n in lines.items() if n > LONGEST_FILE}
    assert not long
    assert sum(lines.values()) <= LINES


@pytest.mark.parametrize("name", [m for m in MODULES if room(m) in COMMANDS])
def test_a_command_imports_no_other_command(name: str) -> None:
    """But for what a cluster submits, and what is asked for by several."""
    others = {o for o in GRAPH[name] if room(o) in COMMANDS - {room(name)}}
    assert others <= ALLOWED.get(room(name), set()), others


ALLOWED: dict[str, set[str]] = {
    "slurm": {
        "se_hpo.evaluate.evaluation",
        "se_hpo.evaluate.options",
        "se_hpo.optimize.display",
        "se_hpo.optimize.options",
        "se_hpo.optimize.outcome",
        "se_hpo.optimize.run_folder",
        "se_hpo.optimize.run_request",
        "se_hpo.train.options",
        "se_hpo.train.request",
    },
    "doctor": {
        "se_hpo.optimize.objectives.objective",
        "se_hpo.slurm.slurm_jobs",
    },
}
"""Room -> modules of other commands that it may import."""


def test_json_is_parsed_in_one_module() -> None:
    parsing = [
        name
        for name, path in MODULES.items()
        if re.search(r"\bjson\.loads?\(", path.read_text())
    ]
    assert parsing == ["se_hpo.storage.files"]


# A class that takes its owner and reaches into it is a part of it under another name.
MOST_ATTRIBUTES = 4


def classes() -> dict[str, ast.ClassDef]:
    found = {}
    for path in MODULES.values():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef):
                found[node.name] = node
    return found


def owned(classes: dict[str, ast.ClassDef]) -> Iterator[tuple[str, str, str]]:
    """(owner, class it makes with itself, parameter that holds the owner)."""
    for owner, body in classes.items():
        for call in (n for n in ast.walk(body) if isinstance(n, ast.Call)):
            made = call.func.id if isinstance(call.func, ast.Name) else ""
            if made not in classes:
                continue
            names = parameters(classes[made])
            passed = itertools.chain(
                zip(names, call.args, strict=False),
                ((k.arg or "", k.value) for k in call.keywords),
            )
            for name, value in passed:
                if isinstance(value, ast.Name) and value.id == "self":
                    yield owner, made, name


def parameters(body: ast.ClassDef) -> list[str]:
    for node in body.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return [a.arg for a in node.args.args[1:]]
    return [n.target.id for n in body.body if isinstance(n, ast.AnnAssign)]


def touched(body: ast.ClassDef, owner: str) -> set[str]:
    """Attributes of `self.OWNER`, also under a local name or after `_`."""
    names = {owner, f"_{owner}"}

    def is_owner(node: ast.AST, aliases: set[str]) -> bool:
        if isinstance(node, ast.Name):
            return node.id in aliases
        return isinstance(node, ast.Attribute) and node.attr in names

    attributes = set()
    for function in (n for n in body.body if isinstance(n, ast.FunctionDef)):
        aliases = {owner}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and is_owner(node.value, set()):
                aliases |= {t.id for t in node.targets if isinstance(t, ast.Name)}
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and is_owner(node.value, aliases):
                attributes.add(node.attr)
    return attributes


def test_no_class_takes_its_owner_and_reaches_into_it() -> None:
    found = classes()
    reached = defaultdict(set)
    for owner, made, name in owned(found):
        reached[f"{made} of {owner}"] |= touched(found[made], name)
    deep = {who: what for who, what in reached.items() if len(what) > MOST_ATTRIBUTES}
    assert not deep


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_declared_packages(name: str) -> None:
    foreign = {i.partition(".")[0] for i in imports(MODULES[name])} - {"se_hpo"}
    assert foreign <= DECLARED | sys.stdlib_module_names


@pytest.mark.parametrize("path", sorted((ROOT / "spaces").glob("*.py")), ids=str)
def test_a_space_imports_configspace_only(path: Path) -> None:
    allowed = {"ConfigSpace"} | sys.stdlib_module_names
    assert {name.partition(".")[0] for name in imports(path)} <= allowed


def run_python(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.check_output(command, text=True, timeout=60, cwd="/")


LIGHT = (
    "results.trials analysis terminal.live optimize.outcome envs.registration "
    "envs.tasks storage.paths"
)


def test_reading_results_and_its_ground_import_no_torch() -> None:
    heavy = "{'torch', 'hpbandster', 'ConfigSpace', 'scipy'}"
    loaded = run_python(
        f"import importlib, sys\nfor name in {LIGHT.split()}:\n"
        "    importlib.import_module('se_hpo.' + name)\n"
        f"    print(name, *{heavy}.intersection(sys.modules))"
    )
    assert loaded.split("\n") == [*LIGHT.split(), ""], "the module, what it loads"


def test_using_the_readers_imports_no_torch(tmp_path: Path) -> None:
    from tests.helpers.fake_run import (
        add_configuration,
        add_generation,
        add_result,
        make_run,
    )

    run = make_run(tmp_path / "run")
    add_configuration(run, (0, 0, 0))
    add_result(run, (0, 0, 0), 1.0, 0.5, 1000.0)
    add_generation(run, (0, 0, 0), 0, [20.0])
    out = run_python(
        f"import sys, se_hpo as s; r = {str(run.root)!r}; "
        "print(len(s.load_trials(r, running=True)), len(s.load_generations(r)), "
        "s.load_incumbent(r).loss, 'torch' in sys.modules)"
    )
    assert out.split() == ["1", "1", "0.5", "False"]


def heavy_of(words: str) -> str:
    """Exit code of a command, and what it has imported of modules that take seconds."""
    name, *rest = words.split()
    out = run_python(
        f"import runpy, sys\nsys.argv = {['x', *rest]}\nend = 0\n"
        f"try: runpy.run_module('se_hpo.{name}', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as exit: end = exit.code or 0\n"
        "heavy = {'torch', 'scipy', 'matplotlib'}.intersection(sys.modules)\n"
        "print()\nprint(end, *heavy)"
    )
    return out.splitlines()[-1]


@pytest.mark.parametrize("name", sorted(COMMANDS | {"worker"}))
def test_a_commands_help_waits_for_nothing_heavy(name: str) -> None:
    assert heavy_of(f"{name} --help").split() == ["0"]


@pytest.mark.parametrize(
    "words",
    [
        "optimize --list-spaces",
        "optimize --describe nes_cartpole",
        "train --list-configs",
        "zoo list",
        "zoo show CartPole-v0",
    ],
)
def test_a_command_that_only_lists_imports_no_torch(words: str) -> None:
    code, *loaded = heavy_of(words).split()
    assert code == "0"
    assert set(loaded) <= {"scipy"}, "ConfigSpace needs it"


def test_a_report_without_figures_imports_no_torch(tmp_path: Path) -> None:
    from tests.helpers.fake_run import add_configuration, add_result, make_run

    run = make_run(tmp_path / "run")
    add_configuration(run, (0, 0, 0))
    add_result(run, (0, 0, 0), 1.0, 0.5, 1000.0)
    loaded = heavy_of(f"report {run.root} --no-figures").split()
    assert run.report.exists()
    assert loaded[0] == "0" and not {"torch", "matplotlib"} & {*loaded}
