"""The worker whose evaluations are complete NES runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from se_hpo.bohb.worker import TrialWorker
from se_hpo.paths import ConfigId, RunPaths

if TYPE_CHECKING:
    from se_hpo.inner_loop import InnerLoop
    from se_hpo.objectives import Objective


class NESWorker(TrialWorker):
    """hpbandster's worker around `Objective.evaluate`."""

    fatal_errors = (OSError,)  # a full disk or a lost share is no bad configuration

    def __init__(
        self, objective: Objective, run: RunPaths, inner_loop: InnerLoop, **kwargs: Any
    ) -> None:
        """Prepare; `kwargs` go to `TrialWorker`."""
        super().__init__(run.credentials, **kwargs)
        self.objective, self.run_paths, self.inner_loop = objective, run, inner_loop

    def compute(
        self,
        config_id: ConfigId,
        config: dict[str, Any],
        budget: float,
        working_directory: str,
    ) -> dict[str, Any]:
        """Evaluate a trial, from its saved state if it has one."""
        record = self.objective.evaluate(
            config_id,
            config,
            budget,
            self.run_paths,
            self.inner_loop,
            guard=self.checkpoint,
        )
        return {"loss": record.loss, "info": record.to_dict()}
