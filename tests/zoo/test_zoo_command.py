"""`python -m se_hpo.zoo`, its table, its cards and the page that is made of them."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import se_hpo
from se_hpo.envs.checkpoint import load_se, save_se
from se_hpo.errors import UserError
from se_hpo.results.columns import ZOO_COLUMNS
from se_hpo.results.lines import UnreadableWarning
from se_hpo.terminal.next_steps import python
from se_hpo.zoo.__main__ import main
from se_hpo.zoo.card_text import EMPTY, page
from se_hpo.zoo.options import ZooOptions
from tests.helpers.fake_sets import make_set


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def said(capsys, *args, **flags):
    assert main(ZooOptions(*args, **flags)) == 0
    return capsys.readouterr().out


def refuse(*args, **flags):
    with pytest.raises(UserError) as error:
        main(ZooOptions(*args, **flags))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_list_has_a_row_per_se_with_what_agents_reach(zoo, capsys):
    out = said(capsys)
    row = next(line for line in out.splitlines() if "CartPole-v0" in line)
    mean = se_hpo.zoo.card("CartPole-v0").reached[0].mean
    for text in ("mdp", "kB", f"ddqn {mean:.1f} (60 steps)"):
        assert text in row


def test_the_frame_has_declared_columns_then_those_of_the_agents(zoo):
    frame = se_hpo.zoo.list()
    agents = ["mean.ddqn", "worst.ddqn", "se_steps.ddqn"]
    assert list(frame) == [*ZOO_COLUMNS, *agents]
    assert frame.dtypes.astype(str).to_dict() == {
        **ZOO_COLUMNS,
        **dict.fromkeys(agents, "float64"),
    }
    (row,) = frame.to_dict("records")
    file = zoo / "CartPole-v0.safetensors"
    assert (row["name"], row["kind"], row["bytes"]) == (
        *("CartPole-v0", "mdp"),
        file.stat().st_size,
    )
    assert row["recipe"] == "cartpole" and row["env_steps_task"] == 100
    assert row["se_steps.ddqn"] == 60


def test_files_without_a_card_are_listed_and_damaged_ones_named(zoo, run, capsys):
    se = load_se(zoo / "CartPole-v0.safetensors")
    save_se(zoo / "plain.safetensors", se.psi, se.task, se.se_config)
    frame = se_hpo.zoo.list()
    assert frame["recipe"].isna().tolist() == [False, True]
    assert "no model card" in said(capsys)
    (zoo / "torn.safetensors").write_bytes(b"torn")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UnreadableWarning)
        assert len(se_hpo.zoo.list()) == 2
    assert "torn.safetensors: cannot be read" in str(caught[0].message)


def test_a_damaged_file_does_not_hide_the_others_in_the_list(zoo, capsys):
    (zoo / "torn.safetensors").write_bytes(b"torn")
    out = said(capsys)
    assert "CartPole-v0" in out and "ddqn" in out
    assert "torn" in out and "unreadable: cannot be read" in out


def test_a_folder_that_cannot_be_written_is_one_line(run, tmp_path):
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", Path("/proc/none")):
        told = refuse("add", str(run), out=out)
        assert f"cannot write to {out}" in told and "--out" in told


def test_show_prints_the_whole_card_of_a_name_or_a_file(zoo, capsys):
    out = said(capsys, "show", "CartPole-v0")
    card = se_hpo.zoo.card("CartPole-v0")
    for text in (
        "python -m se_hpo.train --config cartpole",
        "the best of 2",
        "mdp, 1 x",
    ):
        assert text in out
    assert all(limit in out for limit in card.limits)
    assert f"{card.reached[0].worst:.1f}" in out
    assert said(capsys, "show", str(zoo / "CartPole-v0.safetensors")) == out


def test_add_says_what_it_did_and_what_to_do_next(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    out = said(capsys, "add", "run")
    first, *rest = out.splitlines()
    assert first.startswith(
        "zoo/CartPole-v0.safetensors: SE 0 of run/ses/varied, solved"
    )
    assert "kB; ddqn " in first
    shown = f"{python()} -m se_hpo.zoo show zoo/CartPole-v0.safetensors"
    assert rest == ["Next:", f"  {shown}"]
    assert "--overwrite" in refuse("add", "run")
    out = said(capsys, "add", "run", se=1, name="CartPole-v0:mdp", note=("A.",))
    assert out.startswith(
        "zoo/CartPole-v0@mdp.safetensors: SE 1 of run/ses/varied, not"
    )
    assert "CartPole-v0:mdp" in said(capsys, "list", "zoo")
    make_set(tmp_path / "alone")
    out = said(capsys, "add", "alone", out=Path("other"))
    assert "not evaluated" in out
    assert "python -m se_hpo.evaluate --envs other/CartPole-v0.safetensors" in out


def test_an_empty_zoo_says_how_to_fill_it(zoo, capsys):
    (zoo / "CartPole-v0.safetensors").unlink()
    assert "python -m se_hpo.zoo add results/RUN" in said(capsys)
    assert list(page()) == [EMPTY]


def test_bad_input_is_one_line(zoo, tmp_path):
    assert "did you mean 'CartPole-v0'" in refuse("show", "CartPol-v0")
    assert "no such checkpoint file" in refuse("show", "gone.safetensors")
    assert "add what? say python -m se_hpo.zoo add results/RUN" in refuse("add")
    assert "show what?" in refuse("show")
    assert "--overwrite is for add" in refuse("list", overwrite=True)
    assert "--se is for add" in refuse("show", "CartPole-v0", se=0)
    assert "no such folder" in refuse("list", str(tmp_path / "nowhere"))


def test_the_page_has_every_card(zoo):
    text = "\n".join(page())
    assert "### CartPole-v0\n" in text
    assert "- command: `python -m se_hpo.train --config cartpole`" in text
    (reached,) = se_hpo.zoo.card("CartPole-v0").reached
    assert f"| ddqn | {reached.mean:.1f} | {reached.worst:.1f} | 60 | 2 |" in text


def test_the_command_ends_with_code_2_for_a_wrong_name():
    words = [sys.executable, "-m", "se_hpo.zoo", "show", "no-such-task"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the zoo has no SE 'no-such-task'")
    assert done.stderr.count("\n") == 1
