"""A file that grows under its reader."""

import pytest

from se_hpo.storage.growing import GrowingLines


def test_each_whole_line_is_given_once_and_a_half_one_waits(tmp_path):
    path = tmp_path / "lines"
    lines = GrowingLines(path)
    path.write_bytes(b"one\ntwo\nthr")
    assert lines.read() == (False, [b"one", b"two"])
    assert lines.read() == (False, [])
    path.write_bytes(b"one\ntwo\nthree\n")
    assert lines.read() == (False, [b"three"])


def test_a_file_that_became_shorter_is_given_from_its_beginning(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntwo\n")
    lines = GrowingLines(path)
    lines.read()
    path.write_bytes(b"new\n")
    assert lines.read() == (True, [b"new"])


def test_what_is_known_is_not_given(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntwo\n")
    assert GrowingLines(path, known=4).read() == (False, [b"two"])


def test_a_file_that_is_not_there_is_an_error_until_it_is(tmp_path):
    lines = GrowingLines(tmp_path / "lines")
    with pytest.raises(FileNotFoundError):
        lines.read()
    (tmp_path / "lines").write_bytes(b"one\n")
    assert lines.read() == (False, [b"one"])
