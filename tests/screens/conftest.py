"""A seeded workspace at a frozen time, and the console on it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from console.app import OpsdeckApp
from core.ops import Ops, open_ops
from tests.support.driving import settled
from tests.support.live import LiveEndpoints, with_live_endpoints
from tests.support.seed import NOW, seed_workspace

Running = Callable[..., AbstractAsyncContextManager[Pilot[Any]]]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The seeded workspace, to be copied."""
    return seed_workspace(tmp_path_factory.mktemp("template"))


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stands still at the seed's time, in UTC, without an SSH session or a desktop."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr("core.services.workers.start_worker", lambda _workspace: None)
    for name in ("SSH_CONNECTION", "SSH_TTY", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def workspace(template: Path, tmp_path: Path) -> Path:
    """A seeded workspace of one's own."""
    import shutil

    path = tmp_path / "bike-demand"
    shutil.copytree(template, path)
    return path


@pytest.fixture
def ops(workspace: Path) -> Iterator[Ops]:
    """The facade, as `engineer`; only endpoints answer without their processes."""
    with open_ops(workspace, actor="engineer") as opened:
        with_live_endpoints(opened)
        yield opened


@pytest.fixture
def live(ops: Ops) -> LiveEndpoints:
    """The endpoints of `ops`."""
    assert isinstance(ops.endpoints, LiveEndpoints)
    return ops.endpoints


@pytest.fixture
def running(ops: Ops) -> Running:
    """`async with running(mode, size) as pilot`: the console, its first data shown."""

    @asynccontextmanager
    async def run(
        mode: str = "pulse", size: tuple[int, int] = (120, 40), on: Ops | None = None
    ) -> AsyncIterator[Pilot[Any]]:
        app = OpsdeckApp(on or ops, start_mode=mode, clock=lambda: NOW)
        async with app.run_test(size=size) as pilot:
            await settled(pilot)
            try:
                yield pilot
            finally:
                app.stop_reading()
                await pilot.pause()

    return run


@pytest.fixture(scope="session")
def data_template(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The seeded workspace with the rows of a lake, to be copied."""
    import shutil

    from tests.support.dataseed import seed_data

    path = tmp_path_factory.mktemp("data") / "bike-demand"
    shutil.copytree(template, path)
    return seed_data(path)


@pytest.fixture
def lake_ops(data_template: Path, tmp_path: Path) -> Iterator[Ops]:
    """The facade of a workspace with the rows of a lake, as `engineer`."""
    import shutil

    path = tmp_path / "lake" / "bike-demand"
    shutil.copytree(data_template, path)
    with open_ops(path, actor="engineer") as opened:
        with_live_endpoints(opened)
        yield opened
