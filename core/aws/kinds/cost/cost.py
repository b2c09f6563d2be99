"""The kind `cost`: of endpoints, jobs and executions by the price list, and by service by the bill.

Cost Explorer is asked last and may be denied: what the price list gives is there without it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from core.aws.errors import AwsError
from core.aws.kind import Chart, Column, Detail, Item, Kind, Section
from core.aws.kinds.cost import bills
from core.aws.kinds.cost.bills import Bill
from core.aws.partial import section, side_by_side, tried, why
from core.aws.words import epoch, money, span, tone
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

NEWEST = 40
NEWEST_EXECUTIONS = 10
NEWEST_TUNING = 10
MOST_ENDPOINTS = 100
DAY = 86_400.0
KEPT_SECONDS = 3600.0
_explorer: WeakKeyDictionary[Account, dict[str, tuple[float, Any]]] = WeakKeyDictionary()
"""What Cost Explorer told, since AWS takes a cent for each answer."""
_LISTS = {
    "training": ("list_training_jobs", "TrainingJobSummaries"),
    "processing": ("list_processing_jobs", "ProcessingJobSummaries"),
    "transform": ("list_transform_jobs", "TransformJobSummaries"),
}


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    now = time.time()
    parts: list[tuple[str, Callable[[], list[Item]]]] = [
        ("endpoint", lambda: _endpoints(account, now)),
        ("execution", lambda: _executions(account)),
        ("tuning", lambda: _tuning(account)),
        *((kind, _jobs_reader(account, kind)) for kind in _LISTS),
        ("service", lambda: _services(account, now)),
    ]
    for kind, read in parts:
        try:
            yield read()
        except AwsError as error:
            yield (Item(f"{kind}:", (f"({kind})", "", "", "", why(error)), "bad"),)


def _read(reads: list[Callable[[], Bill]], kind: str, ids: list[str]) -> list[Item]:
    """Items of bills; one that can't be read says why in its row."""
    none = Bill("", kind, "", 0.0, None, None, "")
    told = side_by_side([_trying(each, none) for each in reads])
    return [
        _item(id, bill)
        if not refused
        else Item(id, (id.partition(":")[2].rpartition("/")[2], kind, "", "", refused), "bad")
        for id, (bill, refused) in zip(ids, told, strict=True)
    ]


def _trying(read: Callable[[], Bill], default: Bill) -> Callable[[], tuple[Bill, str]]:
    return lambda: tried(read, default)


def _item(id: str, bill: Bill) -> Item:
    about = ", ".join(
        part for part in (bill.machines, span(bill.seconds) if bill.seconds else "", bill.note)
        if part
    )  # fmt: skip
    return Item(
        id=id,
        cells=(
            bill.what,
            bill.kind,
            f"{money(bill.hourly)}/h" if bill.kind == "endpoint" and bill.hourly else "",
            money(bill.dollars) if bill.dollars is not None else "?",
            about if bill.dollars is not None else f"{about}; {bill.said}".removeprefix("; "),
        ),
        tone=tone(bill.status),
        changed=bill.begun,
        raw={"state": bill.status, "dollars": bill.dollars, "per_hour": bill.hourly,
             "seconds": bill.seconds, "machines": bill.machines, "price": bill.said},
    )  # fmt: skip


def _endpoints(account: Account, now: float) -> list[Item]:
    told = account.call(
        "sagemaker", "list_endpoints", MaxResults=MOST_ENDPOINTS, SortBy="CreationTime"
    )
    names = [each["EndpointName"] for each in told.get("Endpoints", ())]
    ids = [f"endpoint:{name}" for name in names]
    return _read([_endpoint_reader(account, name, now) for name in names], "endpoint", ids)


def _endpoint_reader(account: Account, name: str, now: float) -> Callable[[], Bill]:
    return lambda: bills.endpoint(account, name, now)


def _jobs_reader(account: Account, kind: str) -> Callable[[], list[Item]]:
    return lambda: _jobs(account, kind)


def _jobs(account: Account, kind: str) -> list[Item]:
    operation, key = _LISTS[kind]
    told = account.call(
        "sagemaker", operation, MaxResults=NEWEST, SortBy="CreationTime", SortOrder="Descending"
    )
    names = [each[bills.JOBS[kind][1]] for each in told.get(key, ())]
    ids = [f"{kind}:{name}" for name in names]
    return _read([_job_reader(account, kind, name) for name in names], kind, ids)


def _job_reader(account: Account, kind: str, name: str) -> Callable[[], Bill]:
    return lambda: bills.job(account, kind, name)


def _tuning(account: Account) -> list[Item]:
    told = account.call(
        "sagemaker", "list_hyper_parameter_tuning_jobs", MaxResults=NEWEST_TUNING,
        SortBy="CreationTime", SortOrder="Descending",
    )  # fmt: skip
    names = [
        each["HyperParameterTuningJobName"]
        for each in told.get("HyperParameterTuningJobSummaries", ())
    ]

    def reading(name: str) -> Callable[[], Bill]:
        return lambda: bills.tuning(account, name)

    return _read([reading(name) for name in names], "tuning", [f"tuning:{n}" for n in names])


def _executions(account: Account) -> list[Item]:
    """The newest executions of the pipelines that ran last."""
    told = account.call("sagemaker", "list_pipelines", MaxResults=100)
    ran = [each for each in told.get("PipelineSummaries", ()) if each.get("LastExecutionTime")]
    ran.sort(key=lambda each: epoch(each["LastExecutionTime"]) or 0.0, reverse=True)
    newest: list[Mapping[str, Any]] = []
    for each in ran[:NEWEST_EXECUTIONS]:
        page = account.call(
            "sagemaker", "list_pipeline_executions", PipelineName=each["PipelineName"],
            SortBy="CreationTime", SortOrder="Descending", MaxResults=NEWEST_EXECUTIONS,
        )  # fmt: skip
        newest += page.get("PipelineExecutionSummaries", ())
    newest.sort(key=lambda each: epoch(each.get("StartTime")) or 0.0, reverse=True)
    newest = newest[:NEWEST_EXECUTIONS]

    def reading(each: Mapping[str, Any]) -> Callable[[], Bill]:
        arn, status = each["PipelineExecutionArn"], each.get("PipelineExecutionStatus", "")
        return lambda: bills.execution(account, arn, status, epoch(each.get("StartTime")))

    ids = [f"execution:{each['PipelineExecutionArn']}" for each in newest]
    return _read([reading(each) for each in newest], "execution", ids)


# -- the bill


def _explored(
    account: Account, now: float, days: str, service: str = ""
) -> list[Mapping[str, Any]]:
    """Cost Explorer's answer by service (or of one), `MONTHLY` or `DAILY`, of this month."""
    asked: dict[str, Any] = {
        "TimePeriod": {"Start": _date(bills.month_start(now)), "End": _date(now + DAY)},
        "Granularity": days,
        "Metrics": ["UnblendedCost"],
    }
    if service:
        asked["Filter"] = {"Dimensions": {"Key": "SERVICE", "Values": [service]}}
    else:
        asked["GroupBy"] = [{"Type": "DIMENSION", "Key": "SERVICE"}]
    found: list[Mapping[str, Any]] = []
    while True:
        told = _asked_once(account, "get_cost_and_usage", asked)
        found += told.get("ResultsByTime", ())
        if not told.get("NextPageToken"):
            return found
        asked["NextPageToken"] = told["NextPageToken"]


def _asked_once(account: Account, operation: str, asked: Mapping[str, Any]) -> Any:
    """Cost Explorer's answer; the same question within an hour is not asked again."""
    kept = _explorer.setdefault(account, {})
    key = f"{operation} {sorted(asked.items())}"
    at, told = kept.get(key, (0.0, None))
    if told is None or time.monotonic() - at > KEPT_SECONDS:
        told = account.call("ce", operation, **asked)
        kept[key] = (time.monotonic(), told)
    return told


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def _services(account: Account, now: float) -> list[Item]:
    totals: dict[str, float] = {}
    for span_ in _explored(account, now, "MONTHLY"):
        for group in span_.get("Groups", ()):
            amount = float(group["Metrics"]["UnblendedCost"]["Amount"])
            totals[group["Keys"][0]] = totals.get(group["Keys"][0], 0.0) + amount
    return [
        Item(
            id=f"service:{name}",
            cells=(name, "service", "", money(total), "this month, as Cost Explorer tells it"),
            raw={"dollars": total},
        )
        for name, total in sorted(totals.items(), key=lambda each: -each[1])
    ]


def _shown(account: Account, id: str) -> Detail:
    kind, _, name = id.partition(":")
    if kind == "service":
        return _service(account, name)
    if not name:
        raise BadInput(f"{id}: is nothing that costs", "write endpoint:NAME, training:NAME, …")
    bill, parts = _bill(account, kind, name)
    sections = [Section("Cost", bills.lines(bill))]
    if parts:
        sections.append(section("Of these", lambda: _parts(account, parts)))
    return Detail(bill.what, tone(bill.status), tuple(sections), item=_item(id, bill))


def _bill(account: Account, kind: str, name: str) -> tuple[Bill, list[tuple[str, str]]]:
    """A bill, and the jobs that it sums."""
    if kind == "endpoint":
        return bills.endpoint(account, name, time.time()), []
    if kind in bills.JOBS:
        return bills.job(account, kind, name), []
    if kind == "tuning":
        return bills.tuning(account, name), []
    if kind == "execution":
        told = account.call("sagemaker", "describe_pipeline_execution", PipelineExecutionArn=name)
        status = str(told.get("PipelineExecutionStatus", ""))
        bill = bills.execution(account, name, status, epoch(told.get("CreationTime")))
        return bill, bills.jobs_of(account, name)
    raise BadInput(f"{kind}: is nothing that costs", "endpoint, training, processing, transform, "
                   "tuning, execution or service")  # fmt: skip


def _parts(account: Account, jobs: list[tuple[str, str]]) -> Section:
    lines = []
    for kind, name in jobs:
        bill = bills.job(account, kind, name)
        cost = money(bill.dollars) if bill.dollars is not None else "?"
        lines.append((name, f"{cost}  {kind}  {bill.machines}  {span(bill.seconds)}"))
    return Section("Of these", tuple(lines) or ("no job",))


def _service(account: Account, name: str) -> Detail:
    """A service by day, and what the month will cost at this pace."""
    now = time.time()
    days = _explored(account, now, "DAILY", name)
    points = [
        (epoch(f"{each['TimePeriod']['Start']}T00:00:00+00:00") or 0.0,
         float(each["Total"]["UnblendedCost"]["Amount"]))
        for each in days
        if each.get("Total")
    ]  # fmt: skip
    total = sum(value for _at, value in points)
    about = Section(
        "Cost",
        (
            ("this month", money(total)),
            ("last day", money(points[-2][1] if len(points) > 1 else total)),
            ("price from", "Cost Explorer; a day is whole after about one day"),
        ),
    )
    forecast = section("Forecast", lambda: _forecast(account, now, name))
    return Detail(name, "", (about, forecast), (Chart("Cost by day", "USD", {name: points}),))


def _forecast(account: Account, now: float, service: str) -> Section:
    end = bills.month_start(bills.month_start(now) + 32 * DAY)
    asked = {
        "TimePeriod": {"Start": _date(now), "End": _date(end)},
        "Granularity": "MONTHLY",
        "Metric": "UNBLENDED_COST",
        "Filter": {"Dimensions": {"Key": "SERVICE", "Values": [service]}},
    }
    told = _asked_once(account, "get_cost_forecast", asked)
    amount = float(told["Total"]["Amount"])
    return Section("Forecast", (("until the month's end", f"{money(amount)} more"),))


KIND = Kind(
    name="cost",
    title="Cost",
    service="ce",
    about="what endpoints, runs and services cost: hours by the price list, services by the bill",
    columns=(
        Column("WHAT", 22, grow=2),
        Column("KIND", 10),
        Column("PER HOUR", 10, align="right", drop=1),
        Column("COST", 10, align="right"),
        Column("OF", 16, grow=2, drop=2),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "sagemaker:ListEndpoints",
        "sagemaker:DescribeEndpoint",
        "sagemaker:DescribeEndpointConfig",
        "sagemaker:ListTrainingJobs",
        "sagemaker:DescribeTrainingJob",
        "sagemaker:ListProcessingJobs",
        "sagemaker:DescribeProcessingJob",
        "sagemaker:ListTransformJobs",
        "sagemaker:DescribeTransformJob",
        "sagemaker:ListHyperParameterTuningJobs",
        "sagemaker:DescribeHyperParameterTuningJob",
        "sagemaker:ListTrainingJobsForHyperParameterTuningJob",
        "sagemaker:ListPipelines",
        "sagemaker:ListPipelineExecutions",
        "sagemaker:DescribePipelineExecution",
        "sagemaker:ListPipelineExecutionSteps",
        "pricing:GetProducts",
        "ce:GetCostAndUsage",
        "ce:GetCostForecast",
    ),
    notice="Endpoints: this month at their present size. Jobs and executions: the newest.",
    every=300.0,
)
