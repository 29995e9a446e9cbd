"""What flags and a search space ask `optimize` for, checked; nothing is written yet."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ConfigSpace import ConfigurationSpace

from se_hpo.agents.config import AgentConfig
from se_hpo.bohb.brackets import Bracket, default_n_brackets, most_at_one_budget, plan
from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.bohb.parzen import MODELS, RANDOM_FRACTIONS, ParzenGenerator
from se_hpo.bohb.proposals import BOHBGenerator, RandomGenerator
from se_hpo.errors import UserError
from se_hpo.machine.addresses import in_slurm_job, published_host
from se_hpo.machine.processes import available_cores
from se_hpo.optimize.objectives.losses import PROGRESS
from se_hpo.optimize.objectives.objective import Objective
from se_hpo.optimize.on_ses import OBJECTIVE as ON_SE
from se_hpo.optimize.on_ses import ChosenSEs, chosen_ses, with_steps
from se_hpo.optimize.options import Options
from se_hpo.optimize.start_from import resolve_start
from se_hpo.results.run_settings import Settings, read_run
from se_hpo.search_spaces.loading import Space, decides_names, extremes
from se_hpo.storage.paths import RunPaths
from se_hpo.terminal.flags import at_least, check_seed
from se_hpo.training.inner_loop import InnerLoop

CONFIRMED_ON_TASK = 3
"""Of the configurations whose agents trained on SEs, by default."""


@dataclass(frozen=True)
class RunRequest:
    """A run, and how to launch it here."""

    options: Options
    space: Space
    settings: Settings
    paths: RunPaths
    configspace: ConfigurationSpace
    brackets: tuple[Bracket, ...]
    """What the flags ask for; by default two Hyperband cycles."""
    ses: ChosenSEs
    """What agents train on; nothing for the task."""
    start_from: dict[str, Any]
    """What `run.json` has, or gets, under that name."""
    host: str
    """Where the master listens."""
    threads: int
    """Of each worker."""

    @property
    def in_slurm(self) -> bool:
        """Whether the master is a SLURM job, which may be queued again."""
        return self.options.role == "master" and in_slurm_job()

    @property
    def confirm(self) -> int:
        """How many of the best are left on fresh seeds; after SEs on the task.

        A master that is alone has few cores and no workers left when the search ends.
        """
        asked = self.options.confirm
        usual = CONFIRMED_ON_TASK if self.ses.checkpoints else self.space.confirm
        default = usual if self.options.role == "all" else 0
        return default if asked is None else asked

    def generator(self) -> RandomGenerator:
        """A new one: what proposes configurations."""
        settings = self.settings
        first: dict[str, Any] = {
            "start_from_default": not settings.random_start,
            "start_from": self.start_from.get("configurations", ()),
        }
        if settings.optimizer == "bohb":
            if settings.prefer_cheap:
                first["prefer_cheap"] = True
            if prior := self.start_from.get("prior"):
                first["prior"] = prior["results"]
            return MODELS[settings.model](
                self.configspace,
                seed=settings.seed,
                random_fraction=settings.random_fraction,
                **first,
            )
        return RandomGenerator(self.configspace, seed=settings.seed, **first)

    def random_configurations(self, n: int) -> list[dict[str, Any]]:
        """Configurations from the prior, for a look at what they cost."""
        generator = RandomGenerator(self.configspace, seed=self.settings.seed)
        return [generator.get_config(float(i))[0] for i in range(n)]

    def notes(self, brackets: Sequence[Bracket]) -> Iterator[str]:
        """What a user may not expect of these brackets."""
        generator, settings = self.generator(), self.settings
        if self.ses.checkpoints and not self.confirm:
            yield (
                "losses say how agents do that were trained on SEs: --confirm 5 trains "
                "those of the five best configurations on the task"
            )
        trials, first = plan(brackets).trials, len(generator.first)
        if first > trials:
            yield (
                f"only {trials} of the {first} configurations to start from are "
                "evaluated: raise --n-brackets"
            )
        if not isinstance(generator, BOHBGenerator) or settings.random_fraction == 1:
            return
        if generator.model_budget() is not None:  # of the prior
            return
        needed, count = 2 * generator.min_points, most_at_one_budget
        what = "evaluations at one budget"
        if isinstance(generator, ParzenGenerator):
            what, count = "trials", lambda brackets: plan(brackets).trials
        if (most := count(brackets)) <= needed:
            n = len(brackets)
            while count(settings.bracket_list(n)) <= needed:
                n += 1
            yield (
                f"BOHB's model proposes nothing here: it needs {needed} {what}, and "
                f"there are {most}; from --n-brackets {n} on it does"
            )


def resolve_run(options: Options, space: Space) -> RunRequest:
    """Check the flags and put them over the space's defaults.

    Raises:
        UserError: flags that make no run.
    """
    _check_flags(options)
    host = published_host(options.host, options.nic, options.role == "master")
    _check_host(host)
    paths = RunPaths(options.run or _default_folder(options, space))
    ses = chosen_ses(options.on, space)
    settings = _settings(options, space, _as_begun(options, paths), ses)
    n_brackets = options.n_brackets
    if n_brackets is None:
        same = settings.ladder == space.ladder
        usual = space.n_brackets if same else 0
        n_brackets = usual or default_n_brackets(settings.ladder)
    request = RunRequest(
        options=options,
        space=space,
        settings=settings,
        paths=paths,
        configspace=space.configuration_space(settings.seed),
        brackets=settings.bracket_list(n_brackets),
        ses=ses,
        start_from=_start_from(options, settings, space, paths),
        host=host,
        threads=options.threads or max(1, available_cores() // options.n_workers),
    )
    if "prior" in request.start_from:
        request.generator()  # refuses a prior that is too small
    return request


def _check_flags(options: Options) -> None:
    at_least(1, n_workers=options.n_workers)
    for name in ("threads", "confirm", "max_failures"):
        at_least(0, **{name: getattr(options, name)})
    check_seed(options.seed)
    value = options.random_fraction
    if value is not None and not 0 <= value <= 1:
        raise UserError(f"--random-fraction {value:g}: must be in [0, 1]")


def _as_begun(options: Options, paths: RunPaths) -> dict[str, Any]:
    """Model and loss: those given, of the run that is there, or the newest."""
    stored: dict[str, Any] = {}
    if paths.run.exists() and not options.overwrite:
        stored = read_run(paths)["settings"]
    if options.prefer_cheap and "kde" in (options.model, stored.get("model")):
        raise UserError("--prefer-cheap needs --model parzen")
    model = str(options.model or stored.get("model"))
    if model not in MODELS:  # none, or a damaged file: refused as another setting
        model = next(iter(MODELS))
    fraction = options.random_fraction
    if fraction is None:
        same = model == stored.get("model")
        fraction = stored.get("random_fraction") if same else RANDOM_FRACTIONS[model]
    loss = options.loss or stored.get("loss", PROGRESS)
    return {"model": model, "random_fraction": fraction, "loss": loss}


def _start_from(
    options: Options, settings: Settings, space: Space, paths: RunPaths
) -> dict[str, Any]:
    found = resolve_start(options, space, paths)
    learns = settings.optimizer == "bohb" and settings.model != "kde"
    if "prior" in found and not learns:
        raise UserError("--prior needs --optimizer bohb and --model parzen")
    return found


def _check_host(host: str) -> None:
    try:
        with socket.socket() as probe:
            probe.bind((host, 0))
    except OSError as error:
        raise UserError(
            f"cannot listen on --host {host} ({error}): give an address or name of "
            "this machine"
        ) from error


def _agents(space: Space, kinds: dict[str, Any]) -> list[AgentConfig]:
    """Of all choices, where it is searched which agents take turns."""
    built, name = space.configuration_space(), "nes.agents"
    choices = [{name: one} for one in extremes(built[name])] if name in built else [{}]
    return [a for one in choices for a in space.resolve({**kinds, **one}).agents]


def _settings(
    options: Options, space: Space, begun: dict[str, Any], ses: ChosenSEs
) -> Settings:
    # The base may have values of kinds that are searched; sizes may be any.
    built = space.configuration_space()
    default = SpaceEncoding(built).default()
    kinds = {name: value for name, value in default.items() if decides_names(name)}
    objective = Objective(
        kind=ON_SE if ses.checkpoints else space.objective,
        task=space.task,
        agent=space.agent,
        base=with_steps(space.base, built, space.agent, ses),
        run_seed=options.seed,
        ses=ses.environments,
    )
    job, _, _ = objective.cost(space.resolve(kinds), 0)
    agents = _agents(space, kinds)
    jobs = [job, *(dataclasses.replace(job, agent=agent) for agent in agents)]

    def given(name: str) -> Any:
        asked = getattr(options, name)
        return getattr(space, name) if asked is None else asked

    return Settings(
        space=space.name,
        objective=objective.kind,
        task=space.task,
        agent=space.agent,
        base=dict(objective.base),
        seed=options.seed,
        optimizer=options.optimizer,
        min_budget=given("min_budget"),
        max_budget=given("max_budget"),
        eta=float(given("eta")),
        brackets=options.brackets,
        prefer_cheap=options.prefer_cheap,
        random_start=options.random_start,
        engine=InnerLoop(options.engine).engine_for(*jobs),
        on=ses.digests,
        **begun,
    )


def _default_folder(options: Options, space: Space) -> Path:
    """The same command finds the same run."""
    optimizer = "" if options.optimizer == "bohb" else f"-{options.optimizer}"
    where = "" if options.on is None else f"-on-{options.on.stem.rpartition(':')[2]}"
    return Path("results") / f"{space.name}{where}{optimizer}-{options.seed}"
