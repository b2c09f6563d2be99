"""A small workspace on either database, and an address that remembers what it was sent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from core.alerting import keeper as keeper_module
from core.alerting.keeper import Keeper
from core.ops import Ops, open_ops
from tests.support.opened import database_url, open_as, ops, woken

__all__ = ["database_url", "open_as", "ops", "woken"]


@dataclass
class Mailbox:
    """A real HTTP server. `answer` is its status; it waits `delay` seconds before it answers."""

    port: int = 0
    answer: int = 200
    delay: float = 0.0
    got: list[dict[str, Any]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/alerts"

    def titles(self) -> list[str]:
        return [message["title"] for message in self.got]


@pytest.fixture
def make_mailbox() -> Iterator[Callable[[], Mailbox]]:
    """Addresses, each with a server of its own."""
    servers: list[tuple[ThreadingHTTPServer, Mailbox]] = []

    def make() -> Mailbox:
        box = Mailbox()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                box.closing.wait(box.delay)
                if box.answer == 200:
                    box.got.append(body)
                self.send_response(box.answer)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        box.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append((server, box))
        return box

    yield make
    for server, box in servers:
        box.closing.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def mailbox(make_mailbox: Callable[[], Mailbox]) -> Mailbox:
    """One address."""
    return make_mailbox()


@dataclass
class Duty:
    """A worker's part for alerts, ticked by the test."""

    ops: Ops
    keeper: Keeper

    def until(self, done: Callable[[], object], seconds: float = 20.0) -> None:
        """Tick until it is done."""
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, "not in time"
            self.keeper.tick()
            time.sleep(0.02)
        self.settle()

    def settle(self, seconds: float = 20.0) -> None:
        """Tick until nothing is under way."""
        deadline = time.monotonic() + seconds
        for _ in range(2):
            self.keeper.tick()
            while not self.keeper.idle():
                assert time.monotonic() < deadline, "still sending"
                time.sleep(0.01)


@pytest.fixture
def on_duty(open_as: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Duty]]:
    """Give the workspace a section `alerts:` and somebody who looks after it."""
    monkeypatch.setattr(keeper_module, "LOOK_SECONDS", 0.0)
    opened: list[Ops] = []

    def begin(section: str) -> Duty:
        root = open_as("author").workspace.root
        file = root / "opsdeck.yaml"
        file.write_text(file.read_text().split("alerts:")[0] + "alerts:\n" + section)
        ops = open_ops(root, actor="engineer")
        system = open_ops(root, actor="opsdeck")
        opened.extend((ops, system))
        return Duty(ops, Keeper(system.session, "worker-1"))

    yield begin
    for each in opened:
        each.close()
