"""Random job descriptions: a sound result or a clear error, never anything else."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from se_hpo.agents.config import ACTIVATIONS
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.dueling_ddqn_config import DuelingDDQNConfig
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
from se_hpo.names import STOP_REASONS
from se_hpo.training import native_engine
from se_hpo.training.jobs import TrainingJob
from tests.helpers.engine_jobs import (
    SE,
    SMALL,
    needs_engine,
    random_psi,
    se_job,
    task_job,
    train,
)

pytestmark = needs_engine

# Mostly right, so that many jobs with several fields at their edges run.
RIGHT = 15
SIZES = st.one_of(
    *[st.integers(1, 40)] * RIGHT,
    st.sampled_from([0, -1, -(2**63), 2**31, 2**40, 2**63, 10**30]),
)
FLOATS = st.one_of(
    *[st.floats(0, 1)] * RIGHT,
    st.sampled_from([-1.0, 2.0, 1e300, 5e-324, np.nan, np.inf]),
)
AGENTS = st.fixed_dictionaries(
    {},
    optional={
        "batch_size": SIZES,
        "buffer_size": SIZES,
        "hidden_size": SIZES,
        "hidden_layers": st.one_of(st.integers(1, 4), SIZES),
        "init_episodes": st.one_of(*[st.integers(0, 3)] * RIGHT, st.just(-1)),
        "test_episodes": st.one_of(*[st.integers(1, 2)] * RIGHT, st.just(0)),
        "stop_window": SIZES,
        "activation": st.sampled_from([*ACTIVATIONS * 5, "gelu"]),
        "truncation": st.sampled_from(["bootstrap", "terminal"]),
        **{k: FLOATS for k in ("lr", "gamma", "tau", "plateau_tolerance")},
        **{k: FLOATS for k in ("eps_init", "eps_min", "eps_decay")},
    },
)


def bad_psi(psi: np.ndarray, kind: str) -> Any:
    """One way of getting psi wrong, or none."""
    return {
        "fine": psi,
        "float64": psi.astype(np.float64),
        "int": psi.astype(np.int64),
        "matrix": psi.reshape(1, -1),
        "short": psi[:-1].copy(),
        "long": np.append(psi, np.float32(0)),
        "empty": psi[:0].copy(),
        "strided": np.repeat(psi, 2)[::2],
        "reversed": psi[::-1],
        "list": psi.tolist(),
        "none": None,
        "swapped": psi.astype(">f4"),
    }[kind]


PSI_KINDS = ["fine", "float64", "int", "matrix", "short", "long", "empty"]
PSI_KINDS += ["strided", "reversed", "list", "none", "swapped"]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    dueling=st.booleans(),
    agent=AGENTS,
    se=st.one_of(
        st.none(),
        st.tuples(
            st.sampled_from(["tanh", "relu", "prelu"]),
            st.one_of(*[st.integers(1, 20)] * RIGHT, st.just(0)),
            st.one_of(*[st.integers(1, 3)] * RIGHT, st.integers(0, 4)),
        ),
    ),
    kind=st.one_of(*[st.just("fine")] * RIGHT, st.sampled_from(PSI_KINDS)),
    seed=st.one_of(
        *[st.integers(0, 2**63 - 1)] * RIGHT, st.sampled_from([-1, 2**63, 0.5, None])
    ),
    task=st.sampled_from(["CartPole-v0", "Acrobot-v1", "MountainCar-v0"]),
    n_threads=st.sampled_from([*[1, 2, 3] * 10, 0, -3, 1.5]),
)
def test_any_job_gives_a_sound_result_or_a_user_error(
    dueling, agent, se, kind, seed, task, n_threads
):
    limits = {"train_episodes": 3, "max_env_steps": 60, "test_episodes": 1}
    try:
        cls = DuelingDDQNConfig if dueling else DDQNConfig
        config = cls(**{**limits, "hidden_size": 8, "batch_size": 8, **agent})
        learned = None
        if se is not None:
            se_config = SyntheticEnvConfig(*se)
            learned = LearnedEnv(se_config, bad_psi(random_psi(se_config, task), kind))
        job = TrainingJob(task, config, seed, learned)
        (result,) = native_engine.train_agents([job], n_threads)
    except UserError as error:
        assert "\n" not in str(error)
        return
    spec = get_task(task)
    assert result.stop_reason in STOP_REASONS
    assert len(result.test_returns) == config.test_episodes
    assert np.isfinite(result.test_returns).all()
    assert np.isfinite(result.episode_returns).all()
    assert 0 <= result.env_steps <= 60
    assert (result.episode_lengths <= spec.max_steps).all()


@pytest.mark.parametrize("kind", [k for k in PSI_KINDS if k != "fine"])
def test_wrong_psi_is_named_with_its_mend(kind):
    psi = bad_psi(random_psi(), kind)
    job = dataclasses.replace(se_job(), learned=LearnedEnv(SE, psi))
    with pytest.raises(UserError, match=r"job 1: psi .*(must be|pass|has \d+)"):
        train(se_job(), job)


@pytest.mark.parametrize(
    ("agent", "named"),
    [
        ({"hidden_size": 2**16, "hidden_layers": 60}, "GiB"),
        ({"batch_size": 2**40}, "batch_size"),
        ({"hidden_layers": 10**9}, "hidden_layers"),
    ],
)
def test_sizes_beyond_any_memory_are_refused_before_they_are_allocated(agent, named):
    with pytest.raises(UserError, match=named):
        train(task_job(**agent))


@pytest.mark.parametrize("job", [None, "CartPole-v0", 3, {"task": "CartPole-v0"}])
def test_something_else_than_a_job_is_refused(job):
    with pytest.raises(UserError, match="TrainingJob"):
        train(job)


def test_unknown_task_and_agent_are_refused():
    with pytest.raises(UserError, match="did you mean 'CartPole"):
        train(task_job(task="CartPol-v0"))
    with pytest.raises(UserError, match="must be a configuration of one of ddqn"):
        train(TrainingJob("CartPole-v0", object(), 0))  # type: ignore[arg-type]
    with pytest.raises(UserError, match="must be an integer"):
        train(TrainingJob("CartPole-v0", SMALL, 1.5))  # type: ignore[arg-type]
