"""The control without NES: spends what it is given, resumes, and judges fairly."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest

from se_hpo import seeding
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.config.nes_config import NESConfig
from se_hpo.config.run import RunConfig
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
from se_hpo.nes.random_search import (
    CHUNK,
    run_random_search,
    scored_candidates,
    search_plan,
)
from se_hpo.storage.paths import TrialPaths
from tests.helpers.fakes import FakeInnerLoop

CONFIG = RunConfig(
    task="CartPole-v0",
    agent=DDQNConfig(test_episodes=2),
    se=SyntheticEnvConfig(hidden_size=2),
    nes=NESConfig(n_center_evaluations=4),
)
TRAININGS = 3 * CHUNK + 40


class Recorder(FakeInnerLoop):
    """Also remembers the jobs."""

    def __init__(self, **fake):
        super().__init__(**fake)
        self.jobs = []

    def train_agents(self, jobs):
        results = super().train_agents(jobs)
        self.jobs += jobs
        return results


def search(folder, config=CONFIG, seed=1, trainings=TRAININGS, **fake):
    loop = Recorder(**fake)
    paths = TrialPaths(folder)
    return run_random_search(config, seed, paths, loop, trainings), paths, loop


@pytest.mark.parametrize("trainings", [8, 9, 31, 63, 64, 65, 1000, 12345])
@pytest.mark.parametrize("agents", [1, 4])
def test_the_plan_spends_exactly_what_it_is_given(trainings, agents):
    plan = search_plan(trainings, agents)
    assert plan.candidates + plan.finalists * plan.agents == trainings
    assert 1 <= plan.finalists <= 8
    assert plan.candidates >= plan.finalists * plan.agents
    assert plan.agents == agents


def test_too_few_trainings_are_refused():
    with pytest.raises(UserError, match="takes at least 32"):
        search_plan(31, 16)


def test_it_trains_exactly_as_many_agents_as_it_may(tmp_path):
    _, paths, loop = search(tmp_path)
    assert len(loop.jobs) == TRAININGS == scored_candidates(paths)
    assert len({job.seed for job in loop.jobs[: TRAININGS - 32]}) == TRAININGS - 32


def test_the_best_of_the_finalists_on_fresh_agents_wins(tmp_path):
    outcome, _, loop = search(tmp_path, noise=20.0)
    n = TRAININGS - 32
    by_psi = {}
    for job in loop.jobs[n:]:
        score = FakeInnerLoop(noise=20.0)._result(job).score
        by_psi.setdefault(job.learned.psi.tobytes(), []).append(score)
    assert len(by_psi) == 8
    best = max(by_psi, key=lambda psi: np.mean(by_psi[psi]))
    assert outcome.psi.tobytes() == best
    assert outcome.score == pytest.approx(np.mean(by_psi[best]))
    first = sorted(FakeInnerLoop(noise=20.0)._result(j).score for j in loop.jobs[:n])
    assert outcome.first_score in first[-8:], "it was among the eight best"
    fresh = {job.seed for job in loop.jobs[n:]}
    assert not fresh & {job.seed for job in loop.jobs[:n]}


def test_the_score_is_not_the_luck_that_made_a_finalist(tmp_path):
    """Where SEs hardly differ, the first scores are high and the fresh ones not."""
    same = replace(CONFIG, nes=replace(CONFIG.nes, n_center_evaluations=16))
    luck = []
    for seed in range(5):
        outcome, _, _ = search(tmp_path / str(seed), same, seed, 1000, noise=1000.0)
        luck.append(outcome.first_score - outcome.score)
    assert np.mean(luck) > 1000.0, "first scores exceed fresh ones by over a sigma"


def test_candidates_are_fresh_random_ses(tmp_path):
    _, _, loop = search(tmp_path)
    task = get_task("CartPole-v0")
    for k in (0, 5):
        psi = initial_psi(CONFIG.se, task, seeding.generator(1, "psi", k))
        np.testing.assert_array_equal(loop.jobs[k].learned.psi, psi)
    assert len({job.learned.psi.tobytes() for job in loop.jobs}) == TRAININGS - 32


def test_agents_vary_where_the_config_says_so(tmp_path):
    varied = replace(CONFIG, nes=replace(CONFIG.nes, vary_agents=True))
    _, _, loop = search(tmp_path, varied)
    assert len({job.agent for job in loop.jobs}) > 100
    _, _, loop = search(tmp_path / "fixed")
    assert {job.agent for job in loop.jobs} == {CONFIG.agent}


@pytest.mark.parametrize("calls", [0, 1, 2, 3, 4])
def test_an_interrupted_search_ends_with_the_same_bytes(tmp_path, calls):
    whole, paths, _ = search(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "cut", fail_after=calls)
    outcome, cut, loop = search(tmp_path / "cut")
    assert cut.candidates.read_bytes() == paths.candidates.read_bytes()
    assert outcome.candidate == whole.candidate
    assert len(loop.jobs) == TRAININGS - min(calls * CHUNK, TRAININGS - 32)
    again, _, loop = search(tmp_path / "cut")
    assert (again.score, loop.jobs) == (whole.score, []), "nothing is trained twice"
    assert (again.env_steps_se, again.env_steps_task) == (
        10 * TRAININGS,
        20 * TRAININGS,
    )


def damage_tear(lines):
    lines[-1] = lines[-1][:20]


def damage_drop(lines):
    del lines[2]


def damage_scores(lines):
    line = json.loads(lines[1])
    lines[1] = json.dumps({**line, "scores": line["scores"][:-1]}) + "\n"


def damage_steps(lines):
    lines[1] = lines[1].replace('"env_steps_se":640', '"env_steps_se":"many"')


def damage_header(lines):
    lines[0] = '{"owner": "somebody else"}\n'


def damage_more(lines):
    lines.append(lines[-1])


def damage_nothing_json(lines):
    lines[3] = "[]\n"


@pytest.mark.parametrize(
    "damage",
    [
        damage_tear,
        damage_drop,
        damage_scores,
        damage_steps,
        damage_header,
        damage_more,
        damage_nothing_json,
    ],
)
def test_damaged_lines_are_scored_again(tmp_path, damage, caplog):
    whole, paths, _ = search(tmp_path)
    before = paths.candidates.read_bytes()
    lines = before.decode().splitlines(keepends=True)
    damage(lines)
    paths.candidates.write_text("".join(lines))
    assert paths.candidates.read_bytes() != before
    with caplog.at_level(logging.WARNING):
        outcome, _, _ = search(tmp_path)
    assert "candidates.jsonl" in caplog.text
    assert paths.candidates.read_bytes() == before
    assert outcome.score == whole.score


def test_another_seed_in_the_same_folder_starts_again(tmp_path, caplog):
    search(tmp_path)
    outcome, _, loop = search(tmp_path, seed=2)
    assert len(loop.jobs) == TRAININGS
    assert outcome.score == search(tmp_path / "two", seed=2)[0].score
