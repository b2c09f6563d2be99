"""Endpoints: what they serve, bringing a version there, and back."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.domain.release import Deployment, Endpoint, Receipt, StrategyStep
from core.domain.rollback import RollbackPreview
from core.errors import BadInput, EndpointUnavailable, OpsdeckError, WorkerUnavailable, WrongState
from core.ids import new_id
from core.reads import models as _models
from core.reads import releases as _releases
from core.releases.rollback import roll_back, rollback_target
from core.releases.strategy import DEFAULT_STRATEGY, parse_strategy
from core.services.workers import WorkersService
from core.serving.control import EndpointControl
from core.serving.records import EndpointStats, EndpointStatus, InvokeReply
from core.session import Session


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

    def deploy(
        self,
        name: str,
        model: str,
        version: str,
        *,
        strategy: Sequence[Mapping[str, Any]] | None = None,
        port: int = 0,
        reason: str = "",
    ) -> Deployment:
        """Ask for a deployment of a model version (number or alias) by a strategy.

        Raises `NotFound`, `BadInput` (the strategy), `WrongState` (another one is open).
        """
        from core.releases import rows

        self._session.refuse_when_read_only("endpoints deploy")
        check_name(name)
        found = _models.find_version(self._session.reader, model, version)
        steps: tuple[StrategyStep, ...] = (
            DEFAULT_STRATEGY if strategy is None else parse_strategy(strategy)
        )
        deployment_id = new_id()
        with self._session.change("endpoints deploy") as tx:
            rows.create_deployment(
                tx,
                deployment_id,
                endpoint=name,
                model=model,
                version=found.version,
                strategy=steps,
                port=port,
                reason=reason,
            )
            tx.outbox("deployment.start", deployment_id)
        self._workers.wake()
        return _releases.find_deployment(self._session.reader, deployment_id)

    def promote(self, name: str, *, full: bool = False) -> Deployment:
        """End the current pause of the open deployment, or (`full`) all of its steps.

        Raises `WrongState` when nothing is being deployed.
        """
        from core.releases import rows

        command = "promote_full" if full else "promote"
        with self._session.change("endpoints promote") as tx:
            deployment = self._open(tx, name)
            rows.event(tx, deployment["id"], command, "asked for")
            tx.journal(f"deployment.{command}", f"endpoint/{name}", deployment=deployment["id"])
            tx.outbox("control", f"deployment:{deployment['id']}", command=command)
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
        endpoint = self.get(name)
        target = rollback_target(endpoint, to_version)
        moves: tuple[str, ...] = ()
        stable = next((r for r in endpoint.revisions if r.state == "stable"), None)
        if stable is not None and stable.revision != target.good.revision:
            moves = (f"champion: v{stable.version} → v{target.good.version}",)
        return RollbackPreview(
            endpoint=name,
            environment=self._session.workspace.environment,
            model=target.bad.model,
            from_version=target.bad.version,
            from_revision=target.bad.revision,
            to_model=target.good.model,
            to_version=target.good.version,
            to_revision=target.good.revision,
            weights=tuple(
                (r.revision, r.actual_weight if r.actual_weight is not None else r.weight)
                for r in endpoint.revisions
                if r.weight or r.actual_weight
            ),
            aliases=moves,
            loaded=target.good.state in ("stable", "previous"),
            deployment_id=target.deployment.id if target.deployment else None,
            requests_per_second=endpoint.rps,
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
            return _with_traffic(
                replace(
                    endpoint,
                    host=info.host,
                    port=info.port,
                    supervisor_pid=info.pid,
                    server_pid=info.server_pid,
                ),
                control.status(),
                control.stats(),
            )
        except EndpointUnavailable as error:
            return replace(endpoint, status="degraded", message=error.message)
        except OpsdeckError as error:
            return replace(endpoint, status="degraded", message=error.one_line())


def check_name(name: str) -> None:
    """Raise `BadInput` for a name that cannot be a folder and a part of an address."""
    if not (0 < len(name) <= 63 and all(c.isalnum() or c in "-_" for c in name) and name.isascii()):
        raise BadInput(
            f"endpoint name {name!r}", "use up to 63 letters, digits, hyphens and underscores"
        )


def _with_traffic(endpoint: Endpoint, status: EndpointStatus, stats: EndpointStats) -> Endpoint:
    """The endpoint with its set weights beside what its server has in force."""
    actual = {variant.revision: variant.weight for variant in status.actual}
    latencies = [s for s in stats.revisions if s.p50_ms is not None]
    busiest = max(latencies, key=lambda s: s.recent_requests, default=None)
    serving = str(status.state) in ("serving", "empty")
    return replace(
        endpoint,
        status=endpoint.status if serving else str(status.state),
        message=status.last_error or endpoint.message,
        revisions=tuple(
            replace(r, actual_weight=actual.get(r.revision, 0.0)) for r in endpoint.revisions
        ),
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
