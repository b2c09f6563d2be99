"""Endpoints: what they serve, bringing a version there, and back."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from core.domain.release import Deployment, DeploymentStatus, Endpoint, Receipt, StrategyStep
from core.domain.rollback import RollbackPreview
from core.errors import (
    BadInput,
    EndpointUnavailable,
    NotAllowed,
    OpsdeckError,
    WorkerUnavailable,
    WrongState,
)
from core.ids import new_id
from core.reads import models as _models
from core.reads import releases as _releases
from core.releases.rollback import roll_back, rollback_target
from core.releases.strategy import DEFAULT_STRATEGY, parse_strategy
from core.services.workers import WorkersService
from core.serving.control import EndpointControl
from core.serving.records import EndpointStats, EndpointStatus, InvokeReply
from core.session import Session

if TYPE_CHECKING:
    from core.state.store import Transaction

VIEW_SECONDS = 1.5  # how long somebody who only looks waits for an endpoint's processes
GLANCE_SECONDS = 0.5  # for what is only nice to know on the way to a rollback


class EndpointsService:
    """The workspace's endpoints."""

    def __init__(self, session: Session, workers: WorkersService) -> None:
        self._session = session
        self._workers = workers

    def list(self) -> tuple[Endpoint, ...]:
        """Every endpoint, with what its processes say where they answer."""
        return tuple(self._live(e) for e in _releases.list_endpoints(self._session.reader))

    def get(self, name: str) -> Endpoint:
        """One endpoint with its history and receipts; raises `NotFound`."""
        return self._live(_releases.find_endpoint(self._session.reader, name))

    def control(self, name: str) -> EndpointControl:
        """The client of an endpoint's processes, which can change them; raises `ReadOnly`."""
        self._session.refuse_when_read_only("endpoints control")
        return self._control(name)

    def start(self, name: str) -> Endpoint:
        """Bring up an endpoint whose processes were stopped, as it served then.

        Raises `NotFound`, `WrongState` for one that never served, `PortTaken`, `ReadOnly`.
        """
        self._session.refuse_when_read_only("endpoints start")
        endpoint = _releases.find_endpoint(self._session.reader, name)
        if not any(r.state == "stable" for r in endpoint.revisions):
            raise WrongState(f"endpoint {name} serves nothing yet", "deploy a version to it")
        self._control(name).ensure_running(name, endpoint.port)
        with self._session.change("endpoints start") as tx:
            tx.journal("endpoint.start", f"endpoint/{name}")
        return self.get(name)

    def deploy(
        self,
        name: str,
        model: str,
        version: str,
        *,
        strategy: Sequence[Mapping[str, Any]] | None = None,
        port: int = 0,
        environment: str | None = None,
        override: bool = False,
        reason: str = "",
    ) -> Deployment:
        """Ask for a deployment of a model version (number or alias) by a strategy.

        A new endpoint belongs to `environment` (default: the workspace's). Raises
        `NotFound`, `BadInput` (the strategy), `WrongState` (another one is open), and
        `NotAllowed` where the version was asked approval for and has none, unless
        `override` says to go past the gate, which the journal keeps with the reason.
        """
        from core.releases import rows
        from core.releases.environments import environment_of

        self._session.refuse_when_read_only("endpoints deploy")
        check_name(name)
        found = _models.find_version(self._session.reader, model, version)
        steps: tuple[StrategyStep, ...] = (
            DEFAULT_STRATEGY if strategy is None else parse_strategy(strategy)
        )
        deployment_id = new_id()
        with self._session.change("endpoints deploy") as tx:
            check_gate(tx, model, found.version, override, reason)
            known = environment_of(tx, name)
            rows.create_deployment(
                tx,
                deployment_id,
                endpoint=name,
                model=model,
                version=found.version,
                strategy=steps,
                port=port,
                environment=environment or known or self._session.workspace.environment,
                reason=reason,
            )
            tx.outbox("deployment.start", deployment_id)
        self._workers.wake()
        return _releases.find_deployment(self._session.reader, deployment_id)

    def environment_for(self, name: str, wanted: str | None = None) -> str:
        """The environment that a deployment to this endpoint would go to."""
        rows = self._session.reader.rows(
            "SELECT environment FROM endpoints WHERE name = :name", name=name
        )
        if rows:
            return str(rows[0]["environment"])
        return wanted or self._session.workspace.environment

    def promote(self, name: str, *, full: bool = False, reason: str = "") -> Deployment:
        """End the current pause of the open deployment, or (`full`) all of its steps.

        Raises `WrongState` when nothing is being deployed, and, unless `full`, when it does
        not pause: a promotion is for the pause that was seen, never for the next one.
        """
        from core.releases import rows

        command = "promote_full" if full else "promote"
        with self._session.change("endpoints promote") as tx:
            deployment = self._open(tx, name)
            if not full and deployment["status"] != DeploymentStatus.PAUSED:
                raise WrongState(
                    f"endpoint {name}: the deployment is {deployment['status']}, not paused",
                    "wait for its next pause, or promote it in full",
                )
            rows.event(tx, deployment["id"], command, reason or "asked for")
            tx.journal(
                f"deployment.{command}",
                f"endpoint/{name}",
                deployment=deployment["id"],
                step=deployment["step_index"],
                reason=reason,
            )
            tx.outbox(
                "control",
                f"deployment:{deployment['id']}",
                command=command,
                index=deployment["step_index"],
            )
        self._workers.wake()
        return _releases.find_deployment(self._session.reader, deployment["id"])

    def abort(self, name: str, reason: str = "") -> Deployment:
        """End the open deployment at once, with all traffic on the stable version.

        Raises `WrongState` when nothing is being deployed. A first deployment has no stable
        version to go back to: it ends all the same.
        """
        from core.releases.abort import abort_deployment

        self._session.refuse_when_read_only("endpoints abort")
        deployment_id = abort_deployment(self._session, name, reason)
        self._workers.wake()
        return _releases.find_deployment(self._session.reader, deployment_id)

    def preview_rollback(self, name: str, to_version: int | None = None) -> RollbackPreview:
        """What a rollback would move; raises `WrongState` when there is nothing to go to."""
        # All but the rate is of the rows and the supervisor's file: what hangs must not hold
        # up the way back.
        endpoint = _releases.find_endpoint(self._session.reader, name)
        info = self._control(name).info()
        target = rollback_target(endpoint, to_version)
        routed = {v.revision: v.weight for v in info.variants} if info and info.alive else {}
        moves: tuple[str, ...] = ()
        stable = next((r for r in endpoint.revisions if r.state == "stable"), None)
        if stable is not None and stable.revision != target.good.revision:
            moves = (f"champion: v{stable.version} → v{target.good.version}",)
        return RollbackPreview(
            endpoint=name,
            environment=endpoint.environment,
            model=target.bad.model,
            from_version=target.bad.version,
            from_revision=target.bad.revision,
            to_model=target.good.model,
            to_version=target.good.version,
            to_revision=target.good.revision,
            weights=tuple(
                (r.revision, weight)
                for r in endpoint.revisions
                if (weight := routed.get(r.revision, 0.0) if routed else r.weight)
            ),
            aliases=moves,
            loaded=info is not None and target.good.revision in info.loads,
            deployment_id=target.deployment.id if target.deployment else None,
            requests_per_second=self._rate(name) if info and info.alive else None,
        )

    def rollback(self, name: str, to_version: int | None = None, reason: str = "") -> Receipt:
        """Go back to the last good version (or to one named) at once.

        Raises `WrongState`, `NotFound`, `EndpointUnavailable`, `ReadOnly`.
        """
        self._session.refuse_when_read_only("endpoints rollback")
        receipt = roll_back(self._session, name, to_version, reason)
        with contextlib.suppress(WorkerUnavailable):  # done is done; the mirror can wait
            self._workers.wake()
        return receipt

    def invoke(
        self,
        name: str,
        body: bytes,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> InvokeReply:
        """Send one request; raises `NotFound`, `EndpointUnavailable`, `RequestFailed`."""
        _releases.find_endpoint(self._session.reader, name)
        return self._control(name).invoke(body, content_type, headers)

    def _control(self, name: str) -> EndpointControl:
        return EndpointControl(self._session.workspace.endpoints_dir / name)

    def _rate(self, name: str) -> float | None:
        """Requests per second now, where the endpoint says so at once."""
        try:
            return sum(s.rps for s in self._control(name).stats(GLANCE_SECONDS).revisions)
        except OpsdeckError:
            return None

    def _open(self, tx: Any, name: str) -> Mapping[str, Any]:
        from core.releases import rows

        _releases.find_endpoint(self._session.reader, name)
        deployment = rows.open_deployment(tx, name)
        if deployment is None:
            raise WrongState(f"endpoint {name}: nothing is being deployed")
        return deployment

    def _live(self, endpoint: Endpoint) -> Endpoint:
        control = self._control(endpoint.name)
        try:
            info = control.info()
            if info is None or not info.alive:
                down = endpoint.status in ("in_service", "updating")
                return replace(endpoint, status="down" if down else endpoint.status)
            endpoint = replace(
                endpoint,
                host=info.host,
                port=info.port,
                supervisor_pid=info.pid,
                server_pid=info.server_pid,
            )
            status = control.status(VIEW_SECONDS)
        except EndpointUnavailable as error:
            return replace(endpoint, status="degraded", message=error.message)
        except OpsdeckError as error:
            return replace(endpoint, status="degraded", message=error.one_line())
        endpoint = _with_status(endpoint, status)
        if not _answers(status):
            return endpoint
        with contextlib.suppress(EndpointUnavailable):  # what has answered is shown all the same
            endpoint = _with_traffic(endpoint, control.stats(VIEW_SECONDS))
        return endpoint


def check_name(name: str) -> None:
    """Raise `BadInput` for a name that cannot be a folder and a part of an address."""
    if not (0 < len(name) <= 63 and all(c.isalnum() or c in "-_" for c in name) and name.isascii()):
        raise BadInput(
            f"endpoint name {name!r}", "use up to 63 letters, digits, hyphens and underscores"
        )


def check_gate(tx: Transaction, model: str, version: int, override: bool, reason: str) -> None:
    """Raise `NotAllowed` where a version's newest approval request is not approved.

    `override` goes past it, with a reason (`BadInput` without), and the journal keeps that.
    A version that nobody was asked about needs no approval.
    """
    import sqlalchemy as sa

    from core.domain.gate import ApprovalStatus
    from core.state import schema

    table = schema.approvals
    row = tx.row(
        sa.select(table.c.id, table.c.gate, table.c.status)
        .where(table.c.model == model, table.c.version == version)
        .order_by(table.c.opened_at.desc())
        .limit(1)
    )
    if row is None or row["status"] == ApprovalStatus.APPROVED:
        return
    if override:
        if not reason.strip():
            raise BadInput("going past a gate needs a reason", "say why, with --reason")
        tx.journal(
            "gate.override",
            f"model/{model}",
            version=version,
            approval=row["id"],
            gate=row["gate"],
            status=row["status"],
            reason=reason,
        )
        return
    waits = row["status"] == ApprovalStatus.OPEN
    raise NotAllowed(
        f"model {model} version {version} "
        + (f"still waits at gate {row['gate']}" if waits else f"was not approved: {row['status']}"),
        "have it approved, or go past the gate with --override and a reason",
    )


def _answers(status: EndpointStatus) -> bool:
    """Whether the server itself, not only its supervisor, has answered."""
    return status.server_up_seconds > 0


def _with_status(endpoint: Endpoint, status: EndpointStatus) -> Endpoint:
    """The endpoint with its set weights beside what its server has in force."""
    state, message = str(status.state), status.last_error or endpoint.message
    if state in ("serving", "empty"):
        state = endpoint.status
        if not _answers(status):
            state, message = "degraded", "its server does not answer"
    actual = {variant.revision: variant.weight for variant in status.actual}
    if not _answers(status):
        return replace(endpoint, status=state, message=message)
    return replace(
        endpoint,
        status=state,
        message=message,
        revisions=tuple(
            replace(r, actual_weight=actual.get(r.revision, 0.0)) for r in endpoint.revisions
        ),
    )


def _with_traffic(endpoint: Endpoint, stats: EndpointStats) -> Endpoint:
    """The endpoint with the figures of its traffic."""
    latencies = [s for s in stats.revisions if s.p50_ms is not None]
    busiest = max(latencies, key=lambda s: s.recent_requests, default=None)
    return replace(
        endpoint,
        requests=sum(s.requests for s in stats.revisions),
        errors=sum(s.errors for s in stats.revisions),
        in_flight=stats.in_flight,
        captured=stats.capture.written,
        dropped=stats.capture.dropped_full + stats.capture.dropped_disk,
        rps=sum(s.rps for s in stats.revisions),
        p50_ms=busiest.p50_ms if busiest else None,
        p99_ms=max((s.p99_ms for s in latencies if s.p99_ms is not None), default=None),
        stats={
            s.revision: {
                "requests": s.requests,
                "errors": s.errors,
                "in_flight": s.in_flight,
                "rps": s.rps,
                "p50_ms": s.p50_ms,
                "p99_ms": s.p99_ms,
            }
            for s in stats.revisions
        },
    )
