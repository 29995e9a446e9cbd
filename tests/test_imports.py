"""The house: imports point down only, and reading results stays light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the ground up. A module imports modules of its own floor and of floors below,
# never in a circle. A package stands for all its modules.
FLOORS = {
    "ground": "addresses agents config disk errors flags jobs networks overrides "
    "json_records names variation learned stopping "
    "paths processes damaged records registries seeding tensor_files text validation",
    "environments": "checkpoint env_api user_code registration se_net se_parameters "
    "synthetic_env tasks training_envs vector_arguments vector_env",
    "reading results": "analysis console console_table console_view evaluations "
    "figures frames master_status progress ranking reading results "
    "se_outcome se_set_settings se_sets",
    "inner loop": "engine inner_loop process_pool training transitions _engine",
    "outer loop": "nes",
    "hyperparameter optimization": "bohb cluster confirm local_workers monitor "
    "nes_worker objectives options plan run_folder search_space session settings "
    "space_table start_from",
    "command line": "__main__ cli diagnosis doctor evaluate optimize phase2 report "
    "reporting se_training shard_jobs slurm train worker",
}
ALTITUDE = {
    name: altitude
    for altitude, names in enumerate(FLOORS.values())
    for name in names.split()
}

# hpbandster brings the last three, and is not to be had without them.
DECLARED = {
    *("ConfigSpace", "gymnasium", "hpbandster", "numpy", "pandas", "rich"),
    *("safetensors", "torch", "tyro", "yaml"),
    *("Pyro4", "scipy", "serpent"),
    *("optuna", "sklearn"),  # extra `analysis`
    *("jinja2", "matplotlib"),  # extra `plots`
}


def modules() -> dict[str, Path]:
    """Dotted name -> file, of every module but the package's own `__init__`."""
    files = {}
    for path in sorted((ROOT / "se_hpo").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name != "se_hpo":
            files[name] = path
    return files


MODULES = modules()


def imports(path: Path, running: bool = False) -> Iterator[str]:
    """Dotted names that a file imports anywhere in it, also inside functions.

    `running` leaves out those that only a type checker follows.
    """
    tree = ast.parse(path.read_text())
    skipped = {
        inner
        for node in ast.walk(tree)
        if running
        and isinstance(node, ast.If)
        and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else str(node.module)


def own_imports(path: Path, running: bool = False) -> set[str]:
    """Modules of the project that a file imports, but for the package itself."""
    return {name for name in imports(path, running) if name.startswith("se_hpo.")}


def floor(name: str) -> int:
    """How high a module stands."""
    top = name.split(".")[1]
    assert top in ALTITUDE, f"{name} stands on no floor: put it in FLOORS of {__file__}"
    return ALTITUDE[top]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_from_its_own_floor_and_below(name: str) -> None:
    upward = [
        other for other in own_imports(MODULES[name]) if floor(other) > floor(name)
    ]
    assert not upward, f"{name} imports {upward} from a floor above it"


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: own_imports(path, True) - {name} for name, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_every_floor_names_modules_that_exist() -> None:
    tops = {name.split(".")[1] for name in MODULES} | {"_engine"}
    assert set(ALTITUDE) == tops


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


LIGHT = "names agents results analysis console console_table registration tasks paths"


def test_reading_results_and_its_ground_import_no_torch() -> None:
    heavy = "{'torch', 'hpbandster', 'ConfigSpace', 'scipy'}"
    loaded = run_python(
        f"import importlib, sys\nfor name in {LIGHT.split()}:\n"
        "    importlib.import_module('se_hpo.' + name)\n"
        f"    print(name, *{heavy}.intersection(sys.modules))"
    )
    assert loaded.split("\n") == [*LIGHT.split(), ""], "the module, what it loads"


def test_using_the_readers_imports_no_torch(tmp_path: Path) -> None:
    from tests.fake_run import add_configuration, add_generation, add_result, make_run

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
