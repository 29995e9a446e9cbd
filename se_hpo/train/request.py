"""What a command line asks `train` for: the set's settings, its folder, its shard."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from se_hpo.agents.enough_steps import check_learns
from se_hpo.agents.registry import algorithm_of, check_takes, kind_of
from se_hpo.config.overrides import parse_overrides
from se_hpo.config.run import RunConfig, from_configuration, with_configuration
from se_hpo.envs import learned
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.reward_inputs import check_learnable
from se_hpo.envs.tasks import check_task, import_task
from se_hpo.errors import UserError, did_you_mean
from se_hpo.machine.processes import available_cores
from se_hpo.names import noun_of
from se_hpo.nes.fitness import limit_of_tests
from se_hpo.nes.generation import n_trainings
from se_hpo.nes.random_search import check_searchable, search_plan
from se_hpo.registries import objective_kind
from se_hpo.results.lines import read_configurations
from se_hpo.results.run_settings import read_run, settings_from_dict
from se_hpo.results.se_set_settings import MOST_ENVS, SetSettings, read_set_json
from se_hpo.results.se_sets import SESet, read_set
from se_hpo.results.trials import load_incumbent
from se_hpo.search_spaces.user_code import prepare
from se_hpo.storage.json_records import RecordError
from se_hpo.storage.paths import RunPaths, SESetPaths, trial_name
from se_hpo.terminal.flags import at_least, check_seed, parse_shard
from se_hpo.train.options import TrainOptions
from se_hpo.train.recipes import DEFAULT_GENERATIONS, load_recipe
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob

DEFAULT_NUM_ENVS = 40
"""As many as in the paper."""


@dataclass(frozen=True)
class Request:
    """A set, and which part of it to train."""

    settings: SetSettings
    paths: SESetPaths
    n_envs: int
    origin: dict[str, Any]
    """Where the configuration comes from."""
    code: dict[str, Any]
    """The `run.json` or `set.json` that it comes from, for `user_code.code_of`."""
    shard: int
    n_shards: int
    workers: int
    """SEs side by side, as asked for; 0: one per core."""

    @property
    def n_parallel(self) -> int:
        """SEs side by side."""
        return max(1, min(self.workers or available_cores(), len(self.indices)))

    @property
    def indices(self) -> list[int]:
        """The SEs of this shard."""
        return list(range(self.shard - 1, self.n_envs, self.n_shards))


@dataclass(frozen=True)
class _Start:
    """A configuration before the flags change it."""

    config: RunConfig
    generations: int
    ses: Path
    """The folder that the set goes into by default."""
    origin: dict[str, Any]
    code: dict[str, Any] = dataclasses.field(default_factory=dict)


def resolve_request(options: TrainOptions) -> Request:
    """Read what the flags name and put everything together.

    Raises:
        UserError: flags that make no set.
    """
    _check_flags(options)
    shard, n_shards = parse_shard(options.shard)
    if options.task is not None:
        import_task(options.task)
    like = _prepared_set(options.like) if options.like else None
    start = _start(options, like)
    config = with_configuration(start.config, parse_overrides(options.set))
    task = check_task(config.task)
    for agent in config.agents:
        check_takes(kind_of(agent), task.id, task.continuous, task.discrete_obs)
        check_learnable(config.task, config.se, agent)
        if learned.kind_of(config.se).reward is None:
            said = f"{algorithm_of(agent)}.se_steps = {agent.se_steps}"
            check_learns(agent, agent.se_steps, said)
    limit_of_tests(config, 0)  # raises where it does not fit the task
    if config.nes.rank_space:
        from se_hpo.nes.rank_agreement import sample_agents  # loads ConfigSpace

        sample_agents(config, options.seed)  # likewise
    vary = options.vary_hp or config.nes.vary_agents
    nes = dataclasses.replace(config.nes, vary_agents=vary)
    what = LearnedEnv(config.se, np.empty(0, np.float32))
    jobs = [
        TrainingJob(config.task, agent, options.seed, what) for agent in config.agents
    ]
    name, prefix = what.kind.name, what.kind.prefix
    how = "random" if options.random_search else "varied" if vary else "fixed"
    # Kinds of reward networks are for comparison: each has its own folder.
    folder = how if prefix == "se" else f"{name}-{how}"
    settings = SetSettings(
        train_env=f"{prefix}_{how}",
        config=dataclasses.replace(config, nes=nes),
        seed=options.seed,
        generations=options.generations or start.generations,
        engine=InnerLoop(options.engine).engine_for(*jobs),
    )
    if options.random_search:
        settings = _with_trainings(settings, options, like)
    default = like.n_envs if like else DEFAULT_NUM_ENVS
    return Request(
        settings=settings,
        paths=SESetPaths(options.out or start.ses / folder),
        n_envs=options.num_envs or default,
        origin=start.origin,
        code=start.code,
        shard=shard,
        n_shards=n_shards,
        workers=options.workers,
    )


def _prepared_set(folder: Path) -> SESet:
    paths = SESetPaths(folder)
    if paths.set.is_file():
        prepare(read_set_json(paths), paths.set)
    return read_set(folder)


def _check_flags(options: TrainOptions) -> None:
    check_seed(options.seed)
    at_least(0, workers=options.workers)
    for name in ("num_envs", "generations", "trainings"):
        at_least(1, **{name: getattr(options, name)})
    if options.num_envs is not None and options.num_envs > MOST_ENVS:
        raise UserError(f"--num-envs {options.num_envs}: must be at most {MOST_ENVS}")
    if not options.random_search and (options.trainings or options.like):
        flag = "--trainings" if options.trainings else "--like"
        raise UserError(f"{flag} is for --random-search: give both, or neither")


def _with_trainings(
    settings: SetSettings, options: TrainOptions, like: SESet | None
) -> SetSettings:
    nes = settings.config.nes
    trainings = options.trainings or n_trainings(nes, settings.generations)
    if like is not None and options.trainings is None:
        trainings = mean_trainings(like)
    check_searchable(settings.config)
    search_plan(trainings, nes.n_center_evaluations)  # too few are refused here
    return dataclasses.replace(settings, trainings=trainings)


def mean_trainings(se_set: SESet) -> int:
    """Agents trained per SE of a finished set, rounded.

    Raises:
        UserError: it is not finished.
    """
    if len(se_set.outcomes) < se_set.n_envs:
        raise UserError(
            f"--like {se_set.paths.root}: {len(se_set.outcomes)} of {se_set.n_envs} "
            f"{noun_of(se_set.train_env)}s are finished; finish it first, or give "
            "--trainings"
        )
    return round(float(np.mean([o.trainings for o in se_set.outcomes])))


def _start(options: TrainOptions, like: SESet | None) -> _Start:
    if options.from_run is not None and options.config is not None:
        raise UserError("--from and --config: give one of the two")
    if options.trial is not None and options.from_run is None:
        raise UserError("--trial needs --from, the run that the trial is of")
    if options.from_run is not None:
        return _from_run(options.from_run, options.trial)
    if options.config is not None:
        recipe = load_recipe(options.config)
        ses = RunPaths(Path("results") / recipe.name).ses
        return _Start(
            recipe.config, recipe.generations, ses, {"config": options.config}
        )
    if like is not None:
        origin = {"like": str(like.paths.root)}
        ses = like.paths.root.resolve().parent
        code = read_set_json(like.paths)
        return _Start(like.config, like.generations, ses, origin, code)
    raise UserError(
        "no configuration: give --from RUN, or --config with a recipe (--list-configs) "
        "or your own YAML file"
    )


def _from_run(run: Path, trial: str | None) -> _Start:
    """The configuration of a trial, by default the best one, of a run of `optimize`."""
    incumbent = load_incumbent(run) if trial is None else None
    paths = RunPaths(run)
    data = read_run(paths)
    prepare(data, paths.run)
    try:
        settings = settings_from_dict(data["settings"])
    except RecordError as error:
        raise UserError(
            f"{paths.run} does not say what was tuned ({error}): restore it, or take "
            "--config"
        ) from error
    if not getattr(objective_kind(settings.objective), "learns_se", False):
        raise UserError(
            f"{run} tuned agents without SEs (space {settings.space}): take a run of a "
            "space with NES, or --config"
        )
    name = incumbent.trial if incumbent else str(trial)
    configurations = {
        trial_name(config_id): configuration.values
        for config_id, configuration in read_configurations(paths).items()
    }
    if name not in configurations:
        hint = did_you_mean(name, configurations) if configurations else "it has none"
        raise UserError(f"{run} has no trial {name!r}: {hint}")
    values = {**settings.base, **configurations[name]}
    config = from_configuration(values, settings.task, settings.agent)
    origin = {"run": str(run), "trial": name}
    if incumbent:
        origin |= {"budget": f"{incumbent.budget:g}", "loss": f"{incumbent.loss:.6g}"}
    return _Start(config, DEFAULT_GENERATIONS, paths.ses, origin, data)
