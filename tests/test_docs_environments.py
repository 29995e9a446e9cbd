"""The examples of docs/environments.md run and print what the page says."""

import doctest
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "environments.md"
DATA = ROOT / "tests" / "data"


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """What the examples find and leave behind."""
    return {
        "checkpoint": DATA / "cartpole_se_terminated_only.safetensors",
        "tuned_checkpoint": DATA / "cartpole_se.safetensors",
    }


def examples() -> list[str]:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [block for block in blocks if ">>>" in block]


@pytest.mark.parametrize("number", range(4))
@pytest.mark.filterwarnings("ignore:.*is out of date")
def test_the_example_prints_what_the_page_says(number, names):
    block = examples()[number]
    if "stable_baselines3" in block:
        pytest.importorskip("stable_baselines3", reason="the extra sb3 is missing")
    test = doctest.DocTestParser().get_doctest(block, names, f"{number}", str(PAGE), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    printed: list[str] = []
    runner.run(test, out=printed.append, clear_globs=False)
    names.update(test.globs)
    assert not runner.failures, "".join(printed)


def test_every_example_is_run():
    assert len(examples()) == 4
