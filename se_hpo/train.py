"""`python -m se_hpo.train --from results/RUN`: a set of SEs from different seeds."""

from __future__ import annotations

import time

from rich.console import Console

from se_hpo.cli import run_command
from se_hpo.processes import available_cores
from se_hpo.se_set_folder import open_set
from se_hpo.se_set_workers import SEWorkers
from se_hpo.train_options import TrainOptions
from se_hpo.train_request import resolve_request


def main(options: TrainOptions) -> int:
    console = Console(highlight=False)
    request = resolve_request(options)
    open_set(request.paths, request.settings, request.n_envs, request.origin)
    with SEWorkers(
        request.paths, request.indices, options.workers or available_cores(), 1
    ) as workers:
        while workers.busy:
            workers.step()
            time.sleep(0.2)
    return 1 if workers.lost or workers.held else 0


if __name__ == "__main__":
    run_command(TrainOptions, main)
