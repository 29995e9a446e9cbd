"""What all tests share."""

import os
import signal

import pytest

from tests.slurm_cluster import cluster, running_cluster  # noqa: F401

# A job that a shell started with `&` ignores Ctrl-C, and so would all that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    """Syncing matters when a machine loses power, which no test arranges."""
    monkeypatch.setattr(os, "fsync", lambda file: None)
