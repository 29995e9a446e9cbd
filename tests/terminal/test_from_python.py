"""How a call from Python shows what it does: in a notebook, too."""

import importlib.util

import pytest

from se_hpo.terminal.from_python import shown
from se_hpo.terminal.live import LiveLog


@pytest.fixture
def notebook(monkeypatch):
    """As in a notebook, with `ipywidgets` or without."""
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)

    def with_widgets(there):
        spec = object() if there else None
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)

    return with_widgets


@pytest.mark.parametrize("widgets", [True, False])
def test_a_notebook_has_a_display_with_widgets_and_lines_without(notebook, widgets):
    notebook(widgets)
    log = LiveLog("a run", **shown(progress=True))
    assert log.console.is_jupyter
    assert log._is_live is widgets
    assert log._handler is not None, "log lines are shown in both"


def test_without_progress_a_notebook_shows_nothing(notebook):
    notebook(True)
    log = LiveLog("a run", **shown(progress=False))
    assert (log._is_live, log._handler) == (False, None)


def test_off_a_terminal_nothing_is_shown(capfd):
    with LiveLog("a run", **shown(progress=True)) as log:
        log.tell_end("an end")
    assert log._handler is None
    assert capfd.readouterr() == ("", "")
