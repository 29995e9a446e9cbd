"""What a person sees: on a terminal, in a log file, and at the end of a run."""

import io
import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from se_hpo.bohb.status import Bracket, MasterStatus, Rung, Running, Worker
from se_hpo.optimize.display import RunDisplay, evaluation_line
from se_hpo.optimize.outcome import ranked, show_best
from se_hpo.results.curve_reader import CurveReader
from se_hpo.results.trials import load_trials
from se_hpo.storage.paths import RunPaths
from se_hpo.storage.records import Status
from se_hpo.terminal.next_steps import show_next
from tests.helpers.fake_run import (
    add_configuration,
    add_generation,
    add_result,
    make_record,
    make_run,
)

RECORD = make_record((0, 0, 3), 9.0, 0.25, 2000.0)


def console(width: int = 80, height: int = 24, terminal: bool = True) -> Console:
    return Console(
        file=io.StringIO(),
        force_terminal=terminal,
        width=width,
        height=height,
        color_system=None,
        legacy_windows=False,
        _environ={"TERM": "xterm"},
    )


def output(target: Console) -> str:
    assert isinstance(target.file, io.StringIO)
    return target.file.getvalue()


def shown(
    target: Console, folder: str = "results/nes_cartpole-0", **options: Any
) -> RunDisplay:
    """The display of a run, of which nothing is known yet."""
    paths = RunPaths(Path(folder))
    return RunDisplay(
        paths, "nes_cartpole, bohb", "generations", console=target, **options
    )


def status(n_workers: int = 3, n_brackets: int = 4, rungs: int = 4) -> MasterStatus:
    budgets, now = [3.0**k for k in range(rungs)], time.time()
    trials = [f"000-0-{i:03d}" for i in range(n_workers)]
    hosts = [f"node{i % 2}.very.long.domain.org" for i in range(n_workers)]
    return MasterStatus(
        state="running", time=now, finished=23, planned=57, failed=0, lost=0,
        brackets=[
            Bracket(i, i == 0, [Rung(b, 9 if i == 0 else 0, 9) for b in budgets])
            for i in range(n_brackets)
        ],
        workers=[
            Worker(f"w{i}", hosts[i], i, trials[i]) for i in range(n_workers)
        ],
        running=[
            Running((0, 0, i), 27.0, now - 100.5 - i, hosts[i], i, trials[i], f"w{i}")
            for i in range(n_workers)
        ],
    )  # fmt: skip


def begun(display: RunDisplay, state: MasterStatus, age: float = 0) -> RunDisplay:
    """An hour later, with ten minutes to go; `age` seconds before it is drawn."""
    display.update(state)
    display.running = [
        each._replace(done=3, curve=(20.0, 90.0, 160.5), since=each.since - age)
        for each in display.running
    ]
    display.began = time.time() - 3600.5 - age
    display.eta, display.eta_at = 600.5, time.time() - age
    return display


def drawn(
    state: MasterStatus, width: int = 80, height: int = 24, age: float = 0
) -> str:
    target = console(width, height)
    display = begun(shown(target), state, age)
    for _ in range(4):
        display.evaluation_finished(RECORD)
    display.best = make_record((0, 0, 4), 9.0, 0.3124, 2000.0)
    target.print(display.view(height))
    return output(target)


@pytest.fixture(autouse=True)
def logging_untouched() -> Iterator[None]:
    handlers = list(logging.getLogger().handlers)
    level = logging.getLogger("se_hpo").level
    yield
    assert logging.getLogger().handlers == handlers
    assert logging.getLogger("se_hpo").level == level


def test_the_display_shows_everything_a_person_waits_for() -> None:
    text = drawn(status())
    for part in (
        "nes_cartpole, bohb  results/nes_cartpole-0",
        "1:00:00",
        "23/57  ETA 0:10:00",
        "1   1: 0/9  3: 0/9  9: 0/9  27: 0/9",
        "(1 done)",
        "loss 0.3124  trial 000-0-004  9 generations",
        "3 alive on 2 hosts",
        "000-0-002  3/27  0:01:42  ▁▄█  160.5  node0",
        "trial 000-0-003 budget 9 loss 0.2500",
    ):
        assert part in text


@pytest.mark.parametrize("width,height", [(80, 24), (120, 40), (80, 12), (40, 10)])
@pytest.mark.parametrize("n_workers,n_brackets", [(0, 0), (3, 5), (200, 50)])
def test_no_line_is_wider_than_the_terminal(
    width: int, height: int, n_workers: int, n_brackets: int
) -> None:
    text = drawn(status(n_workers, n_brackets, rungs=6), width, height)
    assert max(len(line) for line in text.splitlines()) <= width


@pytest.mark.parametrize("n_workers", [0, 5, 10, 200])
def test_the_display_fits_80_by_24_however_many_workers(n_workers: int) -> None:
    text = drawn(status(n_workers, n_brackets=50))
    assert len(text.splitlines()) <= 23
    if n_workers == 200:
        assert re.search(r"and 19\d more", text)
    assert "node0" in text or n_workers == 0
    assert "…" not in text


def test_clocks_go_on_between_snapshots() -> None:
    text = drawn(status(), age=65)
    assert "1:01:05" in text and "ETA 0:08:55" in text and "0:02:47" in text


def test_a_display_of_which_nothing_is_known_yet_is_drawn_whole(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with shown(console()) as display:
        assert display._live is not None
        display._live.refresh()
    assert "incomplete" not in caplog.text


def test_a_run_that_has_not_begun_says_what_it_waits_for() -> None:
    target = console()
    target.print(shown(target).view(24))
    text = output(target)
    assert "none: waiting for the first to register" in text
    assert "none yet" in text
    assert "0/0  ETA ?" in text


def test_terminals_without_unicode_get_plain_lines() -> None:
    file = io.TextIOWrapper(io.BytesIO(), "latin-1")
    target = Console(file=file, force_terminal=True, width=80)
    with shown(target) as display:
        display.update(status())
        display.evaluation_finished(RECORD)
    file.flush()
    text = file.buffer.getvalue().decode("latin-1")  # type: ignore[attr-defined]
    assert text.count("trial 000-0-003") == 1 and "23/57" not in text


def test_off_a_terminal_each_evaluation_is_exactly_one_line() -> None:
    target = console(terminal=False)
    with shown(target) as display:
        for i in range(5):
            display.update(status())
            display.evaluation_finished(make_record((0, 0, i), 1.0, 0.5, 2000.0))
    lines = output(target).splitlines()
    assert len(lines) == 5
    for i, line in enumerate(lines):
        assert re.fullmatch(rf"\S+ \S+ INFO trial 000-0-00{i} budget 1 .*", line)


def test_a_terminal_shows_evaluations_in_the_display_not_as_log_lines() -> None:
    target = console()
    with shown(target) as display:
        display.evaluation_finished(RECORD)
        display.update(status())
        assert display._live is not None
        display._live.refresh()
    assert "INFO" not in output(target)
    assert "latest" in output(target)
    assert "23/57" in output(target)


def test_verbose_adds_the_lines_on_a_terminal_and_debug_everywhere() -> None:
    target = console()
    with shown(target, verbose=True) as display:
        display.evaluation_finished(RECORD)
        logging.getLogger("se_hpo.bohb").debug("a detail")
    assert re.search(r"INFO +trial 000-0-003", output(target))
    assert "a detail" in output(target)


@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_shows_warnings_only(terminal: bool) -> None:
    target = console(terminal=terminal)
    with shown(target, quiet=True) as display:
        display.update(status())
        display.evaluation_finished(RECORD)
        logging.getLogger("se_hpo.bohb").info("hidden")
        logging.getLogger("se_hpo.bohb").warning("worker w1 is gone")
    text = output(target)
    assert "worker w1 is gone" in text
    assert "hidden" not in text and "000-0-003" not in text and "23/57" not in text


@pytest.mark.parametrize("terminal", [True, False])
def test_log_lines_of_the_package_pass_and_others_from_warning_on(
    terminal: bool,
) -> None:
    target = console(terminal=terminal)
    with shown(target):
        logging.getLogger("se_hpo.bohb").info("no result for 60 s")
        logging.getLogger("se_hpo_other").info("hidden a")
        logging.getLogger("hpbandster").info("hidden b")
        logging.getLogger("hpbandster").warning("shown [bold]as it is[/bold]")
    text = output(target)
    assert text.count("no result for 60 s") == 1
    assert "shown [bold]as it is[/bold]" in text
    assert "hidden" not in text


def test_a_log_line_moves_the_display_down_instead_of_tearing_it() -> None:
    target = console()
    with shown(target) as display:
        display.update(status())
        assert display._live is not None
        display._live.refresh()
        before = len(output(target))
        logging.getLogger("se_hpo.bohb").warning("worker w1 is gone")
    after = output(target)[before:]
    erased, line = after.index("\x1b[2K"), after.index("worker w1 is gone")
    assert erased < line < after.index("nes_cartpole, bohb", line)


def test_an_echoed_interrupt_does_not_begin_a_line_of_its_own() -> None:
    target = console()
    with shown(target) as display:
        display.update(status())
        assert display._live is not None
        display._live.refresh()
        drawing = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output(target))
        assert max(len(line) for line in drawing.splitlines()) <= 80 - len("^C")


def test_plain_lines_of_the_command_are_set_aside_while_it_is_open() -> None:
    plain = logging.StreamHandler(io.StringIO())
    logging.getLogger().addHandler(plain)
    try:
        target = console(terminal=False)
        with shown(target):
            logging.getLogger("se_hpo.x").warning("only once")
        assert plain in logging.getLogger().handlers
    finally:
        logging.getLogger().removeHandler(plain)
    assert output(target).count("only once") == 1
    assert plain.stream.getvalue() == ""


def test_an_error_inside_leaves_the_terminal_and_logging_as_they_were() -> None:
    target = console()
    with pytest.raises(KeyboardInterrupt), shown(target):
        raise KeyboardInterrupt
    assert output(target).count("\x1b[?25l") == output(target).count("\x1b[?25h") == 1


def test_dumb_terminals_get_plain_lines() -> None:
    target = Console(
        file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"}, width=80
    )
    with shown(target) as display:
        display.update(status())
        display.evaluation_finished(RECORD)
    assert "\x1b" not in output(target)
    assert len(output(target).splitlines()) == 1


@pytest.mark.parametrize(
    "status,reason,shown",
    [
        (Status.FINISHED, "diverged: NaN in psi", "loss 0.2500 .*diverged: NaN in psi"),
        (Status.FAILED, "failed: boom\nline two", r"failed .*\(failed: boom\) in"),
        (Status.FINISHED, "budget", r"loss 0.2500 score 120.5 in 0:00:02"),
    ],
)
def test_evaluation_lines_say_how_it_ended(
    status: Status, reason: str, shown: str
) -> None:
    record = make_record((0, 0, 0), 1.0, 0.25, 9.0, status=status, reason=reason)
    line = evaluation_line(record)
    assert re.search(shown, line) and "\n" not in line


def printed(frame, width: int = 80) -> str:
    target = console(width, terminal=False)
    show_best(frame, target)
    show_next(target, ["python -m se_hpo.optimize --run x --confirm 3"])
    return output(target)


def test_the_final_table_has_the_five_best_at_their_largest_budget(
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path / "run")
    for i in range(8):
        add_configuration(run, (0, 0, i), **{"nes.step_size": 0.123456})
        add_result(run, (0, 0, i), 1.0, i / 10, 1000.0 + i)
    add_result(run, (0, 0, 6), 3.0, 0.9, 2000.0, generations_to_solve=2)
    add_result(run, (0, 0, 0), 3.0, 0.95, 2001.0, status=Status.FAILED, reason="x")
    frame = load_trials(run.root)
    assert ranked(frame)["trial"].tolist()[:3] == ["000-0-006", "000-0-000", B_NAME]
    text = printed(frame)
    assert re.findall(r"│ (\d{3}-\d-\d{3})", text) == [
        f"000-0-00{i}" for i in (6, 0, 1, 2, 3)
    ]
    assert "000-0-006: nes.step_size=0.1235  se.hidden_size=83" in text
    assert "ddqn.batch_size" not in text  # inactive
    assert "1 evaluation failed" in text
    assert text.rstrip().endswith("python -m se_hpo.optimize --run x --confirm 3")
    assert max(len(line) for line in text.splitlines()) <= 80


B_NAME = "000-0-001"


def test_the_final_table_of_a_run_where_nothing_finished(tmp_path: Path) -> None:
    text = printed(load_trials(make_run(tmp_path / "run").root))
    assert "No evaluation has finished." in text and "--confirm 3" in text


def test_the_curve_reader_reads_only_whole_new_lines(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    path = run.trial((0, 0, 0)).generations
    reader = CurveReader(path)
    assert reader.read() == ()
    add_generation(run, (0, 0, 0), 0, [10.0, 20.0])
    assert reader.read() == (15.0,)
    with path.open("a") as file:
        file.write('{"generation":1,"center_scores":[3')
    assert reader.read() == (15.0,)
    with path.open("a") as file:
        file.write('0.0]}\n{"broken\n{"generation":2,"center_scores":[]}\n')
    assert reader.read() == (15.0, 30.0)
    path.write_text("")  # begun anew
    assert reader.read() == ()
    add_generation(run, (0, 0, 0), 0, [40.0])
    assert reader.read() == (40.0,)


def test_a_curve_that_cannot_be_read_stays_as_it_was_and_is_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run")
    reader = CurveReader(run.trial((0, 0, 0)).generations)
    add_generation(run, (0, 0, 0), 0, [10.0])
    assert reader.read() == (10.0,)
    add_generation(run, (0, 0, 0), 1, [20.0])

    def stale(*_: object, **__: object) -> None:
        raise OSError(116, "Stale file handle")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "open", stale)
        assert [reader.read(), reader.read()] == [(10.0,)] * 2
    assert caplog.text.count("Stale file handle") == 1
    assert reader.read() == (10.0, 20.0)


def test_a_view_that_cannot_be_drawn_ends_neither_display_nor_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    target = console()
    with shown(target) as display:
        display.status = None  # type: ignore[assignment]
        assert display._live is not None
        display._live.refresh()
        display.update(status())
        display._live.refresh()
    assert "nes_cartpole, bohb" in output(target)
    assert caplog.text.count("the run goes on") == 1


def test_a_terminal_that_is_gone_ends_no_run(caplog: pytest.LogCaptureFixture) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    target = console()
    target.file = Gone()
    with shown(target) as display:
        display.update(status())
        display.evaluation_finished(RECORD)
    assert caplog.text.count("the run goes on") == 1
