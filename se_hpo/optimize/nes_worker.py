"""The worker whose evaluations are complete NES runs."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING, Any

from se_hpo.bohb.wire.worker import TrialWorker
from se_hpo.errors import storage_line
from se_hpo.storage.agent_progress import AgentProgress
from se_hpo.storage.paths import ConfigId, RunPaths

if TYPE_CHECKING:
    from se_hpo.optimize.objectives.objective import Objective
    from se_hpo.training.inner_loop import InnerLoop

_STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE)


class NESWorker(TrialWorker):
    """hpbandster's worker around `Objective.evaluate`."""

    def __init__(
        self, objective: Objective, run: RunPaths, inner_loop: InnerLoop, **kwargs: Any
    ) -> None:
        """Prepare; `kwargs` go to `TrialWorker`."""
        super().__init__(run.credentials, **kwargs)
        self.objective, self.run_paths, self.inner_loop = objective, run, inner_loop

    def is_fatal(self, error: BaseException) -> bool:
        """A full disk or a lost share is no bad configuration; its own errors are."""
        if not isinstance(error, OSError):
            return False
        path, root = error.filename, self.run_paths.root
        ours = path is not None and Path(str(path)).is_relative_to(root)
        return ours or error.errno in _STORAGE or storage_line(error) is not None

    def compute(
        self,
        config_id: ConfigId,
        config: dict[str, Any],
        budget: float,
        working_directory: str,
    ) -> dict[str, Any]:
        """Evaluate a trial, from its saved state if it has one."""
        self.inner_loop.watch = AgentProgress(self.run_paths.trial(config_id))
        record = self.objective.evaluate(
            config_id,
            config,
            budget,
            self.run_paths,
            self.inner_loop,
            guard=self.checkpoint,
        )
        return {"loss": record.loss, "info": record.to_dict()}
