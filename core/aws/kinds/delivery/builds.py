"""The kinds `codebuild` (projects) and `builds`: phases, logs; started, stopped, retried."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.errors import ResourceNotFound
from core.aws.kind import Column, Detail, Field, Item, Kind, Line, Section, Verb
from core.aws.kinds.shared import found, lasted, only_in, pairs
from core.aws.logs import LogSource, read_logs
from core.aws.partial import section, tried
from core.aws.words import clock, epoch, last_of, short, span, tone

if TYPE_CHECKING:
    from core.aws.account import Account

AT_ONCE = 100
SHORT = 8
LAST_LINES = 20
MOST_LINES = 4_000


def _projects(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    newest: dict[str, Mapping[str, Any]] = {}
    asked = False
    for page in account.pages("codebuild", "list_projects"):
        names = list(page.get("projects", ()))
        if not asked:  # where it is denied, the projects are listed without their last build
            asked, (newest, _why) = True, tried(lambda: _newest(account), newest)
        for first in range(0, len(names), AT_ONCE):
            part = names[first : first + AT_ONCE]
            told = account.call("codebuild", "batch_get_projects", names=part)
            by_name = {each["name"]: each for each in told.get("projects", ())}
            yield tuple(
                _project(by_name[name], newest.get(name, {})) for name in part if name in by_name
            )


def _newest(account: Account) -> dict[str, Mapping[str, Any]]:
    """The newest build of each project among the account's last hundred."""
    told = account.call("codebuild", "list_builds", sortOrder="DESCENDING")
    kept: dict[str, Mapping[str, Any]] = {}
    for each in _builds_of(account, list(told.get("ids", ()))[:AT_ONCE]):
        kept.setdefault(each["projectName"], each)
    return kept


def _builds_of(account: Account, ids: list[str]) -> list[Mapping[str, Any]]:
    """Builds by their ids, in that order."""
    if not ids:
        return []
    told = account.call("codebuild", "batch_get_builds", ids=ids)
    by_id = {each["id"]: each for each in told.get("builds", ())}
    return [by_id[each] for each in ids if each in by_id]


def _project(project: Mapping[str, Any], build: Mapping[str, Any]) -> Item:
    status = str(build.get("buildStatus", ""))
    source = project.get("source") or {}
    environment = project.get("environment") or {}
    return Item(
        id=project["name"],
        cells=(
            project["name"],
            status or "–",
            source.get("location") or source.get("type", ""),
            environment.get("computeType", "").removeprefix("BUILD_GENERAL1_").lower(),
        ),
        tone=tone(status) if status else "dim",
        changed=epoch(build.get("startTime") or project.get("lastModified")),
        raw=project,
    )


def _one_project(account: Account, name: str) -> Mapping[str, Any]:
    for each in account.call("codebuild", "batch_get_projects", names=[name]).get("projects", ()):
        return dict(each)
    raise ResourceNotFound(f"there is no CodeBuild project {name}")


def _shown_project(account: Account, name: str) -> Detail:
    project = _one_project(account, name)
    source, environment = project.get("source") or {}, project.get("environment") or {}
    spec = str(source.get("buildspec") or "").strip()
    about = Section(
        "Project",
        (
            *found("about", project.get("description")),
            ("source", f"{source.get('type', '')} {source.get('location', '')}".strip()),
            *found("buildspec", spec if "\n" not in spec else "below"),
            ("image", environment.get("image", "")),
            ("machine", environment.get("computeType", "")),
            ("privileged", "yes: it may run containers" if environment.get("privilegedMode")
             else "no"),
            ("role", last_of(project.get("serviceRole", ""))),
            ("at most", f"{project.get('timeoutInMinutes', 60)} minutes"),
            *found("encryption", project.get("encryptionKey")),
            ("changed", clock(project.get("lastModified"))),
        ),
    )  # fmt: skip
    variables = tuple(
        (each["name"], _shown_value(each)) for each in environment.get("environmentVariables", ())
    )
    newest = section("Newest builds", lambda: _newest_of(account, name))
    sections = (
        about,
        newest,
        *((Section("Variables", variables),) if variables else ()),
        *((Section("Buildspec", tuple(spec.splitlines())),) if "\n" in spec else ()),
    )
    return Detail(name, sections=sections, item=_project(project, {}), raw=project)


def _shown_value(variable: Mapping[str, Any]) -> str:
    where = variable.get("type", "PLAINTEXT")
    value = str(variable.get("value", ""))
    return value if where == "PLAINTEXT" else f"from {where.lower().replace('_', ' ')}: {value}"


def _newest_of(account: Account, name: str) -> Section:
    told = account.call(
        "codebuild", "list_builds_for_project", projectName=name, sortOrder="DESCENDING"
    )
    lines = tuple(
        (
            clock(each.get("startTime")),
            f"{each.get('buildStatus', '')}  {_what(each)}  {_took(each)}",
            tone(each.get("buildStatus", "")),
        )
        for each in _builds_of(account, list(told.get("ids", ()))[:8])
    )
    return Section("Newest builds", lines or ("none yet",))


def _start(account: Account, name: str, values: Mapping[str, str]) -> str:
    asked: dict[str, Any] = {}
    if values.get("version"):
        asked["sourceVersion"] = values["version"]
    variables = pairs(values, "env")
    if variables:
        asked["environmentVariablesOverride"] = [
            {"name": key, "value": value, "type": "PLAINTEXT"} for key, value in variables.items()
        ]
    build = account.call("codebuild", "start_build", projectName=name, **asked)["build"]
    return f"{name}: build {build['id']} has started"


def _start_consequence(account: Account, name: str, values: Mapping[str, str]) -> tuple[str, ...]:
    project = _one_project(account, name)
    version = values.get("version") or project.get("sourceVersion") or "the default branch"
    role = last_of(project.get("serviceRole", ""))
    return (f"builds {version}, by the role {role}", "CodeBuild is paid by the minute")


def _listed(account: Account, project: str) -> Iterator[Sequence[Item]]:
    asked: dict[str, Any] = {"sortOrder": "DESCENDING"}
    operation = "list_builds"
    if project:
        operation, asked = "list_builds_for_project", {**asked, "projectName": project}
    for page in account.pages("codebuild", operation, **asked):
        ids = list(page.get("ids", ()))
        for first in range(0, len(ids), AT_ONCE):
            builds = _builds_of(account, ids[first : first + AT_ONCE])
            yield tuple(_item(each) for each in builds)


def _what(build: Mapping[str, Any]) -> str:
    version = str(build.get("resolvedSourceVersion") or build.get("sourceVersion") or "")
    return version[:SHORT] if len(version) == 40 else short(version, 40)


def _took(build: Mapping[str, Any]) -> str:
    return lasted(build.get("startTime"), build.get("endTime"), time.time())


def _number(build: Mapping[str, Any]) -> str:
    known = build.get("buildNumber")
    return f"#{known}" if known else last_of(build["id"])[:SHORT]


def _item(build: Mapping[str, Any]) -> Item:
    status = build.get("buildStatus", "")
    phase = "" if build.get("buildComplete") else build.get("currentPhase", "")
    return Item(
        id=build["id"],
        cells=(
            _number(build),
            status,
            build.get("projectName", ""),
            _what(build),
            phase.lower() or _took(build),
            last_of(build.get("initiator", "")),
        ),
        tone=tone(status),
        changed=epoch(build.get("startTime")),
        raw={**build, "state": status},
    )  # fmt: skip


def _one(account: Account, id: str) -> Mapping[str, Any]:
    for each in _builds_of(account, [id]):
        return each
    raise ResourceNotFound(f"there is no build {id}", "opsdeck aws list builds shows them")


def _shown(account: Account, id: str) -> Detail:
    build = _one(account, id)
    status = build.get("buildStatus", "")
    environment = build.get("environment") or {}
    about = Section(
        "Build",
        (
            ("status", status, tone(status)),
            ("project", build.get("projectName", "")),
            ("builds", str(build.get("resolvedSourceVersion") or build.get("sourceVersion", ""))),
            ("started", f"{clock(build.get('startTime'))} {build.get('initiator', '')}".strip()),
            ("duration", _took(build)),
            ("image", environment.get("image", "")),
            ("role", last_of(build.get("serviceRole", ""))),
            *found("artifacts", (build.get("artifacts") or {}).get("location")),
            ("id", id),
        ),
    )
    exported = tuple(
        (each["name"], each.get("value", "")) for each in build.get("exportedEnvironmentVariables")
        or ()
    )  # fmt: skip
    sections = (
        about,
        Section("Phases", _phases(build)),
        *((Section("Exported", exported),) if exported else ()),
        section("Its last lines", lambda: _last_lines(account, build)),
    )
    return Detail(id, tone(status), sections, item=_item(build), raw=build)


def _phases(build: Mapping[str, Any]) -> tuple[Line, ...]:
    lines: list[Line] = []
    for each in build.get("phases", ()):
        status = each.get("phaseStatus") or build.get("buildStatus", "")
        took = span(each["durationInSeconds"]) if "durationInSeconds" in each else ""
        if each["phaseType"] == "COMPLETED":
            continue
        shade = tone(status)
        lines.append((each["phaseType"].lower(), f"{status}  {took}".rstrip(), shade))
        lines += [
            ("", short(context["message"], 300), "bad")
            for context in each.get("contexts") or ()
            if context.get("message")
        ]
    return tuple(lines) or ("none yet",)


def _last_lines(account: Account, build: Mapping[str, Any]) -> Section:
    source = _source_of(build)
    if source is None:
        return Section("Its last lines", ("it keeps no log in CloudWatch",))
    lines = [each.text for each in read_logs(account, source, limit=MOST_LINES)]
    return Section("Its last lines", tuple(lines[-LAST_LINES:]) or ("none yet",))


def _source_of(build: Mapping[str, Any]) -> LogSource | None:
    logs = build.get("logs") or {}
    if not logs.get("groupName"):
        return None
    return LogSource(logs["groupName"], logs.get("streamName", ""), epoch(build.get("startTime")))


def _logs(account: Account, id: str) -> LogSource:
    source = _source_of(_one(account, id))
    if source is None:
        raise ResourceNotFound(f"build {id} keeps no log in CloudWatch")
    return source


def _stop(account: Account, id: str, _values: Mapping[str, str]) -> str:
    status = account.call("codebuild", "stop_build", id=id)["build"]["buildStatus"]
    return f"{id}: {status}"


def _retry(account: Account, id: str, _values: Mapping[str, str]) -> str:
    build = account.call("codebuild", "retry_build", id=id)["build"]
    return f"{id}: runs again as {build['id']}"


START = Verb(
    name="start",
    key="s",
    label="Build",
    help="start a build",
    operations=("codebuild:StartBuild",),
    do=_start,
    consequence=_start_consequence,
    fields=(
        Field("version", "commit, branch or tag (empty: the project's)"),
        Field("env", "variables, NAME=VALUE, …"),
    ),
)
STOP = Verb(
    name="stop",
    key="x",
    label="Stop",
    help="stop the build",
    operations=("codebuild:StopBuild",),
    do=_stop,
    consequence=lambda _account, id, _values: (
        f"stops build {id}; what it has pushed or deployed stays",
    ),
    dangerous=True,
    blocked=only_in("IN_PROGRESS"),
)
RETRY = Verb(
    name="retry",
    key="u",
    label="Retry",
    help="build the same again",
    operations=("codebuild:RetryBuild",),
    do=_retry,
    consequence=lambda _account, id, _values: (
        f"starts a new build with what {id} was started with",
    ),
    blocked=only_in("SUCCEEDED", "FAILED", "FAULT", "TIMED_OUT", "STOPPED"),
)
PROJECTS = Kind(
    name="codebuild",
    title="CodeBuild",
    service="codebuild",
    about="projects that build, test and package",
    columns=(
        Column("PROJECT", 20, grow=2),
        Column("LAST BUILD", 12),
        Column("SOURCE", 16, grow=3, drop=1),
        Column("MACHINE", 8, drop=2),
    ),
    list=_projects,
    show=_shown_project,
    operations=(
        "codebuild:ListProjects",
        "codebuild:BatchGetProjects",
        "codebuild:ListBuilds",
        "codebuild:ListBuildsForProject",
        "codebuild:BatchGetBuilds",
    ),
    child="builds",
    verbs=(START,),
    every=15.0,
)
KIND = Kind(
    name="builds",
    title="Builds",
    service="codebuild",
    about="builds of CodeBuild; l follows what one prints",
    columns=(
        Column("BUILD", 6),
        Column("STATUS", 12),
        Column("PROJECT", 16, grow=2),
        Column("OF", 12, grow=2, drop=1),
        Column("TOOK", 14, drop=2),
        Column("BY", 12, grow=1, drop=3),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "codebuild:ListBuilds",
        "codebuild:ListBuildsForProject",
        "codebuild:BatchGetBuilds",
        "logs:FilterLogEvents",
    ),
    parent="codebuild",
    verbs=(STOP, RETRY),
    logs=_logs,
)
