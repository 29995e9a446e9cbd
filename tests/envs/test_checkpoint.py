import json
import pickle
import struct
import sys

import gymnasium
import numpy as np
import pytest
from safetensors.numpy import load, save

import se_hpo
from se_hpo.envs.checkpoint import load_se, save_se
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.parameters import initial_psi, n_parameters, parameter_shapes
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError

TASK = "Acrobot-v1"
CONFIG = SyntheticEnvConfig("prelu", hidden_size=11, hidden_layers=3)
PSI = initial_psi(CONFIG, get_task(TASK), np.random.default_rng(0))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "new" / "se.safetensors"
    save_se(path, PSI, TASK, CONFIG, {"score": -80.5, "seed": 2**62, "solved": None})
    return path


def rewrite(path, tensors=None, **header):
    """Write the file again with other tensors or other header entries."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    old = json.loads(data[8 : 8 + size])["__metadata__"]
    new = {k: v for k, v in {**old, **header}.items() if v is not None}
    path.write_bytes(save(tensors or load(data), new))


def test_what_was_saved_is_loaded(path):
    checkpoint = load_se(path, TASK)
    np.testing.assert_array_equal(checkpoint.psi, PSI)
    assert checkpoint.psi.dtype == np.float32
    assert (checkpoint.task, checkpoint.se_config) == (TASK, CONFIG)
    assert checkpoint.metadata == {
        "se_hpo_version": se_hpo.__version__,
        "score": -80.5,
        "seed": 2**62,
        "solved": None,
    }
    assert load_se(str(path)).task == TASK


def test_the_file_can_be_read_without_this_package(path):
    tensors = load(path.read_bytes())
    shapes = parameter_shapes(CONFIG, 6, 3)
    assert {name: t.shape for name, t in tensors.items()} == shapes
    assert tensors["state.0.weight"].ravel()[0] == PSI[0]


def test_a_second_save_replaces_the_first_and_leaves_nothing_else(path):
    save_se(path, PSI + 1, TASK, CONFIG)
    np.testing.assert_array_equal(load_se(path).psi, PSI + 1)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_psi_that_is_not_finite_is_neither_saved_nor_loaded(path, bad):
    broken = PSI.copy()
    broken[3] = bad
    before = path.read_bytes()
    with pytest.raises(UserError, match="psi has NaN or infinite values"):
        save_se(path, broken, TASK, CONFIG)
    assert path.read_bytes() == before
    tensors = load(before)
    tensors["done.0.bias"] = np.full_like(tensors["done.0.bias"], bad)
    rewrite(path, tensors)
    with pytest.raises(UserError, match="NaN or infinite parameters"):
        load_se(path)


def test_psi_of_another_size_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="must be a float32 vector"):
        save_se(tmp_path / "x.safetensors", PSI[1:], TASK, CONFIG)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_for_another_task_is_refused(path):
    with pytest.raises(UserError, match=r"se\.safetensors: .* for Acrobot-v1, not for"):
        load_se(path, "CartPole-v0")


def test_a_missing_file_or_a_folder_is_refused(tmp_path):
    for missing in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(UserError, match="no such checkpoint file"):
            load_se(missing)


def test_a_path_that_is_too_long_for_a_file_name_is_refused(tmp_path):
    for long in ("x" * 300, str(tmp_path / ("x" * 300)), "x/" * 5000):
        with pytest.raises(UserError, match=r"no such checkpoint .*too long") as e:
            load_se(long)
        assert "\n" not in str(e.value)


class Exploit:
    """Unpickling it would leave a trace."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return open, (self.trace, "w")


def test_a_pickle_is_refused_and_never_run(tmp_path):
    path, trace = tmp_path / "se.safetensors", tmp_path / "trace"
    path.write_bytes(pickle.dumps(Exploit(str(trace))))
    with pytest.raises(UserError, match=r"se\.safetensors: cannot be read"):
        load_se(path)
    assert not trace.exists()


def test_any_truncation_is_refused(path):
    data = path.read_bytes()
    for size in [0, 1, 7, 8, 9, 100, len(data) // 2, len(data) - 1]:
        path.write_bytes(data[:size])
        with pytest.raises(
            UserError, match=r"se\.safetensors: cannot be read"
        ) as error:
            load_se(path)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"format": None}, "does not hold a synthetic environment"),
        ({"format": "pt"}, "does not hold a synthetic environment"),
        ({"task": None}, "task"),
        ({"obs_size": None}, "obs_size"),
        ({"obs_size": "0"}, "not 1 or more"),
        ({"obs_size": "x"}, "cannot be read"),
        ({"n_actions": "4"}, "expected"),
        ({"task": "CartPole-v0"}, "expected"),
        ({"se": "{"}, "cannot be read"),
        ({"se": '{"hidden_size": 11, "layers": 2}'}, "layers"),
        ({"se": '{"hidden_size": 0}'}, "hidden_size"),
        ({"se": '{"activation": "prelu", "hidden_size": 12}'}, "has shape"),
        ({"metadata": None}, "metadata"),
        ({"metadata": "nan?"}, "cannot be read"),
        ({"metadata": "[]"}, "its metadata is no JSON object"),
        ({"metadata": "null"}, "its metadata is no JSON object"),
        ({"metadata": "[" * 100_000}, "cannot be read as a checkpoint"),
        ({"se": "[" * 100_000}, "cannot be read as a checkpoint"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(path, header, message):
    rewrite(path, **header)
    with pytest.raises(UserError, match=message) as error:
        load_se(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_with_the_task_of_a_stranger_is_read_and_nothing_is_imported(
    path, tmp_path, monkeypatch
):
    (tmp_path / "payload_of_a_file.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    rewrite(path, task="payload_of_a_file:Foo-v0")
    assert load_se(path).task == "payload_of_a_file:Foo-v0"
    for make in (
        lambda: load_se(path, TASK),
        lambda: gymnasium.make("se_hpo:Synthetic/Acrobot-v1", checkpoint=path),
        lambda: gymnasium.make("se_hpo:Synthetic", checkpoint=path),
        lambda: gymnasium.make_vec("se_hpo:Synthetic", checkpoint=str(path)),
    ):
        with pytest.raises(UserError, match="payload_of_a_file") as error:
            make()
        assert "\n" not in str(error.value)
    assert "payload_of_a_file" not in sys.modules


def test_tensors_that_do_not_fit_are_refused(path):
    good = load(path.read_bytes())
    missing = {k: v for k, v in good.items() if k != "reward.1.bias"}
    extra = {**good, "extra": np.zeros(1, np.float32)}
    double = {k: v.astype(np.float64) for k, v in good.items()}
    for tensors, message in [
        (missing, "reward.1.bias has shape None"),
        (extra, "extra has shape"),
        (double, "not float32"),
    ]:
        rewrite(path, tensors)
        with pytest.raises(UserError, match=message):
            load_se(path)


def test_values_json_cannot_hold_become_null_and_numpy_values_plain(tmp_path):
    path = tmp_path / "se.safetensors"
    metadata = {"score": np.float32(1.5), "nan": float("nan"), "scores": np.arange(2)}
    save_se(path, PSI, TASK, CONFIG, metadata)
    loaded = load_se(path).metadata
    assert loaded["score"] == 1.5 and loaded["nan"] is None
    assert loaded["scores"] == [0, 1]
    assert n_parameters(CONFIG, 6, 3) == len(load_se(path).psi)
