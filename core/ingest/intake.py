"""An intake's process: one a name, with its lock, its spool and its way into the dataset."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import BadInput, NotFound, PortTaken
from core.ingest.errors import IntakeRunning
from core.ingest.flushing import Flusher, FlushPolicy, Keys
from core.ingest.intakehttp import Door, Limits
from core.ingest.records import Shape, schema_of
from core.ingest.spool import Spool
from core.ingest.writing import GroupWriter
from core.processes import started
from core.reads.datasets import find_dataset
from core.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

LOOPBACK = ("127.0.0.1", "::1", "localhost")
STOP_SECONDS = 60.0  # for the last flush


@dataclass(frozen=True)
class IntakeSettings:
    """How an intake is run. The token is never kept."""

    host: str = "127.0.0.1"
    port: int = 0
    evolve: bool = False
    flush: FlushPolicy = field(default_factory=FlushPolicy)
    limits: Limits = field(default_factory=Limits)
    token: str = ""


def intake_folder(session: Session, name: str) -> Path:
    """Where an intake's lock and spool are."""
    return session.workspace.state_dir / "intakes" / name


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the intake's lock, which goes with the process. Raises `IntakeRunning`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise IntakeRunning(
                f"intake {folder.name}: a process has it already", "see: opsdeck data intakes"
            ) from None
        yield
    finally:
        os.close(handle)


class IntakeProcess:
    """What an intake consists of, however its records come."""

    def __init__(self, session: Session, name: str, dataset: str, settings: IntakeSettings) -> None:
        """Opens the spool; what a dead process has left there is flushed too."""
        self.folder = intake_folder(session, name)
        self.name = name
        self.dataset = dataset
        self.settings = settings
        self.spool = Spool(self.folder / "spool")
        self.shape = Shape(_schema(session, dataset), evolve=settings.evolve)
        self.keys = Keys(self.folder / "keys")
        for segment in self.spool.ready():
            self._remember(segment.path)
        self.flusher = Flusher(
            session, name, dataset, self.spool, self.shape, self.keys, settings.flush
        )
        self.writer = GroupWriter(self.spool)
        self.flusher.start()

    def _remember(self, path: Path) -> None:
        from core.ingest.spool import frames_of

        for frame in frames_of(path):
            if frame.key:
                self.keys.add(frame.key)

    def close(self) -> bool:
        """Flush and end; False where records are left in the spool."""
        self.writer.close()
        return self.flusher.stop(STOP_SECONDS)

    def serve(self, ready: Callable[[str], None]) -> bool:
        """Answer HTTP until SIGTERM or SIGINT, then flush; `ready` is called with the address.

        Returns whether everything that was accepted is in the dataset. Raises `PortTaken`.
        """
        settings = self.settings
        listener = _listener(settings.host, settings.port)
        port = listener.getsockname()[1]
        shown = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = f"http://{shown}:{port}"
        door = Door(
            self.name,
            self.dataset,
            self.spool,
            self.writer,
            self.shape,
            self.keys,
            self.flusher,
            settings.limits,
            settings.flush.seconds,
            hashlib.sha256(settings.token.encode()).digest() if settings.token else b"",
        )
        note = self.folder / "process.json"
        pid = os.getpid()
        _replace(note, {"pid": pid, "started": started(pid), "url": url, "dataset": self.dataset})
        try:
            asyncio.run(_serve(door, listener, lambda: ready(url)))
        finally:
            note.unlink(missing_ok=True)
            done = self.close()
        return done


async def _serve(door: Door, listener: socket.socket, ready: Callable[[], None]) -> None:
    import uvicorn

    class Quiet(uvicorn.Server):
        """uvicorn, told by us when to leave."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            """None: see below."""
            yield

    config = uvicorn.Config(
        door,
        interface="asgi3",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
        limit_concurrency=2000,
        backlog=2048,
    )
    server = Quiet(config)
    loop = asyncio.get_running_loop()

    def leave() -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave)
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    if server.started:
        ready()
    await serving


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise PortTaken(
            f"{host}:{port}: {getattr(error, 'strerror', None) or error}", "give another --port"
        ) from error
    return listener


def _schema(session: Session, dataset: str) -> pa.Schema:
    """The dataset's columns, from the state's rows where they tell all."""
    try:
        found = find_dataset(session.reader, dataset)
    except NotFound as error:
        hint = f"make it first: opsdeck data create {dataset} --like FILE"
        raise NotFound(error.message, hint) from error
    schema = schema_of(found.columns)
    if schema is not None:
        return schema
    from core.lake import open_lake

    with open_lake(session) as lake:
        return lake.schema(dataset)


def check_address(host: str, token: str) -> None:
    """Raise `BadInput` where an intake would be open to others without a token."""
    if host not in LOOPBACK and not token:
        raise BadInput(
            f"--host {host}: others could write into the dataset",
            "set a token: --token-env NAME",
        )


def _replace(path: Path, document: dict[str, Any]) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(document), encoding="utf-8")
    beside.replace(path)
