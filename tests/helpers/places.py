"""Where the checkout and the tests' data are."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
EXPERIMENTS = ROOT / "experiments"


def python_example(page: str) -> str:
    """The example in the section "From Python" of a page of the documentation."""
    text = (ROOT / "docs" / page).read_text().partition("\n## From Python\n")[2]
    return text.partition("```python\n")[2].partition("```")[0]
