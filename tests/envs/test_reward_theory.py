"""What theory says of reward networks, seen on tables that are known as a whole.

Ng, Harada & Russell (1999): potentials that are 0 at the end keep optimal policies.
Wiewiora (2003): with Q-learning they are nothing but initial values.
"""

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import se_hpo  # noqa: F401  # registers the gridworlds
from se_hpo.agents.q_learning import QLearning
from se_hpo.agents.q_learning_config import QLearningConfig
from se_hpo.doctor.tabular import (
    gridworld_table,
    optimal_actions,
    optimal_values,
    random_table,
    rewarded,
)
from se_hpo.envs.checkpoint import SECheckpoint
from se_hpo.envs.gridworld import GridWorld
from se_hpo.envs.parameters import initial_psi, n_parameters
from se_hpo.envs.reward_function import RewardFunction
from se_hpo.envs.tasks import get_task, make_env
from se_hpo.registries import LEARNED
from tests.helpers.reward_networks import INFO_KEYS, random_rn, rn_config

CLIFF = "Cliff-v0"
INFOS = [kind.name for kind in LEARNED.values() if kind.name.endswith("potential_info")]
seeds = st.integers(0, 2**32 - 1)
scales = st.sampled_from([0.1, 3.0, 300.0])
discounts = st.sampled_from([0.5, 0.8, 0.97])
few = settings(max_examples=15, deadline=None)


def cliff():
    return gridworld_table(make_env(get_task(CLIFF)).unwrapped)


def cliff_rn(kind, seed=0, scale=3.0, **fields):
    return random_rn(kind, CLIFF, seed=seed, scale=scale, hidden_size=16, **fields)


def potentials(rn, situations, discount=0.8):
    """Phi of each situation, by the reward function's own `reset`."""
    function, values = RewardFunction(rn, discount), []
    for situation in situations:
        function.reset(*situation)
        values.append(function.potential)
    return np.array(values)


def test_the_best_return_of_cliff_is_minus_twelve():
    table, _ = cliff()
    values = optimal_values(table, 0.999999)
    assert values[36].max() == pytest.approx(-12, abs=1e-3)


@few
@given(seeds, scales, discounts)
def test_a_zero_terminal_potential_keeps_the_optimal_actions_of_cliff(
    seed, scale, discount
):
    table, situations = cliff()
    rn = cliff_rn("additive_potential", seed, scale)
    shaped = rewarded(table, situations, RewardFunction(rn, discount))
    np.testing.assert_array_equal(
        optimal_actions(shaped, discount), optimal_actions(table, discount)
    )
    phi = potentials(rn, situations)
    phi[table.ends.all(1)] = 0  # what has ended is worth nothing
    left = (
        optimal_values(shaped, discount)
        + phi[:, None]
        - optimal_values(table, discount)
    )
    live = ~table.ends.all(1)
    assert np.abs(left[live]).max() <= 1e-8 * max(100, scale * 10)


@few
@given(seeds, seeds, st.integers(2, 40), discounts)
def test_the_same_in_random_tables_of_states_and_infos(table_seed, seed, n, discount):
    """Also of (state, info), as the info that came with a state belongs to it."""
    rng = np.random.default_rng(table_seed)
    table = random_table(rng, n)
    for kind in ("additive_potential", "additive_potential_info"):
        rn = random_rn(kind, seed=seed)
        size = get_task(rn.task).obs_size
        situations = [
            (
                rng.normal(size=size).astype(np.float32),
                dict(zip(INFO_KEYS, rng.normal(size=2).tolist(), strict=True)),
            )
            for _ in range(n)
        ]
        shaped = rewarded(table, situations, RewardFunction(rn, discount))
        np.testing.assert_array_equal(
            optimal_actions(shaped, discount), optimal_actions(table, discount)
        )


@few
@given(st.text("SGO#.", min_size=2, max_size=20), st.integers(1, 5), seeds)
def test_the_same_in_random_gridworlds(cells, columns, seed):
    cells = "S" + cells.replace("S", ".")
    cells += "G" * (-len(cells) % columns)
    rows = "\n".join(cells[i : i + columns] for i in range(0, len(cells), columns))
    table, situations = gridworld_table(GridWorld(rows, -0.01, 1.0, -1.0))
    rn = random_rn("additive_potential", seed=seed)
    for i in range(len(situations)):  # CartPole's four numbers stand for a cell
        situations[i] = np.random.default_rng(i).normal(size=4).astype(np.float32), {}
    shaped = rewarded(table, situations, RewardFunction(rn, 0.8))
    np.testing.assert_array_equal(
        optimal_actions(shaped, 0.8), optimal_actions(table, 0.8)
    )


def test_without_the_zero_optimal_actions_change():
    """More of them for larger potentials."""
    table, situations = cliff()
    changed = []
    for scale in (0.1, 30.0, 3000.0):
        rn = cliff_rn("additive_potential", 1, scale, terminal_potential="network")
        shaped = rewarded(table, situations, RewardFunction(rn, 0.8))
        differ = optimal_actions(shaped, 0.8) != optimal_actions(table, 0.8)
        changed.append(int(differ.any(1).sum()))
    assert changed[0] == 0 < changed[-1]
    assert changed == sorted(changed)


@few
@given(seeds, scales, discounts)
def test_an_exclusive_potential_that_is_zero_at_the_end_is_void(seed, scale, discount):
    """So it is refused; here the refusal is gone round."""
    table, situations = cliff()
    rn = cliff_rn("exclusive_potential", seed, scale, terminal_potential="zero")
    values = optimal_values(
        rewarded(table, situations, RewardFunction(rn, discount)), discount
    )
    gap = (values.max(1) - values.min(1))[~table.ends.all(1)]
    assert gap.max() <= 1e-9 * max(1, scale * 10)


@few
@given(seeds)
def test_an_exclusive_potential_tells_by_its_terminal_states(seed):
    """The network's own Phi there: an optimal agent goes for the largest it reaches."""
    table, situations = cliff()
    rn = cliff_rn("exclusive_potential", seed)
    shaped = rewarded(table, situations, RewardFunction(rn, 0.8))
    values, phi = optimal_values(shaped, 0.8), potentials(rn, situations)
    ends = table.ends.all(1)
    best = np.where(ends, phi, 0.0)  # by value iteration on gamma^T Phi(s_T) alone
    for _ in range(200):
        step = np.where(table.ends, phi[table.next_state], best[table.next_state])
        best = np.where(ends, phi, 0.8 * step.max(1))
    left = values.max(1) - (best - phi)
    assert np.abs(left[~ends]).max() <= 1e-8


def constant_rn(kind, value):
    """A network that gives the same for all."""
    config = rn_config(LEARNED[kind])
    psi = np.zeros(n_parameters(config, 48, 4), np.float32)
    psi[-1] = value
    return SECheckpoint(psi, CLIFF, config)


def test_a_positive_constant_makes_staying_alive_optimal():
    """Of `additive`, which is no potential: the goal is left aside for a loop."""
    table, situations = cliff()
    rn = constant_rn("additive", 2.0)
    shaped = rewarded(table, situations, RewardFunction(rn, None))
    best = optimal_actions(shaped, 0.97)
    assert not (best & table.ends)[~table.ends.all(1)].any()
    assert (optimal_actions(table, 0.97) & table.ends)[35].any()


def test_a_constant_added_to_a_potential_shifts_every_reward_alike():
    """By (discount - 1) c, and by -c where an episode ends."""
    table, situations = cliff()
    for c in (0.5, -3.0):
        rn = constant_rn("additive_potential", c)
        shaped = rewarded(table, situations, RewardFunction(rn, 0.8))
        live = ~table.ends.all(1)
        shift = np.where(table.ends, -c, (0.8 - 1) * c)
        np.testing.assert_allclose(
            (shaped.reward - table.reward - shift)[live], 0, atol=1e-6
        )


@few
@given(seeds, seeds, discounts, st.floats(0.05, 1.0))
def test_an_additive_potential_is_but_an_initial_value_to_q_learning(
    seed, stream, discount, lr
):
    """Update for update, for one stream of actions: Q + Phi is the other's Q."""
    rn = cliff_rn("additive_potential", seed)
    _, situations = cliff()
    config = QLearningConfig(lr=lr, gamma=discount)
    shaped, initialized = (QLearning(config, 48, 4, seed=0) for _ in range(2))
    phi = potentials(rn, situations)
    initialized.q += phi[:, None]
    function, rng = RewardFunction(rn, discount), np.random.default_rng(stream)
    env = make_env(get_task(CLIFF))
    state, info = env.reset()
    function.reset(state, info)
    for _ in range(300):
        action = int(rng.choice(4, p=[0.4, 0.1, 0.1, 0.4]))
        after, reward, terminated, truncated, info = env.step(action)
        learned = function.step(reward, after, terminated, info)
        for agent, r in ((shaped, learned), (initialized, reward)):
            # Not by `remember`, which keeps rewards as float32.
            cells = int(state.argmax()), action, int(after.argmax())
            agent.transition = *cells, r, float(terminated)
            agent.update()
        np.testing.assert_allclose(shaped.q + phi[:, None], initialized.q, atol=1e-9)
        state = after
        if terminated or truncated:
            state, info = env.reset()
            function.reset(state, info)


def test_a_table_is_looked_up_and_means_what_the_network_means():
    rn = cliff_rn("exclusive")
    function = RewardFunction(rn, None)
    states = np.eye(48, dtype=np.float32)
    function.reset(states[0], {})
    got = [function.step(0.0, state, False, {}) for state in states]
    one_by_one = [float(function.outputs(state[None])[0]) for state in states]
    assert got == pytest.approx(one_by_one, abs=1e-6)
    assert len(set(got)) == 48
    config = LEARNED["exclusive"].config(hidden_size=32)
    psi = initial_psi(config, get_task(CLIFF), np.random.default_rng(0))
    assert psi.size == 1601  # the paper's


def test_the_wrapper_takes_the_gridworlds_own_observations():
    env = gymnasium.make(f"Rewarded/{CLIFF}", checkpoint=cliff_rn("exclusive"))
    state, _ = env.reset()
    assert state == 36
    state, reward, *_, info = env.step(3)
    function = RewardFunction(cliff_rn("exclusive"), None)
    one_hot = np.eye(48, dtype=np.float32)[state]
    assert reward == function.step(-1.0, one_hot, False, {})
    assert info["task_reward"] == -1.0
