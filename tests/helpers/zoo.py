"""A zoo of random SEs, in a folder that the package takes for its own."""

from pathlib import Path
from typing import Any

from se_hpo.evaluate.evaluation import resolve
from se_hpo.evaluate.evaluation_run import run_evaluation
from se_hpo.evaluate.options import EvaluateOptions
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
