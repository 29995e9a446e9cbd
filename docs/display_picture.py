"""docs/display.svg: what a terminal shows of a run, while that lasts.

    python -m se_hpo.optimize --space nes_cartpole --max-budget 9 --run RUN &
    python docs/display_picture.py RUN

Waits for the moment at which everything is to be seen: evaluations that ended, and one
that has generations behind it and is in the middle of another.
"""

import argparse
import io
import re
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

from se_hpo.bohb.status import MasterStatus
from se_hpo.envs.tasks import get_task
from se_hpo.optimize.display import RunDisplay, evaluation_line
from se_hpo.results.lines import read_evaluations
from se_hpo.results.run_settings import read_run, settings_from_dict
from se_hpo.storage.json_records import read_record
from se_hpo.storage.paths import RunPaths

PICTURE = Path(__file__).with_name("display.svg")
WIDTH, HEIGHT = 84, 24


def display_of(run: RunPaths, console: Console) -> RunDisplay:
    """The display of the command itself, from the files of its run."""
    settings = settings_from_dict(read_run(run)["settings"])
    status = read_record(run.status, MasterStatus)
    records = [evaluation.record for evaluation in read_evaluations(run)]
    shown = RunDisplay(
        run,
        f"{settings.space}, {settings.optimizer}",
        settings.unit,
        records,
        get_task(settings.task).solved_return,
        console=console,
    )
    shown.update(status)
    shown.began = status.started
    shown.latest = tuple(Text(evaluation_line(r)) for r in records[:-4:-1])
    return shown


def main() -> None:
    """Wait for a good moment, at most ten minutes, and draw it."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("run", type=Path)
    run = RunPaths(flags.parse_args().run)
    console = Console(file=io.StringIO(), record=True, width=WIDTH, force_terminal=True)
    for _ in range(1200):
        shown = display_of(run, console)
        under_way = [r for r in shown.running if r.agents and len(r.curve) > 1]
        if under_way and under_way[0].agents[0] and shown.status.finished >= 12:
            break
        time.sleep(0.5)
    console.print(shown.view(HEIGHT))
    title = "python -m se_hpo.optimize --space nes_cartpole"
    svg = console.export_svg(title=title, unique_id="display")
    # No font from the network: any monospaced one does.
    PICTURE.write_text(re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL))


if __name__ == "__main__":
    main()
