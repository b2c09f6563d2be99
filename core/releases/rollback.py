"""Going back to the last good revision: the swap first, the paperwork after it.

An intent file beside the endpoint says what is about to be done, so that a worker can
write the receipt of a rollback whose author died between the swap and the record.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.domain.release import (
    DEPLOYMENT_ENDED,
    Deployment,
    DeploymentStatus,
    Endpoint,
    Receipt,
    Revision,
)
from core.errors import EndpointUnavailable, NotFound, OpsdeckError, WrongState
from core.ids import new_id, short_id
from core.reads import models as _models
from core.reads import releases as _releases
from core.releases.lock import release_lock
from core.releases.standing import stand_down
from core.serving.control import EndpointControl
from core.session import Session

if TYPE_CHECKING:
    from core.state.store import Transaction

log = logging.getLogger(__name__)

_SERVING = ("stable", "canary")


@dataclass(frozen=True, slots=True)
class Target:
    """What a rollback goes from and to; `deployment` is the open one it ends, if any."""

    bad: Revision
    good: Revision
    deployment: Deployment | None


def rollback_target(endpoint: Endpoint, to_version: int | None) -> Target:
    """The revision to go back to: of an open deployment its stable one, else the previous.

    Raises `WrongState` when there is none, `NotFound` for a version never served here.
    """
    current = endpoint.deployment
    open_one = current if current and current.status not in DEPLOYMENT_ENDED else None
    stable = next((r for r in endpoint.revisions if r.state == "stable"), None)
    bad = _revision(endpoint, open_one.revision) if open_one else stable
    if bad is None:
        raise WrongState(f"endpoint {endpoint.name} serves nothing yet", "deploy a version first")
    if to_version is not None:
        good = next(
            (
                r
                for r in endpoint.revisions
                if r.version == to_version and r.state in ("stable", "previous", "retired")
            ),
            None,
        )
        if good is None or good.revision == bad.revision:
            raise NotFound(
                f"endpoint {endpoint.name}: {_why_not(endpoint, bad, to_version)}",
                f"see: opsdeck endpoints show {endpoint.name}",
            )
        return Target(bad if open_one else _stable(endpoint, stable), good, open_one)
    if open_one is not None:
        if stable is None:
            raise WrongState(
                f"endpoint {endpoint.name}: its first deployment has nothing to go back to"
            )
        return Target(bad, stable, open_one)
    good = next((r for r in endpoint.revisions if r.state == "previous"), None)
    if good is None:
        raise WrongState(
            f"endpoint {endpoint.name}: there is no earlier good version to go back to"
        )
    return Target(bad, good, None)


def _why_not(endpoint: Endpoint, bad: Revision, version: int) -> str:
    """Why nobody can go back to a version."""
    if version == bad.version:
        return f"version {version} is what serves now"
    if any(r.version == version and r.state == "rolled_back" for r in endpoint.revisions):
        return f"version {version} was itself taken back: deploy it to bring it again"
    return f"version {version} was never good here before version {bad.version}"


@dataclass(frozen=True, slots=True)
class ByItself:
    """A rollback that nobody asked for: the id of its receipt, which follows from the decision,
    so that the same one is never recorded twice, and who it is done in the name of."""

    receipt: str
    actor: str


def roll_back(
    session: Session,
    name: str,
    to_version: int | None,
    reason: str,
    seen: int | None = None,
    by_itself: ByItself | None = None,
) -> Receipt:
    """Swap the routing at once, then record it; returns the receipt.

    `seen` is the revision that is to be taken away, as the person saw it. Where another way
    back has been quicker, the supervisor's or somebody else's, nothing moves: one decision
    never goes back by two versions.

    Raises what `rollback_target` raises; then nothing moved. Raises `EndpointUnavailable`
    where the endpoint cannot be started (nothing moved) or does not answer: a worker then
    finishes the rollback.
    """
    directory = session.workspace.endpoints_dir / name
    endpoint = _releases.find_endpoint(session.reader, name)
    first = rollback_target(endpoint, to_version)  # refuses before anything is locked
    seen = first.bad.revision if seen is None else seen
    _check_seen(endpoint, first, seen)
    control = EndpointControl(directory)
    problem = prepare(session, control, first.good)  # it may take long: not under the lock
    with release_lock(directory):
        endpoint = _releases.find_endpoint(session.reader, name)
        target = rollback_target(endpoint, to_version)
        _check_seen(endpoint, target, seen)
        if problem is None:  # its time may just have been up: then it was unloaded since
            problem = prepare(session, control, target.good)
        intent = Intent(
            receipt=by_itself.receipt if by_itself else new_id(),
            endpoint=name,
            bad=target.bad.revision,
            good=target.good.revision,
            actor=by_itself.actor if by_itself else session.actor,
            reason=reason,
            deployment=target.deployment.id if target.deployment else None,
            at=time.time(),
            automatic=by_itself is not None,
        )
        path = intent.try_write(directory)
        try:
            report = control.rollback(target.good.revision, reason)
        except EndpointUnavailable as error:
            # It may have swapped before it fell silent: the intent stays, a worker finishes it.
            hint = "a worker will finish the rollback as soon as it answers"
            raise EndpointUnavailable(error.message, hint if path else "try again") from error
        except OpsdeckError as error:
            if path is not None:
                path.unlink(missing_ok=True)  # refused: nothing moved
            if problem is not None and isinstance(error, NotFound):
                raise problem from error  # why it is not loaded
            raise
        try:
            receipt = record_rollback(
                session,
                intent,
                requests_failed=report.requests_failed,
                in_flight=report.in_flight_at_swap,
                milliseconds=report.milliseconds_to_swap,
                automatic=intent.automatic,
            )
        except OpsdeckError as error:
            raise type(error)(
                f"endpoint {name}: the requests go to version {target.good.version} now, but"
                f" that was not recorded: {error.message}",
                "a worker will record it" if path else "mend that and roll back again",
            ) from error
        if path is not None:
            path.unlink(missing_ok=True)
        last = endpoint.deployment
        if last is not None and last.plan is not None:
            stand_down(control, last.id, last.plan)
    return receipt


def _check_seen(endpoint: Endpoint, target: Target, seen: int) -> None:
    if target.bad.revision == seen:
        return
    found = next((r for r in endpoint.revisions if r.revision == seen), None)
    words = "it" if found is None else f"version {found.version}"
    raise WrongState(
        f"endpoint {endpoint.name}: {words} does not serve any more, version"
        f" {target.bad.version} does: nothing was done",
        f"see: opsdeck endpoints show {endpoint.name}",
    )


def prepare(session: Session, control: EndpointControl, revision: Revision) -> OpsdeckError | None:
    """Have an endpoint ready to route to a revision: its supervisor is started if it died,
    and the revision loaded if it was unloaded since.

    What is loaded is asked of the supervisor's file: a server that hangs could not say.
    Returns why loading failed; that is no reason not to try the swap. Raises
    `EndpointUnavailable` where the supervisor cannot be started.
    """
    info = control.info()
    if info is None or not info.alive:
        info = control.ensure_running(revision.endpoint)
    if revision.revision in info.loads:
        return None
    try:
        version = _models.find_version(session.reader, revision.model, str(revision.version))
        control.load(
            revision.revision,
            session.workspace.state_dir / version.path,
            revision.model,
            revision.version,
        )
    except OpsdeckError as error:
        log.warning("revision %d was not loaded: %s", revision.revision, error.one_line())
        return error
    return None


@dataclass(frozen=True, slots=True)
class Intent:
    """A rollback that is about to be done."""

    receipt: str
    endpoint: str
    bad: int
    good: int
    actor: str
    reason: str
    deployment: str | None
    at: float
    automatic: bool = False  # nobody asked for it

    def try_write(self, directory: Path) -> Path | None:
        """Put the intent beside the endpoint, whole or not at all.

        `None` where the disk refuses: that must not keep anybody from rolling back.
        """
        path = directory / f"rollback-{self.receipt}.json"
        temporary = directory / f".{short_id()}.tmp"
        try:
            temporary.write_text(json.dumps(asdict(self)))
            temporary.replace(path)
        except OSError as error:
            log.warning("no intent of the rollback was written: %s", error)
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            return None
        return path


def unfinished_intents(endpoints_dir: Path) -> Iterator[tuple[Path, Intent]]:
    """Intents whose author has not taken them away; one that cannot be read is put aside."""
    for path in sorted(endpoints_dir.glob("*/rollback-*.json")):
        try:
            intent = Intent(**json.loads(path.read_text()))
        except FileNotFoundError:
            continue  # its author has just finished
        except (ValueError, TypeError):
            with contextlib.suppress(FileNotFoundError):
                path.rename(path.with_suffix(".broken"))
            continue
        yield path, intent


def finish_rollback(session: Session, path: Path, intent: Intent) -> Receipt | None:
    """Complete a rollback whose author died between the swap and the record.

    `None`, with nothing moved, where it has been recorded or overtaken since: what it meant
    to take away no longer serves. Raises what `roll_back` raises; the intent stays then.
    """
    control = EndpointControl(path.parent)
    endpoint = _releases.find_endpoint(session.reader, intent.endpoint)
    problem = None
    if _revision(endpoint, intent.bad).state in _SERVING:
        problem = prepare(session, control, _revision(endpoint, intent.good))
    with release_lock(path.parent):
        if not path.exists():
            return None
        endpoint = _releases.find_endpoint(session.reader, intent.endpoint)
        receipt = None
        if _revision(endpoint, intent.bad).state in _SERVING:
            try:
                report = control.rollback(intent.good, intent.reason)
            except NotFound as error:
                raise problem or error from error
            receipt = record_rollback(
                session,
                intent,
                requests_failed=report.requests_failed,
                in_flight=report.in_flight_at_swap,
                milliseconds=report.milliseconds_to_swap,
                automatic=intent.automatic,
            )
        path.unlink(missing_ok=True)
    return receipt


def record_rollback(
    session: Session,
    intent: Intent,
    *,
    requests_failed: int,
    in_flight: int,
    milliseconds: float,
    automatic: bool = False,
) -> Receipt:
    """Write a rollback that was made: rows, aliases, receipt, alert and journal, in one
    transaction."""
    import sqlalchemy as sa

    from core.releases import rows
    from core.releases.alerts import resolve_alerts
    from core.state import schema

    endpoint = _releases.find_endpoint(session.reader, intent.endpoint)
    bad, good = _revision(endpoint, intent.bad), _revision(endpoint, intent.good)
    receipt = Receipt(
        id=intent.receipt,
        endpoint=intent.endpoint,
        actor=intent.actor,
        reason=intent.reason,
        from_model=bad.model,
        from_version=bad.version,
        to_model=good.model,
        to_version=good.version,
        requests_failed=requests_failed,
        in_flight=in_flight,
        milliseconds=milliseconds,
        at=intent.at,
        deployment_id=intent.deployment or bad.deployment_id,
    )
    table = schema.receipts
    with session.store().transaction(intent.actor) as tx:
        if tx.row(sa.select(table.c.id).where(table.c.id == receipt.id)) is not None:
            return receipt
        tx.execute(table.insert().values(asdict(receipt)))
        words = f"rolled back to v{good.version}" + (f": {intent.reason}" if intent.reason else "")
        deployment = rows.open_deployment(tx, intent.endpoint)
        stable = rows.stable_revision(tx, intent.endpoint)
        if deployment is not None:
            rows.withdraw_canary(tx, deployment, DeploymentStatus.ROLLED_BACK, words)
            tx.outbox("control", f"deployment:{deployment['id']}", command="rolled_back")
        else:
            rows.event(tx, bad.deployment_id, "rolled_back", words)
            resolve_alerts(tx, bad.deployment_id, ("frozen",))
        if stable is not None and stable["revision"] != good.revision:
            rows.return_to(tx, intent.endpoint, stable["revision"], good.revision)
        _alert(tx, receipt, automatic)
        tx.journal(
            "endpoint.rollback",
            f"endpoint/{intent.endpoint}",
            receipt=receipt.id,
            **{"from": f"{bad.model} v{bad.version}"},
            to=f"{good.model} v{good.version}",
            reason=intent.reason,
            requests_failed=requests_failed,
            milliseconds=round(milliseconds, 3),
        )
    return receipt


def _alert(tx: Transaction, receipt: Receipt, automatic: bool) -> None:
    """Tell of a rollback: one that nobody asked for is still to be looked at."""
    from core.domain.alert import Severity
    from core.releases.alerts import raise_alert

    raise_alert(
        tx,
        "rollback",
        f"endpoint/{receipt.endpoint}",
        f"{receipt.endpoint} went back from {receipt.from_model} v{receipt.from_version} to"
        f" v{receipt.to_version}" + (" by itself" if automatic else ""),
        receipt.reason,
        severity=Severity.CRITICAL if automatic else Severity.INFO,
        deployment_id=receipt.deployment_id,
        receipt_id=receipt.id,
        over=not automatic,
    )


def _revision(endpoint: Endpoint, number: int) -> Revision:
    return next(r for r in endpoint.revisions if r.revision == number)


def _stable(endpoint: Endpoint, stable: Revision | None) -> Revision:
    if stable is None:
        raise WrongState(f"endpoint {endpoint.name} serves nothing yet")
    return stable
