"""The console on an account of a few fixed kinds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from console.app import OpsdeckApp
from core.aws import kinds, registry
from core.aws.account import Account
from core.aws.kinds import Place
from screens.aws.backend import AwsBackend
from tests.support import awskinds
from tests.support.driving import settled
from tests.support.seed import NOW

OnAws = Callable[..., AbstractAsyncContextManager[Pilot[Any]]]
UseKinds = Callable[[dict[str, Place]], None]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration folder of one's own, and no profile."""
    monkeypatch.setenv("OPSDECK_CONFIG_DIR", str(tmp_path / "config"))
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    for name in ("AWS_PROFILE", "OPSDECK_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "config"


@pytest.fixture
def use_kinds() -> Iterator[UseKinds]:
    """Have these kinds and no others for the test."""
    before = dict(kinds.KINDS)

    def use(places: dict[str, Place]) -> None:
        kinds.KINDS.clear()
        kinds.KINDS.update(places)
        registry.kind.cache_clear()

    yield use
    use(before)


@pytest.fixture
def fixed_kinds(use_kinds: UseKinds) -> None:
    """The kinds of tests.support.awskinds; nothing has been done yet."""
    use_kinds(awskinds.PLACES)
    awskinds.done.clear()


@pytest.fixture
def on_aws(config: Path) -> OnAws:
    """`async with on_aws(account, mode, size) as pilot`: the console, its first data shown."""

    @asynccontextmanager
    async def run(
        account: Account, mode: str = "pulse", size: tuple[int, int] = (120, 40)
    ) -> AsyncIterator[Pilot[Any]]:
        app = OpsdeckApp(AwsBackend(account), start_mode=mode, clock=lambda: NOW)
        async with app.run_test(size=size) as pilot:
            await settled(pilot)
            try:
                yield pilot
            finally:
                app.stop_reading()
                await pilot.pause()

    return run
