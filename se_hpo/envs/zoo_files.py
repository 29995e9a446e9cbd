"""The zoo: SEs that come with the package, by name. Paths alone; nothing is read.

A name is a task's id, `CartPole-v1`; of a second kind of a task `CartPole-v1:mdp`, in
the file `CartPole-v1@mdp.safetensors`.
"""

from __future__ import annotations

from pathlib import Path

from se_hpo.errors import UserError, did_you_mean
from se_hpo.storage.paths import TENSORS

FOLDER = Path(__file__).parents[1] / "zoo"
"""Of the files, in the package."""
PREFIX = "zoo:"
"""What stands before a name where a path could stand, too."""
_KIND, _IN_FILES = ":", "@"


def is_zoo_name(path: object) -> bool:
    """Whether it is `zoo:NAME`, no path."""
    return isinstance(path, str | Path) and str(path).startswith(PREFIX)


def name_of_task(task: str) -> str:
    """The name of a task's SE, also where it is of the task with scaled observations.

    >>> name_of_task("CartPole-v1"), name_of_task("Scaled/MountainCar-v0")
    ('CartPole-v1', 'MountainCar-v0')
    >>> name_of_task("my_tasks:lab/Pole-v1")
    'lab.Pole-v1'
    """
    plain = task.rpartition(":")[2].removeprefix("Scaled/")
    return plain.replace("/", ".")


def file_name(name: str) -> str:
    """The file of a name.

    >>> file_name("CartPole-v1:mdp")
    'CartPole-v1@mdp.safetensors'
    """
    return name.replace(_KIND, _IN_FILES) + TENSORS


def name_of_file(file: Path) -> str:
    """The inverse of `file_name`."""
    return file.stem.replace(_IN_FILES, _KIND)


def zoo_names(folder: Path | None = None) -> list[str]:
    """Names of all that are there, sorted; `folder` is the package's by default."""
    files = (FOLDER if folder is None else folder).glob(f"*{TENSORS}")
    return sorted(map(name_of_file, files))


def zoo_file(name: str, folder: Path | None = None) -> Path:
    """The file of `NAME` or `zoo:NAME`.

    Raises:
        UserError: there is no such SE.
    """
    folder, known = FOLDER if folder is None else folder, zoo_names(folder)
    plain = name.removeprefix(PREFIX).removeprefix("Scaled/").replace("/", ".")
    if plain in known:
        return folder / file_name(plain)
    hint = did_you_mean(plain, known) if known else ""
    raise UserError(
        f"the zoo has no SE {plain!r}: "
        f"{hint or f'{folder} has none at all: python -m se_hpo.zoo add RUN makes one'}"
    )


def file_of_task(task: str | None) -> Path | None:
    """The file of a task's SE, if the zoo has one."""
    name = name_of_task(task or "")
    return FOLDER / file_name(name) if name in zoo_names() else None
