"""The reward of reward networks: formulas, potentials that telescope, bad input."""

import dataclasses
import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from se_hpo.agents.config import ACTIVATIONS
from se_hpo.agents.mlp import MLP
from se_hpo.config.run import (
    from_configuration,
    run_config_from_dict,
    with_configuration,
)
from se_hpo.envs.checkpoint import SECheckpoint, load_se, save_se
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.learned.reward_network import (
    AdditiveInfoConfig,
    AdditivePotentialConfig,
    ExclusivePotentialConfig,
    ExclusivePotentialInfoConfig,
)
from se_hpo.envs.parameters import initial_psi, split_psi
from se_hpo.envs.reward_function import RewardFunction
from se_hpo.envs.reward_inputs import check_info
from se_hpo.envs.tasks import get_task, make_env
from se_hpo.errors import UserError
from se_hpo.registries import LEARNED
from se_hpo.search_spaces.loading import load_space
from se_hpo.storage.json_records import record
from se_hpo.train.options import TrainOptions
from se_hpo.train.request import resolve_request
from tests.helpers.places import ROOT
from tests.helpers.reward_networks import (
    INFO_KEYS,
    INFO_TASK,
    RN_KINDS,
    random_rn,
    rn_config,
)

POTENTIALS = [kind for kind in RN_KINDS if kind.config.potential]
each_kind = pytest.mark.parametrize("kind", RN_KINDS, ids=lambda kind: kind.name)


def phi(rn, state, info):
    """The network by torch, of a state and the info that came with it."""
    config = rn.se_config
    values = [info.get(key, 0.0) for key in config.reads_info]
    x = np.array(values if config.linear else [*state, *values], np.float32)
    parts = split_psi(rn.psi, config, *_sizes(rn.task))
    parameters = [torch.tensor(value) for _, value in parts]
    if config.linear:
        return float(parameters[0][0] @ torch.tensor(x))
    net = MLP(
        len(x),
        1,
        config.hidden_size,
        config.hidden_layers,
        config.activation,
        torch.Generator(),
    )
    with torch.no_grad():
        for (weight, bias), w, b in zip(
            net.layers, parameters[::2], parameters[1::2], strict=True
        ):
            weight.copy_(w)
            bias.copy_(b)
        return float(net(torch.tensor(x)))


def _sizes(task):
    spec = get_task(task)
    return spec.obs_size, spec.n_actions


def expected(rn, discount, task_reward, before, after, terminated):
    """The paper's formulas, written out; `before` and `after` are (state, info)."""
    config, value = rn.se_config, phi(rn, *after)
    if config.zero_terminal and terminated:
        value = 0.0
    if config.potential:
        value = discount * value - phi(rn, *before)
    return task_reward + value if config.additive else value


@each_kind
@pytest.mark.parametrize("terminal", ["zero", "network"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_rewards_are_those_of_the_formulas(kind, terminal, activation):
    rn = random_rn(kind, activation=activation, terminal_potential=terminal)
    function = RewardFunction(rn, 0.9)
    env, rng = make_env(get_task(rn.task)), np.random.default_rng(0)
    ends = 0
    before = env.reset(seed=1)
    function.reset(before[0].astype(np.float32), before[1])
    for _ in range(60):
        action = int(rng.integers(env.action_space.n))
        state, reward, terminated, truncated, info = env.step(action)
        got = function.step(reward, state.astype(np.float32), terminated, info)
        want = expected(rn, 0.9, reward, before, (state, info), terminated)
        assert got == pytest.approx(want, abs=1e-5)
        before = state, info
        if terminated or truncated:
            ends += terminated
            before = env.reset()
            function.reset(before[0].astype(np.float32), before[1])
    assert ends


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(POTENTIALS),
    terminal=st.sampled_from(["zero", "network"]),
    discount=st.floats(0, 1),
    repeat=st.integers(1, 3),
    limit=st.integers(1, 12),
    seed=st.integers(0, 2**32 - 1),
)
def test_discounted_differences_telescope(
    kind, terminal, discount, repeat, limit, seed
):
    """Of one reward per decision, whatever is repeated inside, and where it is cut."""
    rn = random_rn(kind, seed=seed, terminal_potential=terminal)
    function, config = RewardFunction(rn, discount), rn.se_config
    env, rng = make_env(get_task(rn.task)), np.random.default_rng(seed)
    state, info = env.reset(seed=seed)
    first = state.astype(np.float32), info
    function.reset(*first)
    total, weight, ended = 0.0, 1.0, False
    for _ in range(limit):
        action, task_reward = int(rng.integers(env.action_space.n)), 0.0
        for _ in range(repeat):
            state, reward, terminated, truncated, info = env.step(action)
            task_reward += float(reward)
            if ended := terminated or truncated:
                break
        got = function.step(task_reward, state.astype(np.float32), terminated, info)
        total += weight * (got - task_reward if config.additive else got)
        weight *= discount
        if ended:
            break
    last = 0.0 if terminated and terminal == "zero" else phi(rn, state, info)
    want = weight * last - phi(rn, *first)
    assert total == pytest.approx(want, rel=1e-5, abs=1e-5)


def test_a_cut_is_no_end_and_keeps_the_potential():
    rn = random_rn("additive_potential")
    state = np.ones(4, np.float32)
    rewards = []
    for terminated in (False, True):
        function = RewardFunction(rn, 0.9)
        function.reset(state, {})
        rewards.append(function.step(1.0, 2 * state, terminated, {}))
    assert rewards[0] - rewards[1] == pytest.approx(
        0.9 * phi(rn, 2 * state, {}), abs=1e-5
    )


def test_one_forward_pass_per_step(monkeypatch):
    function = RewardFunction(random_rn("exclusive_potential"), 0.9)
    outputs, calls = function.outputs, []
    monkeypatch.setattr(function, "outputs", lambda x: calls.append(1) or outputs(x))
    state = np.ones(4, np.float32)
    function.reset(state, {})
    for _ in range(5):
        function.step(1.0, state, False, {})
    assert len(calls) == 1 + 5


@each_kind
def test_an_exclusive_kind_never_looks_at_the_tasks_reward(kind):
    function = RewardFunction(random_rn(kind), 0.9)
    state, info = np.ones(_sizes(function.task.id)[0], np.float32), {}
    info = dict.fromkeys(INFO_KEYS, 0.5)
    function.reset(state, info)
    got = function.step(np.nan, state, False, info)
    assert np.isnan(got) == kind.config.additive


@each_kind
def test_a_configuration_survives_json_and_a_file(kind, tmp_path):
    config = rn_config(kind)
    values = json.loads(json.dumps(dataclasses.asdict(config)))
    assert kind.config(**values) == config == record(kind.config, values)
    rn = random_rn(kind)
    save_se(tmp_path / "rn", rn.psi, rn.task, rn.se_config, {"discount": 0.9})
    back = load_se(tmp_path / "rn", rn.task)
    assert (back.se_config, back.noun) == (rn.se_config, "reward network")
    assert back.metadata["discount"] == 0.9
    np.testing.assert_array_equal(back.psi, rn.psi)


def test_defaults_are_the_papers():
    assert ExclusivePotentialConfig().terminal_potential == "network"
    assert ExclusivePotentialInfoConfig().terminal_potential == "network"
    assert AdditivePotentialConfig().terminal_potential == "zero"
    config = AdditiveInfoConfig()
    assert (config.activation, config.hidden_size, config.hidden_layers) == (
        *("prelu", 64, 1),
    )
    assert config.info_keys == (
        *("x_position", "x_velocity", "reward_forward", "reward_ctrl"),
    )
    spec = get_task("CartPole-v0")
    rng = np.random.default_rng(0)
    assert initial_psi(LEARNED["exclusive"].config(), spec, rng).size == 385
    assert initial_psi(LEARNED["weighted_info"].config(), spec, rng).size == 4


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: ExclusivePotentialConfig(terminal_potential="zero"),
            r"terminal_potential = 'zero': is void .* choose 'network', or an additive",
        ),
        (
            lambda: AdditivePotentialConfig(terminal_potential="zeor"),
            "did you mean 'zero'",
        ),
        (lambda: AdditiveInfoConfig(info_keys=()), "info_keys = .*different names"),
        (lambda: AdditiveInfoConfig(info_keys=("a", "a")), "info_keys = .*different"),
        (lambda: AdditiveInfoConfig(info_keys=(1,)), "info_keys = .*different names"),
        (lambda: AdditiveInfoConfig(info_keys=3), "info_keys = 3: must be different"),
        (
            lambda: RewardFunction(random_rn("additive_potential"), None),
            "the discount is not known: give discount=",
        ),
        (
            lambda: RewardFunction(random_rn("additive_potential"), 1.1),
            r"discount = 1.1: must be a number in \[0, 1\]",
        ),
        (
            lambda: RewardFunction(random_rn("additive_potential"), "0.9"),
            "discount = '0.9': must be a number",
        ),
        (
            lambda: RewardFunction(
                SECheckpoint(np.zeros(3, np.float32), INFO_TASK, SyntheticEnvConfig()),
                0.9,
            ),
            f"is a synthetic environment for {INFO_TASK}, no reward network: take",
        ),
        (
            lambda: check_info("CartPole-v0", INFO_KEYS),
            "reads speed, distance of .* CartPole-v0 has no numbers: choose info_keys",
        ),
        (
            lambda: check_info(INFO_TASK, ("speed", "why")),
            "has only speed, distance: choose info_keys",
        ),
    ],
)
def test_bad_input_is_one_line_with_the_mend(make, words):
    with pytest.raises(UserError, match=words) as error:
        make()
    assert "\n" not in str(error.value)


def test_info_that_a_step_lacks_is_one_line():
    function = RewardFunction(random_rn("additive_info"), None)
    function.reset(np.zeros(2, np.float32), {})
    for info in ({}, {"speed": 1.0, "distance": "far"}):
        with pytest.raises(
            UserError, match=r"which of tests/Talking-v0 has .*: choose"
        ):
            function.step(0.0, np.zeros(2, np.float32), False, info)
    check_info(INFO_TASK, INFO_KEYS)


def test_keys_can_be_written_on_a_command_line():
    assert AdditiveInfoConfig(info_keys="a,b").info_keys == ("a", "b")


def test_what_a_network_makes_of_infinity_warns_of_nothing(recwarn):
    for activation in ACTIVATIONS:
        function = RewardFunction(random_rn("exclusive", activation=activation), None)
        function.reset(np.zeros(4, np.float32), {})
        assert (
            not np.isfinite(function.step(0.0, np.full(4, 3e38, np.float32), False, {}))
            or activation == "tanh"
        )
    assert not recwarn.list


@each_kind
def test_a_run_names_it_by_rn_and_comes_back(kind, tmp_path):
    config = from_configuration({"rn.kind": kind.name}, "CartPole-v0", "ddqn")
    assert config.se == kind.config()
    data = json.loads(json.dumps(config.to_dict()))
    assert run_config_from_dict(data) == config
    assert run_config_from_dict(config.to_dict()) == config
    assert config.discount == {"discount": 0.99}
    assert from_configuration({}, "CartPole-v0", "ddqn").discount == {}
    if kind.config.potential:
        flat = {"rn.kind": kind.name, "rn.terminal_potential": "network"}
        config = from_configuration(flat, "CartPole-v0", "ddqn")
        assert not config.se.zero_terminal


def test_void_by_flat_names_is_one_line():
    flat = {"rn.kind": "exclusive_potential", "rn.terminal_potential": "zero"}
    with pytest.raises(UserError, match=r"is void .*: choose 'network', or"):
        from_configuration(flat, "CartPole-v0", "ddqn")
    base = from_configuration({"rn.kind": "additive_potential"}, "CartPole-v0", "ddqn")
    other = with_configuration(base, {"rn.kind": "exclusive_potential"})
    assert other.se == ExclusivePotentialConfig()


RECIPE = "task: {task}\nagent: {{algorithm: {agent}}}\nrn: {{kind: {kind}}}\n"


@pytest.mark.parametrize(
    ("task", "kind", "words"),
    [
        ("Cliff-v0", "additive_info", "Cliff-v0 has no numbers: choose info_keys, or"),
        (INFO_TASK, "weighted_info", "has only speed, distance: choose info_keys, or"),
    ],
)
def test_training_and_search_refuse_info_that_the_task_lacks_before_they_write(
    task, kind, words, tmp_path
):
    agent = "q_learning" if task == "Cliff-v0" else "ddqn"
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE.format(task=task, agent=agent, kind=kind))
    options = TrainOptions(config=str(recipe), out=tmp_path / "set")
    with pytest.raises(UserError, match=words):
        resolve_request(options)
    assert [path.name for path in tmp_path.iterdir()] == [recipe.name]
    space = tmp_path / "mine.py"
    smoke = (ROOT / "spaces" / "smoke.py").read_text()
    smoke = smoke.replace('"base": {', f'"base": {{\n        "rn.kind": "{kind}",', 1)
    smoke = re.sub(r'\n *"se\.[^\n]*', "", smoke)
    smoke = smoke.replace("CartPole-v0", "Acrobot-v1")
    space.write_text(smoke)
    with pytest.raises(UserError, match="Acrobot-v1 has no numbers: choose info_keys"):
        load_space(space)
