"""Files are written whole or not at all, and torn lines hurt nobody."""

import pytest

from se_hpo.paths import (
    RunPaths,
    append_json_line,
    read_json_lines,
    trial_name,
    write_atomic,
    write_json,
)


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
