"""What all tests share."""

import os

import pytest

from tests.slurm_cluster import cluster, running_cluster  # noqa: F401


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    """Syncing matters when a machine loses power, which no test arranges."""
    monkeypatch.setattr(os, "fsync", lambda file: None)
