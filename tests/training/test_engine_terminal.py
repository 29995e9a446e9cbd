"""Updates from steps that all ended their episodes: exact without next states."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.dueling_ddqn_config import DuelingDDQNConfig
from se_hpo.agents.ppo_config import PPOConfig
from se_hpo.agents.registry import algorithm_of
from se_hpo.agents.td3_config import TD3Config
from se_hpo.agents.td3_discrete_config import TD3DiscreteConfig
from se_hpo.training import native_engine
from tests.helpers.engine_jobs import needs_testing, testing
from tests.helpers.engine_td3_oracle import NETWORKS, batches_for
from tests.helpers.engine_td3_oracle import native as native_td3
from tests.helpers.ppo_oracle import ACTIONS, OBS, random_orders, random_rows

pytestmark = needs_testing

ISAS = native_engine.isas() if native_engine.available() else []
every_isa = pytest.mark.parametrize("isa", ISAS)
SIZES = [(1, 1), (17, 19), (199, 57)]
Q_AGENTS = {
    "ddqn": DDQNConfig(hidden_layers=2),
    "sample mean": DuelingDDQNConfig(feature_size=13, advantage_mean="sample"),
    "batch mean": DuelingDDQNConfig(feature_size=13, advantage_mean="batch"),
}


def assert_same_bits(mine: Any, full: Any) -> None:
    """Floats by their bits, but that +0 and -0 are one."""
    for a, b in zip(mine, full, strict=True):
        assert (np.asarray(a) + 0.0).tobytes() == (np.asarray(b) + 0.0).tobytes()


def q_updates(config: Any, batch: int, isa: str, terminal: bool, done: float) -> Any:
    """Three updates: parameters, target's, whether finite, the last gradient."""
    rng = np.random.default_rng(batch)
    flat = {"algorithm": algorithm_of(config), **dataclasses.asdict(config)}
    name = isa.replace("-", "_")
    online, target = (
        testing.initial_parameters(flat, OBS, ACTIONS, seed, name) for seed in (1, 2)
    )
    s, s2 = rng.standard_normal((2, 3, batch, OBS)).astype(np.float32)
    a = rng.integers(ACTIONS, size=(3, batch)).astype(np.float32)
    r, d = rng.standard_normal((3, batch)), np.full((3, batch), done)
    rows = (s, a, s2, r.astype(np.float32), d.astype(np.float32))
    return testing.run_updates(flat, ACTIONS, online, target, *rows, name, terminal)


@every_isa
@pytest.mark.parametrize("name", Q_AGENTS)
def test_double_q_learning(name, isa):
    for batch, hidden in SIZES:
        config = dataclasses.replace(Q_AGENTS[name], hidden_size=hidden)
        full = q_updates(config, batch, isa, False, done=1)
        assert_same_bits(q_updates(config, batch, isa, True, done=1), full)
        assert full[2], "finite"
        if name != "batch mean":  # else it makes no difference what is asked for
            other = q_updates(config, batch, isa, False, done=0)
            assert not np.array_equal(other[3], full[3]), "values of s' count there"


@every_isa
@pytest.mark.parametrize("cls", [TD3Config, TD3DiscreteConfig])
@pytest.mark.parametrize("delay", [1, 2])
def test_both_td3s(cls, delay, isa):
    for batch, hidden in SIZES:
        config = cls(batch_size=batch, hidden_size=hidden, policy_delay=delay)
        full, mine, other = (native_td3(config, isa, seed=4) for _ in range(3))
        for rows in batches_for(config, 4, 0):
            rows[4][:] = 1
            assert full.update(*rows) and mine.update_terminal(*rows)
            rows[4][:] = 0
            other.update(*rows)
        for name in NETWORKS:
            assert_same_bits(mine.get(name), full.get(name))
            assert not np.array_equal(other.get(name)[0], full.get(name)[0])


@every_isa
@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("variant", ["standard", "authors"])
def test_ppo(variant, continuous, isa):
    config = PPOConfig(hidden_size=19, batch_size=16, epochs=3, variant=variant)
    flat = {"algorithm": "ppo", **dataclasses.asdict(config)}
    rows = random_rows(70, continuous, 0)
    rows.done[:], rows.last[:] = 1, True
    orders = [list(order) for order in random_orders(config, 70, 0)]
    after = []
    for terminal in (False, True):
        name = isa.replace("-", "_")
        agent = testing.PPO(flat, OBS, ACTIONS, continuous, 3, name)
        before = agent.parameters
        assert agent.learn_from(*rows, orders, terminal)
        assert not np.array_equal(agent.parameters, before)
        after.append((agent.parameters, agent.gradient))
    assert_same_bits(*after)


@every_isa
@pytest.mark.parametrize("reward", [np.nan, np.inf, 1e30])
def test_what_is_not_finite_is_noticed_without_next_states_too(reward, isa):
    config = TD3DiscreteConfig(batch_size=25, hidden_size=9)
    (rows,) = batches_for(config, 1, 0)
    rows[3][24], rows[4][:] = reward, 1
    assert not native_td3(config, isa).update_terminal(*rows)
