"""The kind `codepipelines`: stages as a ladder, started, retried, opened and closed.

What waits for a person's approval is answered in the kind `approvals`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.kind import Column, Detail, Field, Item, Kind, Section, Verb
from core.aws.kinds.delivery import ladder
from core.aws.kinds.shared import found, needed, token
from core.aws.partial import side_by_side, tried
from core.aws.words import clock, epoch, last_of, short
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

AT_ONCE = 24
MOST_RUNS = 8
REVISION = "revision.of"
"""A variable's name has no dot, so this never is one."""
MODES = ("FAILED_ACTIONS", "ALL_ACTIONS")


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    """Pipelines with how their newest execution stands; a few are read side by side."""
    for page in account.pages("codepipeline", "list_pipelines"):
        several = page.get("pipelines", ())
        for first in range(0, len(several), AT_ONCE):
            part = several[first : first + AT_ONCE]
            newest = side_by_side([_newest_of(account, each["name"]) for each in part])
            yield tuple(
                _item(each, run, why) for each, (run, why) in zip(part, newest, strict=True)
            )


def _newest_of(account: Account, name: str) -> Any:
    def read() -> Mapping[str, Any]:
        runs = newest(account, name, 1)
        if not runs or runs[0].get("status") != "InProgress":
            return runs[0] if runs else {}
        return {**runs[0], "asks": ladder.asking(ladder.state(account, name))}

    none: Mapping[str, Any] = {}
    return lambda: tried(read, none)


def newest(account: Account, name: str, most: int) -> list[Mapping[str, Any]]:
    """The newest executions of a pipeline."""
    told = account.call(
        "codepipeline", "list_pipeline_executions", pipelineName=name, maxResults=most
    )
    return list(told.get("pipelineExecutionSummaries", ()))


def what(run: Mapping[str, Any]) -> str:
    """What an execution brings: the revisions of its sources."""
    return ", ".join(
        f"{each.get('revisionId', '')[: ladder.SHORT]} {short(each.get('revisionSummary', ''), 60)}"
        .strip()
        for each in run.get("sourceRevisions", ())
    )  # fmt: skip


def _item(summary: Mapping[str, Any], run: Mapping[str, Any], why: str) -> Item:
    status = str(run.get("status", ""))
    asks = str(run.get("asks", ""))  # who waits for a person does not run
    shown = f"asks: {asks}" if asks else status or why or "never ran"
    return Item(
        id=summary["name"],
        cells=(summary["name"], shown, what(run), f"v{summary.get('version', 1)}",
               summary.get("executionMode", "SUPERSEDED").lower()),
        tone="wait" if asks else ladder.tone_of(status) if status else "bad" if why else "dim",
        changed=epoch(run.get("lastUpdateTime") or summary.get("updated")),
        raw={**summary, "state": status, "newest": dict(run)},
    )  # fmt: skip


def _shown(account: Account, name: str) -> Detail:
    told = account.call("codepipeline", "get_pipeline", name=name)
    pipeline, metadata = told["pipeline"], told.get("metadata", {})
    none: list[Mapping[str, Any]] = []
    runs, why = tried(lambda: newest(account, name, MOST_RUNS), none)
    nothing: Mapping[str, Any] = {}
    state, why_not = tried(lambda: ladder.state(account, name), nothing)
    last = {**runs[0], "asks": ladder.asking(state)} if runs else {}
    item = _item(pipeline | {"updated": metadata.get("updated")}, last, why)
    stores = pipeline.get("artifactStores") or {"": pipeline.get("artifactStore") or {}}
    places = ", ".join(
        f"s3://{each['location']}" for each in stores.values() if each.get("location")
    )
    about = Section(
        "Pipeline",
        (
            ("last run", item.cells[1], item.tone),
            ("version", f"{pipeline.get('version', 1)} of {pipeline.get('pipelineType', 'V1')}"),
            ("executions", pipeline.get("executionMode", "SUPERSEDED").lower()),
            *found("changed", clock(metadata.get("updated"))),
            ("role", last_of(pipeline.get("roleArn", ""))),
            *found("artifacts", places),
        ),
    )
    ran = tuple(
        (clock(each.get("startTime")), f"{each['status']}  {what(each)}".rstrip(),
         ladder.tone_of(each["status"]))
        for each in runs
    )  # fmt: skip
    sections = (
        Section("Stages", ((("", why_not, "bad"),) if why_not else ladder.lines(state))),
        about,
        Section("Actions", _actions(pipeline)),
        *((Section("Variables", _variables(pipeline)),) if pipeline.get("variables") else ()),
        Section("Newest executions", ran or (why or "none yet",)),
    )
    return Detail(name, item.tone, sections, item=item, raw=told)


def _actions(pipeline: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    lines = []
    for stage in pipeline.get("stages", ()):
        for each in stage["actions"]:
            kind = each["actionTypeId"]
            settings = each.get("configuration") or {}
            told = ", ".join(f"{key}={short(value, 60)}" for key, value in settings.items())
            lines.append(
                (f"{stage['name']}/{each['name']}", f"{kind['provider']}  {told}".rstrip())
            )
    return tuple(lines)


def _variables(pipeline: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (each["name"], each.get("defaultValue", "must be given"))
        for each in pipeline["variables"]
    )  # fmt: skip


def _declared(account: Account, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = account.call("codepipeline", "get_pipeline", name=name)["pipeline"]
    return found


def _sources(pipeline: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        each["name"]
        for stage in pipeline.get("stages", ())
        for each in stage["actions"]
        if each["actionTypeId"]["category"] == "Source"
    )


def _start_asks(account: Account, name: str) -> tuple[Field, ...]:
    pipeline = _declared(account, name)
    variables = (
        Field(each["name"], each.get("description") or each["name"], each.get("defaultValue", ""),
              required="defaultValue" not in each)
        for each in pipeline.get("variables", ())
    )  # fmt: skip
    revisions = (
        Field(f"{REVISION}.{source}", f"commit for {source} (empty: its newest)")
        for source in _sources(pipeline)
    )
    return (*variables, *revisions)


def _start(account: Account, name: str, values: Mapping[str, str]) -> str:
    asked: dict[str, Any] = {"clientRequestToken": token(name, "")}
    variables = [
        {"name": key, "value": value} for key, value in values.items() if value and "." not in key
    ]
    revisions = [
        {"actionName": key.removeprefix(f"{REVISION}."), "revisionType": "COMMIT_ID",
         "revisionValue": value}
        for key, value in values.items()
        if value and key.startswith(REVISION)
    ]  # fmt: skip
    if variables:
        asked["variables"] = variables
    if revisions:
        asked["sourceRevisions"] = revisions
    started = account.call("codepipeline", "start_pipeline_execution", name=name, **asked)
    return f"{name}: execution {started['pipelineExecutionId']} has started"


def _start_consequence(account: Account, name: str, values: Mapping[str, str]) -> tuple[str, ...]:
    told = ladder.state(account, name)
    chosen = [f"{key.rpartition('.')[2]}={value}" for key, value in values.items() if value]
    closed = [
        each["stageName"]
        for each in told.get("stageStates", ())
        if not (each.get("inboundTransitionState") or {}).get("enabled", True)
    ]
    return (
        f"goes through {' → '.join(ladder.stages_of(told))}",
        f"with {', '.join(chosen)}" if chosen else "with the newest revision of each source",
        *((f"stops in front of {closed[0]}, which is closed",) if closed else ()),
    )


def _stage(values: Mapping[str, str], told: Mapping[str, Any]) -> str:
    stage = needed(values, "stage")
    if stage not in ladder.stages_of(told):
        raise BadInput(f"stage={stage}: no such stage", ", ".join(ladder.stages_of(told)))
    return stage


def _retry_asks(account: Account, name: str) -> tuple[Field, ...]:
    told = ladder.state(account, name)
    failed = ladder.stages_of(told, "Failed") or ladder.stages_of(told, "Stopped")
    stages = failed or ladder.stages_of(told)
    return (
        Field("stage", "stage", stages[0], required=True, choices=stages),
        Field("mode", "again", MODES[0], choices=MODES),
    )


def _retry(account: Account, name: str, values: Mapping[str, str]) -> str:
    told = ladder.state(account, name)
    stage = _stage(values, told)
    account.call(
        "codepipeline", "retry_stage_execution", pipelineName=name, stageName=stage,
        pipelineExecutionId=ladder.inside(told, stage), retryMode=values.get("mode") or MODES[0],
    )  # fmt: skip
    return f"{name}: {stage} runs again"


def _retry_consequence(account: Account, name: str, values: Mapping[str, str]) -> tuple[str, ...]:
    told = ladder.state(account, name)
    stage = _stage(values, told)
    again = "what failed" if values.get("mode", MODES[0]) == MODES[0] else "every action"
    return (
        f"runs {again} of {stage} again, of execution {ladder.inside(told, stage)[: ladder.SHORT]}",
        "then it goes on to the stages after it",
    )


def _switching(opens: bool) -> Verb:
    word = "enable" if opens else "disable"

    def asks(account: Account, name: str) -> tuple[Field, ...]:
        stages = ladder.stages_of(ladder.state(account, name))[1:]
        field = Field("stage", "in front of", stages[-1] if stages else "", True, stages)
        return (field,) if opens else (field, Field("reason", "why", required=True))

    def do(account: Account, name: str, values: Mapping[str, str]) -> str:
        stage = _stage(values, ladder.state(account, name))
        reason = {} if opens else {"reason": needed(values, "reason")}
        account.call(
            "codepipeline", f"{word}_stage_transition", pipelineName=name, stageName=stage,
            transitionType="Inbound", **reason,
        )  # fmt: skip
        return f"{name}: {stage} is {'open' if opens else 'closed'}"

    def consequence(account: Account, name: str, values: Mapping[str, str]) -> tuple[str, ...]:
        stage = _stage(values, ladder.state(account, name))
        if opens:
            return (f"what waits in front of {stage} goes in at once",)
        return (
            f"nothing goes into {stage} any more until it is opened",
            "what is in it goes on; executions that come wait in front",
        )

    return Verb(
        name=word,
        key="" if opens else "x",
        label=f"{'Open' if opens else 'Close'} stage",
        help="let executions into a stage" if opens else "let nothing into a stage",
        operations=(f"codepipeline:{word.capitalize()}StageTransition",),
        do=do,
        consequence=consequence,
        dangerous=not opens,
        asks=asks,
    )


START = Verb(
    name="start",
    key="s",
    label="Start",
    help="start an execution, with its variables and revisions",
    operations=("codepipeline:StartPipelineExecution",),
    do=_start,
    consequence=_start_consequence,
    asks=_start_asks,
)
RETRY = Verb(
    name="retry",
    key="u",
    label="Retry stage",
    help="run what failed in a stage again",
    operations=("codepipeline:RetryStageExecution",),
    do=_retry,
    consequence=_retry_consequence,
    asks=_retry_asks,
)
KIND = Kind(
    name="codepipelines",
    title="CodePipelines",
    service="codepipeline",
    about="from a commit to production, stage by stage",
    columns=(
        Column("PIPELINE", 20, grow=2),
        Column("LAST RUN", 14),
        Column("REVISION", 16, grow=3, drop=1),
        Column("VERSION", 7, drop=3),
        Column("MODE", 10, drop=2),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "codepipeline:ListPipelines",
        "codepipeline:ListPipelineExecutions",
        "codepipeline:GetPipeline",
        "codepipeline:GetPipelineState",
    ),
    child="pipeline-runs",
    verbs=(START, RETRY, _switching(True), _switching(False)),
    every=15.0,
)
