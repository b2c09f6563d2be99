"""The checks of `opsdeck doctor`: each looks at one thing and says what it found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import OpsdeckError

if TYPE_CHECKING:
    from core.ops import Ops

OK, WARNING, BROKEN = "ok", "warning", "broken"
LEAST_FREE_MB = 200
LITTLE_FREE_MB = 2_000


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found: `state` is ok, warning or broken; `hint` says what to do."""

    name: str
    state: str
    message: str
    hint: str = ""


def machine_checks() -> Iterator[Check]:
    """What must hold without any workspace."""
    yield _python()
    yield _dependencies()


def workspace_checks(ops: Ops) -> Iterator[Check]:
    """What must hold in a workspace, one check after the other."""
    yield Check("workspace", OK, f"{ops.workspace.root} ({ops.workspace.environment})")
    checks: list[tuple[str, Callable[[Ops], Check]]] = [
        ("pipelines", _pipelines),
        ("monitors", _monitors),
        ("alerts", _alerts),
        ("state", _state),
        ("journal", _journal),
        ("disk", _disk),
        ("worker", _worker),
        ("warm server", _warm_server),
        ("tracking", _tracking),
        ("endpoints", _endpoints),
        ("telemetry", _telemetry),
        ("git", _git),
    ]
    for name, check in checks:
        try:
            yield check(ops)
        except OpsdeckError as error:
            yield Check(name, BROKEN, f"{error.code} {error.message}", error.hint)
        except OSError as error:
            yield Check(name, BROKEN, f"{error.filename or name}: {error.strerror}")


def _python() -> Check:
    found = ".".join(str(part) for part in sys.version_info[:3])
    return Check("python", OK, f"{found} at {sys.executable}")


def _dependencies() -> Check:
    from importlib.metadata import PackageNotFoundError, requires, version

    from packaging.requirements import Requirement

    wrong: list[str] = []
    checked = 0
    for text in requires("opsdeck") or []:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        checked += 1
        try:
            found = version(wanted.name)
        except PackageNotFoundError:
            wrong.append(f"{wanted.name} is missing")
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            wrong.append(f"{wanted.name} is {found}, not {wanted.specifier}")
    if wrong:
        return Check("dependencies", BROKEN, "; ".join(wrong), "install the locked requirements")
    return Check("dependencies", OK, f"{checked} as they should be")


def _pipelines(ops: Ops) -> Check:
    files = ops.pipelines.list()
    problems = sum(len(each.problems) for each in files)
    if problems:
        hint = "see: opsdeck pipelines validate"
        return Check("pipelines", BROKEN, f"{problems} problems in {len(files)} files", hint)
    if not files:
        return Check("pipelines", WARNING, "none", "put a file under pipelines/")
    return Check("pipelines", OK, ", ".join(each.name for each in files))


def _monitors(ops: Ops) -> Check:
    """The files under monitors/, whatever their sections, and monitors that fail."""
    problems = ops.monitors.problems()
    if problems:
        first = problems[0].one_line()
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        hint = "what was good before goes on meanwhile; see all: opsdeck monitors list"
        return Check("monitors", BROKEN, f"{first}{more}", hint)
    found = ops.monitors.list()
    failing = [each.name for each in found if each.state == "failed"]
    if failing:
        message = f"{', '.join(failing)} cannot run: nobody looks at what they watch"
        return Check("monitors", WARNING, message, f"see: opsdeck monitors show {failing[0]}")
    return Check("monitors", OK, f"{len(found)} defined" if found else "none")


def _alerts(ops: Ops) -> Check:
    """The section alerts: of opsdeck.yaml, who is on call, and whether they can be told."""
    from core.alerting.config import alert_settings

    settings = alert_settings(ops.workspace)
    failing = [each for each in ops.alerts.deliveries(open_only=True) if each.error]
    if failing:
        hint = f"try it: opsdeck alerts notify --test {failing[0].target}"
        return Check("alerts", WARNING, f"{failing[0].error}; it is tried again", hint)
    nobody = [each.schedule for each in ops.alerts.oncall() if each.who is None]
    if nobody:
        return Check("alerts", WARNING, f"nobody is on call by {', '.join(nobody)}",
                     "see: opsdeck alerts oncall")  # fmt: skip
    if not settings.targets:
        hint = "name addresses in opsdeck.yaml, under alerts: targets:"
        return Check("alerts", OK, "nobody is told: no addresses", hint)
    return Check("alerts", OK, f"{len(settings.targets)} addresses: {', '.join(settings.targets)}")


def _state(ops: Ops) -> Check:
    from core.state.migrations import head_version

    reader = ops.session.reader
    place = ops.workspace.database_url.split("@")[-1].removeprefix("sqlite:///")
    found = reader.rows("SELECT version_num FROM alembic_version")
    if not found:
        return Check("state", OK, f"{place}: nothing yet; the first change makes it")
    version = str(found[0]["version_num"])
    if version != head_version():
        message = f"{place}: schema {version}, this Opsdeck writes {head_version()}"
        if version > head_version():
            return Check("state", BROKEN, message, "update Opsdeck")
        return Check("state", WARNING, message, "the next change brings it up to date")
    if ops.workspace.embedded:
        said = [str(next(iter(row.values()))) for row in reader.rows("PRAGMA quick_check")]
        if said != ["ok"]:
            hint = "restore the file from a backup"
            return Check("state", BROKEN, f"{place}: {said[0]}", hint)
    return Check("state", OK, f"{place}: schema {version}, {ops.runs.count()} runs")


def _journal(ops: Ops) -> Check:
    report = ops.audit.verify()
    if report.ok:
        return Check("journal", OK, f"{report.entries} entries, the chain holds")
    message = f"broken at entry {report.broken_seq}: {report.reason}"
    return Check("journal", BROKEN, message, "see: opsdeck audit verify")


def _disk(ops: Ops) -> Check:
    folder = ops.workspace.state_dir if ops.workspace.state_dir.exists() else ops.workspace.root
    free = shutil.disk_usage(folder).free // 1_000_000
    if not os.access(folder, os.W_OK):
        return Check("disk", BROKEN, f"{folder} is not writable", "change its owner or mode")
    if free < LEAST_FREE_MB:
        return Check("disk", BROKEN, f"{free} MB free at {folder}", "make room")
    state = WARNING if free < LITTLE_FREE_MB else OK
    return Check("disk", state, f"{free / 1000:.1f} GB free", "make room" if state != OK else "")


def _worker(ops: Ops) -> Check:
    living = [worker for worker in ops.workers.list() if worker.alive]
    if not ops.workers.alive():
        if ops.workspace.embedded:
            hint = "the next run or decision starts one"
        else:
            hint = "start one with: opsdeck worker"
        return Check("worker", WARNING, "none is alive", hint)
    names = ", ".join(f"{worker.host} pid {worker.pid}" for worker in living)
    return Check("worker", OK, f"{len(living)} alive: {names}")


def _warm_server(ops: Ops) -> Check:
    """Whether each worker of this machine has its server that steps are forked from."""
    import socket

    import psutil

    here = socket.gethostname()
    cold: list[str] = []
    warm = 0
    for worker in ops.workers.list():
        if not worker.alive or worker.host != here:
            continue
        try:
            children = psutil.Process(worker.pid).children()
            commands = [" ".join(child.cmdline()) for child in children]
        except psutil.Error:
            continue  # it ended meanwhile, or belongs to somebody else
        if any("zygote" in command for command in commands):
            warm += 1
        else:
            cold.append(str(worker.pid))
    if cold:
        hint = f"see: {ops.workspace.state_dir / 'warm-server.log'}"
        return Check("warm server", WARNING, f"worker {', '.join(cold)} has none", hint)
    return Check("warm server", OK, f"{warm} running" if warm else "comes with the worker")


def _tracking(ops: Ops) -> Check:
    from core.tracking import open_reader

    reader = open_reader(ops.workspace.tracking_uri)
    try:
        models = reader.registered_models()
        differing = [
            model.name
            for model in ops.models.list()
            if reader.aliases(model.name) != dict(model.aliases)
        ]
    finally:
        reader.close()
    place = ops.workspace.tracking_uri.split("@")[-1].removeprefix("sqlite:///")
    if differing:
        message = f"{place}: other aliases than the state has for {', '.join(differing)}"
        return Check("tracking", WARNING, message, "a worker mirrors them within a moment")
    return Check("tracking", OK, f"{place}: {len(models)} registered models")


def _endpoints(ops: Ops) -> Check:
    endpoints = ops.endpoints.list()
    bad = [e for e in endpoints if e.status in ("down", "failed")]
    if bad:
        message = "; ".join(f"{e.name} is {e.status}" for e in bad)
        return Check("endpoints", BROKEN, message, f"try: opsdeck endpoints start {bad[0].name}")
    poor = [e for e in endpoints if e.status == "degraded"]
    if poor:
        message = "; ".join(f"{e.name}: {e.message or e.status}" for e in poor)
        return Check("endpoints", WARNING, message, f"see: opsdeck endpoints show {poor[0].name}")
    return Check("endpoints", OK, ", ".join(f"{e.name} {e.status}" for e in endpoints) or "none")


def _telemetry(ops: Ops) -> Check:
    """Whether the processes that run now were started with telemetry off."""
    from core.quiet import QUIET_ENVIRONMENT

    # A worker in somebody's terminal has that terminal's environment; what it starts has not.
    pids = [
        (f"a process of worker {w.pid}", child)
        for w in ops.workers.list()
        if w.alive
        for child in _children(w.pid)
    ]
    pids += [
        (f"endpoint {e.name}", pid)
        for e in ops.endpoints.list()
        for pid in (e.supervisor_pid, e.server_pid)
        if pid is not None
    ]
    wanted = {f"{name}={value}" for name, value in QUIET_ENVIRONMENT.items()}
    loud = [name for name, pid in pids if not wanted <= _environment(pid, wanted)]
    if loud:
        return Check("telemetry", BROKEN, f"on in {', '.join(loud)}", "restart it by Opsdeck")
    return Check("telemetry", OK, f"off in {len(pids)} processes, and in those started next")


def _children(pid: int) -> list[int]:
    """The processes that a process has started; none where it cannot be seen."""
    import psutil

    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.Error:
        return []


def _environment(pid: int, unreadable: set[str]) -> set[str]:
    """A process's environment; `unreadable` where it is not ours to read."""
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return unreadable  # gone meanwhile, another host's, or no /proc here
    return set(raw.decode(errors="replace").split("\0"))


def _git(ops: Ops) -> Check:
    try:
        found = subprocess.run(
            ["git", "-C", str(ops.workspace.root), "log", "-1", "--format=%h %s"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except OSError as error:
        hint = "install git, so that runs know the code they ran"
        return Check("git", WARNING, f"cannot be started: {error.strerror}", hint)
    except subprocess.TimeoutExpired:
        return Check("git", WARNING, "does not answer within 10 s", "try: git status")
    if found.returncode:
        hint = "git init and commit, so that runs know the code they ran"
        return Check("git", WARNING, "the workspace has no commit", hint)
    return Check("git", OK, f"at {found.stdout.strip()}")
