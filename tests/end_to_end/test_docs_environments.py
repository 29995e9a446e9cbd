"""The examples on environments and reward networks print what their pages say."""

import doctest
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from se_hpo.envs.checkpoint import save_se
from tests.helpers.places import ROOT
from tests.helpers.reward_networks import random_rn

DOCS = ROOT / "docs"
DATA = ROOT / "tests" / "data"


def names(page: str, folder: Path) -> dict[str, Any]:
    """What the examples of a page find."""
    if page == "environments":
        return {
            "checkpoint": DATA / "cartpole_se_terminated_only.safetensors",
            "tuned_checkpoint": DATA / "cartpole_se.safetensors",
        }
    rn, path = random_rn("additive_potential"), folder / "rn.safetensors"
    save_se(path, rn.psi, rn.task, rn.se_config, {"discount": 0.99})
    return {"checkpoint": path}


def examples(page: Path) -> list[str]:
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    return [block for block in blocks if ">>>" in block]


@pytest.mark.parametrize(("page", "n"), [("environments", 4), ("reward-networks", 2)])
def test_the_examples_one_after_the_other_print_what_the_page_says(page, n, tmp_path):
    path, found = DOCS / f"{page}.md", names(page, tmp_path)
    blocks = examples(path)
    assert len(blocks) == n
    missing = find_spec("stable_baselines3") is None
    for number, block in enumerate(blocks):
        if "stable_baselines3" in block and missing:
            continue
        parse = doctest.DocTestParser().get_doctest
        test = parse(block, found, f"{number}", str(path), 0)
        runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
        printed: list[str] = []
        runner.run(test, out=printed.append, clear_globs=False)
        found.update(test.globs)
        assert not runner.failures, "".join(printed)
    if missing and page == "environments":
        pytest.skip("the extra sb3 is missing: only the other examples were run")
