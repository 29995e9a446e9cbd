"""A zoo of random SEs, in a folder that the package takes for its own."""

from pathlib import Path
from typing import Any

from se_hpo.envs.checkpoint import load_se
from se_hpo.envs.learned import kind_of
from se_hpo.envs.tasks import known_task
from se_hpo.envs.zoo_files import name_of_file, name_of_task
from se_hpo.evaluate.evaluation import resolve
from se_hpo.evaluate.evaluation_run import run_evaluation
from se_hpo.evaluate.options import EvaluateOptions
from se_hpo.names import is_random
from se_hpo.results.model_card import card_of
from se_hpo.results.se_sets import set_of_one
from se_hpo.zoo.candidates import candidates, chosen
from se_hpo.zoo.new_file import write
from tests.helpers.fake_sets import make_set


def evaluated_set(run: Path, evaluate: bool = True, **of_set: Any) -> Path:
    """A set of two random SEs in a run, each evaluated with two agents."""
    paths = make_set(run / "ses" / "varied", **of_set)
    data = paths.set.read_text().replace(
        '"origin": {}', '"origin": {"config": "cartpole"}'
    )
    data = data.replace('"versions": {}', '"versions": {"se_hpo": "0.3.0"}')
    words = '["python", "-m", "se_hpo.train", "--config", "cartpole"]'
    data = data.replace('"attempts": []', f'"attempts": [{{"command": {words}}}]')
    paths.set.write_text(data)
    if evaluate:
        small = {"num_agents": 2, "test_episodes": 2, "fixed_steps": 60}
        options = EvaluateOptions(envs=(run,), train_envs=("se_varied",), **small)
        run_evaluation(resolve(options), quiet=True)
    return paths.root


def add(zoo: Path, run: Path, name: str | None = None, se: int | None = None) -> Path:
    """Put the best SE of a run, or this one, into a zoo."""
    found = candidates(run)
    return write(chosen(found, se), len(found), name, zoo)


def faults(file: Path) -> list[str]:
    """Why a file cannot lie in the package's zoo; none if it can."""
    se, name = load_se(file), name_of_file(file)
    task, _, kind = name.partition(":")
    size, own_kind = file.stat().st_size, kind_of(se.se_config).name
    found = [f"its card has no {gap}" for gap in card_of(se.metadata, file).gaps]
    if not 2_000 <= size <= 30_000:
        found.append(f"it has {size} bytes")
    if (name_of_task(se.task), own_kind) != (task, kind or own_kind):
        found.append(f"it is for {se.task}, of kind {own_kind}")
    if known_task(se.task) is None:
        found.append(f"{se.task} is no task of the package")
    if is_random(set_of_one(file).train_env):
        found.append("it was not learned")
    return found
