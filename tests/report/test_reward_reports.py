"""Reports of reward networks: curves, maps, costs, and words that fit."""

import re

import pytest

from se_hpo.agents.q_learning_config import QLearningConfig
from se_hpo.evaluate.__main__ import main
from se_hpo.report.analyses import analyse
from se_hpo.report.learned_maps import learned_maps
from se_hpo.report.report_file import write_report
from se_hpo.report.run_data import read_run
from tests.evaluate.test_curves import options, quick, reward_run  # noqa: F401


@pytest.fixture
def evaluated(tmp_path, quick):  # noqa: F811
    agent = QLearningConfig(eps_init=0.01, eps_min=0.01)
    run = reward_run(tmp_path / "run", task="Cliff-v0", agent=agent)
    more = {"agents": ("q_learning",), "baselines": ("q_learning+count_bonus=0.1",)}
    for variation in ("default", "varied"):
        main(options(run.root, hyperparameters=variation, **more))
    return run


def words(run):
    text = re.sub(r"<(style|script).*?</\1>", "", run.report.read_text(), flags=re.S)
    return re.sub(r"<[^>]+>", " ", re.sub(r'src="data:[^"]*"', "", text))


def test_a_report_shows_curves_maps_and_costs_and_says_reward_networks(evaluated):
    write_report(evaluated.root)
    said = words(evaluated)
    assert "Reward networks for reinforcement learning" in said
    assert "How fast agents learn" in said and "Learning curves" in said
    assert "additive potential RN, fixed" in said and "exclusive RN, random" in said
    assert "Break-even of reward networks" in said
    assert "What the SEs are worth" not in said and "ynthetic" not in said
    assert "RN set potential" in said and "SE set" not in said
    assert "env steps on RNs" in said and "unperturbed SE" not in said
    assert "histograms" not in said
    made = {path.stem for path in evaluated.figures.glob("*.png")}
    assert {"learning_curves", "reward_maps"} <= made
    assert not any(name.startswith("returns") for name in made)


def test_the_tables_have_the_control_and_the_agent_alone(evaluated):
    answers = analyse(read_run(evaluated.root))
    assert not answers.problems and answers.train_envs.empty
    arms = answers.learning.groupby("variation")["train_env"].agg(set)
    assert arms.map(len).tolist() == [3, 3]
    assert set(answers.learning["agent"]) == {
        "q_learning",
        "q_learning+count_bonus=0.1",
    }


def test_of_two_evaluations_of_one_arm_the_larger_is_used_and_it_is_said(evaluated):
    more = {"agents": ("q_learning",), "num_agents": 1, "seed": 7}
    main(options(evaluated.root, **more))
    answers = analyse(read_run(evaluated.root))
    assert "curves-400-default-matched-7 is not used" in answers.problems[0]
    assert answers.learning["n_agents"].max() == 4


def test_an_unfinished_evaluation_with_baselines_is_counted_right(evaluated):
    file = evaluated.evaluations / "curves-400-default-matched-0.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if "count_bonus" not in line))
    write_report(evaluated.root, figures=False)
    assert "agents 4 of 8 on the real task" in words(evaluated)


@pytest.mark.parametrize(
    ("task", "n"), [("CartPole-v0", 61 * 61), ("Acrobot-v1", 0), ("Cliff-v0", 48)]
)
def test_maps_are_of_the_states_that_can_be_drawn(tmp_path, task, n):
    data = read_run(reward_run(tmp_path / "run", task=task).root)
    maps = learned_maps(data)
    assert len(maps) == 3 * 2 * n
    if n:
        potential = maps[maps["potential"]].groupby("what")["value"].mean()
        assert potential.abs().max() < 1e-6


def test_a_damaged_network_costs_its_map_only(tmp_path):
    run = reward_run(tmp_path / "run", task="Cliff-v0", agent=QLearningConfig())
    (run.ses / "plain/001.safetensors").write_bytes(b"none")
    data = read_run(run.root)
    assert set(learned_maps(data)["se_set"]) == {"potential", "random"}
    assert any("001.safetensors" in line for line in data.unreadable)


def test_a_run_without_evaluations_has_a_report(tmp_path):
    run = reward_run(tmp_path / "run")
    write_report(run.root, figures=False)
    assert "What the reward networks are worth is not known yet" in words(run)
