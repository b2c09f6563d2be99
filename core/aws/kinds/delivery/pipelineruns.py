"""The kind `pipeline-runs`: executions of CodePipeline; stopped, retried, gone back to."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.errors import ResourceNotFound
from core.aws.kind import Column, Detail, Field, Item, Kind, Line, Section, Verb
from core.aws.kinds.delivery import ladder
from core.aws.kinds.delivery.codepipelines import MODES, newest, what
from core.aws.kinds.shared import found, lasted, needed, only_in, yes
from core.aws.partial import section, side_by_side
from core.aws.words import clock, epoch, last_of, short
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

PAGE = 100
MOST_PIPELINES = 40
NEWEST_OF_EACH = 20
ENDED = ("Stopped", "Failed", "Succeeded", "Superseded", "Cancelled")


def parted(id: str) -> tuple[str, str]:
    """An id as pipeline and execution; raises `BadInput`."""
    pipeline, slash, execution = id.rpartition("/")
    if not slash or not pipeline:
        raise BadInput(f"{id}: is no execution of CodePipeline", "write PIPELINE/EXECUTION")
    return pipeline, execution


def _listed(account: Account, pipeline: str) -> Iterator[Sequence[Item]]:
    if not pipeline:
        yield from _of_all(account)
        return
    pages = account.pages(
        "codepipeline", "list_pipeline_executions", pipelineName=pipeline,
        PaginationConfig={"PageSize": PAGE},
    )  # fmt: skip
    for page in pages:
        yield tuple(_item(pipeline, each) for each in page.get("pipelineExecutionSummaries", ()))


def _of_all(account: Account) -> Iterator[Sequence[Item]]:
    """The newest executions of the pipelines that were changed last: AWS lists them by pipeline."""
    page = next(account.pages("codepipeline", "list_pipelines"))
    names = [each["name"] for each in page.get("pipelines", ())][:MOST_PIPELINES]

    def reading(name: str) -> Any:
        return lambda: [_item(name, each) for each in newest(account, name, NEWEST_OF_EACH)]

    items = [item for each in side_by_side([reading(name) for name in names]) for item in each]
    yield tuple(sorted(items, key=lambda item: item.changed or 0.0, reverse=True))


def _item(pipeline: str, run: Mapping[str, Any]) -> Item:
    status = run.get("status", "")
    trigger = run.get("trigger") or {}
    by = short(last_of(trigger.get("triggerDetail", "")), 24) or trigger.get("triggerType", "")
    return Item(
        id=f"{pipeline}/{run['pipelineExecutionId']}",
        cells=(run["pipelineExecutionId"][: ladder.SHORT], status, pipeline, what(run), by),
        tone=ladder.tone_of(status),
        changed=epoch(run.get("startTime") or run.get("lastUpdateTime")),
        raw={**run, "state": status, "pipelineName": pipeline},
    )


def summary(account: Account, pipeline: str, execution: str) -> Mapping[str, Any]:
    """An execution as the listing tells it; raises `ResourceNotFound`."""
    for page in account.pages("codepipeline", "list_pipeline_executions", pipelineName=pipeline):
        for each in page.get("pipelineExecutionSummaries", ()):
            if each["pipelineExecutionId"] == execution:
                return dict(each)
    raise ResourceNotFound(f"{pipeline} has no execution {execution}")


def _shown(account: Account, id: str) -> Detail:
    pipeline, execution = parted(id)
    run = account.call(
        "codepipeline", "get_pipeline_execution",
        pipelineName=pipeline, pipelineExecutionId=execution,
    )["pipelineExecution"]  # fmt: skip
    listed = summary(account, pipeline, execution)
    item = _item(pipeline, {**listed, **run})
    status = run.get("status", "")
    end = listed.get("lastUpdateTime") if status in ENDED else None
    about = Section(
        "Execution",
        (
            ("status", status, ladder.tone_of(status)),
            *found("why", run.get("statusSummary")),
            ("pipeline", f"{pipeline} v{run.get('pipelineVersion', '?')}"),
            ("started", clock(listed.get("startTime"))),
            ("duration", lasted(listed.get("startTime"), end, time.time())),
            *found("started by", _started_by(run)),
            *found("mode", run.get("executionMode", "").lower()),
            *found("goes back to", _back_to(run)),
            ("id", execution),
        ),
    )
    sections = (
        about,
        Section("Revisions", _revisions(run)),
        section("Actions", lambda: _actions(account, pipeline, execution)),
        *((Section("Variables", _variables(run)),) if run.get("variables") else ()),
    )
    return Detail(
        f"{pipeline} {execution[: ladder.SHORT]}", item.tone, sections, item=item, raw=run
    )


def _started_by(run: Mapping[str, Any]) -> str:
    trigger = run.get("trigger") or {}
    detail = last_of(trigger.get("triggerDetail", ""))
    return f"{trigger.get('triggerType', '')} {detail}".strip()


def _back_to(run: Mapping[str, Any]) -> str:
    metadata = run.get("rollbackMetadata") or {}
    return str(metadata.get("rollbackTargetPipelineExecutionId", ""))


def _revisions(run: Mapping[str, Any]) -> tuple[Line, ...]:
    lines: list[Line] = []
    for each in run.get("artifactRevisions", ()):
        said = short(each.get("revisionSummary", ""), 200)
        lines.append((each.get("name", ""), f"{each.get('revisionId', '')}  {said}".rstrip()))
        lines += found("", each.get("revisionUrl"))
    return tuple(lines) or ("none yet",)


def _variables(run: Mapping[str, Any]) -> tuple[Line, ...]:
    return tuple((each["name"], each.get("resolvedValue", "")) for each in run["variables"])


def _actions(account: Account, pipeline: str, execution: str) -> Section:
    pages = account.pages(
        "codepipeline", "list_action_executions", pipelineName=pipeline,
        filter={"pipelineExecutionId": execution},
    )  # fmt: skip
    told = [each for page in pages for each in page.get("actionExecutionDetails", ())]
    told.sort(key=lambda each: epoch(each.get("startTime")) or 0.0)
    lines: list[Line] = []
    for each in told:
        status = each.get("status", "")
        result = (each.get("output") or {}).get("executionResult") or {}
        error = (result.get("errorDetails") or {}).get("message", "")
        end = each.get("lastUpdateTime") if status != "InProgress" else None
        parts = (
            status,
            lasted(each.get("startTime"), end, time.time()),
            last_of(each.get("updatedBy", "")),
            short(error or result.get("externalExecutionSummary", ""), 160),
        )
        name = f"{each['stageName']}/{each['actionName']}"
        lines.append((name, "  ".join(part for part in parts if part), ladder.tone_of(status)))
        if error and result.get("externalExecutionId"):
            lines.append(("", f"see {result['externalExecutionId']}"))
    return Section("Actions", tuple(lines) or ("none yet",))


def _stop(account: Account, id: str, values: Mapping[str, str]) -> str:
    pipeline, execution = parted(id)
    account.call(
        "codepipeline", "stop_pipeline_execution", pipelineName=pipeline,
        pipelineExecutionId=execution, abandon=yes(values, "abandon"),
        reason=values.get("reason") or "stopped from opsdeck",
    )  # fmt: skip
    return f"{pipeline} {execution[: ladder.SHORT]}: stopping"


def _stop_consequence(account: Account, id: str, values: Mapping[str, str]) -> tuple[str, ...]:
    pipeline, execution = parted(id)
    told = ladder.state(account, pipeline)
    stages = [
        each["stageName"]
        for each in told.get("stageStates", ())
        if (each.get("latestExecution") or {}).get("pipelineExecutionId") == execution
        and each["latestExecution"].get("status") == "InProgress"
    ]
    where = stages[0] if stages else "where it is"
    if yes(values, "abandon"):
        return (
            f"stops {pipeline} in {where} at once",
            "what its actions began (builds, stacks) goes on without being watched",
        )
    return (f"stops {pipeline} in {where} when its running actions have ended",)


def _retry_asks(account: Account, id: str) -> tuple[Field, ...]:
    pipeline, execution = parted(id)
    told = ladder.state(account, pipeline)
    failed = tuple(
        stage
        for stage in (*ladder.stages_of(told, "Failed"), *ladder.stages_of(told, "Stopped"))
        if ladder.inside(told, stage) == execution
    )
    default = failed[0] if failed else ""
    return (
        Field("stage", "stage", default, required=True, choices=failed),
        Field("mode", "again", MODES[0], choices=MODES),
    )


def _retry(account: Account, id: str, values: Mapping[str, str]) -> str:
    pipeline, execution = parted(id)
    stage = needed(values, "stage")
    account.call(
        "codepipeline", "retry_stage_execution", pipelineName=pipeline, stageName=stage,
        pipelineExecutionId=execution, retryMode=values.get("mode") or MODES[0],
    )  # fmt: skip
    return f"{pipeline} {execution[: ladder.SHORT]}: {stage} runs again"


def _back_asks(account: Account, id: str) -> tuple[Field, ...]:
    stages = ladder.stages_of(ladder.state(account, parted(id)[0]))[1:]
    return (Field("stage", "stage", stages[-1] if stages else "", True, stages),)


def _back(account: Account, id: str, values: Mapping[str, str]) -> str:
    pipeline, execution = parted(id)
    stage = needed(values, "stage")
    begun = account.call(
        "codepipeline", "rollback_stage", pipelineName=pipeline, stageName=stage,
        targetPipelineExecutionId=execution,
    )["pipelineExecutionId"]  # fmt: skip
    return f"{pipeline}: {stage} goes back, by execution {begun}"


def _back_consequence(account: Account, id: str, values: Mapping[str, str]) -> tuple[str, ...]:
    pipeline, execution = parted(id)
    run = summary(account, pipeline, execution)
    return (
        f"{pipeline}: {needed(values, 'stage')} runs again with what {execution[: ladder.SHORT]}"
        f" brought: {what(run) or 'its revisions'}",
        "the stages before it stay as they are",
    )


STOP = Verb(
    name="stop",
    key="x",
    label="Stop",
    help="stop the execution",
    operations=("codepipeline:StopPipelineExecution",),
    do=_stop,
    consequence=_stop_consequence,
    fields=(
        Field("reason", "why"),
        Field("abandon", "abandon what runs", "no", choices=("no", "yes")),
    ),
    dangerous=True,
    blocked=only_in("InProgress"),
)
RETRY = Verb(
    name="retry",
    key="u",
    label="Retry stage",
    help="run what failed again, and go on",
    operations=("codepipeline:RetryStageExecution",),
    do=_retry,
    consequence=lambda _account, id, values: (
        f"{parted(id)[0]}: runs {needed(values, 'stage')} again",
        "then it goes on to the stages after it",
    ),
    blocked=only_in("Failed", "Stopped"),
    asks=_retry_asks,
)
BACK = Verb(
    name="rollback",
    key="R",
    label="Back to this",
    help="run a stage with what this execution brought",
    operations=("codepipeline:RollbackStage",),
    do=_back,
    consequence=_back_consequence,
    back=True,
    blocked=only_in("Succeeded"),
    asks=_back_asks,
)
KIND = Kind(
    name="pipeline-runs",
    title="Pipeline runs",
    service="codepipeline",
    about="executions of CodePipeline",
    columns=(
        Column("EXECUTION", 9),
        Column("STATUS", 11),
        Column("PIPELINE", 16, grow=1, drop=1),
        Column("REVISION", 16, grow=3, drop=2),
        Column("BY", 10, grow=1, drop=3),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "codepipeline:ListPipelineExecutions",
        "codepipeline:ListPipelines",
        "codepipeline:GetPipelineExecution",
        "codepipeline:GetPipelineState",
        "codepipeline:ListActionExecutions",
    ),
    parent="codepipelines",
    verbs=(STOP, RETRY, BACK),
)
