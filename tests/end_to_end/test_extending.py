"""One file of a user's registers one of each table, and every process knows them."""

import json
import os
import subprocess
import sys

import gymnasium
import numpy as np
import pytest

import se_hpo
from se_hpo import registries
from se_hpo.config.run import RunConfig, run_config_from_dict, with_configuration
from se_hpo.envs.checkpoint import SECheckpoint, load_se
from se_hpo.envs.parameters import n_parameters
from se_hpo.envs.synthetic_env import SyntheticEnv
from se_hpo.errors import UserError
from se_hpo.search_spaces.loading import load_space
from se_hpo.storage.paths import RunPaths
from se_hpo.training.inner_loop import InnerLoop
from tests.helpers.engine_jobs import needs_engine
from tests.helpers.places import ROOT

PAGE = (ROOT / "docs" / "extending.md").read_text()
TABLES = ("AGENTS", "LEARNED", "STRATEGIES", "OBJECTIVES")


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The page's example; nothing of it stays registered."""
    for table in TABLES:
        registry = getattr(registries, table)
        monkeypatch.setattr(registry, "data", dict(registry.data))
    path = tmp_path / "mine.py"
    path.write_text(PAGE.partition("```python\n")[2].partition("```")[0])
    return path


def command(name, *words):
    done = subprocess.run(
        [sys.executable, "-m", f"se_hpo.{name}", *map(str, words), "--quiet"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_one_of_each_from_one_space_file_is_searched_trained_and_evaluated(
    mine, tmp_path
):
    run = RunPaths(tmp_path / "run")
    asked = ("--n-brackets=1", "--n-workers=2", "--threads=1")
    command("optimize", "--space", mine, "--run", run.root, *asked)
    trials = se_hpo.load_trials(run.root)
    assert set(trials["status"]) == {"finished"}
    assert trials["loss"].between(0, 1, inclusive="neither").all()
    configs = [
        json.loads(path.read_text()) for path in run.root.glob("trials/*/config.json")
    ]
    assert {config["agent"]["algorithm"] for config in configs} == {"linear_q"}
    assert {config["se"]["kind"] for config in configs} == {"reward_net"}
    assert {config["nes"]["strategy"] for config in configs} == {"hill_climber"}

    command("train", "--from", run.root, "--num-envs=1", "--generations=2")
    command("evaluate", "--envs", run.root, "--agents=linear_q", "--num-agents=2")
    frame = se_hpo.load_evaluations(run.root)
    assert set(frame["agent"]) == {"linear_q"}
    assert (frame["score"] > 0).all()

    load_space(mine)
    file, *_ = (run.ses / "fixed").rglob("se*.safetensors")
    se = load_se(file, "CartPole-v0")
    assert type(se.se_config) is registries.LEARNED["reward_net"].config
    assert se.psi.size == 16 * 6 + 16 + 16 + 1  # CartPole: 4 numbers and 2 actions


def test_a_kind_of_learned_environment_is_named_by_a_value_and_kept_in_files(mine):
    load_space(mine)
    plain = RunConfig()
    assert "kind" not in plain.to_dict()["se"]
    values = {"se.kind": "reward_net", "se.hidden_size": 7}
    config = with_configuration(plain, values)
    stored = json.loads(json.dumps(config.to_dict()))
    assert stored["se"]["kind"] == "reward_net"
    assert run_config_from_dict(stored) == config
    assert with_configuration(config, {"se.hidden_layers": 2}).se.hidden_size == 7
    with pytest.raises(UserError, match=r"unknown se.kind 'reward_ne': did you mean"):
        with_configuration(plain, {"se.kind": "reward_ne"})
    with pytest.raises(UserError, match=r"did you mean 'se.kind'"):
        with_configuration(plain, {"se.kinds": "mdp"})


def test_an_se_is_made_of_no_other_kinds_parameters(mine):
    load_space(mine)
    config = registries.LEARNED["reward_net"].config()
    psi = np.zeros(n_parameters(config, 4, 2), np.float32)
    checkpoint = SECheckpoint(psi, "CartPole-v0", config)
    with pytest.raises(UserError, match="a reward network has other networks than"):
        SyntheticEnv("CartPole-v0", checkpoint)
    env = gymnasium.make("se_hpo:Synthetic/CartPole-v0", checkpoint=checkpoint)
    assert "RewardEnv" in str(env)  # that of its kind
    env.reset(seed=0)
    assert env.step(1)[1] == 0


@needs_engine
def test_what_the_native_engine_lacks_of_a_search_is_trained_by_torch(mine):
    space = load_space(mine)
    values = {"se.kind": "reward_net"}
    objective = registries.OBJECTIVES[space.objective]
    job, _, _ = objective.cost(with_configuration(RunConfig(), values), 0)
    assert job.agent == RunConfig().agent
    assert InnerLoop("auto").engine_for(job) == "torch"
    assert np.isfinite(InnerLoop("auto").train_agents([job])[0].score)


@pytest.mark.parametrize("table", TABLES)
def test_every_entry_is_there_and_its_name_is_on_the_page(table):
    registry = getattr(registries, table)
    (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{table}`"))
    shipped = [name for name, at in registry.data.items() if isinstance(at, str)]
    assert shipped
    for name in shipped:
        assert f"`{name}`" in row
        assert getattr(registry[name], "name", name) == name
    with pytest.raises(UserError, match=f"^no such {table} 'zzz': known: "):
        registry.find("zzz", f"no such {table}")
    with pytest.raises(UserError, match=r"^no such "):
        registry.find(["unhashable"], "no such")


def test_an_entry_that_is_not_where_it_says_is_one_clear_line():
    with pytest.raises(UserError, match=r"'no.such:Thing' is registered, but"):
        registries.Registry(a="no.such:Thing").find("a", "unknown")
