"""Names have one order; files that call the train_env `setting` are still read."""

import json
from pathlib import Path

import pandas as pd
import pytest

import se_hpo
from se_hpo import analysis
from se_hpo.envs.checkpoint import load_se
from se_hpo.evaluate.evaluation_files import EvaluationFiles
from se_hpo.names import TRAIN_ENVS, train_env_label, train_env_prose
from se_hpo.report.missing import _expected, _Header
from se_hpo.results.se_set_settings import read_settings
from se_hpo.results.se_sets import read_set
from se_hpo.storage.files import write_json
from se_hpo.storage.json_records import checked
from se_hpo.train.set_folder import open_set
from tests.helpers.fake_sets import make_set
from tests.results.test_evaluations import make_record

RESULTS = Path(__file__).parents[1] / "experiments" / "results"


def old(data):
    """As files were written before."""
    if not isinstance(data, dict):
        return data
    return {"setting" if k == "train_env" else k: old(v) for k, v in data.items()}


def make_old(path):
    write_json(path, old(json.loads(path.read_text())))


def test_every_train_env_has_a_label_and_words_and_another_name_is_its_own():
    for names in (train_env_label, train_env_prose):
        assert len({names(name) for name in TRAIN_ENVS}) == len(TRAIN_ENVS)
        assert names("mine") == "mine"


def test_a_set_of_before_is_read_and_goes_on_under_the_new_name(tmp_path):
    paths = make_set(tmp_path / "run" / "ses" / "fixed", "se_fixed", 2)
    for path in (paths.set, paths.outcome(0), paths.outcome(1)):
        make_old(path)
        assert '"setting"' in path.read_text()
    se_set = read_set(paths.root)
    assert se_set.train_env == "se_fixed"
    assert list(se_hpo.load_ses(paths.root)["train_env"]) == ["se_fixed"] * 2
    open_set(paths, read_settings(paths), 2, {})
    assert '"setting"' not in paths.set.read_text()


def test_records_of_before_are_read_and_go_on(tmp_path):
    file = tmp_path / "run" / "evaluations" / "paper-0.jsonl"
    settings = {
        "task": "CartPole-v0",
        "num_agents": 2,
        "agents": {"ddqn": {}},
        "sets": {"varied": {"train_env": "se_varied", "ses": {"0": "abc"}}},
    }
    file.parent.mkdir(parents=True)
    header = {"format": 1, "settings": old(settings)}
    write_json(file.with_suffix(".json"), header)
    lines = [make_record(pair) for pair in (0, 1)]
    file.write_text("".join(json.dumps(old(line)) + "\n" for line in lines))
    assert _expected([checked(_Header, header)])["varied"] == 2
    frame = se_hpo.load_evaluations(file)
    assert list(frame["train_env"]) == ["se_varied"] * 2
    assert "setting" not in frame
    with EvaluationFiles(file).opened(settings, ["se_varied"]):
        pass
    assert json.loads(file.with_suffix(".json").read_text())["settings"] == settings


def test_a_checkpoint_of_before_says_what_it_was_trained_on():
    path = Path(__file__).parent / "data" / "se_of_before.safetensors"
    assert load_se(path).metadata["train_env"] == "se_varied"


@pytest.mark.parametrize(
    "path", sorted(RESULTS.glob("*/agents.csv")), ids=lambda path: path.parent.name
)
def test_committed_frames_can_be_analysed(path):
    agents = pd.read_csv(path).assign(task="CartPole-v0")
    table = analysis.train_env_table(agents, n_resamples=20)
    assert set(table["train_env"]) <= set(TRAIN_ENVS)
    for other in path.parent.glob("*.csv"):
        assert "setting" not in pd.read_csv(other).columns, other.name
