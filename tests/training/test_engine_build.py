"""How the engine is built, with a compiler that only copies."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.helpers.places import ROOT

SETUP = (ROOT / "setup.cfg").read_text()

# Concatenates its inputs into what follows -o.
COMPILER = """#!/bin/sh
out= inputs=
while [ $# -gt 0 ]; do
  case $1 in
    -o) out=$2; shift ;;
    *.cpp | *.o) inputs="$inputs $1" ;;
  esac
  shift
done
cat $inputs > "$out"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the build reads, and the compiler."""
    shutil.copytree(ROOT / "csrc", tmp_path / "csrc")
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, tmp_path)
    for package in re.findall(r"^    se_hpo\.([\w.]+)$", SETUP, re.MULTILINE):
        folder = f"se_hpo/{package.replace('.', '/')}"
        folder = "spaces" if package == "spaces" else folder
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for name in ("__init__.py", "version.py"):
        shutil.copy(ROOT / "se_hpo" / name, tmp_path / "se_hpo")
    compiler = tmp_path / "compiler"
    compiler.write_text(COMPILER)
    compiler.chmod(0o755)
    return tmp_path


def build(
    checkout: Path,
    compiler: str = "compiler",
    command: tuple[str, ...] = ("build_ext", "--inplace"),
) -> str:
    """The text of all sources, as they are in the extension in the checkout, if any."""
    path = str(checkout / compiler)
    names = ("CC", "CXX", "LDSHARED", "LDCXXSHARED")
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", *command],
        cwd=checkout,
        env={**os.environ, **dict.fromkeys(names, path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    binaries = list((checkout / "se_hpo").glob("_engine.*"))
    return binaries[0].read_text() if binaries else done.stderr


@pytest.mark.parametrize(
    "edited", ["training.cpp", "agents/ddqn.cpp", "kernels/isa.cpp"]
)
def test_an_edited_source_is_linked_anew(checkout, edited):
    assert "namespace se_hpo" in build(checkout)
    with (checkout / "csrc" / edited).open("a") as file:
        file.write("// a new line\n")
    assert "// a new line" in build(checkout)


def test_a_failing_compiler_is_no_error_but_a_warning(checkout):
    assert "torch will be used" in build(checkout, "no-such-compiler")


def names(checkout: Path, folder: str) -> set[str]:
    """What was built below a folder, without the ends of the names."""
    return {p.name.split(".")[0] for p in (checkout / folder).rglob("_engine*.so")}


@pytest.mark.parametrize(
    "command",
    [("build_ext", "--inplace"), ("editable_wheel", "-d", "dist")],
    ids=lambda command: command[0],
)
def test_what_only_tests_call_is_built_in_a_checkout(checkout, command):
    assert "bind_benchmark" not in build(checkout, command=command)
    assert names(checkout, "se_hpo") == {"_engine", "_engine_testing"}


def test_what_only_tests_call_is_in_no_wheel(checkout):
    build(checkout)  # not even from what an earlier build left
    build(checkout, command=("bdist_wheel", "-d", "dist"))
    (wheel,) = (checkout / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        binaries = [n for n in archive.namelist() if n.endswith(".so")]
    assert [name.split(".")[0] for name in binaries] == ["se_hpo/_engine"]


def test_the_engine_stays_where_what_only_tests_call_does_not_compile(checkout):
    with (checkout / "compiler").open("a") as file:
        file.write('case $inputs in *testing*) rm "$out"; exit 1 ;; esac\n')
    assert "namespace se_hpo" in build(checkout)
    assert names(checkout, "se_hpo") == {"_engine"}
