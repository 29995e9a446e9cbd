"""Agents tuned on SEs: what `--on` names, what the run keeps, who confirms."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import se_hpo
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.config.run import RunConfig
from se_hpo.envs.checkpoint import load_se, save_se
from se_hpo.envs.learned.one_step import OneStepConfig
from se_hpo.envs.learned.reward_network import EXCLUSIVE
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.tasks import get_task
from se_hpo.envs.zoo_files import zoo_file
from se_hpo.errors import UserError
from se_hpo.optimize import on_ses
from se_hpo.optimize.confirm import confirm
from se_hpo.optimize.objectives.agent_on_se import level_loss
from se_hpo.optimize.objectives.objective import Objective
from se_hpo.optimize.options import Options
from se_hpo.optimize.run_folder import open_run
from se_hpo.optimize.run_request import resolve_run
from se_hpo.optimize.session import opened
from se_hpo.optimize.worker import WorkerOptions
from se_hpo.optimize.worker import main as work
from se_hpo.results.confirmations import best_confirmed, read_confirmations
from se_hpo.results.ranking import Finalist
from se_hpo.search_spaces.loading import list_spaces, load_space
from se_hpo.storage.paths import RunPaths
from se_hpo.storage.records import Status
from se_hpo.training.inner_loop import InnerLoop
from tests.helpers.fake_sets import make_set, make_sets
from tests.helpers.fakes import FakeInnerLoop

ZOO = "zoo:CartPole-v0"


def request(tmp_path, on, space="ddqn_cartpole", **flags):
    flags = {"run": tmp_path / "run", "on": on and Path(on), **flags}
    return resolve_run(Options(**flags), load_space(space))


def saved(path, task="CartPole-v0", config=None, seed=0):
    config = config or OneStepConfig()
    psi = initial_psi(config, get_task(task), np.random.default_rng(seed))
    save_se(path, psi, task, config)
    return path


def test_the_run_says_which_ses_and_how_long_agents_train_there(tmp_path):
    settings = request(tmp_path, ZOO).settings
    assert (settings.objective, settings.unit) == ("agent_on_se", "seeds")
    assert settings.on == {ZOO: on_ses.digest_of(load_se(zoo_file(ZOO)))}
    assert settings.base["ddqn.se_steps"] == 1000


def test_without_on_a_space_of_agents_trains_on_the_task(tmp_path):
    settings = request(tmp_path, None).settings
    assert (settings.objective, settings.on) == ("agent", None)
    assert "ddqn.se_steps" not in settings.base


def test_the_default_folder_is_another_one_than_that_of_the_task(tmp_path):
    names = [request(tmp_path, on, run=None).paths.root.name for on in (ZOO, None)]
    assert names == ["ddqn_cartpole-on-CartPole-v0-0", "ddqn_cartpole-0"]


def test_all_finished_ses_of_a_set_take_turns(tmp_path):
    paths = make_set(tmp_path / "ses" / "varied", n=3)
    paths.outcome(1).unlink()
    with pytest.warns(UserWarning, match="not finished"):
        asked = request(tmp_path, paths.root)
    assert len(asked.ses.environments) == 2
    loop = Recording()
    objective = Objective.of(asked.settings, asked.ses.environments)
    objective.evaluate((0, 0, 0), {}, 4, RunPaths(tmp_path / "r"), loop)
    first, second = (env.psi.tolist() for env in asked.ses.environments)
    assert [job.learned.psi.tolist() for job in loop.jobs] == [first, second] * 2


class Recording(FakeInnerLoop):
    def train_agents(self, jobs):
        self.jobs = [*getattr(self, "jobs", ()), *jobs]
        return super().train_agents(jobs)


def test_steps_are_those_of_the_same_agent_that_the_ses_were_learned_with(tmp_path):
    config = RunConfig(agent=DDQNConfig(se_steps=300), se=OneStepConfig())
    folder = make_set(tmp_path / "ses" / "varied", config=config).root
    assert request(tmp_path, folder).settings.base["ddqn.se_steps"] == 300
    ppo = request(tmp_path, folder, "ppo_cartpole").settings
    assert ppo.base["ppo.se_steps"] == 8192, "of its kind: it learns more slowly"


def test_on_an_se_whose_rule_ends_a_training_no_steps_are_set(tmp_path):
    folder = make_set(tmp_path / "ses" / "varied").root  # of the kind mdp
    assert "ddqn.se_steps" not in request(tmp_path, folder).settings.base


def test_a_bare_file_of_a_kind_without_a_rule_has_the_steps_of_the_agent(tmp_path):
    file = saved(tmp_path / "bare.safetensors")
    assert request(tmp_path, file).settings.base["ddqn.se_steps"] == 1000


def test_a_space_may_say_or_search_the_steps_itself(tmp_path):
    text = load_space("ddqn_cartpole").path.read_text()
    own = tmp_path / "own.py"
    own.write_text(text.replace('"ddqn.test_episodes": 10', '"ddqn.se_steps": 70'))
    assert request(tmp_path, ZOO, own).settings.base["ddqn.se_steps"] == 70
    own.write_text(
        text.replace("        [\n", '        [Integer("ddqn.se_steps", (9, 99)),\n')
    )
    assert "ddqn.se_steps" not in request(tmp_path, ZOO, own).settings.base


def of_agents():
    spaces = [load_space(name) for name in list_spaces()]
    return [s for s in spaces if s.objective == "agent" and s.task == "CartPole-v0"]


@pytest.mark.parametrize("space", of_agents(), ids=lambda space: space.name)
def test_every_space_of_agents_for_the_task_works_with_it(tmp_path, space):
    if space.agent.startswith("sb3:"):
        pytest.importorskip("stable_baselines3")
    asked = request(tmp_path, ZOO, space.path)
    small = {f"{space.agent}.se_steps": 20, f"{space.agent}.test_episodes": 1}
    base = {**asked.settings.base, **small}
    objective = Objective(
        *("agent_on_se", space.task, space.agent, base, 0),
        ses=asked.ses.environments,
    )
    generator = asked.generator()
    configuration, _ = generator.get_config(1.0)
    with InnerLoop("auto", 1) as loop:
        record = objective.evaluate((0, 0, 0), configuration, 1, asked.paths, loop)
    assert record.status is Status.FINISHED, record.error
    assert (record.env_steps_se, record.env_steps_task > 0) == (20, True)


def test_the_loss_runs_from_the_worst_return_to_the_solved_one():
    task = dataclasses.replace(
        get_task("CartPole-v0"), worst_return=10.0, solved_return=110.0
    )
    assert level_loss([60.0], task) == pytest.approx(0.5)
    assert level_loss([60.0, 10.0], task) == pytest.approx((0.5 + 0.95) / 2)
    losses = [level_loss([score], task) for score in (0.0, 10.0, 110.0, 120.0)]
    assert losses == sorted(losses, reverse=True) and len(set(losses)) == 4


def bad_inputs(tmp_path):
    damaged = saved(tmp_path / "cut.safetensors")
    damaged.write_bytes(damaged.read_bytes()[:-40])
    rewards = saved(tmp_path / "rn.safetensors", config=EXCLUSIVE.config())
    acrobot = saved(tmp_path / "acrobot.safetensors", "Acrobot-v1")
    (tmp_path / "empty").mkdir()
    run = make_sets(tmp_path / "two").root
    return {
        "another task": ("zoo:Acrobot-v1", {}, "for Acrobot-v1, not for CartPole-v0"),
        "a file of another task": (acrobot, {}, "for Acrobot-v1, not for CartPole-v0"),
        "other actions": (ZOO, {"space": "td3_pendulum"}, "not for Pendulum-v1"),
        "a space of NES": (ZOO, {"space": "nes_cartpole"}, "learns SEs itself"),
        "no such name": ("zoo:CartPol-v0", {}, "did you mean 'CartPole-v0'"),
        "a damaged file": (damaged, {}, "cannot be read as a checkpoint"),
        "no such file": (tmp_path / "no.safetensors", {}, "no such checkpoint file"),
        "a reward network": (rewards, {}, "take a synthetic environment"),
        "no set": (tmp_path / "empty", {}, "empty"),
        "two sets": (run, {}, "several sets"),
    }  # fmt: skip


def test_what_cannot_be_trained_on_is_one_line(tmp_path):
    for what, (on, changes, message) in bad_inputs(tmp_path).items():
        with pytest.raises(UserError, match=message) as told:
            request(tmp_path, on, **changes)
        assert "\n" not in str(told.value), what
    assert not (tmp_path / "run").exists()


def test_a_space_that_says_agent_on_se_needs_to_be_told_on_which(tmp_path):
    text = load_space("ddqn_cartpole").path.read_text()
    own = tmp_path / "own.py"
    own.write_text(text.replace('"objective": "agent"', '"objective": "agent_on_se"'))
    with pytest.raises(UserError, match="say on which, with --on"):
        request(tmp_path, None, own)
    assert request(tmp_path, ZOO, own).settings.objective == "agent_on_se"


def test_copies_are_there_before_workers_can_begin(tmp_path, monkeypatch):
    asked = request(tmp_path, ZOO)
    written = []
    monkeypatch.setattr(
        "se_hpo.optimize.run_folder.write_json",
        lambda path, data: written.append((path.name, asked.paths.se(0).exists())),
    )
    settings, space = asked.settings.to_dict(), asked.configspace

    def copy():
        on_ses.keep(asked.paths, asked.ses)

    open_run(asked.paths, settings, space, overwrite=False, write_files=copy)
    assert written[-1] == ("run.json", True)


def begun(tmp_path, on=ZOO):
    asked = request(tmp_path, on)
    with opened(asked):
        return asked


def test_a_run_goes_on_with_the_same_se_by_another_path_and_with_no_other(tmp_path):
    asked = begun(tmp_path)
    copy = tmp_path / "copy.safetensors"
    shutil.copy(zoo_file(ZOO), copy)
    with opened(request(tmp_path, copy)):
        pass
    other = saved(tmp_path / "other.safetensors")
    with (
        pytest.raises(UserError, match=r"other settings: on\."),
        opened(request(tmp_path, other)),
    ):
        pass
    with pytest.raises(UserError, match="objective"), opened(request(tmp_path, None)):
        pass
    assert (
        json.loads(asked.paths.run.read_text())["settings"]["on"] == asked.settings.on
    )


def test_the_run_does_not_need_the_source_of_its_ses_any_more(tmp_path):
    source = saved(tmp_path / "source.safetensors")
    asked = begun(tmp_path, source)
    source.unlink()
    (kept,) = on_ses.kept(asked.paths, asked.settings.on)
    assert kept.psi.tolist() == asked.ses.environments[0].psi.tolist()


def test_a_worker_refuses_copies_that_are_not_what_the_run_began_with(tmp_path):
    asked = begun(tmp_path)
    saved(asked.paths.se(0), seed=9)
    with pytest.raises(UserError, match="is not the SE zoo:CartPole-v0"):
        work(WorkerOptions(asked.paths.root, threads=1, quiet=True))
    asked.paths.se(0).write_bytes(b"cut")
    with pytest.raises(UserError, match="cannot be read as a checkpoint"):
        work(WorkerOptions(asked.paths.root, threads=1, quiet=True))
    begun(tmp_path)
    assert on_ses.kept(asked.paths, asked.settings.on), "the command restores them"


def test_an_se_with_the_same_parameters_and_another_activation_is_another(tmp_path):
    se = load_se(saved(tmp_path / "one.safetensors"))
    tanh = dataclasses.replace(se.se_config, activation="tanh")
    other = dataclasses.replace(se, se_config=tanh)
    assert on_ses.digest_of(se) != on_ses.digest_of(other)


def finalists(*losses):
    return [Finalist((0, 0, i), {}, 3.0 - i, loss) for i, loss in enumerate(losses)]


def test_the_best_are_confirmed_on_the_task_and_the_best_there_is_chosen(tmp_path):
    asked, loop = request(tmp_path, ZOO), Recording(noise=60.0)
    of_se = Objective.of(asked.settings, asked.ses.environments)
    on_task = dataclasses.replace(of_se, kind="agent")
    best = finalists(0.0, 0.1)
    rows = confirm(best, 2, on_task, asked.paths, loop, on_task=True)
    assert all(job.learned is None for job in loop.jobs)
    assert len(loop.jobs) == 6, "three agents of each"
    means = [np.mean(row["fresh_losses"]) for row in rows]
    row = best_confirmed(read_confirmations(asked.paths), "000-0-000", 3.0)
    assert row is not None
    assert (row.trial, row.fresh_loss) == (rows[0]["trial"], min(means))


def test_three_are_confirmed_unless_told_otherwise_or_the_master_is_alone(tmp_path):
    assert request(tmp_path, ZOO).confirm == 3
    assert request(tmp_path, ZOO, confirm=0).confirm == 0
    assert request(tmp_path, ZOO, role="master").confirm == 0
    assert request(tmp_path, None).confirm == 0


def test_a_whole_run_ends_with_the_configuration_that_is_best_on_the_task(tmp_path):
    text = load_space("ddqn_cartpole").path.read_text()
    own = tmp_path / "own.py"
    for old, new in (("50_000", "200"), ('"max_budget": 9', '"max_budget": 3')):
        text = text.replace(old, new)
    own.write_text(text)
    flags = {"on": ZOO, "run": tmp_path / "run", "n_brackets": 1, "confirm": 2}
    run = se_hpo.optimize.run(own, progress=False, threads=1, **flags)
    frame = run.trials()
    assert (frame.status == "finished").all() and (frame.env_steps_se > 0).all()
    rows = json.loads(RunPaths(run.folder).confirmation.read_text())
    best = min(rows, key=lambda row: np.mean(row["fresh_losses"]))
    assert run.incumbent.trial == best["trial"]
    assert run.incumbent.fresh_loss == pytest.approx(np.mean(best["fresh_losses"]))
