"""Which errors of an evaluation say something about its configuration."""

import errno

import pytest

from se_hpo.optimize.nes_worker import NESWorker
from se_hpo.storage.paths import RunPaths


@pytest.mark.parametrize(
    ("error", "fatal"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EACCES, "Permission denied", "{run}/trials/a"), True),
        (FileNotFoundError(errno.ENOENT, "No such file", "{run}/trials/a"), True),
        (FileNotFoundError(errno.ENOENT, "No such file", "/opt/rom.bin"), False),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), False),
        (OSError("the simulator is gone"), False),
        (ValueError("no"), False),
    ],
)
def test_only_a_disk_or_share_that_fails_ends_the_worker(tmp_path, error, fatal):
    if getattr(error, "filename", None):
        error.filename = error.filename.format(run=tmp_path)
    worker = NESWorker(None, RunPaths(tmp_path), None)
    assert worker.is_fatal(error) is fatal
