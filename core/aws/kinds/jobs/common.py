"""What SageMaker's jobs have in common: lists, channels, resources, what they cost, logs, stop."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.aws.errors import ResourceNotFound
from core.aws.kind import Item, Line, Section, Verb
from core.aws.kinds.shared import PAGE, found, lasted, only_in
from core.aws.logs import LogSource
from core.aws.prices import price
from core.aws.words import clock, epoch, money, short, span, tone

if TYPE_CHECKING:
    from core.aws.account import Account

_OF_PIPELINES = "pipelines"
PRICE = "pricing:GetProducts"
"""What a price is read by."""


@dataclass(frozen=True, slots=True)
class Job:
    """What tells one kind of job from another in boto3's words: `snake` in its methods
    ("training_job"), `title` in its members ("TrainingJob"); `group` has its logs."""

    snake: str
    title: str
    group: str = ""

    def describe(self, account: Account, name: str) -> Mapping[str, Any]:
        """The job as AWS describes it; a name taken from an ARN may be in lower case."""
        try:
            return self.described(account, name)
        except ResourceNotFound:
            real = self._spelled(account, name)
            if real == name:
                raise
            return self.described(account, real)

    def described(self, account: Account, name: str) -> Mapping[str, Any]:
        """The job of exactly this name."""
        told: Mapping[str, Any] = account.call(
            "sagemaker", f"describe_{self.snake}", **{f"{self.title}Name": name}
        )
        return told

    def _spelled(self, account: Account, name: str) -> str:
        """A pipeline's job (`pipelines-EXECUTION-Step-…`) as it is spelled: its ARN says it in
        lower case, its log streams don't."""
        parts = name.split("-")
        if parts[0] != _OF_PIPELINES or len(parts) < 3:
            return name
        asked = {"NameContains": parts[1], "MaxResults": PAGE}
        key = f"{self.title}Name"
        for page in account.pages("sagemaker", f"list_{self.snake}s", **asked):
            for each in page.get(f"{self.title}Summaries", ()):
                if each[key].lower() == name.lower():
                    return str(each[key])
        return name

    def pages(self, account: Account) -> Iterator[Sequence[Mapping[str, Any]]]:
        """Summaries, newest first."""
        asked = {"SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": PAGE}
        for page in account.pages("sagemaker", f"list_{self.snake}s", **asked):
            yield page.get(f"{self.title}Summaries", ())

    def logs(self, account: Account, name: str) -> LogSource:
        """A stream of each instance: `NAME/algo-1-…`."""
        if name.startswith(f"{_OF_PIPELINES}-"):
            name = self._spelled(account, name)
        return LogSource(self.group, prefix=f"{name}/")

    def stop(self, consequence: str) -> Verb:
        """The verb that stops a job."""

        def do(account: Account, name: str, _values: Mapping[str, str]) -> str:
            account.call("sagemaker", f"stop_{self.snake}", **{f"{self.title}Name": name})
            return f"{name}: stopping"

        def told(account: Account, name: str, _values: Mapping[str, str]) -> tuple[str, ...]:
            job = self.describe(account, name)
            status = str(job.get(f"{self.title}Status", ""))
            ran = lasted(job.get("CreationTime"), None, time.time())
            return (f"stops {name}, which is {status} and was made {ran} ago", consequence)

        return Verb(
            name="stop",
            key="x",
            label="Stop",
            help="stop the job",
            operations=(f"sagemaker:Stop{self.title}",),
            do=do,
            consequence=told,
            dangerous=True,
            blocked=only_in("InProgress"),
        )


TRAINING = Job("training_job", "TrainingJob", "/aws/sagemaker/TrainingJobs")
PROCESSING = Job("processing_job", "ProcessingJob", "/aws/sagemaker/ProcessingJobs")
TRANSFORM = Job("transform_job", "TransformJob", "/aws/sagemaker/TransformJobs")


def plain_item(summary: Mapping[str, Any], title: str, end: str) -> Item:
    """A row of a job: name, status, how long, why it failed. `end` is the member of its end."""
    status = summary[f"{title}Status"]
    return Item(
        id=summary[f"{title}Name"],
        cells=(
            summary[f"{title}Name"],
            status,
            lasted(summary.get("CreationTime"), summary.get(end), time.time()),
            short(summary.get("FailureReason", "") or summary.get("ExitMessage", "")),
        ),
        tone=tone(status),
        changed=epoch(summary.get("CreationTime")),
        raw={**summary, "state": status},
    )


def status_lines(job: Mapping[str, Any], title: str, begin: str, end: str) -> tuple[Line, ...]:
    """How a job stands: status, times, why it failed."""
    status = str(job.get(f"{title}Status", ""))
    second = str(job.get("SecondaryStatus", "") or job.get(f"{title}SecondaryStatus", ""))
    word = status if not second or second == status else f"{status} ({second})"
    reason = job.get("FailureReason") or ""
    return (
        ("status", word, tone(status)),
        ("made", clock(job.get("CreationTime"))),
        *found("started", clock(job.get(begin))),
        *found("ended", clock(job.get(end))),
        *found("took", lasted(job.get(begin), job.get(end), time.time())),
        *((("why", " ".join(str(reason).split()), "bad"),) if reason else ()),
    )


def channels(entries: Sequence[Mapping[str, Any]]) -> Section:
    """Input channels and where they read from."""
    lines: list[Line] = []
    for each in entries:
        source = each.get("DataSource") or {}
        at = (source.get("S3DataSource") or {}).get("S3Uri")
        system = source.get("FileSystemDataSource") or {}
        at = at or (
            f"{system.get('FileSystemType')} {system.get('FileSystemId')}"
            f"{system.get('DirectoryPath', '')}"
            if system
            else "?"
        )
        more = [str(each[key]) for key in ("ContentType", "InputMode") if each.get(key)]
        lines.append((str(each.get("ChannelName", "")), " · ".join([str(at), *more])))
    return Section("Input", tuple(lines) or ("none",))


def mapping(title: str, values: Mapping[str, Any]) -> tuple[Section, ...]:
    """A section of names and values, sorted; none where there are none."""
    if not values:
        return ()
    return (Section(title, tuple((key, str(values[key])) for key in sorted(values))),)


def resources(config: Mapping[str, Any]) -> str:
    """Instances and their disk: 2 × ml.m5.large, 30 GB each."""
    kind, count = instances(config)
    if not kind:
        groups = config.get("InstanceGroups") or ()
        return ", ".join(f"{g['InstanceCount']} × {g['InstanceType']}" for g in groups)
    disk = config.get("VolumeSizeInGB")
    return f"{count} × {kind}" + (f", {disk} GB each" if disk else "")


def instances(config: Mapping[str, Any]) -> tuple[str, int]:
    """The instance type and how many."""
    kind = config.get("SelectedInstanceType") or config.get("InstanceType") or ""
    count = config.get("SelectedInstanceCount") or config.get("InstanceCount") or 1
    return str(kind), int(count)


def cost(
    account: Account, config: Mapping[str, Any], seconds: float | None, use: str
) -> tuple[Line, ...]:
    """What a run has cost: price × instances × billable time, on demand; none where unknown.

    `use` is one of `core.aws.prices.USES`.
    """
    kind, count = instances(config)
    if not kind or seconds is None:
        return ()
    found = price(account, kind, use=use)
    if found.hourly is None:
        return ()
    total = found.hourly * count * seconds / 3600
    how = f"{money(found.hourly)} an hour × {count} × {span(seconds)}; {found.said}"
    return (("cost", f"about {money(total)} ({how})"),)


def seconds_between(begin: Any, end: Any) -> float | None:
    """From the begin until the end, or now; None where it has not begun."""
    first, last = epoch(begin), epoch(end)
    return None if first is None else max(0.0, (last or time.time()) - first)
