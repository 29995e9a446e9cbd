"""Processes that `bench_scheduler.py` measures: a master, its workers, a resume.

Each writes what it saw of itself as JSON. Trials sleep 0 s, or as long as told, and
return a record like a real one, with a loss that depends on the configuration.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import time
from pathlib import Path
from typing import Any

from se_hpo.storage.files import write_json
from se_hpo.storage.paths import ConfigId, RunPaths, trial_name
from se_hpo.storage.records import EvaluationRecord, Status

MIN_BUDGET, MAX_BUDGET, ETA = 1, 9, 3
SPACE = "nes_cartpole"
SEED = 0


# -- what every process knows of itself -------------------------------------------


def usage() -> dict[str, float]:
    """Seconds since the epoch, CPU seconds, MB now and at most, threads."""
    fields = dict(
        line.split(":", 1)
        for line in Path("/proc/self/status").read_text().splitlines()
    )
    return {
        "time": time.time(),
        "cpu": time.process_time(),
        "mb": int(fields["VmRSS"].split()[0]) / 1024,
        "peak_mb": int(fields["VmHWM"].split()[0])
        / 1024,  # ru_maxrss counts the parent
        "threads": int(fields["Threads"]),
        "files": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - names are enough
    }


def make_space() -> Any:
    """The shipped space."""
    from se_hpo.search_spaces.loading import load_space

    return load_space(SPACE).build(0)


def make_generator() -> Any:
    """BOHB's generator for the shipped space."""
    from se_hpo.bohb.proposals import BOHBGenerator

    return BOHBGenerator(make_space(), SEED)


def make_brackets(evaluations: int) -> Any:
    """The fewest brackets of Hyperband's cycle with so many evaluations."""
    from se_hpo.bohb.brackets import hyperband_brackets

    found, count = hyperband_brackets(MIN_BUDGET, MAX_BUDGET, ETA, evaluations), 0
    for n, bracket in enumerate(found, start=1):
        count += bracket.evaluations
        if count >= evaluations:
            return found[:n]
    raise AssertionError("a bracket has at least one evaluation")


# -- roles --------------------------------------------------------------------------


def master(args: argparse.Namespace) -> dict[str, Any]:
    """Run brackets to their end, once all workers are there; note marks on the way."""
    from se_hpo.bohb.master_settings import MasterSettings
    from se_hpo.bohb.run import run_master

    run = RunPaths(args.folder)
    write_json(run.run, {"settings": {}})
    write_json(run.configspace, make_space().to_serialized_dict())
    generator = make_generator()
    proposals, marks, idle = _timed(generator), {}, {}
    finished = [0]

    def on_start(started: Any) -> None:
        """Let nobody begin before all are there, so that the clock is fair."""
        idle["alone"] = usage()
        while len(started.dispatcher.roster.workers) < args.workers:
            time.sleep(0.05)
        time.sleep(args.idle_seconds / 4)
        idle["first"] = usage()
        time.sleep(args.idle_seconds)
        idle["last"] = usage()

    def on_result(_evaluation: Any) -> None:
        finished[0] += 1
        if finished[0] in args.marks:
            marks[finished[0]] = usage()

    brackets = make_brackets(args.evaluations)
    settings = MasterSettings()
    run_master(run, brackets, generator, settings, on_result, on_start=on_start)
    end = usage()
    return {
        "evaluations": finished[0],
        "idle": idle,
        "marks": marks,
        "end": end,
        "proposals": proposals,
        "status_bytes": run.status.stat().st_size,
        "journal_bytes": run.results.stat().st_size + run.configs.stat().st_size,
    }


def _timed(generator: Any) -> list[tuple[int, float, float]]:
    """Note (results known, wall seconds, CPU seconds) of every proposal."""
    noted: list[tuple[int, float, float]] = []
    known, propose, learn = [0], generator.get_config, generator.new_result

    def get_config(budget: float) -> Any:
        wall, cpu = time.perf_counter(), time.thread_time()
        found = propose(budget)
        cost = time.perf_counter() - wall, time.thread_time() - cpu
        noted.append((known[0], *cost))
        return found

    def new_result(*values: Any, **options: Any) -> None:
        known[0] += 1
        learn(*values, **options)

    generator.get_config, generator.new_result = get_config, new_result
    return noted


def resume(args: argparse.Namespace) -> dict[str, Any]:
    """Start a master on a run with a few brackets more, until workers can attach."""
    started = time.perf_counter()  # the interpreter's own start is outside
    from se_hpo.bohb.run import run_master

    seen: dict[str, Any] = {}

    def on_start(begun: Any) -> None:
        seen["finished"] = begun.tally.finished
        raise KeyboardInterrupt

    imported = time.perf_counter()
    brackets = make_brackets(args.evaluations + 20)
    try:
        run_master(RunPaths(args.folder), brackets, make_generator(), on_start=on_start)
    except KeyboardInterrupt:
        ready = time.perf_counter()
    seconds = {"imports": imported - started, "replay": ready - imported}
    return {**seen, **seconds, **usage()}


def load(args: argparse.Namespace) -> dict[str, Any]:
    """`load_trials`, as a user calls it."""
    started = time.perf_counter()
    from se_hpo import load_trials

    imported = time.perf_counter()
    rows = len(load_trials(args.folder))
    seconds = {"imports": imported - started, "load": time.perf_counter() - imported}
    return {"rows": rows, **seconds, **usage()}


def workers(args: argparse.Namespace) -> dict[str, Any]:
    """Worker processes, forked so that they start at once and share their code."""
    import se_hpo.bohb.wire.worker  # noqa: F401 - imported once, before forking

    fork = multiprocessing.get_context("fork")
    children = [
        fork.Process(target=_work, args=(args.folder, args.sleep))
        for _ in range(args.workers)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    codes = sorted({child.exitcode for child in children})
    return {"cpu": spent.ru_utime + spent.ru_stime, "exit_codes": codes}


def _work(folder: Path, seconds: float) -> None:
    from se_hpo.bohb.wire.worker import run_worker

    def evaluate(
        config_id: ConfigId, configuration: dict[str, Any], budget: float
    ) -> dict[str, Any]:
        started = time.time()
        time.sleep(seconds)
        loss = loss_of(configuration, budget)
        record = EvaluationRecord(
            trial=trial_name(config_id),
            bracket=config_id[0],
            rung=0,
            budget=budget,
            status=Status.FINISHED,
            loss=loss,
            reason="budget",
            score_final=200 * (1 - loss),
            score_best=200 * (1 - loss),
            generations=int(budget),
            env_steps_se=123_456,
            env_steps_task=12_345,
            seed=1234567890123456789,
            worker="benchmark",
            started=started,
            finished=time.time(),
        )
        return {"loss": loss, "info": record.to_dict()}

    run_worker(RunPaths(folder).credentials, evaluate, master_timeout=120.0)


def loss_of(configuration: dict[str, Any], budget: float) -> float:
    """Something in [0, 1] for the model to learn, with a bias at low budgets."""
    numbers = [float(v) for v in configuration.values() if isinstance(v, int | float)]
    spread = sum(x / (1 + abs(x)) for x in numbers) / max(1, len(numbers))
    return min(1.0, max(0.0, 0.5 + 0.5 * spread + 0.05 / budget))


ROLES = {f.__name__: f for f in (master, resume, load, workers)}


def main() -> None:
    """Play a role; its JSON goes to `--out`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--evaluations", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--marks", type=int, nargs="*", default=[])
    parser.add_argument("--idle-seconds", type=float, default=0.0)
    parser.add_argument("--sleep", type=float, default=0.0)
    args = parser.parse_args()
    found = ROLES[args.role](args)
    args.out.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
