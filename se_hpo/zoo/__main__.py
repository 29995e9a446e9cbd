"""`python -m se_hpo.zoo`: SEs that come with the package, and files of your own."""

from __future__ import annotations

from se_hpo.terminal.cli import exit_with, parsed
from se_hpo.zoo.options import ZooOptions

if __name__ == "__main__":  # the rest takes a second, which flags need not wait for
    OPTIONS = parsed(ZooOptions)

from dataclasses import MISSING, fields
from pathlib import Path

from rich.console import Console

from se_hpo.envs.zoo_files import FOLDER, zoo_file, zoo_names
from se_hpo.errors import UserError
from se_hpo.storage.paths import TENSORS
from se_hpo.zoo.candidates import candidates, chosen
from se_hpo.zoo.display import added, card_tables, list_table
from se_hpo.zoo.new_file import write


def main(options: ZooOptions) -> int:
    """Do what the flags ask for."""
    _check_flags(options)
    console = Console(highlight=False)
    if options.action == "add":
        console.print(_add(options), soft_wrap=True, markup=False)
    elif options.action == "show":
        for part in card_tables(_file(str(options.what))):
            console.print(part, markup=False)
    else:
        _list(None if options.what is None else Path(options.what), console)
    return 0


def _check_flags(options: ZooOptions) -> None:
    """Refuse flags that the action does not look at."""
    if options.action != "list" and options.what is None:
        what = "a name" if options.action == "show" else "results/RUN"
        raise UserError(
            f"{options.action} what? say python -m se_hpo.zoo {options.action} {what}"
        )
    for f in fields(options)[2:]:
        default = f.default if f.default is not MISSING else None
        if options.action != "add" and getattr(options, f.name) != default:
            raise UserError(f"--{f.name} is for add: leave it out")


def _file(name: str) -> Path:
    """Of an SE by its name, or a file."""
    return Path(name) if name.endswith(TENSORS) else zoo_file(name)


def _list(folder: Path | None, console: Console) -> None:
    if folder is not None and not folder.is_dir():
        raise UserError(f"{folder}: no such folder of SEs: leave it out for the zoo's")
    if zoo_names(folder):
        console.print(list_table(folder))
        return
    console.print(
        f"no SEs in {folder or FOLDER}: python -m se_hpo.zoo add results/RUN "
        "makes a file of one of your own",
        soft_wrap=True,
        markup=False,
    )


def _add(options: ZooOptions) -> str:
    found = candidates(Path(str(options.what)), options.evaluations)
    candidate = chosen(found, options.se)
    how = options.out, options.note, options.overwrite
    return added(write(candidate, len(found), options.name, *how), candidate)


if __name__ == "__main__":
    exit_with(lambda: main(OPTIONS))
