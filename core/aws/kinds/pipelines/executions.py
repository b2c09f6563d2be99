"""The kind `executions`: those of a SageMaker pipeline, newest first; stopped and retried."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.kind import Column, Detail, Item, Kind, Section, Verb
from core.aws.kinds.pipelines.definition import parse
from core.aws.kinds.pipelines.pipelines import sections_of
from core.aws.kinds.pipelines.steps import pages_of_steps, step_line
from core.aws.kinds.shared import PAGE, found, lasted, only_in, token, who
from core.aws.partial import section, side_by_side
from core.aws.words import clock, epoch, last_of, short, tone

if TYPE_CHECKING:
    from core.aws.account import Account

MOST_PIPELINES = 40
NEWEST_OF_EACH = 20
ENDED = ("Stopped", "Failed", "Succeeded", "CompletedWithFailures")


def pipeline_of(arn: str) -> str:
    """The pipeline's name in an execution's ARN (…:pipeline/NAME/execution/ID)."""
    return arn.partition(":pipeline/")[2].partition("/")[0]


def _listed(account: Account, pipeline: str) -> Iterator[Sequence[Item]]:
    if not pipeline:
        yield from _of_all(account)
        return
    for page in account.pages("sagemaker", "list_pipeline_executions", **_asked(pipeline, PAGE)):
        yield tuple(_item(each) for each in page.get("PipelineExecutionSummaries", ()))


def _asked(pipeline: str, most: int) -> dict[str, Any]:
    return {
        "PipelineName": pipeline,
        "SortBy": "CreationTime",
        "SortOrder": "Descending",
        "MaxResults": most,
    }


def _of_all(account: Account) -> Iterator[Sequence[Item]]:
    """The newest executions of the pipelines that ran last: AWS lists them by pipeline only."""
    page = next(account.pages("sagemaker", "list_pipelines", MaxResults=PAGE))
    ran = [each for each in page.get("PipelineSummaries", ()) if each.get("LastExecutionTime")]
    ran.sort(key=lambda each: epoch(each["LastExecutionTime"]) or 0.0, reverse=True)

    def newest(name: str) -> list[Item]:
        asked = _asked(name, NEWEST_OF_EACH)
        told = account.call("sagemaker", "list_pipeline_executions", **asked)
        return [_item(each) for each in told.get("PipelineExecutionSummaries", ())]

    def reading(name: str) -> Any:
        return lambda: newest(name)

    several = side_by_side([reading(each["PipelineName"]) for each in ran[:MOST_PIPELINES]])
    items = [item for each in several for item in each]
    yield tuple(sorted(items, key=lambda item: item.changed or 0.0, reverse=True))


def _item(summary: Mapping[str, Any]) -> Item:
    arn = summary["PipelineExecutionArn"]
    status = summary.get("PipelineExecutionStatus", "")
    return Item(
        id=arn,
        cells=(
            last_of(arn),
            status,
            pipeline_of(arn),
            summary.get("PipelineExecutionDisplayName", ""),
            short(summary.get("PipelineExecutionFailureReason", "")),
        ),
        tone=tone(status),
        changed=epoch(summary.get("StartTime")),
        raw={**summary, "state": status},
    )


def _shown(account: Account, arn: str) -> Detail:
    told = account.call("sagemaker", "describe_pipeline_execution", PipelineExecutionArn=arn)
    status = told.get("PipelineExecutionStatus", "")
    end = told.get("LastModifiedTime") if status in ENDED else None
    of = told.get("SelectiveExecutionConfig") or {}
    about = Section(
        "Execution",
        (
            ("status", status, tone(status)),
            ("pipeline", pipeline_of(arn)),
            *found("name", told.get("PipelineExecutionDisplayName")),
            *found("about", told.get("PipelineExecutionDescription")),
            ("started", f"{clock(told.get('CreationTime'))} {who(told.get('CreatedBy'))}".strip()),
            ("duration", lasted(told.get("CreationTime"), end, time.time())),
            *found("only steps", ", ".join(s["StepName"] for s in of.get("SelectedSteps", ()))),
            *((("why", told["FailureReason"], "bad"),) if told.get("FailureReason") else ()),
            ("arn", arn),
        ),
    )
    item = _item({**told, "StartTime": told.get("CreationTime")})
    return Detail(
        title=f"{pipeline_of(arn)} {last_of(arn)}",
        tone=tone(status),
        sections=(
            about,
            section("Parameters", lambda: _parameters(account, arn)),
            section("Steps", lambda: _steps(account, arn)),
            *_definition(account, arn),
        ),
        item=item,
        raw=told,
    )


def _parameters(account: Account, arn: str) -> Section:
    pages = account.pages(
        "sagemaker", "list_pipeline_parameters_for_execution", PipelineExecutionArn=arn
    )
    lines = [(each["Name"], each["Value"]) for page in pages for each in page["PipelineParameters"]]
    return Section("Parameters", tuple(lines) or ("none",))


def _steps(account: Account, arn: str) -> Section:
    steps = [each for page in pages_of_steps(account, arn) for each in page]
    return Section(f"Steps ({len(steps)})", tuple(step_line(each) for each in steps) or ("none",))


def _definition(account: Account, arn: str) -> tuple[Section, ...]:
    def read() -> Section:
        told = account.call(
            "sagemaker", "describe_pipeline_definition_for_execution", PipelineExecutionArn=arn
        )
        steps = sections_of(parse(told.get("PipelineDefinition") or "{}"))[-1]
        return Section("Definition it ran", steps.lines)

    return (section("Definition it ran", read),)


def stop(account: Account, arn: str, _values: Mapping[str, str]) -> str:
    """Ask for an execution's end."""
    account.call(
        "sagemaker",
        "stop_pipeline_execution",
        PipelineExecutionArn=arn,
        ClientRequestToken=token(arn, ""),
    )
    return f"{pipeline_of(arn)} {last_of(arn)}: stopping"


def _stop_consequence(account: Account, arn: str, _values: Mapping[str, str]) -> tuple[str, ...]:
    steps = [each for page in pages_of_steps(account, arn) for each in page]
    going = [s["StepName"] for s in steps if s.get("StepStatus") in ("Starting", "Executing")]
    return (
        f"stops {pipeline_of(arn)} {last_of(arn)}; no further step starts",
        f"running now and asked to stop: {', '.join(going)}" if going else "no step is running",
        "it can be retried afterwards; what has ended well is kept",
    )


def retry(account: Account, arn: str, _values: Mapping[str, str]) -> str:
    """Run again what did not end well."""
    account.call(
        "sagemaker",
        "retry_pipeline_execution",
        PipelineExecutionArn=arn,
        ClientRequestToken=token(arn, ""),
    )
    return f"{pipeline_of(arn)} {last_of(arn)}: retrying"


def _retry_consequence(account: Account, arn: str, _values: Mapping[str, str]) -> tuple[str, ...]:
    steps = [each for page in pages_of_steps(account, arn) for each in page]
    again = [s["StepName"] for s in steps if s.get("StepStatus") in ("Failed", "Stopped")]
    kept = sum(each.get("StepStatus") == "Succeeded" for each in steps)
    return (
        f"goes on with {pipeline_of(arn)} {last_of(arn)}, by the definition it was started with",
        f"runs again: {', '.join(again) or 'what has not run'}; keeps {kept} steps",
    )


STOP = Verb(
    name="stop",
    key="x",
    label="Stop",
    help="stop the execution and the jobs it runs",
    operations=("sagemaker:StopPipelineExecution",),
    do=stop,
    consequence=_stop_consequence,
    dangerous=True,
    blocked=only_in("Executing"),
)
RETRY = Verb(
    name="retry",
    key="u",
    label="Retry",
    help="go on with a failed or stopped execution",
    operations=("sagemaker:RetryPipelineExecution",),
    do=retry,
    consequence=_retry_consequence,
    blocked=only_in("Failed", "Stopped"),
)
KIND = Kind(
    name="executions",
    title="Executions",
    service="sagemaker",
    about="executions of SageMaker pipelines",
    columns=(
        Column("EXECUTION", 13),
        Column("STATUS", 12),
        Column("PIPELINE", 14, grow=1, drop=2),
        Column("NAME", 13, grow=1, drop=1),
        Column("WHY", 10, grow=2, drop=3),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "sagemaker:ListPipelineExecutions",
        "sagemaker:ListPipelines",
        "sagemaker:DescribePipelineExecution",
        "sagemaker:ListPipelineParametersForExecution",
        "sagemaker:ListPipelineExecutionSteps",
        "sagemaker:DescribePipelineDefinitionForExecution",
    ),
    parent="pipelines",
    child="steps",
    verbs=(STOP, RETRY),
)
