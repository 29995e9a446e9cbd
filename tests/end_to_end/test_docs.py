"""What the pages name is there: files, modules, flags, links, rooms, tables."""

import configparser
import os
import pkgutil
import re
import runpy
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.helpers.places import ROOT
from tests.test_house import COMMANDS, MODULES, ORDER, room

DOCS = ROOT / "docs"
PAGES = [
    *sorted(DOCS.glob("*.md")),
    *(ROOT / n for n in ("README.md", "CHANGELOG.md", "experiments/README.md")),
]
pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="docs/ is not beside tests/")
on_every_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)

FILE = re.compile(r"(?<![\w./-])[\w*/.-]+\.(?:py|cpp|hpp|sh)\b")
IN_TREE = re.compile(
    r"(?<![\w./-])(?:se_hpo|csrc|tests|experiments|spaces|docs)/[\w*/.-]*"
)
YOURS = re.compile(r"^(\./)?(my[_/]|mine\.py)")
"""A file that a reader is to write."""
THEIRS = {"bohb_params_*_cartpole.py"}
"""Files in the authors' code."""
COMMAND = re.compile(r"(?:python -m|se-hpo) (se_hpo\.)?(\w+)")


def blocks(page: Path) -> list[str]:
    """Fenced blocks, but for pictures."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.DOTALL | re.M)
    return [text for name, text in found if name != "mermaid"]


def in_line(page: Path) -> list[str]:
    """Code in the text."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.M)
    return re.findall(r"`([^`]+)`", text)


def words(page: Path) -> list[str]:
    """All code of a page."""
    return [*in_line(page), *blocks(page)]


@cache
def files() -> list[Path]:
    top = ("se_hpo", "csrc", "tests", "experiments", "spaces", "docs")
    return [p for name in top for p in (ROOT / name).rglob("*")]


def is_there(name: str) -> bool:
    """Whether a file or folder has such a name, from the top or from a room on."""
    if any(ROOT.glob(name)):
        return True
    return any(path.match(name) for path in files())


def missing_files(page: Path) -> set[str]:
    named = {
        m for text in words(page) for r in (FILE, IN_TREE) for m in r.findall(text)
    }
    named = {name.rstrip(".") for name in named if not YOURS.match(name)} - THEIRS
    return {name for name in named if not is_there(name)}


@on_every_page
def test_every_file_that_it_names_is_there(page: Path) -> None:
    assert not missing_files(page)


def resolves(name: str) -> bool:
    if name.startswith("se_hpo._engine"):  # there where it was compiled
        return True
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


@on_every_page
def test_every_name_in_the_package_resolves(page: Path) -> None:
    text = "\n".join(words(page))
    named = set(re.findall(r"\bse_hpo(?:\.\w+)+", text))
    named |= {
        f"{module}.{name.split()[0]}"
        for module, names in re.findall(r"from (se_hpo[\w.]*) import (.+)", text)
        for name in names.split(",")
    }
    assert {name for name in named if not resolves(name)} == set()


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings of a page."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}


@on_every_page
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        file, _, anchor = target.partition("#")
        if ":" not in file:
            there = (page.parent / file).resolve() if file else page
            if not there.exists() or (anchor and anchor not in anchors(there)):
                broken.append(target)
    assert not broken


def commands(page: Path) -> list[list[str]]:
    """Command lines of the package in fenced blocks, in words."""
    lines = "\n".join(blocks(page)).replace("\\\n", " ").splitlines()
    return [
        shlex.split(line[found.start() :], comments=True)
        for line in lines
        if (found := COMMAND.search(line))
    ]


@cache
def flags_of(command: str, shared: str = "") -> set[str]:
    """The flags that `--help` names; of `slurm train` those of `train`, too."""
    words = [sys.executable, "-m", f"se_hpo.{command}", *shared.split(), "--help"]
    wide = {**os.environ, "COLUMNS": "200"}
    text = subprocess.check_output(words, text=True, cwd=ROOT, env=wide)
    own = set(re.findall(r"--[a-z][a-z-]*", text))
    return own | flags_of(shared) if shared else own


def unknown_flags(command: list[str]) -> list[str]:
    start = 1 if command[0] == "se-hpo" else 2
    name, *rest = [word.removeprefix("se_hpo.") for word in command[start:]]
    shared = rest[0] if rest[:1] in (["train"], ["evaluate"]) else ""
    values = {i + 1 for i, word in enumerate(rest) if word in ("--sbatch", "--setup")}
    flags = {
        word.partition("=")[0]
        for i, word in enumerate(rest)
        if word.startswith("--") and i not in values
    }
    return sorted(flags - flags_of(name, shared))


@on_every_page
def test_every_flag_in_a_command_exists(page: Path) -> None:
    unknown = {" ".join(c): unknown_flags(c) for c in commands(page)}
    assert {c: f for c, f in unknown.items() if f} == {}


@on_every_page
def test_every_flag_in_its_text_is_a_flag_of_some_command(page: Path) -> None:
    known = {"--smoke", "--help", "--version", "--inplace"}.union(
        *map(flags_of, (*COMMANDS, "worker")), flags_of("slurm", "train")
    )
    code = " ".join(re.sub(r'"[^"]*"', "", text) for text in in_line(page))
    assert set(re.findall(r"(?<!\S)--[a-z][a-z-]*", code)) <= known


def test_every_extra_is_in_the_table_of_the_platforms_and_pages_name_no_other() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = set(setup["options.extras_require"])
    table = (
        (DOCS / "platforms.md").read_text().partition("| extra | for |\n|---|---|\n")[2]
    )
    first = [line.split("|")[1] for line in table.partition("\n\n")[0].splitlines()]
    assert set(re.findall(r"`(\w+)`", " ".join(first))) == extras
    for page in PAGES:
        for named in re.findall(r"""["'](?:\.|se.hpo)\[([\w,]+)\]""", page.read_text()):
            assert set(named.split(",")) <= extras, page.name


def test_the_checks_find_what_is_wrong(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A Head\n`se_hpo/gone.py` `names.py` `se_hpo.names` `se_hpo.names.GONE`\n"
        "```\n.venv/bin/python -m se_hpo.report results/x --opne  # --not-this\n```\n"
    )
    assert missing_files(page) == {"se_hpo/gone.py"}
    assert [resolves(n) for n in ("se_hpo.names", "se_hpo.names.GONE")] == [True, False]
    assert anchors(page) == {"a-head"}
    assert [unknown_flags(c) for c in commands(page)] == [["--opne"]]


def test_every_room_is_in_the_table_of_the_architecture_in_its_order() -> None:
    page = (DOCS / "architecture.md").read_text()
    rows = re.findall(r"^\| `se_hpo/(\w+)/` \|", page, re.M)
    rooms = {room(name) for name in MODULES} - {"ground", "front"}
    assert rows == [name for name in ORDER if name in rooms]


def test_the_tables_of_the_pages_are_those_of_the_code() -> None:
    tables = runpy.run_path(str(DOCS / "tables.py"))
    pages = {page: page.read_text() for page in tables["PAGES"]}
    old = [
        page.name for page, text in pages.items() if tables["rendered"](text) != text
    ]
    assert not old, f"out of date: {old}; `make docs-tables` (python docs/tables.py)"
    used = set(re.findall(r"<!-- table: (.+?) -->", "".join(pages.values())))
    assert used == set(tables["TABLES"])
