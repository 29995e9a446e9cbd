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
    """The resolved `RunConfig` and the flat configuration."""
    generations = _Below("generations.jsonl")
    """One line per generation; the same bytes for the same seed."""
    timing = _Below("timing.jsonl")
    """One line of wall and cpu seconds per generation."""
    agents = _Below("agents.jsonl")
    """One line per trained agent (objective `agent`)."""
    candidates = _Below("candidates.jsonl")
    """One line per scored chunk of random SEs (random search)."""
    state = _Below("state.safetensors")
    """What the next generation needs."""
    best_se = _Below("se.safetensors")
    """Checkpoint of the best center so far."""
    last_se = _Below("se-last.safetensors")
    """Checkpoint of the last center."""

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
    """Command, resolved settings, seed, versions, hosts, attempts."""
    configspace = _Below("configspace.json")
    """The search space in ConfigSpace's JSON."""
    configs = _Below("configs.json")
    """Hpbandster's journal of configurations."""
    results = _Below("results.json")
    """Hpbandster's journal of results."""

    @property
    def journals(self) -> tuple[Path, Path]:
        """Both: files of lines, despite their names."""
        return self.configs, self.results

    lock = _Below("master.lock")
    """Host and pid of the master that owns the run."""
    credentials = _Below("credentials.json")
    """Where workers find the nameserver, and the run's HMAC key; mode 0600."""
    status = _Below("status.json")
    """What the master is doing now, rewritten every few seconds."""
    logs = _Below("logs")
    """One log file per process."""
    slurm = _Below("slurm")
    """Scripts for SLURM, and how their jobs ended."""

    def script(self, name: str) -> Path:
        """An sbatch script."""
        return self.slurm / f"{name}.sbatch"

    ended = _Below("slurm/ended")
    """A file per SLURM job that has ended, with its exit code inside."""
    submitting = _Below("slurm/submitting.lock")
    """Held while a command submits jobs."""
    jobs = _Below("slurm/jobs.json")
    """What was submitted to SLURM: names and job ids."""
    confirmation = _Below("confirm/confirmation.json")
    """What fresh seeds said of the best trials."""
    trials = _Below("trials")
    """One folder per trial."""
    ses = _Below("ses")
    """One folder per set of SEs (`SESetPaths`)."""
    evaluations = _Below("evaluations")
    """Records of phase 2: `*.jsonl`, one line per trained agent."""
    transitions = _Below("transitions.csv")
    """How an SE differs from its task: histograms of agents trained for them."""
    transitions_among_figures = _Below("figures/transitions.csv")
    """Where they were kept before; also the frame behind their figure."""
    figures = _Below("figures")
    """Figures as PNG and PDF, and the frame behind each as CSV."""
    report = _Below("report.html")
    """The self-contained report."""

    def trial(self, config_id: ConfigId) -> TrialPaths:
        """The files of one trial."""
        return TrialPaths(self.trials / trial_name(config_id))

    def log(self, process: str) -> Path:
        """What a process of the run said."""
        return self.logs / f"{process}{LOG}"

    def evaluation(self, name: str) -> Path:
        """Records of one evaluation."""
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
    """Held for the moment in which a process opens an evaluation, of all its shards."""
    return folder / f"{evaluation}.opening.lock"


def header_of(records: Path) -> Path:
    """What the records of an evaluation share, beside them."""
    return records.with_suffix(JSON)


def lock_of(records: Path) -> Path:
    """Host and pid of the process that adds to the records."""
    return records.with_suffix(".lock")


@dataclass(frozen=True)
class SESetPaths:
    """Files of one set of SEs: `results/<run>/ses/<set>/`."""

    root: Path

    set = _Below("set.json")
    """What the set is: setting, task, resolved config, seed, origin."""
    opening = _Below("set.lock")
    """Held for the moment in which a process opens or makes the set."""

    @property
    def run_folder(self) -> Path | None:
        """The run that the set lies in (`<run>/ses/<set>`), if it does."""
        ses = self.root.parent
        inside = ses.name == RunPaths(Path()).ses.name and ses.parent != ses
        return ses.parent if inside else None

    def checkpoint(self, index: int) -> Path:
        """The best SE of NES run `index` (from 0), solved or not."""
        return self.root / f"{index:03d}.safetensors"

    def outcome(self, index: int) -> Path:
        """How NES run `index` ended, and what it cost."""
        return self.root / f"{index:03d}.json"

    def run(self, index: int) -> TrialPaths:
        """The folder of NES run `index`."""
        return TrialPaths(self.root / "runs" / f"{index:03d}")

    def lock(self, index: int) -> Path:
        """Host and pid of the process that is at NES run `index`."""
        return self.run(index).root / "train.lock"

    def log(self, index: int) -> Path:
        """What the processes of NES run `index` said."""
        return self.run(index).root / "train.log"
