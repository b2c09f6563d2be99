"""What the worker does for monitors, without a worker."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.engine.context import Engine
from core.engine.monitorduty import MonitorDuty
from core.errors import ServiceUnavailable
from core.monitors.errors import MonitorsInvalid
from tests.support.opened import open_as, ops, woken
from tests.support.watched import NOON, Watched, counting, watched

__all__ = ["counting", "open_as", "ops", "watched", "woken"]


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """One database is enough for this."""
    return f"sqlite:///{tmp_path / 'state.db'}"


class Aside:
    """Asks in this process; a monitor named here does not answer."""

    def __init__(self, ops: Any, silent: str = "") -> None:
        self._ops, self._silent = ops, silent
        self.limits: list[float] = []

    def ask(self, service: str, method: str, name: str, *, seconds: float) -> Any:
        self.limits.append(seconds)
        if name == self._silent:
            raise ServiceUnavailable(f"{service} {method}: the process that worked on it has died")
        return getattr(getattr(self._ops, service), method)(name)

    def close(self) -> None: ...


def duty_of(watched: Watched, silent: str = "") -> tuple[MonitorDuty, Aside]:
    engine = SimpleNamespace(
        session=watched.ops.session, workspace=watched.ops.workspace, stopping=threading.Event()
    )
    duty = MonitorDuty(cast(Engine, engine))
    aside = Aside(watched.ops, silent)
    duty._aside = cast(Any, aside)
    return duty, aside


def test_files_are_taken_over_and_what_is_due_is_run(watched: Watched) -> None:
    watched.define("one")
    watched.define("two", timeout="2m")
    watched.ask(10)
    duty, aside = duty_of(watched)
    duty.turn()
    assert watched.runs("one") == watched.runs("two") == [("ok", 10, 1)]
    assert sorted(aside.limits) == [300.0, 1260.0], "two of its time limits, and a minute"
    duty.turn()
    assert len(aside.limits) == 2, "nothing is new"
    watched.ask(10, first=10, at=NOON + 20)
    duty.turn()
    assert len(aside.limits) == 4


def test_a_process_that_had_to_be_ended_is_on_record_and_holds_up_nobody(watched: Watched) -> None:
    watched.define("bad")
    watched.define("good")
    watched.ask(10)
    duty, _ = duty_of(watched, silent="bad")
    duty.turn()
    assert watched.runs("good") == [("ok", 10, 1)]
    found = watched.ops.monitors.get("bad")
    assert found.state == "failed"
    assert found.reason.startswith("its process was ended")


def test_one_that_cannot_be_read_any_more_holds_up_nobody(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.define("bad")
    watched.define("good")
    watched.ask(10)
    duty, _ = duty_of(watched)
    timeout = MonitorDuty._timeout

    def fails(duty: MonitorDuty, name: str) -> float:
        if name == "bad":
            raise MonitorsInvalid("monitor bad: its kind is gone")
        return timeout(duty, name)

    monkeypatch.setattr(MonitorDuty, "_timeout", fails)
    duty.turn()
    assert watched.runs("good") == [("ok", 10, 1)]


def test_what_breaks_while_looking_is_on_record(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.define("bad")
    watched.ask(10)

    def breaks(*_: Any) -> Any:
        raise KeyError("axis")

    monkeypatch.setattr("core.monitors.captured.CapturedSource.due", breaks)
    duty, _ = duty_of(watched)
    duty.turn()
    found = watched.ops.monitors.get("bad")
    assert (found.state, found.reason) == ("failed", "KeyError: 'axis'")
    assert found.backoff_until is not None
