"""The journal: torn lines, duplicates, replay."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
from hpbandster.core.result import logged_results_to_HBS_result

from se_hpo.bohb.brackets import Bracket
from se_hpo.bohb.halving import SuccessiveHalving
from se_hpo.bohb.job_table import Job
from se_hpo.bohb.journal import (
    Journal,
    brackets_begun,
    replay_bracket,
    replay_generator,
)
from se_hpo.errors import UserError


class Counting:
    """A generator whose n-th proposal is n."""

    def __init__(self):
        self.n_proposals, self.seen = 0, []

    def get_config(self, budget):
        self.n_proposals += 1
        return {"n": self.n_proposals - 1}, {"proposal": self.n_proposals - 1}

    def new_result(self, job, update_model=True):
        self.seen.append((job.id, job.kwargs["budget"], job.result["loss"]))


BRACKET = Bracket(0, (4, 2, 1), (1.0, 3.0, 9.0))


def _journal(folder):
    return Journal(folder / "configs.json", folder / "results.json")


def _resumed(folder):
    """Journal, generator and bracket as a master builds them at its start."""
    journal, generator = _journal(folder), Counting()
    replay_generator(journal, generator)
    bracket = SuccessiveHalving(BRACKET, generator.get_config, journal)
    finished = dict(journal.results)
    replay_bracket(bracket, journal, finished, lambda config, budget: None)
    return journal, generator, bracket


def _step(journal, generator, bracket):
    """Run one evaluation; its loss has ties."""
    following = bracket.get_next_run()
    if following is None:
        return None
    config_id, config, budget = following
    job = Job(config_id, config=config, budget=budget, working_directory="")
    job.time_it("finished")
    job.result = {"loss": float(config["n"] // 2) / budget, "info": {"a": 1}}
    journal(job)
    bracket.register_result(job)
    generator.new_result(job)
    return config_id, budget


def _lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def _run(folder, steps=100):
    state = _resumed(folder)
    done = []
    while len(done) < steps and (step := _step(*state)) is not None:
        done.append(step)
    return done, state


@pytest.mark.parametrize("steps", range(8))
def test_resumed_at_any_point_equals_undisturbed(tmp_path, steps):
    whole, _ = _run(tmp_path / "a")
    assert len(whole) == 7
    first, _ = _run(tmp_path / "b", steps)
    rest, (_, generator, bracket) = _run(tmp_path / "b")
    assert first + rest == whole
    assert bracket.is_finished and generator.n_proposals == 4
    assert generator.seen == _run(tmp_path / "a", 0)[1][1].seen


def test_what_was_proposed_and_not_finished_is_run_again_as_it_was(tmp_path):
    _, (_, _, bracket) = _run(tmp_path, 2)
    asked = bracket.get_next_run()
    _, generator, resumed = _resumed(tmp_path)
    assert generator.n_proposals == 3
    assert resumed.get_next_run() == asked
    assert generator.n_proposals == 3


def test_several_workers_results_in_another_order_replay(tmp_path):
    journal, _generator, bracket = _resumed(tmp_path)
    runs = [bracket.get_next_run() for _ in range(4)]
    for config_id, config, budget in (runs[2], runs[0]):
        job = Job(config_id, config=config, budget=budget, working_directory="")
        job.time_it("finished")
        job.result = {"loss": 0.5, "info": {}}
        journal(job)
    _, generator, resumed = _resumed(tmp_path)
    assert [seen[0][2] for seen in generator.seen] == [2, 0]
    assert resumed.queued() == [((0, 0, 1), 1.0), ((0, 0, 3), 1.0)]


@pytest.mark.parametrize("name", ["configs.json", "results.json"])
def test_a_torn_last_line_is_named_and_the_rest_is_used(tmp_path, caplog, name):
    whole, _ = _run(tmp_path / "a")
    _run(tmp_path / "b", 3)
    path = tmp_path / "b" / name
    path.write_bytes(path.read_bytes()[:-9])
    with caplog.at_level(logging.WARNING):
        _run(tmp_path / "b")
    assert f"{path}, line 3 is damaged" in caplog.text
    assert (tmp_path / "b" / f"{name}.damaged").exists()
    for file in ("configs.json", "results.json"):
        a, b = (_lines(tmp_path / run / file) for run in "ab")
        key = [[x[0], x[1], x[3]["loss"]] if len(x) == 5 else x[:2] for x in a]
        assert key == [[x[0], x[1], x[3]["loss"]] if len(x) == 5 else x[:2] for x in b]
    assert len(whole) == 7
    assert len(logged_results_to_HBS_result(str(tmp_path / "b")).get_all_runs()) == 7


DAMAGE = [b"", b"\0\0\0", b"{}", b"[]", b"null", b'[[0,0,"x"],1]', b"[[0,0,0]", b"7"]


@pytest.mark.parametrize("name", ["configs.json", "results.json"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_line_anywhere_costs_no_other_line(tmp_path, name, damage):
    _run(tmp_path)
    path = tmp_path / name
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], damage, *lines[2:]]) + b"\n")
    journal = _journal(tmp_path)
    assert len(journal.configs) == 4  # a lost configuration is in its result
    assert len(journal.results) == 7 - (name == "results.json")
    _run(tmp_path)
    assert len(_journal(tmp_path).results) == 7
    assert len(logged_results_to_HBS_result(str(tmp_path)).get_all_runs()) == 7


def test_a_result_without_any_configuration_is_set_aside(tmp_path, caplog):
    line = [[0, 0, 0], 1.0, {"submitted": 1.0}, {"loss": 0.5, "info": {}}, None]
    (tmp_path / "results.json").write_text(json.dumps(line) + "\n")
    journal = _journal(tmp_path)
    assert not journal.results and not journal.configs
    assert "line 1 is damaged" in caplog.text
    assert (tmp_path / "results.json").read_text() == ""


def test_duplicates_are_ignored_the_first_stands(tmp_path):
    _run(tmp_path)
    path = tmp_path / "results.json"
    first = path.read_text().splitlines()[0]
    changed = json.loads(first)
    changed[3]["loss"] = 0.123
    path.write_text(path.read_text() + json.dumps(changed) + "\n" + first + "\n")
    _, generator, _ = _resumed(tmp_path)
    assert len(generator.seen) == 7
    assert 0.123 not in [loss for _, _, loss in generator.seen]


def test_builtin_json_only(tmp_path):
    journal = _journal(tmp_path)
    journal.new_config((0, 0, 0), {"a": np.float64(0.5), "b": np.str_("x")}, {})
    journal.new_config((0, 0, 0), {"a": 1.0}, {})
    assert _lines(tmp_path / "configs.json") == [[[0, 0, 0], {"a": 0.5, "b": "x"}, {}]]


def test_a_journal_of_another_space_is_refused(tmp_path):
    class Picky(Counting):
        def new_result(self, job, update_model=True):
            raise KeyError("no hyperparameter 'n'")

    _run(tmp_path)
    with pytest.raises(UserError, match="does not fit the search space"):
        replay_generator(_journal(tmp_path), Picky())


def test_missing_files_are_an_empty_run(tmp_path):
    journal = _journal(tmp_path)
    assert not journal.configs and not journal.results
    assert journal.n_proposals == 0 and brackets_begun(journal) == 0


def test_ties_promote_who_was_proposed_first(tmp_path):
    done, _ = _run(tmp_path)  # losses 0, 0, 1, 1 on the first rung
    assert [cid[2] for cid, budget in done if budget == 3.0] == [0, 1]
    assert [cid[2] for cid, budget in done if budget == 9.0] == [0]


@pytest.mark.parametrize(
    "line",
    [
        '[[Infinity,0,0],1.0,{"submitted":1.0},{"loss":0.5},null]',
        '[[0,0,0],1.0,{"submitted":1.0},{"loss":1' + "0" * 400 + "},null]",
        '[[0,0,0],1.0,[1.0],{"loss":0.5},null]',
        '[[0,0,0],1e400,{"submitted":1.0},{"loss":0.5},null]',
        '[[0,0,0],1.0,{"submitted":NaN},{"loss":0.5},null]',
        '[[5,0,0],1.0,{"submitted":1.0},{"loss":0.5,"config":[]},null]',
        "[[[[0]],0,0],1.0,{},{},null]",
    ],
)
def test_numbers_and_types_of_any_kind_stop_no_master(tmp_path, caplog, line):
    _run(tmp_path)
    for name in ("configs.json", "results.json"):
        path = tmp_path / name
        path.write_text(path.read_text() + line + "\n")
    journal = _journal(tmp_path)
    assert (len(journal.configs), len(journal.results)) == (4, 7)
    assert "line 8 is damaged" in caplog.text


def test_deepcave_learns_from_the_journal_what_failed(tmp_path):
    journal, _, bracket = _resumed(tmp_path)
    for status in ("finished", "failed"):
        config_id, config, budget = bracket.get_next_run()
        job = Job(config_id, config=config, budget=budget, working_directory="")
        job.time_it("finished")
        job.result = {"loss": 1.0, "info": {"status": status}}
        journal(job)
    states = [line[3]["info"]["state"] for line in _lines(tmp_path / "results.json")]
    assert states == ["SUCCESS", "CRASHED"], "as its reader calls them"
    assert job.result["info"] == {"status": "failed"}
