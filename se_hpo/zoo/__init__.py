"""SEs that come with the package, by name: `se_hpo.zoo.load("CartPole-v1")`.

`python -m se_hpo.zoo` is the command: it lists them, shows one, and makes a file of an
SE of your own. All functions take a folder of such files, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from se_hpo.envs.checkpoint import SECheckpoint
    from se_hpo.results.model_card import Card


def list(folder: Path | str | None = None) -> pd.DataFrame:
    """One row per SE: `ZOO_COLUMNS` of docs/zoo.md, then what each agent reaches.

    `mean.<agent>`, `worst.<agent>` and `se_steps.<agent>`: mean test return on the
    task, that of the worst agent, and the steps on the SE that it took.
    """
    from se_hpo.zoo.zoo_frame import zoo_frame

    return zoo_frame(None if folder is None else Path(folder))


def path(name: str, folder: Path | str | None = None) -> Path:
    """The file of an SE.

    Raises:
        UserError: there is no SE of that name.
    """
    from se_hpo.envs.zoo_files import zoo_file

    return zoo_file(name, None if folder is None else Path(folder))


def load(name: str, folder: Path | str | None = None) -> SECheckpoint:
    """An SE's parameters, its task and its configuration.

    Raises:
        UserError: there is no SE of that name, or its file is damaged.
    """
    from se_hpo.envs.checkpoint import load_se

    return load_se(path(name, folder))


def card(name: str, folder: Path | str | None = None) -> Card:
    """Where an SE comes from, what it cost, what it teaches and what it does not.

    Raises:
        UserError: there is no SE of that name, or its file has no card.
    """
    from se_hpo.results.model_card import card_of

    return card_of(load(name, folder).metadata, path(name, folder))
