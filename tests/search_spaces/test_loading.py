"""A space is found by name or path, checked, and each mistake is one clear line."""

import json
import textwrap
from pathlib import Path

import pytest
from rich.console import Console

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.bohb.proposals import BOHBGenerator
from se_hpo.errors import UserError
from se_hpo.optimize.run_folder import open_run
from se_hpo.search_spaces import loading
from se_hpo.search_spaces.loading import list_spaces, load_space
from se_hpo.search_spaces.table import describe, space_table, spaces_table
from se_hpo.storage.paths import RunPaths
from tests.bohb.test_proposals import drive

META = {
    "objective": "nes",
    "task": "CartPole-v0",
    "agent": "ddqn",
    "min_budget": 1,
    "max_budget": 9,
    "eta": 3,
    "base": {"nes.population": 4},
}
BODY = 'return ConfigurationSpace({"nes.noise_std": (0.01, 1.0)})'


FORBIDDEN_DEFAULT = """
cs = ConfigurationSpace()
kind = Categorical("ddqn.activation", ["tanh", "relu"])
size = Integer("ddqn.hidden_size", (4, 16), default=8)
cs.add(kind, size)
cs.add(
    ForbiddenAndConjunction(
        ForbiddenEqualsClause(kind, "tanh"), ForbiddenEqualsClause(size, 8)
    )
)
return cs
"""
HARDLY_ANY = """
size = Integer("ddqn.hidden_size", (1, 10**6), default=1)
cs = ConfigurationSpace()
cs.add(size)
cs.add(ForbiddenGreaterThanClause(size, 1))
return cs
"""
INCOMPARABLE = """
a, b = Constant("ddqn.activation", "tanh"), Integer("ddqn.hidden_size", (1, 9))
cs = ConfigurationSpace()
cs.add(a, b)
cs.add(ForbiddenLessThanRelation(a, b))
return cs
"""
AND_OR = """
cs = ConfigurationSpace(seed=seed)
kind = Categorical("ddqn.activation", ["relu", "tanh"])
size = Integer("ddqn.hidden_size", (4, 16), default=8)
tau = Float("ddqn.tau", (0.01, 0.5))
batch = Integer("ddqn.batch_size", (4, 16))
cs.add(kind, size, tau, batch)
relu, large = EqualsCondition(tau, kind, "relu"), GreaterThanCondition(tau, size, 10)
cs.add(OrConjunction(relu, large))
relu = EqualsCondition(batch, kind, "relu")
cs.add(AndConjunction(relu, GreaterThanCondition(batch, size, 10)))
return cs
"""
NUMPY = """
import numpy as np
cs = ConfigurationSpace(seed=seed)
cs.add(Categorical("ddqn.hidden_layers", list(np.arange(1, 3)), default=np.int64(2)))
cs.add(Categorical("ddqn.activation", [np.str_("tanh"), np.str_("relu")]))
cs.add(OrdinalHyperparameter("ddqn.hidden_size", list(np.array([4, 8]))))
cs.add(Constant("ddqn.eps_init", np.float32(0.5)))
cs.add(Constant("ddqn.batch_size", np.int16(4)))
cs.add(Float("ddqn.lr", (np.float64(1e-4), np.float32(0.5)), default=np.float64(0.01)))
cs.add(Integer("ddqn.init_episodes", (np.int64(1), np.int32(3)), default=np.int8(2)))
cs.add(EqualsCondition(cs["ddqn.lr"], cs["ddqn.hidden_layers"], np.int64(2)))
cs.add(ForbiddenInClause(cs["ddqn.init_episodes"], [np.int64(3)]))
return cs
"""


def write_space(folder: Path, body: str = BODY, head: str = "", **meta: object) -> Path:
    path = folder / "own.py"
    path.write_text(
        '"""My space."""\n'
        "from ConfigSpace import *\n"
        f"META = { ({**META, **meta})!r}\n"
        f"{head}\n"
        "def space(seed=None):\n" + textwrap.indent(textwrap.dedent(body), "    ")
    )
    return path


def error_of(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_space(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message.removeprefix(f"{path}: ")


def test_a_shipped_space_is_found_by_name():
    space = load_space("smoke")
    assert space.name == "smoke"
    assert space.path.parts[-2:] == ("spaces", "smoke.py")
    assert space.objective == "nes"
    assert space.summary.startswith("Tiny")


def test_a_users_file_is_found_by_path_from_anywhere(tmp_path, monkeypatch):
    path = write_space(tmp_path)
    assert load_space(path) == load_space(str(path))
    monkeypatch.chdir(tmp_path)
    space = load_space("own.py")
    assert space.path == path.resolve()
    assert space.name == "own"
    assert (space.min_budget, space.max_budget, space.eta) == (1, 9, 3)
    assert space.resolve({"nes.noise_std": 0.5}).nes.population == 4


def test_a_wheels_spaces_inside_the_package_come_first(tmp_path, monkeypatch):
    package = tmp_path / "se_hpo"
    (package / "spaces").mkdir(parents=True)
    (tmp_path / "spaces").mkdir()
    write_space(package / "spaces")
    monkeypatch.setattr(
        loading, "__file__", str(package / "search_spaces" / "loading.py")
    )
    assert list_spaces() == ("own",)
    assert load_space("own").path == package / "spaces" / "own.py"


def test_an_unknown_name_points_to_the_closest_one():
    with pytest.raises(UserError, match="did you mean 'nes_cartpole'"):
        load_space("nes_cartpol")


def test_a_bare_name_of_a_local_file_is_told_to_say_the_path(tmp_path, monkeypatch):
    write_space(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"say own\.py"):
        load_space("own")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no\.py' does not exist"):
        load_space(tmp_path / "no.py")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return 3", "space() returned 3, not a ConfigurationSpace"),
        ("return None", "space() returned None"),
        ("return ConfigurationSpace()", "no hyperparameters"),
        ("raise KeyError('x')", "space(seed=0) raised KeyError"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("raise SystemExit(1)", "SystemExit"),
        ('return ConfigurationSpace({"nes.noise": (0.1, 1.0)})', "nes.noise_std"),
        ('return ConfigurationSpace({"td3.lr": (0.1, 1.0)})', "'td3.lr' sets no"),
        ('return ConfigurationSpace({"nes.noise_std": (0.0, 1.0)})', "must be > 0"),
        ('return ConfigurationSpace({"nes.sampling": ["one"]})', "'one'"),
        *(
            (f"return {kind}('nes.sampling', [])", "raised 'nes.sampling' has no choi")
            for kind in ("Categorical", "OrdinalHyperparameter")
        ),
        ('return ConfigurationSpace({"se.hidden_size": (1.5, 9.5)})', "type int"),
        ('return ConfigurationSpace({"nes.population": (2, 8)})', "keep one"),
        (
            'return ConfigurationSpace([Float("ddqn.lr", (1e-15, 1.0), log=True)])',
            "'ddqn.lr' has illegal settings: the lower bound of a log scale must be "
            "above 0 (ConfigSpace rounds floats to 13 decimals",
        ),
        (
            'return ConfigurationSpace([Float("ddqn.lr", (1e-15, 2e-15))])',
            "Upper bound 0.000000 must be larger than lower bound 0.000000 (Conf",
        ),
        (
            'return ConfigurationSpace([Float("ddqn.lr", (0.1, float("inf")))])',
            "'ddqn.lr': its bounds must be finite numbers",
        ),
        (
            "return ConfigurationSpace({'ddqn.gamma': [0.9, float('nan')]})",
            "'ddqn.gamma': no choice may be None or NaN",
        ),
        (
            "return ConfigurationSpace({'ddqn.batch_size': [4, 10**30]})",
            "must be of at most 64 bits",
        ),
        (
            "return ConfigurationSpace({'ddqn.lr': (0.1, 1.0)}), 1",
            "space() returned (Configuration space object: Hyperparameters: ",
        ),
        (FORBIDDEN_DEFAULT, "the default configuration {'ddqn.activation': 'tanh', "),
        (HARDLY_ANY, "20000 random configurations in a row were forbidden"),
        (INCOMPARABLE, "sampling raised TypeError"),
        (FORBIDDEN_DEFAULT, "is forbidden by (ddqn.activation == 'tanh' && ddqn.hid"),
        (
            "return ConfigurationSpace([Categorical('ddqn.activation', ['tanh', 'relu']"
            ", weights=[0, 1], default='tanh')])",
            "'ddqn.activation': its default 'tanh' has weight 0",
        ),
    ],
)
def test_what_the_function_gives_is_checked(tmp_path, body, words):
    assert words in error_of(write_space(tmp_path, body))


def test_a_value_that_only_a_rare_condition_activates_is_checked_too(tmp_path):
    body = """
        cs = ConfigurationSpace()
        kinds, weights = ["mirrored_best", "single"], [0.999, 0.001]
        cs.add(Categorical("nes.sampling", kinds, weights=weights))
        cs.add(Float("nes.weight_decay", (0.5, 1.5)))
        cs.add(EqualsCondition(cs["nes.weight_decay"], cs["nes.sampling"], "single"))
        return cs
    """
    assert "weight_decay = 1.5" in error_of(write_space(tmp_path, body))


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ({"objective": "ness"}, "unknown objective 'ness': did you mean 'nes'"),
        ({"agent": "dqn"}, "unknown agent 'dqn': did you mean 'ddqn'"),
        ({"task": "CartPole-v7"}, "CartPole-v7"),
        ({"min_budget": 27}, "above max budget"),
        ({"min_budget": 0}, "min budget = 0"),
        ({"max_budget": 10**30}, "max budget = 1e+30: must be a whole number from 1"),
        ({"eta": 1}, "eta = 1"),
        ({"eta": "3"}, "META['eta'] = '3' has the wrong type (str): must be a number"),
        ({"max_budget": 9.5}, "wrong type (float): must be a whole number"),
        ({"min_budget": 0.1}, "wrong type (float): must be a whole number"),
        ({"task": 3}, "wrong type (int): must be text"),
        ({"base": [1]}, "wrong type (list): must be a dict"),
        ({"base": {"nes.population": {1, 2}}}, "population = [1, 2]"),
        ({"max_budget": True}, "wrong type"),
        ({"base": {"nes.populaton": 4}}, "nes.population"),
        ({"base": {"nes.population": 0}}, "must be >= 1"),
        ({"extra": 1}, "META has 'extra'"),
        ({"objective": ["nes", "agent"]}, "2 objectives where one is needed"),
    ],
)
def test_every_entry_of_meta_is_checked(tmp_path, meta, words):
    assert words in error_of(write_space(tmp_path, **meta))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "no dict META"),
        ("META = 3", "no dict META"),
        ("META = {}", "META lacks 'objective'"),
        (f"META = {META!r}", "no function space"),
        (f"META = {META!r}\nspace = 3", "no function space"),
        ("1 / 0", "ZeroDivisionError"),
        (
            "import ConfigSpace\nKIND = ConfigSpace.Categorical('a', [])",
            "'a' has no choices: give it one or more",
        ),
        ("def", "SyntaxError"),
        ("import no_such_module", "ModuleNotFoundError"),
        ("raise SystemExit", "SystemExit"),
    ],
)
def test_a_file_that_is_no_space_is_refused(tmp_path, source, words):
    path = tmp_path / "own.py"
    path.write_text(source)
    message = error_of(path)
    assert words in message


def test_every_kind_of_hyperparameter_is_described_in_the_files_order(tmp_path):
    body = """
        cs = ConfigurationSpace()
        cs.add([
            # Weight decay. A range
            # over two lines.
            Float("nes.weight_decay", (1e-4, 0.5), log=True),
            # How to sample.
            Categorical("nes.sampling", ["single", "antithetic"], default="antithetic"),
            Constant("nes.step_size", 0.5),
            # Not about a hyperparameter.
            OrdinalHyperparameter("se.hidden_size", [8, 16]),
            # Layers.
            Integer("se.hidden_layers", (1, 3), default=2),
        ])
        cs.add(EqualsCondition(cs["nes.weight_decay"], cs["nes.sampling"], "single"))
        cs.add(
            AndConjunction(
                EqualsCondition(cs["se.hidden_size"], cs["nes.sampling"], "single"),
                GreaterThanCondition(cs["se.hidden_size"], cs["se.hidden_layers"], 1),
            )
        )
        return cs
    """
    rows = describe(load_space(write_space(tmp_path, body)))
    assert [tuple(row)[:6] for row in rows] == [
        (
            "nes.weight_decay",
            "float",
            "0.0001 .. 0.5",
            True,
            rows[0].default,
            "nes.sampling == 'single'",
        ),
        ("nes.sampling", "categorical", "single, antithetic", False, "antithetic", ""),
        ("nes.step_size", "constant", "0.5", False, "0.5", ""),
        (
            "se.hidden_size",
            "ordinal",
            "8, 16",
            False,
            "8",
            "(nes.sampling == 'single' && se.hidden_layers > 1)",
        ),
        ("se.hidden_layers", "integer", "1 .. 3", False, "2", ""),
    ]
    assert rows[0].comment == "Weight decay. A range over two lines."
    assert rows[2].comment == ""
    assert rows[4].comment == "Layers."


def test_the_tables_show_every_hyperparameter_and_every_space():
    console = Console(width=200, record=True)
    space = load_space("smoke")
    console.print(space_table(space))
    console.print(spaces_table(map(load_space, list_spaces())))
    shown = console.export_text()
    for name in space.configuration_space():
        assert name in shown
    for name in list_spaces():
        assert name in shown
    assert "Only if nes.sampling == 'single'." in shown
    assert "nes.population = 2" in shown


def test_conditions_leave_fields_at_their_defaults():
    space = load_space("smoke")
    config = space.resolve({"nes.sampling": "mirrored_best", "ddqn.lr": 0.01})
    assert config.nes.weight_decay == 0.0
    assert isinstance(config.agent, DDQNConfig)
    assert config.agent.lr == 0.01


def test_sampling_follows_the_seed_alone():
    space = load_space("smoke")
    one = space.configuration_space(seed=5).sample_configuration(4)
    assert one == space.configuration_space(seed=5).sample_configuration(4)
    assert one != space.configuration_space(seed=6).sample_configuration(4)


def test_shared_values_cannot_be_changed():
    with pytest.raises(TypeError):
        load_space("smoke").base["nes.population"] = 3


def test_a_default_that_configspace_takes_for_illegal_is_no_obstacle(tmp_path):
    space = load_space(write_space(tmp_path, AND_OR))
    default = SpaceEncoding(space.configuration_space()).default()
    assert set(default) == {"ddqn.activation", "ddqn.hidden_size", "ddqn.tau"}


def test_numpy_scalars_in_a_space_and_its_meta_become_builtin_values(tmp_path):
    path = write_space(tmp_path, NUMPY)
    text = path.read_text().replace("META = ", "import numpy as np\nMETA = ")
    text = text.replace("'max_budget': 9", "'max_budget': np.int64(9)")
    text = text.replace("'nes.population': 4", "'nes.population': np.int64(4)")
    path.write_text(text)
    space = load_space(path)
    assert type(space.max_budget) is type(space.base["nes.population"]) is int
    built = space.configuration_space(seed=1)
    generator = BOHBGenerator(built, seed=1, start_from_default=True)
    for config, _ in drive(generator, 60, lambda c: c["ddqn.hidden_size"] / 8):
        assert {type(value) for value in config.values()} <= {int, float, str}
        assert config["ddqn.init_episodes"] < 3
        assert json.loads(json.dumps(config)) == config
    assert describe(space)[0].values == "1, 2"
    run = RunPaths(tmp_path / "run")
    open_run(run, {}, built, overwrite=False)
    stored = json.loads(run.configspace.read_text())["hyperparameters"]
    assert {"ddqn.eps_init", "ddqn.lr"} < {h["name"] for h in stored}
    open_run(run, {}, space.configuration_space(seed=1), overwrite=False)  # continues
