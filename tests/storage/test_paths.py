"""Files are written whole or not at all, and torn lines hurt nobody."""

import ast
import errno
import os
import re
from pathlib import Path

import pytest

from se_hpo.storage.files import (
    append_json_line,
    read_json_lines,
    write_atomic,
    write_json,
)
from se_hpo.storage.paths import RunPaths, trial_name
from tests.helpers.places import ROOT


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"x": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"x": float("nan")})
    with pytest.raises(TypeError):
        write_atomic(path, 3)
    assert path.read_text() == '{\n  "x": 1\n}\n'
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_appending_after_a_torn_line_keeps_both_readable(tmp_path):
    path = tmp_path / "log.jsonl"
    append_json_line(path, [1])
    with path.open("a") as file:
        file.write('{"half":')
    append_json_line(path, [2])
    assert list(read_json_lines(path)) == [(1, [1]), (2, None), (3, [2])]


def test_reading_survives_binary_rubbish_and_blank_lines(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\n\xff\xfe\x00\n[3]\n")
    assert list(read_json_lines(path)) == [(2, None), (3, [3])]
    assert list(read_json_lines(tmp_path / "missing")) == []


def test_trial_folders_sort_in_the_order_of_their_ids(tmp_path):
    ids = [(0, 0, 2), (0, 0, 10), (1, 0, 0), (10, 0, 0)]
    names = [trial_name(i) for i in ids]
    assert names == sorted(names)
    assert RunPaths(tmp_path).trial((0, 0, 2)).record(9.0).name == "record-9.json"


# What the file names of a run end in; `.png`, `.pdf` and `.csv` of figures are theirs.
ENDING = re.compile(r"\S*\.(jsonl?|safetensors|sbatch|html|lock|log|damaged|tmp)")
SCRATCH = {"doctor/probe.py", "storage/files.py", "storage/damaged.py"}
"""Make files that are no run's, or know an ending alone."""


def literals(path):
    """Constant texts of a module, but for docstrings."""
    tree = ast.parse(path.read_text())
    said = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    for node in ast.walk(tree):
        own = isinstance(node, ast.Constant) and id(node) not in said
        if own and isinstance(node.value, str):
            yield node.value


def test_every_file_name_of_a_run_is_in_the_table():
    package = ROOT / "se_hpo"
    found = [
        (str(path.relative_to(package)), text)
        for path in sorted(package.rglob("*.py"))
        for text in literals(path)
        if path.name != "paths.py" and ENDING.fullmatch(text)
    ]
    assert [each for each in found if each[0] not in SCRATCH] == []


def test_whatever_a_run_may_write_may_be_deleted_with_it():
    run = RunPaths(Path("x"))
    for name in (
        *("run.json", "configspace.json", "configs.json", "results.json"),
        *("master.lock", "credentials.json", "status.json", "logs", "slurm"),
        *("confirm", "trials", "ses", "evaluations", "figures", "report.html"),
        *("transitions.csv", "configs.json.damaged", ".run.json.17.tmp"),
    ):
        assert run.writes(name)
    for name in ("thesis.tex", "notes.json", "ended", "confirmation.json", "x.damaged"):
        assert not run.writes(name)


def failing_write(monkeypatch: pytest.MonkeyPatch, others: bytes, path: Path) -> None:
    """The disk takes half of a line, another process appends, then it is full."""
    write, calls = os.write, []

    def half(file: int, data: bytes) -> int:
        if calls:
            raise OSError(errno.ENOSPC, "No space left on device")
        calls.append(data)
        written = write(file, data[: len(data) // 2])
        if others:
            with path.open("ab") as other:
                other.write(others)
        return written

    monkeypatch.setattr(os, "write", half)


@pytest.mark.parametrize("others", [b"", b'\n{"by":"another"}\n'])
def test_a_failed_append_takes_back_its_own_bytes_and_nobody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: bytes
) -> None:
    path = tmp_path / "log.jsonl"
    append_json_line(path, {"by": "us"})
    before = path.read_bytes()
    with monkeypatch.context() as broken:
        failing_write(broken, others, path)
        with pytest.raises(OSError, match="No space left"):
            append_json_line(path, {"by": "us", "n": 2})
    assert path.read_bytes().endswith(others or before)
    append_json_line(path, {"n": 3})
    lines = [line for _, line in read_json_lines(path) if line is not None]
    assert lines == [{"by": "us"}, *([{"by": "another"}] if others else []), {"n": 3}]
