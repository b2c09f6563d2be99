"""An endpoint as the state has it, with what its processes say beside."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from core.domain.release import Endpoint, Revision
from core.errors import EndpointUnavailable, OpsdeckError
from core.serving.control import EndpointControl
from core.serving.records import EndpointStats, EndpointStatus, WorkerCount

VIEW_SECONDS = 1.5  # how long somebody who only looks waits for an endpoint's processes


def live(endpoint: Endpoint, control: EndpointControl) -> Endpoint:
    """The endpoint with what its processes say, as far as they answer."""
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
    with contextlib.suppress(OpsdeckError):  # an older supervisor knows nothing of it
        endpoint = replace(endpoint, analysis=control.analysis(VIEW_SECONDS))
    if not _answers(status):
        return endpoint
    with contextlib.suppress(EndpointUnavailable):  # what has answered is shown all the same
        endpoint = _with_traffic(endpoint, control.stats(VIEW_SECONDS))
    return endpoint


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
    counts = {count.revision: count for count in status.workers}
    if not _answers(status):
        return replace(endpoint, status=state, message=message)
    return replace(
        endpoint,
        status=state,
        message=message,
        servers=max(1, len(status.servers)),
        revisions=tuple(
            _with_workers(
                replace(r, actual_weight=actual.get(r.revision, 0.0)), counts.get(r.revision)
            )
            for r in endpoint.revisions
        ),
    )


def _with_workers(revision: Revision, count: WorkerCount | None) -> Revision:
    """The revision with its workers, where it is loaded."""
    if count is None:
        return revision
    return replace(
        revision,
        workers=count.workers,
        stuck_workers=count.stuck,
        worker_bounds=(count.min_workers, count.max_workers),
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
        dropped=sum(
            (stats.capture.dropped_full, stats.capture.dropped_disk, stats.capture.dropped_cap)
        ),
        dropped_cap=stats.capture.dropped_cap,
        capture_error=stats.capture.last_error,
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
