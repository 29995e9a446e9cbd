"""Every shipped space samples, builds, and has the ranges it claims."""

import ast
from pathlib import Path

import pytest

from se_hpo.bohb.brackets import hyperband_brackets, plan
from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.bohb.generator import BOHBGenerator
from se_hpo.search_space import list_spaces, load_space
from se_hpo.space_table import describe

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
    assert {"ddqn_cartpole", "nes_acrobot", "nes_cartpole", "smoke"} <= set(
        list_spaces()
    )


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


@pytest.mark.parametrize("name", ["nes_cartpole", "nes_acrobot"])
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


def test_the_agents_part_is_the_same_in_all_cartpole_spaces():
    alone = load_space("ddqn_cartpole").configuration_space()
    joint = load_space("nes_cartpole").configuration_space()
    assert len(alone) == 11
    assert all(hp == joint[name] for name, hp in alone.items())


@pytest.mark.parametrize("name", ["nes_cartpole", "nes_acrobot"])
def test_center_evaluations_matter_where_their_mean_is_the_baseline(name):
    space = load_space(name)
    encoding = SpaceEncoding(space.configuration_space())
    for seed in range(40):
        config = encoding.sample(seed)
        baseline = "better" in config["nes.score_transform"]
        assert ("nes.n_center_evaluations" in config) is baseline
        if not baseline:
            assert space.resolve(config).nes.n_center_evaluations == 8


@pytest.mark.parametrize("name", ["nes_cartpole", "nes_acrobot", "ddqn_cartpole"])
def test_no_configuration_trains_for_ever(name):
    space = load_space(name)
    assert 0 < space.resolve({}).agent.max_env_steps <= 50_000


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
def test_the_model_proposes_buildable_configurations(name):
    space = load_space(name)
    generator = BOHBGenerator(space.configuration_space(), seed=1, random_fraction=0)
    for i in range(2 * generator.min_points):
        config = generator.encoding.sample(i)
        generator._results.setdefault(1.0, _empty()).vectors.append(
            generator.encoding.encode(config)
        )
        generator._results[1.0].losses.append(i / 100)
    for _ in range(10):
        config, info = generator.get_config(1.0)
        assert info["model_based_pick"]
        space.resolve(config)


def _empty():
    from se_hpo.bohb.generator import _Results

    return _Results()


def test_the_example_in_the_documentation_is_a_space(tmp_path):
    page = Path(__file__).parents[1] / "docs" / "spaces.md"
    if not page.exists():
        pytest.skip("docs/ is not beside the tests")
    source = page.read_text().split("```python\n")[1].split("```")[0]
    path = tmp_path / "own.py"
    path.write_text(source)
    space = load_space(path)
    assert [row.name for row in describe(space)] == ["nes.noise_std", "nes.step_size"]
    assert "0.0124" in describe(space)[0].comment
