"""Stand-ins that are quick and deterministic where the real thing is not the point."""

import numpy as np

from se_hpo.training.jobs import TrainingResult


class FakeInnerLoop:
    """Scores psi by its distance to a target, noisily: no agent, the same interface."""

    engine_name = "fake"
    n_threads = 2

    def __init__(self, fail_after=None, noise=1.0, diverge=False, last_first=False):
        self.last_first = last_first
        self.calls, self.fail_after = 0, fail_after
        self.noise, self.diverge = noise, diverge

    def cpu_seconds(self):
        return 0.0

    def train_agents(self, jobs):
        self.calls += 1
        if self.fail_after is not None and self.calls > self.fail_after:
            raise KeyboardInterrupt
        return [self._result(job) for job in jobs]

    def completed(self, jobs):
        numbered = list(enumerate(jobs))
        for position, job in numbered[:: -1 if self.last_first else 1]:
            yield position, self.train_agents([job])[0]

    def _result(self, job):
        psi = job.learned and job.learned.psi
        distance = 0.5 if psi is None else np.sqrt(np.mean((psi - 0.3) ** 2))
        noise = self.noise * np.random.default_rng(job.seed).standard_normal()
        score = 230.0 - 200.0 * distance + noise
        return TrainingResult(
            test_returns=np.full(2, score),
            episode_returns=np.array([score]),
            episode_lengths=np.array([10]),
            test_env_steps=20,
            stop_reason="diverged" if self.diverge else "plateau",
        )
