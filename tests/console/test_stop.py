"""`opsdeck stop`: what hangs is ended as well, and what does not end is named."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from core.processes import started
from core.serving.control import EndpointControl
from tests.console.conftest import Cli


def test_an_endpoint_that_hangs_is_stopped_as_well(seeded: Path, cli: Cli) -> None:
    (row,) = cli("endpoints", "list", "--json").json()["endpoints"]
    control = EndpointControl(seeded / ".opsdeck" / "endpoints" / row["name"])
    info = control.ensure_running(row["name"])
    assert info.pid is not None and info.server_pid is not None
    os.kill(info.server_pid, signal.SIGSTOP)
    done = cli("stop", "--json")
    assert (done.status, done.json()["endpoints"]) == (0, [row["name"]])
    assert started(info.pid) is None and started(info.server_pid) is None


def test_what_does_not_stop_is_named(
    seeded: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = cli("endpoints", "list", "--json").json()["endpoints"]
    control = EndpointControl(seeded / ".opsdeck" / "endpoints" / row["name"])
    info = control.ensure_running(row["name"])
    assert info.pid is not None
    real = EndpointControl.stop
    monkeypatch.setattr(EndpointControl, "stop", lambda self: real(self, timeout=1.0))
    os.kill(info.pid, signal.SIGSTOP)
    try:
        done = cli("stop")
        assert done.status == 1
        assert f"not stopped: {row['name']}: E320" in done.out
        assert str(info.pid) in done.out, "it says which process to end"
    finally:
        os.kill(info.pid, signal.SIGCONT)
        real(control)
