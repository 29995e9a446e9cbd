"""Every shipped space samples, builds, and has the ranges it claims."""

import ast

import numpy as np
import pytest

from se_hpo.agents import AGENTS
from se_hpo.agents.registry import VARIED
from se_hpo.bohb.brackets import hyperband_brackets, plan
from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.bohb.parzen import MODELS
from se_hpo.config.variation import FACTOR, vary_agent
from se_hpo.optimize.search_trial import Job
from se_hpo.search_spaces.loading import list_spaces, load_space
from se_hpo.search_spaces.table import describe
from tests.helpers.places import ROOT

# Those that wrap another are drawn as that one, other people's around their defaults.
DRAWN = [n for n in AGENTS if not (AGENTS[n].wraps or n.startswith("sb3:"))]

# Lowest and highest value in the authors' search: Ferreira et al. (2022), code.
AUTHORS = {
    "nes.step_size": (0.1, 1),
    "nes.noise_std": (0.01, 1),
    "ddqn.init_episodes": (1, 20),
    "ddqn.batch_size": (64, 256),
    "ddqn.one_minus_gamma": (0.001, 0.1),
    "ddqn.lr": (1e-4, 5e-3),
    "ddqn.tau": (0.005, 0.05),
    "ddqn.eps_init": (0.8, 1),
    "ddqn.eps_min": (0.005, 0.05),
    "ddqn.one_minus_eps_decay": (0.01, 0.2),
    "ddqn.hidden_size": (48, 192),
    "ddqn.hidden_layers": (1, 2),
    "se.hidden_size": (48, 192),
    "se.hidden_layers": (1, 2),
}
NOT_LOG = {"ddqn.batch_size", "ddqn.hidden_layers", "se.hidden_layers"}


def test_the_shipped_spaces_are_these():
    alone = {"ddqn_cartpole", "dueling_ddqn_cartpole", "td3_discrete_cartpole"}
    alone.add("td3_pendulum")
    assert set(list_spaces()) == {
        "smoke",
        *("nes_acrobot", "nes_cartpole"),
        *("paper_nes_acrobot", "paper_nes_cartpole"),
        "ddqn_acrobot",
        "ppo_cartpole",
        *("sb3_ppo_cartpole", "wide_ddqn_cartpole"),
        *alone,
        *("q_learning_cliff", "sarsa_cliff"),
        *("rn_cliff", "rn_cartpole", "rn_cmc"),
        *(f"vary_{agent}" for agent in DRAWN),
    }


@pytest.mark.parametrize("name", list_spaces())
def test_a_shipped_space_samples_and_builds_100_configurations(name):
    space = load_space(name)
    encoding = SpaceEncoding(space.configuration_space())
    configs = [encoding.sample(seed) for seed in range(100)]
    for config in configs:
        resolved = space.resolve(config)
        assert resolved.task == space.task
    assert len({str(config) for config in configs}) > 50


@pytest.mark.parametrize("name", list_spaces())
def test_a_shipped_space_comments_every_range_and_imports_only_configspace(name):
    space = load_space(name)
    assert all(len(row.comment) > 10 for row in describe(space))
    for node in ast.walk(ast.parse(space.path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or node.names[0].name]
            assert names == ["ConfigSpace"]


@pytest.mark.parametrize("name", ["paper_nes_cartpole", "paper_nes_acrobot"])
def test_the_authors_ranges_are_kept(name):
    built = load_space(name).configuration_space()
    for key, (low, high) in AUTHORS.items():
        hp = built[key]
        assert (hp.lower, hp.upper) == pytest.approx((low, high)), key
        assert hp.log is (key not in NOT_LOG), key
    for prefix in ("ddqn", "se"):
        assert set(built[f"{prefix}.activation"].choices) == {
            "tanh",
            "relu",
            "leaky_relu",
            "prelu",
        }
    assert len(built["nes.score_transform"].choices) == 8
    assert {"mirrored_best", "single"} < set(built["nes.sampling"].choices)


@pytest.mark.parametrize("task", ["cartpole", "acrobot"])
def test_the_agents_part_is_the_same_in_all_spaces_of_a_task(task):
    alone, joint = load_space(f"ddqn_{task}"), load_space(f"paper_nes_{task}")
    assert (alone.objective, joint.objective) == ("agent", "nes")
    assert (alone.agent, alone.task) == (joint.agent, joint.task)
    together = joint.configuration_space()
    assert len(alone.configuration_space()) == 11
    for name, hp in alone.configuration_space().items():
        assert hp == together[name]


# Lowest, highest and default value in the authors' searches for these agents: code.
AUTHORS_DUELING = {
    "init_episodes": (1, 20, 10),
    "batch_size": (64, 512, 256),
    "one_minus_gamma": (0.001, 0.1, 0.01),
    "lr": (1e-4, 0.1, 3e-4),
    "tau": (0.001, 0.1, 0.01),
    "eps_init": (0.8, 1, 0.9),
    "eps_min": (0.005, 0.05, 0.05),
    "one_minus_eps_decay": (0.01, 0.2, 0.1),
    "buffer_size": (1e3, 1e6, 1e5),
    "hidden_size": (32, 256, 128),
    "feature_size": (32, 256, 128),
    "hidden_layers": (1, 2, 2),
    "stop_window": (1, 5, 3),
}
AUTHORS_TD3 = {
    "init_episodes": (1, 20, 10),
    "batch_size": (64, 512, 128),
    "one_minus_gamma": (0.001, 0.1, 0.01),
    "lr": (1e-6, 0.1, 5e-4),
    "tau": (0.001, 0.1, 0.01),
    "policy_delay": (1, 5, 2),
    "hidden_size": (64, 512, 128),
    "action_std": (0.01, 10, 0.1),
    "policy_std": (0.01, 10, 0.2),
    "policy_std_clip": (0.01, 10, 0.5),
    "gumbel_temperature": (0.001, 10, 1),
}


@pytest.mark.parametrize(
    ("agent", "authors", "categorical"),
    [
        ("dueling_ddqn", AUTHORS_DUELING, {"activation": "relu"}),
        (
            "td3_discrete",
            AUTHORS_TD3,
            {"activation": "tanh", "gumbel_hard": False, "layer_norm": True},
        ),
    ],
)
def test_spaces_of_other_agents_are_the_authors(agent, authors, categorical):
    built = load_space(f"{agent}_cartpole").configuration_space()
    assert set(built) == {f"{agent}.{key}" for key in {**authors, **categorical}}
    for key, (low, high, default) in authors.items():
        hp = built[f"{agent}.{key}"]
        values = (hp.lower, hp.upper, hp.default_value)
        assert values == pytest.approx((low, high, default)), key
        assert hp.log is (key not in {"policy_delay", "hidden_layers"}), key
    for key, default in categorical.items():
        assert built[f"{agent}.{key}"].default_value == default, key


@pytest.mark.parametrize("agent", DRAWN)
def test_phase_2_agents_vary_around_the_default_configuration(agent):
    space = load_space(f"vary_{agent}")
    base = AGENTS[agent].config()
    assert (space.objective, space.agent) == ("agent", agent)
    built = space.configuration_space()
    assert space.resolve(dict(built.get_default_configuration())).agent == base
    assert set(built) == {f"{agent}.{key}" for key in AGENTS[agent].varied}
    for key, limits in AGENTS[agent].varied_ranges.items():
        hp = built[f"{agent}.{key}"]
        assert (hp.lower, hp.upper, hp.log) == (*limits, False)
    if AGENTS[agent].varied != VARIED:
        return
    lr = built[f"{agent}.lr"]
    assert (lr.lower, lr.upper) == pytest.approx((base.lr / FACTOR, base.lr * FACTOR))
    for key in ("batch_size", "hidden_size"):
        hp, middle = built[f"{agent}.{key}"], getattr(base, key)
        assert (hp.lower, hp.upper, hp.log) == (middle // 3, middle * 3, True)
    layers = built[f"{agent}.hidden_layers"]
    assert (layers.lower, layers.upper, layers.log) == (1, 3, False)


def test_phase_2_spaces_draw_as_the_variation_inside_nes_does():
    space = load_space("vary_ddqn")
    encoding = SpaceEncoding(space.configuration_space())
    base, rng = AGENTS["ddqn"].config(), np.random.default_rng(0)
    drawn = [space.resolve(encoding.sample(seed)).agent for seed in range(500)]
    varied = [vary_agent(base, rng) for _ in range(2000)]
    for key in ("lr", "batch_size", "hidden_size", "hidden_layers"):
        ours, theirs = (
            np.quantile(np.log([getattr(a, key) for a in agents]), [0.1, 0.3, 0.5, 0.9])
            for agents in (drawn, varied)
        )
        np.testing.assert_allclose(ours, theirs, atol=0.15, err_msg=key)


@pytest.mark.parametrize("name", ["nes_cartpole", "nes_acrobot"])
def test_settings_that_a_strategy_or_kind_does_not_read_are_not_searched(name):
    space = load_space(name)
    encoding = SpaceEncoding(space.configuration_space())
    for seed in range(60):
        config = encoding.sample(seed)
        ours = config["nes.strategy"] == "nes"
        assert ("nes.sampling" in config) is ("nes.score_transform" in config) is ours
        future = config["se.kind"] != "one_step"
        assert ("ddqn.tau" in config) is ("ddqn.one_minus_gamma" in config) is future


@pytest.mark.parametrize("name", ["nes_cartpole", "nes_acrobot"])
def test_all_configurations_are_judged_by_agents_that_vary(name):
    space = load_space(name)
    searched = space.configuration_space()
    for key in ("nes.vary_agents", "nes.vary", "nes.n_center_evaluations"):
        assert key in space.base and key not in searched


def test_a_phase_2_agent_has_no_step_limit_but_that_of_the_episodes():
    for agent in DRAWN:
        config = load_space(f"vary_{agent}").resolve({}).agent
        assert (config.max_env_steps, config.train_episodes) == (0, 1000)


@pytest.mark.parametrize("name", ["paper_nes_cartpole", "paper_nes_acrobot"])
def test_center_evaluations_matter_where_their_mean_is_the_baseline(name):
    space = load_space(name)
    encoding = SpaceEncoding(space.configuration_space())
    for seed in range(40):
        config = encoding.sample(seed)
        baseline = "better" in config["nes.score_transform"]
        assert ("nes.n_center_evaluations" in config) is baseline
        if not baseline:
            assert space.resolve(config).nes.n_center_evaluations == 8


@pytest.mark.parametrize(
    "name",
    [name for name in list_spaces() if not name.startswith("vary_")],
)
def test_no_configuration_trains_for_ever(name):
    space = load_space(name)
    named = space.configuration_space().get("ddqn.se_steps")
    config = space.resolve({named.name: named.upper} if named else {})
    limits = config.nes.horizon, config.agent.se_steps, config.agent.max_env_steps
    assert 0 < next(limit for limit in limits if limit) <= 50_000


def test_smoke_has_every_kind_of_hyperparameter_and_is_tiny():
    space = load_space("smoke")
    rows = describe(space)
    kinds = {row.type for row in rows}
    assert kinds == {"float", "integer", "categorical", "ordinal", "constant"}
    assert any(row.condition for row in rows)
    assert any(row.log and row.type == "float" for row in rows)
    ladder = (space.min_budget, space.max_budget, space.eta)
    assert plan(hyperband_brackets(*ladder, n_brackets=2)).generations <= 12


@pytest.mark.parametrize("name", list_spaces())
def test_the_models_propose_buildable_configurations(name):
    space = load_space(name)
    for model in MODELS.values():
        generator = model(space.configuration_space(), seed=1, random_fraction=0)
        for i in range(2 * generator.min_points):
            kwargs = {"config": generator.encoding.sample(i), "budget": 1.0}
            generator.new_result(Job((0, 0, i), kwargs, {"loss": i / 100}))
        for _ in range(10):
            config, info = generator.get_config(1.0)
            assert info["model_based_pick"]
            space.resolve(config)


def test_the_example_in_the_documentation_is_a_space(tmp_path):
    page = ROOT / "docs" / "spaces.md"
    if not page.exists():
        pytest.skip("docs/ is not beside the tests")
    source = page.read_text().split("```python\n")[1].split("```")[0]
    path = tmp_path / "own.py"
    path.write_text(source)
    space = load_space(path)
    assert [row.name for row in describe(space)] == ["nes.noise_std", "nes.step_size"]
    assert "0.0124" in describe(space)[0].comment
