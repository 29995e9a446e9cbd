"""The examples of docs/environments.md run and print what the page says."""

import doctest
import re
from importlib.util import find_spec
from typing import Any

import pytest

from tests.helpers.places import ROOT

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


def test_the_examples_one_after_the_other_print_what_the_page_says(names):
    blocks = examples()
    assert len(blocks) == 4
    missing = find_spec("stable_baselines3") is None
    for number, block in enumerate(blocks):
        if "stable_baselines3" in block and missing:
            continue
        parse = doctest.DocTestParser().get_doctest
        test = parse(block, names, f"{number}", str(PAGE), 0)
        runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
        printed: list[str] = []
        runner.run(test, out=printed.append, clear_globs=False)
        names.update(test.globs)
        assert not runner.failures, "".join(printed)
    if missing:
        pytest.skip("the extra sb3 is missing: only the other examples were run")
