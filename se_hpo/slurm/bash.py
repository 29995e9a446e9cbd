"""The bash of the sbatch scripts; `@names@` are filled in by `scripts.py`."""

JOB = "$SLURM_JOB_ID"
TASK = "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
RUN = """\

@setup@
slurm=@slurm@
ended=$slurm/ended/@id@ # for clusters without accounting
leaving=                 # signal: preempted or cancelled; time: the limit is near
code=0
rm -f "$ended"

# Run a command so that signals get through to it; its exit code is in $code.
run() {
    [[ -z $leaving ]] || exit $((code = 143))
    "$@" &
    pid=$!
    interrupted=yes
    while [[ -n $interrupted ]]; do # a signal interrupts `wait`
        interrupted=
        wait $pid
        code=$?
    done
}
leave() {
    leaving=$1
    interrupted=yes
    kill -TERM $pid 2>/dev/null
}
trap 'leave signal' TERM
trap 'leave time' USR1
trap finish EXIT

"""

MASTER = """\
# SLURM starts a preempted master again, and so does this script before its time limit:
# the workers wait for it. After any other end they have nothing to wait for. (Where not
# even this function runs, cleanup.sbatch and the workers themselves notice.)
finish() {
    trap '' TERM USR1
    echo "$code" >"$ended"
    if [[ $leaving == time && $code != 0 ]] && scontrol requeue "@id@"; then
        return
    fi
    if [[ $leaving == signal ]] && will_start_again; then
        return
    fi
    scancel --user="$(id -un)" --name=@name@-worker
    scancel --user="$(id -un)" --name=@name@-cleanup
}
will_start_again() {
    local restarts
    restarts=$(scontrol show job -o "$SLURM_JOB_ID" | grep -o 'Restarts=[0-9]*')
    restarts=${restarts#Restarts=}
    ((${restarts:-0} > ${SLURM_RESTART_COUNT:-0}))
}

# A master that was away for long has lost the workers that gave up waiting.
if ((${SLURM_RESTART_COUNT:-0} > 0)); then
    there=$(squeue -h -r --user="$(id -un)" --name=@name@-worker -o %i | wc -l)
    if ((there < @n_workers@)); then
        sbatch --array=0-$((@n_workers@ - there - 1)) "$slurm/workers.sbatch"
    fi
fi

run @command@
exit $code
"""

WORKER = """\
# The state of a trial is saved after every generation: leaving loses no more than one.
# SLURM starts a preempted worker again by itself, one at its time limit if asked to.
finish() {
    trap '' TERM USR1
    echo "$code" >"$ended"
    if [[ $leaving == time ]]; then
        scontrol requeue "@id@" # not the job id, which may mean the whole array
    fi
}

# A worker that was killed (out of memory, say) is started again; another one has its
# trial by now. Not for ever, if it dies soon each time and no trial comes to an end.
deaths=0
while :; do
    began=$SECONDS
    results=$(stat -c %s "$slurm/../results.json" 2>/dev/null)
    run @indented@
    [[ $results == "$(stat -c %s "$slurm/../results.json" 2>/dev/null)" ]] || deaths=0
    ((SECONDS - began < 600)) || deaths=0
    deaths=$((deaths + 1))
    [[ -z $leaving ]] && ((code > 128 && deaths < 5)) || break
    echo "the worker was killed (exit code $code): starting it again"
done
exit $code
"""

CLEANUP = """
scancel --user="$(id -un)" --name=@name@-worker
"""

SHARD = """\
# What is finished is on disk: a task that starts again goes on from there.
finish() {
    trap '' TERM USR1
    echo "$code" >"$ended"
    if [[ $leaving == time && $code != 0 ]]; then
        scontrol requeue "@id@" # not the job id, which may mean the whole array
    fi
}

run @command@
exit $code
"""
