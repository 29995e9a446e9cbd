"""Runs another package's search on a function: its process asks, this one evaluates.

Each peer has an environment of its own, which `--make-peers FOLDER` of `bench_bohb.py`
makes with pip.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from search_trace import SpentError, Trace

PEERS = {
    "optuna": ("optuna_tpe.py", ["optuna==5.0.0", "ConfigSpace==1.2.2"]),
    "smac": ("smac_mf.py", ["smac==2.4.0", "scikit-learn<1.7"]),
    "dehb": ("dehb_de.py", ["dehb==0.1.2"]),
    "neps": (
        "neps_mf.py",
        ["neural-pipeline-search==0.17.0", "torch==2.13.0", "ConfigSpace==1.2.2"],
    ),
}
"""Name -> script in `peers/`, what pip installs."""
_SCRIPTS = Path(__file__).parent / "peers"


def make_peers(folder: Path, names: list[str]) -> None:
    """Make the environments of some peers below a folder."""
    for name in names:
        subprocess.run([sys.executable, "-m", "venv", folder / name], check=True)
        python = folder / name / "bin" / "python"
        install = [python, "-m", "pip", "install", "-q", *PEERS[name][1]]
        subprocess.run(install, check=True)


def versions(folder: Path, name: str) -> dict[str, str]:
    """Of a peer's packages that matter."""
    listed = subprocess.check_output(
        [folder / name / "bin" / "python", "-m", "pip", "list", "--format", "json"]
    )
    wanted = {re.split("[=<]", p)[0].lower() for p in PEERS[name][1]} | {"configspace"}
    found = {p["name"].lower(): p["version"] for p in json.loads(listed)}
    return {n: found[n] for n in sorted(wanted & set(found))}


def search(trace: Trace, folder: Path, name: str, ladder: list[int], eta: int) -> float:
    """Let a peer search until all is spent; milliseconds it takes per evaluation.

    Raises:
        RuntimeError: it ended by itself; its last words are in the message.
    """
    task = {
        "space": trace.problem.space().to_serialized_dict(),
        "seed": trace.seed,
        "ladder": ladder,
        "eta": eta,
    }
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [folder / name / "bin" / "python", _SCRIPTS / PEERS[name][0]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=scratch,
            env={**os.environ, "TMPDIR": scratch, **_ONE_THREAD},
            start_new_session=True,
        )
        try:
            return _serve(trace, process, json.dumps(task, default=_plain))
        except EOFError:
            process.wait()
            log.seek(0)
            words = log.read()[-2000:]
            raise RuntimeError(
                f"{name} ended on {trace.problem.name}: {words}"
            ) from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)


def _serve(trace: Trace, process: subprocess.Popen[str], task: str) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    count, seconds, answer = 0, 0.0, task
    while True:
        process.stdin.write(answer + "\n")
        process.stdin.flush()
        start = time.perf_counter()
        line = process.stdout.readline()
        if not line:
            raise EOFError
        seconds += (time.perf_counter() - start) * (count > 0)  # imports
        count += 1
        asked = json.loads(line)
        try:
            loss = trace.evaluate(asked["config"], asked["budget"])
        except SpentError:
            return 1e3 * seconds / count
        answer = json.dumps({"loss": loss})


def _plain(value: object) -> object:
    return value.item() if hasattr(value, "item") else str(value)
