"""The kind `pipelines`: definitions as steps, started with their parameters, deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.kind import Column, Detail, Field, Item, Kind, Section, Verb
from core.aws.kinds.pipelines.definition import Definition, lines, parse
from core.aws.kinds.shared import PAGE, found, token, who
from core.aws.words import clock, epoch, last_of, tone
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

NAME, ONCE = "execution.name", "execution.once"
"""A parameter's name has no dot, so these never are one."""


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    asked = {"SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": PAGE}
    for page in account.pages("sagemaker", "list_pipelines", **asked):
        yield tuple(_item(each) for each in page.get("PipelineSummaries", ()))


def _item(summary: Mapping[str, Any]) -> Item:
    return Item(
        id=summary["PipelineName"],
        cells=(
            summary["PipelineName"],
            clock(summary.get("LastExecutionTime")) or "never",
            summary.get("PipelineDescription", ""),
        ),
        changed=epoch(summary.get("LastModifiedTime")),
        raw=summary,
    )


def read(account: Account, name: str) -> tuple[Mapping[str, Any], Definition]:
    """A pipeline, and its definition read."""
    told = account.call("sagemaker", "describe_pipeline", PipelineName=name)
    return told, parse(told.get("PipelineDefinition") or "{}")


def _shown(account: Account, name: str) -> Detail:
    told = account.call("sagemaker", "describe_pipeline", PipelineName=name)
    limit = (told.get("ParallelismConfiguration") or {}).get("MaxParallelExecutionSteps")
    status = told.get("PipelineStatus", "")
    about = Section(
        "Pipeline",
        (
            ("status", status, "ok" if status == "Active" else tone(status)),
            *found("about", told.get("PipelineDescription")),
            ("made", f"{clock(told.get('CreationTime'))} {who(told.get('CreatedBy'))}".strip()),
            (
                "changed",
                f"{clock(told.get('LastModifiedTime'))} {who(told.get('LastModifiedBy'))}".strip(),
            ),
            ("last run", clock(told.get("LastRunTime")) or "never"),
            *found("at most at once", f"{limit} steps" if limit else ""),
            ("role", told.get("RoleArn", "")),
        ),
    )
    return Detail(title=name, tone=tone(status), sections=(about, *_definition(told)), raw=told)


def _definition(told: Mapping[str, Any]) -> tuple[Section, ...]:
    try:
        definition = parse(told.get("PipelineDefinition") or "{}")
    except BadInput as error:
        return (Section("Definition", (("", error.message, "bad"),)),)
    return sections_of(definition)


def sections_of(definition: Definition) -> tuple[Section, ...]:
    """The parameters and the steps of a definition."""
    parameters = tuple(
        (
            each.name,
            f"{each.kind}, {'must be given' if each.default is None else each.default}"
            + (f" (one of {', '.join(each.choices)})" if each.choices else ""),
        )
        for each in definition.parameters
    )
    return (
        Section("Parameters", parameters or ("none",)),
        Section(f"Steps ({len(definition.steps)})", lines(definition) or ("none",)),
    )


def _asked(account: Account, name: str) -> tuple[Field, ...]:
    _told, definition = read(account, name)
    return (
        *(each.field() for each in definition.parameters),
        Field(NAME, "name shown for the execution"),
        Field(ONCE, "start only once for this text"),
    )


def _sent(account: Account, name: str, values: Mapping[str, str]) -> list[dict[str, str]]:
    _told, definition = read(account, name)
    given = {key: value for key, value in values.items() if key not in (NAME, ONCE)}
    return definition.bound(given)


def start(account: Account, name: str, values: Mapping[str, str]) -> str:
    """Start an execution; returns its ARN. Raises `BadInput` and the errors of `core.aws`."""
    sent = _sent(account, name, values)
    shown = {"PipelineExecutionDisplayName": values[NAME]} if values.get(NAME) else {}
    started = account.call(
        "sagemaker",
        "start_pipeline_execution",
        PipelineName=name,
        ClientRequestToken=token(name, values.get(ONCE, "")),
        **({"PipelineParameters": sent} if sent else {}),
        **shown,
    )
    return str(started["PipelineExecutionArn"])


def _start(account: Account, name: str, values: Mapping[str, str]) -> str:
    return f"{name}: execution {last_of(start(account, name, values))} has started"


def _start_consequence(account: Account, name: str, values: Mapping[str, str]) -> tuple[str, ...]:
    told, definition = read(account, name)
    sent = _sent(account, name, values)
    given = ", ".join(f"{each['Name']}={each['Value']}" for each in sent)
    return (
        f"starts {name}: {len(definition.steps)} steps, by the role {last_of(told['RoleArn'])}",
        f"with {given}" if given else "with the parameters' defaults",
    )


def _delete(account: Account, name: str, _values: Mapping[str, str]) -> str:
    account.call(
        "sagemaker", "delete_pipeline", PipelineName=name, ClientRequestToken=token(name, "")
    )
    return f"{name}: deleted"


def _delete_consequence(account: Account, name: str, _values: Mapping[str, str]) -> tuple[str, ...]:
    page = next(
        account.pages(
            "sagemaker",
            "list_pipeline_executions",
            PipelineName=name,
            SortBy="CreationTime",
            SortOrder="Descending",
            MaxResults=PAGE,
        )
    )
    ran = page.get("PipelineExecutionSummaries", ())
    going = sum(each.get("PipelineExecutionStatus") == "Executing" for each in ran)
    count = f"{len(ran)}{' or more' if page.get('NextToken') else ''}"
    return (
        f"deletes the definition of {name}; it can't be had back",
        f"what it has run ({count}) is no longer listed; jobs, models and data stay",
        *((f"{going} executions are running: AWS refuses while they do",) if going else ()),
    )


START = Verb(
    name="start",
    key="s",
    label="Start",
    help="start an execution, with the pipeline's parameters",
    operations=("sagemaker:StartPipelineExecution",),
    do=_start,
    consequence=_start_consequence,
    asks=_asked,
)
DELETE = Verb(
    name="delete",
    key="x",
    label="Delete",
    help="delete the pipeline's definition",
    operations=("sagemaker:DeletePipeline",),
    do=_delete,
    consequence=_delete_consequence,
    dangerous=True,
    typed=True,
)
KIND = Kind(
    name="pipelines",
    title="Pipelines",
    service="sagemaker",
    about="SageMaker Pipelines: DAGs of jobs",
    columns=(
        Column("PIPELINE", 24, grow=2),
        Column("LAST RUN", 19),
        Column("ABOUT", 12, grow=3, drop=1),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "sagemaker:ListPipelines",
        "sagemaker:DescribePipeline",
        "sagemaker:ListPipelineExecutions",
    ),
    child="executions",
    verbs=(START, DELETE),
)
