"""How the engine is built, with a compiler that only copies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

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
    (tmp_path / "se_hpo").mkdir()
    shutil.copy(ROOT / "se_hpo" / "__init__.py", tmp_path / "se_hpo")
    compiler = tmp_path / "compiler"
    compiler.write_text(COMPILER)
    compiler.chmod(0o755)
    return tmp_path


def build(checkout: Path, compiler: str = "compiler") -> str:
    """The text of all sources, as they are in the extension."""
    path = str(checkout / compiler)
    names = ("CC", "CXX", "LDSHARED", "LDCXXSHARED")
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=checkout,
        env={**os.environ, **dict.fromkeys(names, path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    binaries = list((checkout / "se_hpo").glob("_engine*"))
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
