"""The report: one HTML file that says what there is, and what there is not."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import se_hpo
from se_hpo.errors import UserError
from se_hpo.figures import style
from se_hpo.report import analyses as answers_module
from se_hpo.report.__main__ import main
from se_hpo.report.analyses import analyse
from se_hpo.report.options import ReportOptions
from se_hpo.report.report_file import write_report
from se_hpo.report.run_data import read_run
from se_hpo.report.tables import make_table, number, text
from se_hpo.report.worth import judged
from se_hpo.storage.files import write_json
from se_hpo.storage.paths import RunPaths
from tests.helpers.fake_run import add_configuration, add_result, make_run
from tests.helpers.fake_sets import make_set
from tests.helpers.full_run import add_evaluations, damage, make_full_run

KEPT = Path(__file__).parents[2] / "experiments" / "results"
VOID = {"meta", "link", "img", "br", "hr", "input"}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)


class Page(HTMLParser):
    """Checks that tags nest, and collects what they refer to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.feed(html)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "action", "data"):
                self.references.append(value or "")
            if name == "id":
                self.ids.append(value or "")
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data.strip()

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(autouse=True)
def little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Analysis and files of figures have their own tests."""
    functions = answers_module.analysis
    for name in ("train_env_table", "rank_agreement", "break_even"):
        monkeypatch.setattr(functions, name, _fewer(getattr(functions, name)))
    empty = pd.DataFrame()
    monkeypatch.setattr(functions, "sensitivity_table", lambda rows: empty)
    monkeypatch.setattr(style, "pdf_bytes", lambda figure: b"%PDF")
    monkeypatch.setattr(style, "_DPI", 50)


def _fewer(function):
    return lambda *args, **kwargs: function(*args, n_resamples=50, **kwargs)


def report(run: RunPaths, figures: bool = False) -> Page:
    path = write_report(run.root, figures, transition_agents=0)
    assert path == run.report
    return Page(path.read_text(encoding="utf-8"))


def test_a_full_run_is_one_file_that_refers_to_nothing_outside(tmp_path: Path) -> None:
    run = make_full_run(tmp_path / "full")
    page = report(run, figures=True)
    html = run.report.read_text(encoding="utf-8")
    assert not re.findall(r"https?://|@import|url\(|<script src|//cdn", html)
    images = [r for r in page.references if r.startswith("data:image/png;base64,")]
    assert len(images) == html.count("<img ") >= 8  # one more with optuna
    others = [r for r in page.references if r not in images]
    assert all(r.startswith("#") or r == "data:," for r in others), others
    assert {r[1:] for r in others if r.startswith("#")} <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)
    assert len(list(run.figures.glob("*.png"))) == len(images)
    assert not list(run.root.glob(".*"))


def test_the_answer_has_the_numbers_of_the_analysis(tmp_path: Path) -> None:
    run = make_full_run(tmp_path / "full", n_ses=6)
    page = report(run)
    answers = analyse(read_run(run.root))
    table = answers.train_envs.set_index(["agent", "train_env"])
    real, varied = table.loc[("ddqn", "real")], table.loc[("ddqn", "se_varied")]
    start = "On CartPole-v0, DDQN trained on learned SEs alone (6) returns "
    steps = f"{varied['env_steps_mean']:,.0f} steps; trained on the task, "
    assert f"{start}{varied['mean']:.1f} after {steps}{real['mean']:.1f}" in page.text
    assert f"Steps saved {varied['env_steps_saved']:.0%}"[:-1] in page.text
    keys = {"agent": "ddqn", "train_env": "se_varied", "unit": "env_steps_task"}
    paid = answers.break_even[~answers.break_even["with_bohb"]]
    for name, value in keys.items():
        paid = paid[paid[name] == value]
    assert f"Agents to break even {paid['agents'].iloc[0]:,.0f} an SE" in page.text
    agents = next(rows for rows in page.tables if "verdict" in rows[0])
    assert [row[0] for row in agents[1:]] == ["DDQN", "Dueling DDQN", "discrete TD3"]
    assert agents[1][2:4] == [f"{varied['mean']:.1f}", f"{real['mean']:.1f}"]
    assert not any("[" in cell for row in agents for cell in row)
    assert f"{varied['mean']:.1f}[{varied['mean_low']:.1f}, " in str(page.tables)


def test_nothing_is_concluded_from_fewer_than_five_ses(tmp_path: Path) -> None:
    run = make_full_run(tmp_path / "full", n_ses=2)
    text = report(run).text
    assert "These are too few SEs to say more (2)." in text
    assert "Agents to break even too few SEs to say" in text
    assert "pays off" not in text and "That is" not in text
    assert "two SEs: no interval" in text


@pytest.mark.parametrize(
    ("low", "high", "mean", "says"),
    [
        (-30.0, -12.0, 80.0, "worse"),
        (12.0, 30.0, 120.0, "better"),
        (-4.0, 3.0, 99.5, "as good"),
        (-4.0, -1.0, 98.0, "as good"),  # sure, and too little to speak of
        (0.2, 0.9, 100.5, "as good"),
        (-3.0, 20.0, 108.0, "as good"),
        (-20.0, 5.0, 93.0, "not clear"),
        (12.0, 30.0, 90.0, "not clear"),  # the means of all agents say otherwise
        (-30.0, -12.0, 110.0, "not clear"),
        (np.nan, np.nan, 99.0, "too few SEs"),
    ],
)
def test_the_verdict_follows_the_interval_and_the_eye(
    low: float, high: float, mean: float, says: str
) -> None:
    row = {"difference": (low + high) / 2, "difference_low": low, "n_pair_ses": 5}
    row |= {"difference_high": high, "mean": mean}
    row["difference"] = -2.0 if np.isnan(low) else row["difference"]
    assert judged(row, {"mean": 100.0}) == says
    assert judged({**row, "n_pair_ses": 4}, {"mean": 100.0}) == "too few SEs"
    assert judged({**row, "difference": np.nan}, {"mean": 100.0}) == "no pairs"
    assert judged(row, None) == "no pairs"


def test_pairs_of_one_se_of_many_say_so(tmp_path: Path) -> None:
    run = RunPaths(tmp_path / "run")
    make_set(run.ses / "varied", n=6)
    path = add_evaluations(run, 6, 2, ("ddqn",), ("real", "se_varied"))
    lines = path.read_text().splitlines(keepends=True)
    kept = [
        x for x in map(json.loads, lines) if x["train_env"] != "real" or x["pair"] < 2
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in kept))
    assert "too few SEs to say more (1 of 6 are compared)" in report(run).text


def test_more_steps_than_on_the_task_are_said_to_be_more(tmp_path: Path) -> None:
    run = RunPaths(tmp_path / "run")
    make_set(run.ses / "varied", n=6)
    path = add_evaluations(run, 6, 2, ("ddqn",), ("real", "se_varied"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line["env_steps"] = 100 if line["train_env"] == "real" else 118
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    says = "Steps not saved 18 % more 118 in place of 100 training steps"
    assert says in report(run).text


def test_the_commands_of_evaluations_and_of_the_report_are_listed(
    tmp_path: Path,
) -> None:
    run = make_full_run(tmp_path / "full")
    file = run.evaluations / "paper-0.json"
    command = ["python", "-m", "se_hpo.evaluate", "--envs", "results/full"]
    write_json(file, {"attempts": [{"started": 2e9, "command": command}]})
    says = f"{' '.join(command)} python -m se_hpo.report {run.root}"
    assert says in report(run).text
    write_json(file, {"attempts": "none"})
    assert says.partition(" python")[0] not in report(run).text


def test_a_random_search_has_no_generations(tmp_path: Path) -> None:
    run = RunPaths(tmp_path / "run")
    make_set(run.ses / "random", "se_random")
    assert "generations" not in report(run).text.partition("The SEs")[0]


def test_a_pointer_finds_the_trials_in_every_figure_of_the_search(
    tmp_path: Path,
) -> None:
    run = make_full_run(tmp_path / "full")
    report(run, figures=True)
    html = run.report.read_text(encoding="utf-8")
    best = read_run(run.root).incumbent
    assert best is not None
    figures = {part[: part.index(chr(34))]: part for part in html.split('<figure id="')}
    names = ("bohb_over_time", "bohb_over_budgets", "trial_curves")
    for name in (*names, "parallel_coordinates"):
        assert f'data-of="{best.trial}"' in figures[name], name
    assert f"{best.trial}: loss {best.loss:.4g} at 9 generations" in html
    assert 'data-of="varied/000"' in figures["nes_curves"]


def test_a_run_of_bohb_alone_says_that_its_worth_is_not_known(tmp_path: Path) -> None:
    run = make_full_run(tmp_path / "full")
    shutil.rmtree(run.ses)
    shutil.rmtree(run.evaluations)
    page = report(run)
    assert "is not known yet" in page.text
    assert "There are no sets of SEs" in page.text
    assert "python -m se_hpo.optimize" in page.text
    assert any(row[0] == "nes.step_size" for table in page.tables for row in table)


def test_an_empty_run_is_a_report_too(tmp_path: Path) -> None:
    page = report(make_run(tmp_path / "empty"), figures=True)
    assert "No evaluation of BOHB has finished yet" in page.text
    assert "No agents have been evaluated" in page.text
    assert not page.tables
    assert not (tmp_path / "empty" / "figures").exists()


def test_a_folder_without_bohb_says_so(tmp_path: Path) -> None:
    run = RunPaths(tmp_path / "recipe")
    make_set(run.ses / "varied")
    page = report(run)
    assert "There is no BOHB run in this folder" in page.text
    assert "SE set varied" in page.text
    only = RunPaths(tmp_path / "only")
    add_evaluations(only, 2, 2, agents=("ddqn",), train_envs=("real",))
    page = report(only)
    assert "trained both on them and on the task" in page.text
    assert "No agents were trained on SEs (varied agents)" in page.text


def test_an_unfinished_set_and_search_say_how_far_they_are(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    add_configuration(run, (0, 0, 0))
    add_result(run, (0, 0, 0), 1.0, 0.5, 1000.0)
    add_result(run, (0, 0, 1), 1.0, 1.0, 1001.0, status="failed", error="a\nBoom <x>")
    write_json(run.status, {"finished": 2, "planned": 40})
    paths = make_set(run.ses / "varied", n=3)
    paths.outcome(1).unlink()
    paths.outcome(2).unlink()
    page = report(run)
    assert "2 of 40 evaluations" in page.text
    assert "2 of 3 are not finished" in page.text
    assert "1 evaluation(s) failed" in page.text
    assert "Boom <x>" in page.text


def test_an_unfinished_evaluation_says_how_far_it_is(tmp_path: Path) -> None:
    run = make_full_run(tmp_path / "full")
    ses = {str(k): "" for k in range(3)}
    sets = {
        name: {"train_env": f"se_{name}", "ses": ses}
        for name in ("varied", "fixed", "random")
    }
    settings = {"agents": dict.fromkeys(("ddqn", "td3_discrete")), "num_agents": 4}
    file = run.evaluations / "paper-0.json"
    write_json(file, {"settings": {**settings, "sets": sets}})
    assert "agents 18 of 24 on varied" in report(run).text
    write_json(file, {"settings": {**settings, "num_agents": 2, "sets": sets}})
    assert "Evaluation paper-0" not in report(run).text
    some = {"settings": {**settings, "sets": sets}, "wanted": ["se_varied"]}
    write_json(file, some)  # --train-envs se_varied: nothing else was asked for
    assert "not finished: agents 18 of 24 on varied." in report(run).text
    file.write_text("[")
    report(run)


def test_shards_are_one_evaluation(tmp_path: Path) -> None:
    run = make_full_run(tmp_path / "full")
    file = run.evaluations / "paper-0.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    ses = {str(k): "" for k in range(3)}
    sets = {"varied": {"train_env": "se_varied", "ses": ses}}
    settings = {"agents": {"ddqn": {}, "td3_discrete": {}}, "num_agents": 2}
    for i in (1, 2):
        part = run.evaluations / f"paper-0.shard-{i}-of-2.jsonl"
        part.write_text("".join(lines[i - 1 :: 2]))
        header = {"settings": {**settings, "sets": sets}, "wanted": ["se_varied"]}
        write_json(part.with_suffix(".json"), header)
    file.unlink()
    file.with_suffix(".json").unlink(missing_ok=True)
    page = report(run)
    assert "not finished" not in page.text
    assert "is not used" not in page.text


def test_damaged_files_are_named_and_the_rest_is_used(tmp_path: Path) -> None:
    run = make_full_run(tmp_path / "full")
    damage(run.evaluations / "paper-0.jsonl")
    damage(run.results)
    (run.ses / "fixed" / "set.json").write_text("{")
    page = report(run)
    assert "paper-0.jsonl:73" in page.text
    assert "results.json:" in page.text
    assert "set.json is damaged" in page.text
    assert "SE set varied" in page.text
    assert "trained on the task" in page.text


def test_everything_from_outside_is_escaped(tmp_path: Path) -> None:
    run = make_full_run(tmp_path / "full")
    evil = "<script>alert(1)</script>&\"'"
    settings = {"space": evil, "task": "CartPole-v0", "objective": "nes"}
    attempts = [{"host": evil, "command": ["x.py", evil], "started": 1e9}]
    write_json(
        run.run, {"settings": settings, "attempts": attempts, "versions": {evil: evil}}
    )
    add_result(run, (0, 0, 0), 9.0, 0.0, 2e6, reason=evil)
    page = report(run)
    html = run.report.read_text(encoding="utf-8")
    assert "alert(1)" in page.text
    assert "<script>alert" not in html
    assert html.count("<script>") == 1


def test_two_evaluations_of_the_same_agents_are_not_mixed(tmp_path: Path) -> None:
    run = make_full_run(tmp_path / "full")
    lines = (run.evaluations / "paper-0.jsonl").read_text().splitlines()
    (run.evaluations / "again.jsonl").write_text("\n".join(lines[:6]) + "\n")
    page = report(run)
    assert "Evaluation again is not used beside paper-0: pair 0" in page.text
    assert "trained on the task" in page.text


def test_records_without_scores_leave_the_report_standing(tmp_path: Path) -> None:
    run = make_full_run(tmp_path / "full")
    for file in run.evaluations.glob("*.jsonl"):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        for line in lines:
            if line["train_env"] == "se_fixed":
                line |= {"test_returns": [float("nan")] * 2, "score": float("nan")}
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = report(run, figures=True)
    assert "without score" in page.text


def test_files_of_ses_that_are_no_set_make_no_run(tmp_path: Path) -> None:
    run = RunPaths(tmp_path / "loose")
    paths = make_set(run.ses / "varied")
    paths.set.unlink()
    run.evaluations.mkdir()
    before = sorted(run.root.rglob("*"))
    with pytest.raises(UserError, match="no run"):
        write_report(run.root)
    assert sorted(run.root.rglob("*")) == before


@pytest.mark.parametrize(
    "name", sorted(path.name for path in KEPT.iterdir() if path.is_dir())
)
def test_kept_runs_open_as_ones_own(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name  # the report stays out of the checkout
    shutil.copytree(KEPT / name, folder)
    if (folder / "run.json").exists():
        assert len(se_hpo.load_trials(folder)) > 0
    if (folder / "ses").is_dir():
        assert len(se_hpo.load_ses(folder)) > 0
    assert (folder / "run.json").exists() or (folder / "ses").is_dir()
    if (folder / "evaluations").is_dir():
        assert len(se_hpo.load_evaluations(folder)) > 0
    assert report(RunPaths(folder)).tables


@pytest.mark.parametrize("name", ["missing", "file", "plain"])
def test_a_folder_that_is_no_run_is_refused_and_left_alone(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "plain").mkdir()
    with pytest.raises(UserError, match=r"no run|does not exist"):
        write_report(tmp_path / name)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["file", "plain"]


def test_a_negative_number_of_agents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="transition-agents"):
        main(ReportOptions(tmp_path, transition_agents=-1))


def test_cells_have_keys_that_sort_numbers_and_missing_values() -> None:
    frame = pd.DataFrame(
        {"a": [1.5, np.nan, -2e6], "a_low": [1.0, np.nan, np.nan], "a_high": [2.0] * 3}
    )
    table = make_table("t", frame, [number("a", interval=True), text("b")])
    assert table is not None
    cells = [row[0] for row in table.rows]
    assert [c.text for c in cells] == ["2", "-", "-2,000,000"]
    assert [c.interval for c in cells] == ["[1, 2]", "", ""]
    assert [c.js_key for c in cells] == ["1.5", "-Infinity", "-2000000.0"]
    assert [row[1].text for row in table.rows] == ["-"] * 3


def test_amounts_have_three_digits_or_all() -> None:
    frame = pd.DataFrame({"a": [0.2571, 12345.6, -3.14159]})
    table = make_table("t", frame, [number("a", spec=",.3g")])
    assert table is not None
    assert [row[0].text for row in table.rows] == ["0.257", "12,346", "-3.14"]


def test_notes_are_shown_once_with_the_rows_they_are_of() -> None:
    frame = pd.DataFrame({"agent": ["a", "b", "c"], "note": ["weak", "weak", ""]})
    table = make_table("t", frame, [text("agent")])
    assert table is not None
    assert table.notes == ("a, b: weak",)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to open the report in")
@pytest.mark.parametrize("width", [1280, 400])
def test_a_browser_shows_it_without_errors_and_without_scrolling_sideways(
    tmp_path: Path, width: int
) -> None:
    run = make_full_run(tmp_path / "full")
    report(run, figures=True)
    # The page itself reports to its title what a person would see.
    probe = """
    <script>
    const errors = []; addEventListener("error", (e) => errors.push(e.message));
    addEventListener("load", () => {
      const head = document.querySelector("th.number button");
      head.click();
      const keys = [...head.closest("table").tBodies[0].rows]
        .map((r) => Number(r.cells[head.closest("th").cellIndex].dataset.key));
      const sorted = keys.every((k, i) => i === 0 || keys[i - 1] <= k);
      const images = [...document.images].every((i) => i.naturalWidth > 0);
      const page = document.documentElement;
      const fits = page.scrollWidth <= innerWidth;
      const width = innerWidth;
      const spot = document.querySelector("#bohb_over_time path");
      spot.dispatchEvent(new PointerEvent("pointermove", { clientX: 9, clientY: 9 }));
      const tip = document.getElementById("tip");
      const named = !tip.hidden && tip.textContent.startsWith(spot.dataset.of);
      spot.dispatchEvent(new MouseEvent("click"));
      const marked = new Set([...document.querySelectorAll(".lit")]
        .map((lit) => lit.closest("figure")?.id ?? "table")).size;
      document.title =
        JSON.stringify({errors, sorted, images, fits, width, named, marked});
    });
    </script></head>"""
    html = run.report.read_text(encoding="utf-8").replace("</head>", probe, 1)
    page = tmp_path / "probe.html"
    frame = tmp_path / "frame.html"
    page.write_text(html, encoding="utf-8")
    # Headless windows are never narrower than 500 pixels; a frame is.
    frame.write_text(
        f'<iframe src="probe.html" style="width:{width}px;height:900px;border:0">'
        "</iframe><script>setTimeout(() => { const t = frames[0].document.title; "
        'document.body.append(Object.assign(document.createElement("pre"), '
        "{id: 'out', textContent: t})); }, 3000);</script>"
    )
    done = subprocess.run(
        [
            str(CHROMIUM),
            *("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"),
            "--allow-file-access-from-files",
            *("--virtual-time-budget=8000", "--window-size=1300,1000", "--dump-dom"),
            f"--user-data-dir={tmp_path / 'profile'}",
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "CONSOLE" not in done.stderr
    found = re.search(r'<pre id="out">(.*?)</pre>', done.stdout)
    assert found, done.stdout[-2000:]
    seen = json.loads(found[1])
    assert seen == {
        "errors": [],
        "sorted": True,
        "images": True,
        "fits": True,
        "width": width,
        "named": True,
        "marked": 5,  # in four figures, and in the table of trials
    }
