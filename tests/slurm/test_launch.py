"""On a real SLURM: scripts submitted by hand, flags that reach jobs, the network."""

import json
from pathlib import Path

import pytest

from se_hpo.doctor import run_state
from se_hpo.machine.addresses import interfaces
from se_hpo.search_spaces.loading import load_space
from se_hpo.slurm.__main__ import main
from se_hpo.slurm.options import SlurmOptions
from se_hpo.training import native_engine
from tests.helpers.ports import hosts, listening
from tests.helpers.slurm_cluster import wait_until
from tests.helpers.slurm_runs import LONG, PATIENCE, SlurmRun, process_variable

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(900)]


def status_of(run, capsys):
    main(SlurmOptions(run=run.paths.root, status=True))
    return capsys.readouterr().out


def test_scripts_of_a_dry_run_are_submitted_by_hand_in_any_order(
    cluster, tmp_path, capsys
):
    flags = {"setup": "export MINE=here", "sbatch": ("--comment=ours",)}
    run = SlurmRun(cluster, tmp_path / "run", dry_run=True, **{**LONG, **flags})
    assert not run.launch().ids
    assert not cluster.queue(), "a dry run submits nothing"
    folder = run.paths.slurm
    workers = cluster.run("sbatch", "--parsable", f"{folder}/workers.sbatch").strip()
    master = cluster.run("sbatch", "--parsable", f"{folder}/master.sbatch").strip()
    after = f"--dependency=afterany:{master}"
    cluster.run("sbatch", after, f"{folder}/cleanup.sbatch")
    caught = run.wait_for_trial()
    for job in (workers, master):
        shown = cluster.run("scontrol", "show", "job", job)
        assert "Comment=ours" in shown
    for pid in (caught["pid"], run.master_pid()):
        assert process_variable(pid, "MINE") == "here"
    shown = status_of(run, capsys)
    assert caught["trial"] in shown and master in shown and "RUNNING" in shown
    assert main(SlurmOptions(run=run.paths.root, add_workers=1)) == 0
    wait_until(lambda: len(run.status()["workers"]) == 3, PATIENCE, run.story())
    assert main(SlurmOptions(run=run.paths.root, stop=True)) == 0
    assert not cluster.queue()
    shown = status_of(run, capsys)
    assert "The run is stopped" in shown
    ended = {row[1]: row[:3:2] for row in rows(shown)}
    assert ended[master] == ["by hand", "FAILED (exit code 143)"], shown


def test_how_jobs_ended_is_known_without_accounting(cluster, tmp_path, capsys):
    assert cluster.run("sacct", "-n", check=False) == "", "this cluster has none"
    run = SlurmRun(cluster, tmp_path / "run", n_workers=1, n_brackets=1)
    made = run.launch()
    run.wait_for_end()
    run.assert_queue_empties()
    wait_until(lambda: not known(cluster, made), PATIENCE)
    shown = status_of(run, capsys)
    for role in ("master", "worker"):
        job = made.ids[role][0]
        (row,) = [r for r in rows(shown) if r[1].partition("_")[0] == job]
        assert (row[0], row[2]) == (role, "COMPLETED"), shown


def rows(shown):
    """Cells of the tables that a console has printed."""
    lines = [line.strip().split("│")[1:-1] for line in shown.splitlines()]
    return [[cell.strip() for cell in line] for line in lines if len(line) > 3]


def known(cluster, made):
    """Whether SLURM still remembers the master; it forgets after MinJobAge."""
    shown = cluster.run("squeue", "-h", "-t", "all", "-o", "%i", check=False)
    return made.ids["master"][0] in shown.split()


def outward():
    """An interface that is not loopback."""
    return next((n for n, where in interfaces().items() if where[:4] != "127."), None)


@pytest.mark.skipif(outward() is None, reason="this machine has loopback only")
def test_with_nic_only_that_interface_is_listened_on_and_the_doctor_agrees(
    cluster, tmp_path
):
    nic = outward()
    address = interfaces()[nic]
    run = SlurmRun(cluster, tmp_path / "run", n_workers=1, nic=nic, **LONG)
    run.launch()
    caught = run.wait_for_trial()
    master = run.master_pid()
    assert json.loads(run.paths.credentials.read_text())["host"] == address
    assert len(listening(master)) == 2, "nameserver and dispatcher"
    assert len(listening(caught["pid"])) == 1
    assert hosts(master) == hosts(caught["pid"]) == {address}
    found = {each.what: each for each in run_state.check(run.paths)}
    levels = {what: each.level for what, each in found.items()}
    assert set(levels.values()) == {"ok"}, found
    assert found["lock"].value.endswith("which is alive")
    assert f"the master answers at {address}:" in found["credentials"].value
    assert main(SlurmOptions(run=run.paths.root, stop=True)) == 0
    (left,) = [each for each in run_state.check(run.paths) if each.what == "run"]
    assert left.level == "warning"
    assert "nobody is at it" in left.value


@pytest.mark.skipif(not native_engine.available(), reason="needs the native engine")
def test_a_master_that_gives_up_empties_the_queue_and_says_why(cluster, tmp_path):
    text = Path(load_space("smoke").path).read_text()
    deep = text.replace('"ddqn.hidden_layers": 1', '"ddqn.hidden_layers": 65')
    assert deep != text, "more layers than the engine has"
    space = tmp_path / "hopeless.py"
    space.write_text(deep)
    run = SlurmRun(
        cluster, tmp_path / "run", space=str(space), max_failures=0, n_workers=1
    )
    run.launch()
    wait_until(lambda: run.status().get("failed"), PATIENCE, run.story())
    wait_until(lambda: not run.jobs("master"), PATIENCE, run.story())
    run.assert_queue_empties()
    assert "1 evaluations failed, max_failures = 0" in run.log("master")
