"""Services that answer as if endpoints ran: the traffic of the seeded canary, a rollback.

Only what needs a running endpoint is replaced; everything else is the real service.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from core.domain.analysis import DisagreementSummary
from core.domain.release import Endpoint, Receipt
from core.domain.touched import Consumer
from core.ops import Ops
from core.services.endpoints import EndpointsService
from tests.support.mlmodel import BIKE, write_mlmodel
from tests.support.seed import PIPELINE

STATS: dict[int, dict[str, Any]] = {
    1: {"requests": 0, "errors": 0, "rps": 0.0, "p50_ms": None, "p99_ms": None},
    2: {"requests": 214_332, "errors": 0, "rps": 37.1, "p50_ms": 2.1, "p99_ms": 7.6},
    3: {"requests": 391, "errors": 0, "rps": 4.2, "p50_ms": 2.3, "p99_ms": 8.1},
}
ACTUAL = {1: 0.0, 2: 90.2, 3: 9.8}


class LiveEndpoints(EndpointsService):
    """The endpoints of the state, each with a supervisor that answers."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.rolled_back: list[tuple[str, int | None, str]] = []
        self.error: Exception | None = None
        self.scene: Callable[[Endpoint], Endpoint] = lambda endpoint: endpoint
        self.asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def _live(self, endpoint: Endpoint) -> Endpoint:
        shown = replace(
            endpoint,
            supervisor_pid=4400,
            server_pid=4402,
            revisions=tuple(
                replace(r, actual_weight=ACTUAL.get(r.revision, 0.0)) for r in endpoint.revisions
            ),
            requests=214_723,
            rps=41.3,
            p50_ms=2.1,
            p99_ms=8.1,
            stats=STATS,
        )
        return self.scene(shown)

    def _glance(self, _name: str) -> tuple[float | None, tuple[Consumer, ...] | None]:
        """The traffic of the seeded canary, and who sends it."""
        now = self._session_now()
        return 41.3, (
            Consumer("station-planner", "10.20.4.17", 36_502, 201_114, now),
            Consumer("python-requests/2.32.3", "10.20.8.3", 668, 13_218, now - 41),
            Consumer("curl/8.5.0", "10.20.0.9", 3, 391, now - 700),
        )

    def deploy(self, *args: Any, **more: Any) -> Any:
        """Note what was asked for, and do it."""
        self.asked.append(("deploy", args, more))
        return super().deploy(*args, **more)

    def hold(self, *args: Any, **more: Any) -> Any:
        """Note what was asked for."""
        self.asked.append(("hold", args, more))
        return self.get(args[0]).deployment

    def weight(self, *args: Any, **more: Any) -> Any:
        """Note what was asked for."""
        self.asked.append(("weight", args, more))

    def disagreements(self, _name: str) -> DisagreementSummary:
        """Those of a shadow, always the same."""
        from tests.support.releases import DISAGREEMENTS

        return DISAGREEMENTS

    def rollback(
        self,
        name: str,
        to_version: int | None = None,
        reason: str = "",
        *,
        seen: int | None = None,
    ) -> Receipt:
        """Note that it was asked for, and answer with a receipt (or raise `error`)."""
        if self.error is not None:
            raise self.error
        self._session.refuse_when_read_only("endpoints rollback")
        self.rolled_back.append((name, to_version, reason))
        return Receipt(
            id="01krc00000000002",
            endpoint=name,
            actor=self._session.actor,
            reason=reason,
            from_model=name,
            from_version=3,
            to_model=name,
            to_version=2,
            requests_failed=0,
            in_flight=2,
            milliseconds=38.4,
            at=self._session_now(),
            deployment_id="01kd0000000000d3",
        )

    @staticmethod
    def _session_now() -> float:
        import time

        return time.time()


def with_live_endpoints(ops: Ops) -> LiveEndpoints:
    """Give `ops` endpoints that answer; returns the service to look at afterwards."""
    live = LiveEndpoints(ops.session, ops.workers)
    for version in ops.models.versions(PIPELINE):
        inputs = BIKE | ({"wind": "double"} if version.version == 3 else {})
        write_mlmodel(ops.workspace.state_dir / version.path, inputs)
    ops.endpoints = live
    ops.pulse = type(ops.pulse)(ops.session, live, ops.workers, ops.alerts)
    return live
