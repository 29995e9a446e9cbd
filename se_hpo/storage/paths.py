"""Every file name under a run's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from se_hpo.storage.files import is_temporary

DAMAGED = ".damaged"
"""What the name of a file ends in that was set aside."""
JSON, LINES, TENSORS, LOG = ".json", ".jsonl", ".safetensors", ".log"
"""What the names of files end in, by what they hold. The two journals of hpbandster
(`RunPaths.journals`) hold lines all the same."""

ConfigId = tuple[int, int, int]
"""hpbandster's id of a configuration: bracket, rung it was sampled for, index."""


def trial_name(config_id: ConfigId) -> str:
    """The folder name of a trial, sortable as text.

    >>> trial_name((2, 0, 11))
    '002-0-011'
    """
    bracket, rung, index = config_id
    return f"{bracket:03d}-{rung}-{index:03d}"


class _Below:
    """A file or folder of the class that it stands in, by its name below `root`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, paths: Any, kind: type) -> Path:
        return Path(paths.root, self.name)


@dataclass(frozen=True)
class TrialPaths:
    """Files of one trial (one NES run)."""

    root: Path

    config = _Below("config.json")
    """The resolved configuration, nested and flat."""
    generations = _Below("generations.jsonl")
    """One line per generation; the same bytes for the same seed and engine, however
    often it was interrupted and with any number of threads."""
    timing = _Below("timing.jsonl")
    """One line of wall and cpu seconds per generation."""
    agents = _Below("agents.jsonl")
    """One line per trained agent, where no SE is learned."""
    candidates = _Below("candidates.jsonl")
    """Scores of a random search, one line per chunk of random SEs."""
    ranking = _Below("ranking.jsonl")
    """What a sample of configurations reaches on the task, one line each, where SEs are
    to rank them likewise."""
    progress = _Below("progress.json")
    """Agents trained so far, and of how many, while a generation lasts."""
    state = _Below("state.safetensors")
    """What the next generation needs; replaced as a whole."""
    best_se = _Below("se.safetensors")
    """The SE: best center so far."""
    last_se = _Below("se-last.safetensors")
    """The last center."""

    def record(self, budget: float) -> Path:
        """The evaluation record at one budget."""
        return self.root / f"record-{budget:g}.json"

    def recorded_budgets(self) -> list[float]:
        """Budgets that it has records of."""
        found = self.root.glob("record-*.json")
        return [float(path.stem.removeprefix("record-")) for path in found]


@dataclass(frozen=True)
class RunPaths:
    """Files of one run: `results/<run>/`."""

    root: Path

    run = _Below("run.json")
    """Settings, seed, your space file, random returns of your task, what it started
    from (configurations, results of an earlier run), versions, git commit, hosts,
    attempts with their commands."""
    configspace = _Below("configspace.json")
    """The search space in ConfigSpace's JSON."""
    configs = _Below("configs.json")
    """The journal of configurations, in hpbandster's own format."""
    results = _Below("results.json")
    """The journal of results, likewise."""

    @property
    def journals(self) -> tuple[Path, Path]:
        """Both: files of lines, despite their names."""
        return self.configs, self.results

    lock = _Below("master.lock")
    """Host and pid of the master that owns the run."""
    credentials = _Below("credentials.json")
    """Where the master is, and the key; gone when it ends."""
    status = _Below("status.json")
    """What the master is doing now, rewritten every few seconds."""
    logs = _Below("logs")
    """One log per process."""
    slurm = _Below("slurm")
    """Scripts for SLURM, and how their jobs ended."""

    def script(self, name: str) -> Path:
        """An sbatch script, plain bash; a new launch writes it anew.

        `master`, `workers` and `cleanup`; `train-SET`, `evaluate-NAME`.
        """
        return self.slurm / f"{name}.sbatch"

    ended = _Below("slurm/ended")
    """A file per SLURM job that has ended, with its exit code, written by its script,
    for clusters without accounting."""
    submitting = _Below("slurm/submitting.lock")
    """Held while a command submits jobs."""
    jobs = _Below("slurm/jobs.json")
    """Job names and ids of every launch."""
    on = _Below("on")
    """Copies of the SEs that agents train on, where `--on` names some."""

    def se(self, i: int) -> Path:
        """The copy of the SE with this place among them, from 0."""
        return self.on / f"{i:03d}{TENSORS}"

    confirmation = _Below("confirm/confirmation.json")
    """What fresh seeds said of the best trials."""
    trials = _Below("trials")
    """A folder per trial."""
    ses = _Below("ses")
    """A folder per set of SEs."""
    evaluations = _Below("evaluations")
    """Evaluations of phase 2."""
    transitions = _Below("transitions.csv")
    """Histograms of one SE's transitions, if `report --transition-agents` made them."""
    transitions_among_figures = _Below("figures/transitions.csv")
    """The frame behind their figure; they were kept here before."""
    figures = _Below("figures")
    """Figures as PNG and PDF, and the frame behind each as CSV."""
    tensorboard = _Below("tensorboard")
    """Events for TensorBoard, with `--tensorboard`."""
    report = _Below("report.html")
    """The self-contained report."""

    def trial(self, config_id: ConfigId) -> TrialPaths:
        """The files of one trial."""
        return TrialPaths(self.trials / trial_name(config_id))

    def log(self, process: str) -> Path:
        """What a process of the run said: `master-ID`, `worker-ID_TASK` under SLURM."""
        return self.logs / f"{process}{LOG}"

    def evaluation(self, name: str) -> Path:
        """Records of an evaluation, one line per trained agent."""
        return self.evaluations / f"{name}{LINES}"

    def writes(self, name: str) -> bool:
        """Whether a run writes a file or folder of this name into its own folder."""
        table = (file for file in vars(RunPaths).values() if isinstance(file, _Below))
        known = {file.name.partition("/")[0] for file in table}
        return name.removesuffix(DAMAGED) in known or is_temporary(name)


def sets_in(folder: Path) -> list[Path]:
    """Sets of SEs right in a folder, by name."""
    return sorted(path.parent for path in folder.glob(f"*/{SESetPaths(Path()).set}"))


def opening_lock_of(folder: Path, evaluation: str) -> Path:
    """Held for the moment in which a process opens the evaluation."""
    return folder / f"{evaluation}.opening.lock"


def header_of(records: Path) -> Path:
    """What the records share, beside them.

    Seed, rule, numbers of agents and episodes, base configurations, a fingerprint of
    every SE.
    """
    return records.with_suffix(JSON)


def lock_of(records: Path) -> Path:
    """Host and pid of the process that adds to the records."""
    return records.with_suffix(".lock")


@dataclass(frozen=True)
class SESetPaths:
    """Files of one set of SEs: `results/<run>/ses/<set>/`."""

    root: Path

    set = _Below("set.json")
    """What the set is: `train_env`, task, resolved configuration, seed, origin, space
    file and random returns as in `run.json`, versions, attempts."""
    opening = _Below("set.lock")
    """Held for the moment in which a process opens or makes the set."""

    @property
    def run_folder(self) -> Path | None:
        """The run that the set lies in (`<run>/ses/<set>`), if it does."""
        ses = self.root.parent
        inside = ses.name == RunPaths(Path()).ses.name and ses.parent != ses
        return ses.parent if inside else None

    def checkpoint(self, index: int) -> Path:
        """The best SE of this NES run, solved or not; runs count from 0."""
        return self.root / f"{index:03d}.safetensors"

    def outcome(self, index: int) -> Path:
        """How the run ended: solved or not and when, scores, agents, steps, seconds."""
        return self.root / f"{index:03d}.json"

    def run(self, index: int) -> TrialPaths:
        """Its own files, as those of a trial."""
        return TrialPaths(self.root / "runs" / f"{index:03d}")

    def lock(self, index: int) -> Path:
        """Host and pid of the process that is at it."""
        return self.run(index).root / "train.lock"

    def log(self, index: int) -> Path:
        """What its processes said."""
        return self.run(index).root / "train.log"
