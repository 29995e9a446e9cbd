"""The doctor finds what is broken and names the mend."""

from se_hpo import doctor, engine
from se_hpo.__main__ import COMMANDS


def test_a_healthy_machine_passes_every_check(tmp_path, capsys):
    code = doctor.main(doctor.DoctorOptions(run=tmp_path / "new"))
    out = capsys.readouterr().out
    assert "one generation" in out
    assert "rename and append" in out
    assert (code == 0) == ("warning" not in out)
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_a_missing_engine_is_a_warning_with_the_mend(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(engine, "available", lambda: False)
    monkeypatch.setattr(engine, "unavailable_reason", lambda: "no compiler")
    assert doctor.main(doctor.DoctorOptions(run=tmp_path)) == 1
    out = capsys.readouterr().out
    assert "no compiler" in out
    assert "-> install g++" in out


def test_a_check_that_raises_is_reported_and_the_others_go_on(capsys, monkeypatch):
    def broken(*args, **kwargs):
        raise PermissionError("no way")

    monkeypatch.setattr(doctor.tempfile, "TemporaryDirectory", broken)
    assert doctor.main(doctor.DoctorOptions()) == 1
    out = capsys.readouterr().out
    assert "PermissionError: no way" in out
    assert "packages" in out


def test_every_command_of_the_console_script_exists():
    import importlib.util

    for name in COMMANDS:
        assert importlib.util.find_spec(f"se_hpo.{name}") is not None
