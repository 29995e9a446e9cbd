"""What a master does before it opens its ports."""

import subprocess
import sys

import pytest

CODE = """
import resource
from se_hpo.bohb.run import allow_many_files

resource.setrlimit(resource.RLIMIT_NOFILE, (64, {hard}))
allow_many_files()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("hard", "limits"), [(300, "300 300"), (64, "64 64")])
def test_the_master_may_have_as_many_files_open_as_the_system_lets_it(hard, limits):
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(hard=hard)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == limits
