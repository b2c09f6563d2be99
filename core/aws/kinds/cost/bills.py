"""What jobs and endpoints cost: instances × count × billable time × the price of an hour."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from core.aws.prices import price
from core.aws.words import epoch, money, span

if TYPE_CHECKING:
    from core.aws.account import Account

HOUR = 3600.0
_told: WeakKeyDictionary[Account, dict[str, Mapping[str, Any]]] = WeakKeyDictionary()
"""Descriptions of jobs that have ended: they change no more."""
JOBS: dict[str, tuple[str, str, str]] = {
    "training": ("describe_training_job", "TrainingJobName", "TrainingJobStatus"),
    "processing": ("describe_processing_job", "ProcessingJobName", "ProcessingJobStatus"),
    "transform": ("describe_transform_job", "TransformJobName", "TransformJobStatus"),
}
_USES = {"training": "Training", "processing": "Processing", "transform": "BatchTransform"}


@dataclass(frozen=True, slots=True)
class Bill:
    """What one thing cost so far: `dollars` is None where a price is missing; `said` tells the
    price and where it is from."""

    what: str
    kind: str
    machines: str
    seconds: float
    hourly: float | None
    dollars: float | None
    said: str
    status: str = ""
    begun: float | None = None
    note: str = ""


def month_start(now: float) -> float:
    """The beginning of the month, in UTC."""
    at = datetime.fromtimestamp(now, UTC)
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()


def job(account: Account, kind: str, name: str) -> Bill:
    """The bill of a training, processing or transform job."""
    return bill_of(account, kind, name, described(account, kind, name))


def described(account: Account, kind: str, name: str) -> Mapping[str, Any]:
    """A job in AWS's words; asked for once when it has ended."""
    kept = _told.setdefault(account, {})
    key = f"{kind}/{name}"
    if key in kept:
        return kept[key]
    operation, parameter, status = JOBS[kind]
    told: Mapping[str, Any] = account.call("sagemaker", operation, **{parameter: name})
    if told.get(status) in ("Completed", "Failed", "Stopped"):
        kept[key] = told
    return told


def bill_of(account: Account, kind: str, name: str, told: Mapping[str, Any]) -> Bill:
    """The bill of a described job."""
    machines = (
        told.get("ResourceConfig")
        or told.get("TransformResources")
        or (told.get("ProcessingResources") or {}).get("ClusterConfig")
        or {}
    )
    word = kind.capitalize()
    begun, ended = epoch(told.get(f"{word}StartTime")), epoch(told.get(f"{word}EndTime"))
    lasted = 0.0 if begun is None else max(0.0, (ended or time.time()) - begun)
    billable = told.get("BillableTimeInSeconds")
    seconds = float(billable) if billable else lasted
    note = ""
    if told.get("EnableManagedSpotTraining"):
        saved = 1 - seconds / lasted if lasted and billable else 0.0
        note = f"spot, {saved:.0%} saved"
    status = str(told.get(JOBS[kind][2], ""))
    if status == "InProgress":
        note = f"{note}, so far".removeprefix(", ")
    return _summed(account, name, kind, _fleet(machines), seconds, _USES[kind], status, begun, note)


def _fleet(machines: Mapping[str, Any]) -> list[tuple[int, str]]:
    """(how many, of which type): one type, or the groups of a cluster."""
    groups = machines.get("InstanceGroups") or ()
    if groups:
        return [(int(each["InstanceCount"]), str(each["InstanceType"])) for each in groups]
    if not machines.get("InstanceType"):
        return []
    return [(int(machines.get("InstanceCount") or 1), str(machines["InstanceType"]))]


def _summed(
    account: Account, what: str, kind: str, fleet: list[tuple[int, str]], seconds: float,
    use: str, status: str, begun: float | None, note: str,
) -> Bill:  # fmt: skip
    rate: float | None = 0.0 if fleet else None
    said = "" if fleet else "it names no instances"
    for count, instance in fleet:
        found = price(account, instance, use=use)
        said = found.said
        if found.hourly is None:
            rate, said = None, f"no price of {instance}: {found.said}"
            break
        rate = (rate or 0.0) + count * found.hourly
    dollars = None if rate is None else rate * seconds / HOUR
    machines = " + ".join(f"{count} × {instance}" for count, instance in fleet)
    return Bill(what, kind, machines, seconds, rate, dollars, said, status, begun, note)


def endpoint(account: Account, name: str, now: float) -> Bill:
    """What an endpoint cost this month, had it always been as large as it is now."""
    told = account.call("sagemaker", "describe_endpoint", EndpointName=name)
    fleet, serverless = _variants(account, told)
    begun = epoch(told.get("CreationTime")) or now
    seconds = max(0.0, now - max(begun, month_start(now)))
    status = str(told.get("EndpointStatus", ""))
    note = "serverless: paid by request" if serverless else "at its present size"
    if status == "Failed":
        seconds = 0.0
    return _summed(account, name, "endpoint", fleet, seconds, "Hosting", status, begun, note)


def _variants(account: Account, told: Mapping[str, Any]) -> tuple[list[tuple[int, str]], bool]:
    config = account.call(
        "sagemaker", "describe_endpoint_config", EndpointConfigName=told["EndpointConfigName"]
    )
    counts = {
        each["VariantName"]: each.get("CurrentInstanceCount")
        for key in ("ProductionVariants", "ShadowProductionVariants")
        for each in told.get(key) or ()
    }
    fleet: list[tuple[int, str]] = []
    serverless = False
    for key in ("ProductionVariants", "ShadowProductionVariants"):
        for each in config.get(key) or ():
            serverless = serverless or "ServerlessConfig" in each
            if each.get("InstanceType"):
                count = counts.get(each["VariantName"])
                if count is None:
                    count = each.get("InitialInstanceCount", 1)
                fleet.append((int(count), each["InstanceType"]))
    return fleet, serverless


def tuning(account: Account, name: str) -> Bill:
    """What the trials of a tuning job cost together."""
    told = account.call(
        "sagemaker", "describe_hyper_parameter_tuning_job", HyperParameterTuningJobName=name
    )
    bills = [
        job(account, "training", each["TrainingJobName"])
        for page in account.pages(
            "sagemaker", "list_training_jobs_for_hyper_parameter_tuning_job",
            HyperParameterTuningJobName=name,
        )
        for each in page.get("TrainingJobSummaries", ())
    ]  # fmt: skip
    status = str(told.get("HyperParameterTuningJobStatus", ""))
    return together(name, "tuning", bills, status, epoch(told.get("CreationTime")),
                    f"{len(bills)} trials")  # fmt: skip


def together(
    what: str, kind: str, bills: list[Bill], status: str, begun: float | None, note: str
) -> Bill:
    """Several bills as one; what has no price is said, and the rest summed."""
    known = [each.dollars for each in bills if each.dollars is not None]
    missing = len(bills) - len(known)
    machines = ", ".join(dict.fromkeys(each.machines for each in bills if each.machines))
    if missing:
        note = f"{note}, {missing} without a price"
    said = next((each.said for each in bills if each.said), "")
    seconds = sum(each.seconds for each in bills)
    total = sum(known) if known or not bills else None
    return Bill(what, kind, machines, seconds, None, total, said, status, begun, note)


def execution(account: Account, arn: str, status: str, begun: float | None) -> Bill:
    """What the jobs of a pipeline execution cost together."""
    bills = [job(account, kind, name) for kind, name in jobs_of(account, arn)]
    name = arn.rpartition("/")[2]
    pipeline = arn.partition(":pipeline/")[2].partition("/")[0]
    return together(f"{pipeline} {name}", "execution", bills, status, begun, f"{len(bills)} jobs")


def jobs_of(account: Account, arn: str) -> list[tuple[str, str]]:
    """The jobs that an execution's steps ran: (kind, name)."""
    found = []
    for page in account.pages(
        "sagemaker", "list_pipeline_execution_steps", PipelineExecutionArn=arn
    ):
        for step in page.get("PipelineExecutionSteps", ()):
            for kind in JOBS:
                job_arn = (step.get("Metadata") or {}).get(f"{kind.capitalize()}Job", {}).get("Arn")
                if job_arn:
                    found.append((kind, job_arn.rpartition("/")[2]))
    return found


def lines(bill: Bill) -> tuple[tuple[str, str], ...]:
    """A bill as people read it."""
    rows = (
        ("machines", bill.machines),
        ("time paid", span(bill.seconds) if bill.seconds else ""),
        ("per hour", money(bill.hourly)),
        ("cost", money(bill.dollars) if bill.dollars is not None else "not known"),
        ("note", bill.note),
        ("price from", bill.said),
    )
    return tuple((label, value) for label, value in rows if value)
