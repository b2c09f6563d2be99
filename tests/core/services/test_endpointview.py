"""What an endpoint's processes say is beside what the state has of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from core.domain.release import Endpoint
from core.services.endpointview import live
from core.serving.records import (
    CaptureStatus,
    EndpointState,
    EndpointStats,
    EndpointStatus,
    ServerStatus,
)


class Control:
    """An endpoint of three servers whose capture has lost some requests."""

    def info(self) -> Any:
        return SimpleNamespace(alive=True, host="127.0.0.1", port=1, pid=10, server_pid=11)

    def status(self, timeout: float) -> EndpointStatus:
        return EndpointStatus(
            "bike", "", EndpointState.SERVING, (), (), (), 10, 11, 5.0, 0, False, "", "",
            servers=tuple(ServerStatus(pid, 5.0, 0) for pid in (11, 12, 13)),
        )  # fmt: skip

    def analysis(self, timeout: float) -> None:
        return None

    def stats(self, timeout: float) -> EndpointStats:
        capture = CaptureStatus(
            written=100, dropped_full=1, dropped_disk=20, dropped_cap=300, last_error="disk full"
        )
        return EndpointStats((), 0, 0, capture)


def test_servers_and_what_the_capture_lost_are_told() -> None:
    endpoint = Endpoint("bike", "production", "in_service", "", 0, (), 0.0, 0.0)
    shown = live(endpoint, Control())  # type: ignore[arg-type]
    assert (shown.status, shown.servers) == ("in_service", 3)
    assert (shown.captured, shown.dropped, shown.dropped_cap) == (100, 321, 300)
    assert shown.capture_error == "disk full"
