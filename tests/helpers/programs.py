"""A program around the package: what it must find as it was, its examples in docs."""

import logging
import re
import signal
import subprocess
import sys

from tests.helpers.places import ROOT


def surroundings():
    """Handlers of logs and signals, as the program has set them."""
    package, root = logging.getLogger("se_hpo"), logging.getLogger()
    signals = {s: signal.getsignal(s) for s in signal.valid_signals()}
    logs = [(log.level, list(log.handlers)) for log in (package, root)]
    return signals, logs, logging.lastResort


def example(page, about):
    """The example of docs/PAGE that has `about` in it."""
    text = (ROOT / "docs" / page).read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (found,) = [block for block in blocks if about in block]
    return found


def script(folder, text):
    """Run a file, as a user writes it, in a folder of its own; gives its output."""
    (folder / "script.py").write_text(text)
    return _run(folder, "script.py")


def run_script(folder, name, *flags):
    """What a file in a folder prints, run there."""
    return _run(folder, name, *flags)[0]


def _run(folder, *words):
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr
