"""The kinds `glue-jobs` and `job-runs`: ETL, started with arguments, stopped, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.kind import Column, Detail, Field, Item, Kind, Line, Section, Verb
from core.aws.kinds.shared import found, lasted, pairs
from core.aws.logs import LogSource
from core.aws.partial import section
from core.aws.words import clock, epoch, short, span, tone
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

GOING = ("STARTING", "RUNNING", "WAITING")
NEWEST = 8
SEPARATOR = "/"
DEFAULT_GROUP = "/aws-glue/jobs"
_SECRET = ("password", "secret", "token", "key")


def _jobs(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages("glue", "get_jobs"):
        yield tuple(_job_item(each) for each in page.get("Jobs", ()))


def _job_item(job: Mapping[str, Any]) -> Item:
    command = job.get("Command") or {}
    return Item(
        id=job["Name"],
        cells=(
            job["Name"],
            command.get("Name", ""),
            f"Glue {job.get('GlueVersion', '?')}",
            _workers(job),
            command.get("ScriptLocation", ""),
        ),
        changed=epoch(job.get("LastModifiedOn") or job.get("CreatedOn")),
        raw=job,
    )


def _workers(job: Mapping[str, Any]) -> str:
    if job.get("NumberOfWorkers"):
        return f"{job['NumberOfWorkers']} × {job.get('WorkerType', '')}"
    return f"{job.get('MaxCapacity', '')} DPU".strip()


def _arguments(values: Mapping[str, str]) -> tuple[Line, ...]:
    """Arguments; what looks like a secret is not shown."""
    return tuple(
        (key, "…" if any(word in key.lower() for word in _SECRET) else short(value, 120))
        for key, value in values.items()
    )


def _job(account: Account, name: str) -> Detail:
    job = account.call("glue", "get_job", JobName=name)["Job"]
    lines: tuple[Line, ...] = (
        ("script", (job.get("Command") or {}).get("ScriptLocation", "")),
        ("runs on", f"Glue {job.get('GlueVersion', '?')}, {_workers(job)}"),
        ("role", job.get("Role", "")),
        ("at most at once", str((job.get("ExecutionProperty") or {}).get("MaxConcurrentRuns", 1))),
        ("tries again", str(job.get("MaxRetries", 0))),
        *found("time limit", span(60.0 * job["Timeout"]) if job.get("Timeout") else ""),
        *found("security", job.get("SecurityConfiguration")),
        *found("about", job.get("Description")),
    )
    sections = (
        Section("Job", lines),
        Section("Arguments", _arguments(job.get("DefaultArguments") or {}) or ("none",)),
        section("Newest runs", lambda: _newest(account, name)),
    )
    return Detail(name, sections=sections, item=_job_item(job), raw=job)


def _newest(account: Account, name: str) -> Section:
    told = account.call("glue", "get_job_runs", JobName=name, MaxResults=NEWEST)
    lines = tuple(
        (clock(each.get("StartedOn")), f"{each['JobRunState']} {_lasted(each)}".strip(),
         tone(each["JobRunState"]))
        for each in told.get("JobRuns", ())
    )  # fmt: skip
    return Section("Newest runs", lines or ("it has not run",))


def _lasted(run: Mapping[str, Any]) -> str:
    if run.get("ExecutionTime"):
        return span(run["ExecutionTime"])
    return lasted(run.get("StartedOn"), run.get("CompletedOn"))


def run_id(job: str, run: str) -> str:
    """A run's id: JOB/RUN."""
    return f"{job}{SEPARATOR}{run}"


def parted(id: str) -> tuple[str, str]:
    """Job and run of an id; raises `BadInput`."""
    job, point, run = id.rpartition(SEPARATOR)
    if not point or not job:
        raise BadInput(f"{id}: is no run of a job", "write JOB/RUN")
    return job, run


def _runs(account: Account, job: str) -> Iterator[Sequence[Item]]:
    if not job:
        raise BadInput("job-runs: of which job?", "opsdeck aws list job-runs --parent JOB")
    for page in account.pages("glue", "get_job_runs", JobName=job):
        yield tuple(_run_item(each) for each in page.get("JobRuns", ()))


def _run_item(run: Mapping[str, Any]) -> Item:
    state = run.get("JobRunState", "")
    return Item(
        id=run_id(run["JobName"], run["Id"]),
        cells=(
            short(run["Id"], 20),
            state,
            _lasted(run),
            _hours(run),
            short(run.get("ErrorMessage", "")),
        ),
        tone=tone(state),
        changed=epoch(run.get("StartedOn")),
        raw={**run, "state": state},
    )


def _hours(run: Mapping[str, Any]) -> str:
    """DPU hours: as AWS counted them, else capacity by time."""
    if run.get("DPUSeconds"):
        return f"{run['DPUSeconds'] / 3600:.2f} DPU h"
    if run.get("MaxCapacity") and run.get("ExecutionTime"):
        return f"{run['MaxCapacity'] * run['ExecutionTime'] / 3600:.2f} DPU h"
    return ""


def _run(account: Account, id: str) -> Detail:
    job, run = parted(id)
    told = account.call("glue", "get_job_run", JobName=job, RunId=run)["JobRun"]
    state = told.get("JobRunState", "")
    lines: tuple[Line, ...] = (
        ("job", job),
        ("status", state, tone(state)),
        *((("why", told["ErrorMessage"], "bad"),) if told.get("ErrorMessage") else ()),
        ("started", clock(told.get("StartedOn"))),
        *found("took", _lasted(told)),
        *found("used", _hours(told)),
        ("runs on", f"Glue {told.get('GlueVersion', '?')}, {_workers(told)}"),
        *found("by trigger", told.get("TriggerName")),
        ("attempt", str(told.get("Attempt", 0))),
    )
    sections = (
        Section("Run", lines),
        Section("Arguments", _arguments(told.get("Arguments") or {}) or ("the job's own",)),
    )
    item = _run_item({**told, "JobName": job})
    return Detail(f"{job} {run}", tone(state), sections, item=item, raw=told)


def _start(account: Account, name: str, values: Mapping[str, str]) -> str:
    arguments = {
        f"--{key.removeprefix('--')}": value for key, value in pairs(values, "arguments").items()
    }
    told = account.call("glue", "start_job_run", JobName=name, Arguments=arguments)
    return f"{name}: run {told['JobRunId']} has been started"


def _start_consequence(account: Account, name: str, values: Mapping[str, str]) -> tuple[str, ...]:
    job = account.call("glue", "get_job", JobName=name)["Job"]
    given = pairs(values, "arguments")
    return (
        f"runs {(job.get('Command') or {}).get('ScriptLocation', name)} on {_workers(job)}",
        f"with {', '.join(f'{key}={value}' for key, value in given.items())}" if given
        else "with the job's own arguments",
    )  # fmt: skip


def _stop(account: Account, id: str, _values: Mapping[str, str]) -> str:
    job, run = parted(id)
    told = account.call("glue", "batch_stop_job_run", JobName=job, JobRunIds=[run])
    for each in told.get("Errors", ()):
        detail = each.get("ErrorDetail") or {}
        raise BadInput(f"{id}: {detail.get('ErrorMessage', 'was not stopped')}")
    return f"{job}: {run} is being stopped"


def _stoppable(item: Item) -> str | None:
    state = item.raw.get("state", "")
    return None if state in GOING else f"it is {state}"


def _logs(account: Account, id: str) -> LogSource:
    job, run = parted(id)
    told = account.call("glue", "get_job_run", JobName=job, RunId=run)["JobRun"]
    group = told.get("LogGroupName") or DEFAULT_GROUP
    return LogSource(f"{group}/output", run, epoch(told.get("StartedOn")))


JOBS = Kind(
    name="glue-jobs",
    title="Glue jobs",
    service="glue",
    about="ETL jobs",
    columns=(
        Column("JOB", 22, grow=1),
        Column("KIND", 12, drop=2),
        Column("VERSION", 9, drop=3),
        Column("WORKERS", 12, drop=2),
        Column("SCRIPT", 20, grow=2, drop=1),
    ),
    list=_jobs,
    show=_job,
    operations=("glue:GetJobs", "glue:GetJob", "glue:GetJobRuns"),
    child="job-runs",
    verbs=(
        Verb(
            name="start", key="s", label="Run", help="start a run, with arguments",
            operations=("glue:StartJobRun",), do=_start, consequence=_start_consequence,
            fields=(Field("arguments", "name=value, …"),),
        ),
    ),
    every=15.0,
)  # fmt: skip
RUNS = Kind(
    name="job-runs",
    title="Job runs",
    service="glue",
    about="runs of a Glue job",
    columns=(
        Column("RUN", 20),
        Column("STATUS", 10),
        Column("TOOK", 9, align="right", drop=2),
        Column("USED", 12, align="right", drop=1),
        Column("WHY", 12, grow=1, drop=3),
    ),
    list=_runs,
    show=_run,
    operations=("glue:GetJobRuns", "glue:GetJobRun"),
    parent="glue-jobs",
    verbs=(
        Verb(
            name="stop", key="x", label="Stop", help="stop the run",
            operations=("glue:BatchStopJobRun",), do=_stop,
            consequence=lambda _account, id, _values: (
                f"stops {id}", "what it has written stays written",
            ),
            dangerous=True, blocked=_stoppable,
        ),
    ),
    logs=_logs,
)  # fmt: skip
