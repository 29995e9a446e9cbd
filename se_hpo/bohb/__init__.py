"""Everything hpbandster 0.7.4 needs to work today: nameserver, master, workers.

The master, in the main thread of its process (blocks until the last bracket is done,
continues from the run's journal, raises in order; SIGINT as usual, have SIGTERM raise
`SystemExit` or `KeyboardInterrupt`)::

    from se_hpo.bohb.brackets import hyperband_brackets
    from se_hpo.bohb.proposals import BOHBGenerator
    from se_hpo.bohb.master_settings import MasterSettings
    from se_hpo.bohb.run import run_master

    result = run_master(
        RunPaths(folder),
        hyperband_brackets(1, 9, 3, n_brackets=3),
        BOHBGenerator(space, seed=0),
        MasterSettings(host="127.0.0.1", max_parallel=1, max_failures=20),
        on_result=...,  # (Job), in this thread, after it is on disk
        on_status=...,  # (dict), in this thread, every status_seconds
        on_start=...,   # (Master), once workers can attach: start local workers
    )

A worker, in the main thread of its process (blocks; signals are handled inside)::

    from se_hpo.bohb.wire.worker import run_worker

    reason = run_worker(RunPaths(folder).credentials, evaluate)
    # evaluate(config_id, configuration, budget) -> {"loss": float, "info": {...}}

or a subclass of `TrialWorker` that overrides `compute`, as `NESWorker` does. Long
evaluations call `worker.checkpoint()` between steps, before they write. On SIGTERM,
SIGINT, SIGUSR1, SIGHUP, or the master's end, an exception that is no `Exception`
unwinds the evaluation (`finally` and `with` run), the trial is queued again at once,
and `run` returns; after 1.5 s the process is ended regardless.

Failed evaluations (they raised, returned nonsense, or killed three workers) have loss 1
and `info["status"] == "failed"`, `info["reason"]`, `info["error"]` (traceback).
Evaluations whose worker vanished are otherwise queued again. What `on_status` and
`status.json` have: `status.MasterStatus`.
"""
