"""What all tests share."""

import logging
import os
import signal
import sys
from collections.abc import Iterator

import pytest

# The suite keeps every core busy; the threads of torch would only wait for one another.
# Read when torch is loaded, in this process or a child.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.helpers.slurm_cluster import cluster, running_cluster  # noqa: F401

# A job that a shell started with `&` ignores Ctrl-C, one under nohup a closed terminal,
# and so would all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    """Syncing matters when a machine loses power, which no test arranges."""
    monkeypatch.setattr(os, "fsync", lambda file: None)


@pytest.fixture(autouse=True)
def _files_of_users_are_forgotten() -> Iterator[None]:
    """What a test's space file registers is not run in processes of later tests."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    if user_code := sys.modules.get("se_hpo.search_spaces.user_code"):
        user_code._modules.clear()


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command that a test calls in this process sets levels and handlers for good."""
    root, package = logging.getLogger(), logging.getLogger("se_hpo")
    levels, handlers = (root.level, package.level), list(root.handlers)
    yield
    root.setLevel(levels[0])
    package.setLevel(levels[1])
    for handler in set(root.handlers) - set(handlers):
        if type(handler) is logging.StreamHandler:  # pytest takes its own away later
            root.removeHandler(handler)
