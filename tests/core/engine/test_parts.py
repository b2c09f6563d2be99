"""Slots, bells, log writers, the outbox and the warm server's end by themselves."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from core.engine import slots as slots_module
from core.engine import warm as warm_module
from core.engine.bell import Bell
from core.engine.context import Engine
from core.engine.execution import Execution, Order
from core.engine.logfiles import parse_line
from core.engine.logwriter import MAX_BYTES, MAX_LINE, TAIL_BYTES, LogWriter
from core.engine.slots import Slots
from core.engine.warm import StepProcess, WarmServer
from core.errors import WorkerUnavailable
from core.session import Session
from core.workspace import open_workspace


def never() -> bool:
    return False


def test_a_promise_keeps_a_slot_and_is_called_in_once() -> None:
    slots = Slots(2)
    assert slots.promise("a")
    assert slots.promise("b")
    assert not slots.promise("c")
    assert not slots.free
    with slots.held("a", never):
        assert not slots.promise("c")
    assert slots.promise("c")


def test_a_promise_that_is_withdrawn_or_lapses_gives_its_slot_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slots = Slots(1)
    assert slots.promise("a")
    slots.withdraw("a")
    assert slots.free
    assert slots.promise("b")
    monkeypatch.setattr(slots_module, "_PROMISE_SECONDS", 0.0)
    assert slots.promise("c")


def test_who_comes_without_a_promise_waits_and_no_more_enter_than_there_are_slots() -> None:
    slots, inside, most = Slots(3), [0], [0]
    lock = threading.Lock()

    def work(key: str) -> None:
        with slots.held(key, never):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0.01)
            with lock:
                inside[0] -= 1

    threads = [threading.Thread(target=work, args=(str(i),)) for i in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most[0] == 3
    assert slots.free


def test_who_was_cancelled_does_not_wait() -> None:
    slots = Slots(1)
    with slots.held("a", never):
        begun = time.monotonic()
        with slots.held("b", lambda: True):
            pass
        assert time.monotonic() - begun < 1


def test_a_ring_reaches_everybody_who_listens_and_nobody_else() -> None:
    bell = Bell()
    with bell.listening("a", "b") as both, bell.listening("b") as one, bell.listening("c") as other:
        bell.ring("b")
        assert both.is_set()
        assert one.is_set()
        assert not other.is_set()
    bell.ring("b")  # nobody is left
    assert not bell._waiting


def test_a_log_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "runs" / "s.log", 2)
    lines = 40_000
    for start in range(0, lines, 1000):
        block = "".join(f"{n:07} {'x' * 992}\n" for n in range(start, start + 1000))
        log.feed("out", block.encode())
    log.close()
    path = tmp_path / "runs" / "s.log"
    assert path.stat().st_size < MAX_BYTES + TAIL_BYTES + 1000
    texts = [parse_line(raw, "s").text for raw in path.read_bytes().splitlines(keepends=True)]
    assert texts[0].startswith("0000000 ")
    assert texts[-1].startswith(f"{lines - 1:07} ")
    (gap,) = [i for i, text in enumerate(texts) if "left out" in text]
    left_out = int(texts[gap].split()[1].replace(",", ""))
    assert len(texts) - 1 + left_out == lines


def test_a_log_on_a_full_disk_says_so_and_goes_on(tmp_path: Path) -> None:
    full = tmp_path / "s.log"
    full.symlink_to("/dev/full")
    log = LogWriter(full, 1)
    log.feed("out", b"text\n")
    log.close()
    assert log.failed == "the log could not be written: No space left on device"


def test_a_log_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where a folder should be")
    log = LogWriter(tmp_path / "runs" / "s.log", 1)
    log.say("nothing")
    log.close()
    assert log.failed


def test_streams_do_not_mix_and_long_lines_are_cut(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "s.log", 1)
    log.feed("out", b"half ")
    log.feed("err", b"whole\n")
    log.feed("out", b"line\n" + b"z" * (MAX_LINE + 5))
    log.close()
    lines = [parse_line(raw, "s") for raw in (tmp_path / "s.log").read_bytes().splitlines()]
    assert [(line.stream, line.text[:9]) for line in lines] == [
        ("err", "whole"),
        ("out", "half line"),
        ("out", "z" * 9),
        ("out", "z" * 5),
    ]


# --- the outbox --------------------------------------------------------------------------


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A session on an empty state."""
    (tmp_path / "opsdeck.yaml").write_text("name: parts\n")
    opened = Session(open_workspace(tmp_path), "ada", read_only=False)
    opened.store()
    yield opened
    opened.close()


def test_what_mlflow_holds_back_is_in_nobodys_way(session: Session) -> None:
    from core.engine.dispatcher import Dispatcher

    with session.change("test") as tx:
        for number in range(60):
            tx.outbox("mirror", f"model-{number}")
            tx.outbox("step.start", f"run:1:{number}")
        tx.outbox("run.start", "a-run", generation=1)
        tx.outbox("run.cancel", "a-run")
    dispatcher = Dispatcher(cast(Engine, SimpleNamespace(session=session)))
    assert [row["kind"] for row in dispatcher._messages(slow=False)] == ["run.start", "run.cancel"]
    assert {row["kind"] for row in dispatcher._messages(slow=True)} == {"mirror"}


# --- the warm server and what it starts --------------------------------------------------


class Refusing:
    """A warm server that starts nothing, or something that ends after its watcher left."""

    def __init__(self) -> None:
        self.on_exit: list[Callable[[], None]] = []

    def start(
        self, name: str, request: Path, fds: tuple[int, int, int], on_exit: Callable[[], None]
    ) -> StepProcess:
        self.on_exit.append(on_exit)
        raise WorkerUnavailable("the warm server has ended")


def order(folder: Path, name: str) -> Order:
    return Order(name, {}, folder / name, folder / f"{name}.log", 1, 10.0)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_step_that_cannot_start_leaves_no_descriptor_open(tmp_path: Path) -> None:
    warm = cast(WarmServer, Refusing())
    (tmp_path / "file").write_text("a file where a folder should be")
    before = open_descriptors()
    for number in range(5):
        with pytest.raises(WorkerUnavailable):
            Execution(warm, order(tmp_path, str(number)), never).run(lambda pid: None)
        with pytest.raises(OSError, match="Not a directory"):
            Execution(warm, order(tmp_path / "file", "x"), never).run(lambda pid: None)
    assert open_descriptors() == before


def test_an_end_that_comes_late_writes_into_nobodys_descriptor(tmp_path: Path) -> None:
    warm = Refusing()
    with pytest.raises(WorkerUnavailable):
        Execution(cast(WarmServer, warm), order(tmp_path, "a"), never).run(lambda pid: None)
    pipes = [os.pipe() for _ in range(8)]  # the same numbers again
    try:
        warm.on_exit[0]()
        ready, _, _ = select.select([read for read, _ in pipes], [], [], 0)
        assert ready == []
    finally:
        for fd in (fd for pair in pipes for fd in pair):
            os.close(fd)


def test_a_process_that_is_reported_too_late_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = socket.socketpair()

    def boot(self: WarmServer) -> None:
        self._sock, self._ready = ours, True
        done = SimpleNamespace(wait=lambda: self.__dict__.update(_closed=True))
        threading.Thread(target=self._read, args=(ours, done), daemon=True).start()

    monkeypatch.setattr(WarmServer, "_boot", boot)
    monkeypatch.setattr(warm_module, "START_SECONDS", 0.3)
    warm = WarmServer(tmp_path / "log", "nobody-at-all")
    with pytest.raises(WorkerUnavailable, match="no answer"):
        warm.start("late", tmp_path / "request", (0, 1, 2), lambda: None)
    sleeper = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        theirs.sendall(json.dumps({"started": "late", "pid": sleeper.pid}).encode() + b"\n")
        assert sleeper.wait(10) == -signal.SIGKILL
        assert warm._replies == {}
    finally:
        sleeper.kill()
        sleeper.wait()
        theirs.close()


def test_one_request_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()

    def boot(self: WarmServer) -> None:
        self._sock, self._ready = ours, True
        done = SimpleNamespace(wait=lambda: self.__dict__.update(_closed=True))
        threading.Thread(target=self._read, args=(ours, done), daemon=True).start()

    monkeypatch.setattr(WarmServer, "_boot", boot)
    warm = WarmServer(tmp_path / "log", "nobody-at-all")
    threads = [
        threading.Thread(target=warm.start, args=(name, tmp_path, (0, 1, 2), lambda: None))
        for name in "abc"
    ]
    for thread in threads:
        thread.start()
    theirs.settimeout(10)
    for _ in threads:
        time.sleep(0.1)
        data, fds, _, _ = socket.recv_fds(theirs, 65536, 9)
        for fd in fds:
            os.close(fd)
        asked = json.loads(data)  # and not two of them
        assert len(fds) == 3
        assert not select.select([theirs], [], [], 0.1)[0], "the next one waits for the answer"
        theirs.sendall(json.dumps({"started": asked["start"], "pid": 0}).encode() + b"\n")
    for thread in threads:
        thread.join(10)
    theirs.close()


class Servers:
    """Stands in for the processes of warm servers: one socket each, and a death at will."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.theirs: list[socket.socket] = []
        self.noticed = threading.Event()
        servers = self

        def boot(warm: WarmServer) -> None:
            ours, theirs = socket.socketpair()
            servers.theirs.append(theirs)
            warm._sock, warm._ready = ours, True
            done = SimpleNamespace(wait=lambda: servers.noticed.wait(10))
            threading.Thread(target=warm._read, args=(ours, done), daemon=True).start()
            warm._changed.notify_all()

        monkeypatch.setattr(WarmServer, "_boot", boot)
        monkeypatch.setattr(warm_module, "kill_below_warm_server", lambda owner: 0)

    def answer(self, number: int, pid: int) -> None:
        """The first request to the server of this number is done."""
        theirs = self.theirs[number]
        theirs.settimeout(10)
        data, fds, _, _ = socket.recv_fds(theirs, 65536, 3)
        for fd in fds:
            os.close(fd)
        started = {"started": json.loads(data)["start"], "pid": pid}
        theirs.sendall(json.dumps(started).encode() + b"\n")


@pytest.mark.parametrize("when", ["before it was asked", "before it answered"])
def test_who_asks_a_server_that_dies_gets_the_process_from_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Nobody has noticed the death yet when the request comes: the server still looks ready."""
    servers = Servers(monkeypatch)
    warm = WarmServer(tmp_path / "log", "nobody-at-all")
    first = servers.theirs[0]
    found: list[StepProcess | Exception] = []

    def ask() -> None:
        try:
            found.append(warm.start("a", tmp_path, (0, 1, 2), lambda: None))
        except WorkerUnavailable as error:
            found.append(error)

    if when == "before it was asked":
        first.shutdown(socket.SHUT_RD)
    thread = threading.Thread(target=ask)
    thread.start()
    if when == "before it answered":
        first.settimeout(10)
        for fd in socket.recv_fds(first, 65536, 3)[1]:
            os.close(fd)
    time.sleep(0.2)
    first.close()
    time.sleep(0.2)
    assert found == []
    servers.noticed.set()
    deadline = time.monotonic() + 10
    while len(servers.theirs) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    servers.answer(1, 4711)
    thread.join(10)
    warm._closed = True
    servers.theirs[1].close()
    assert [getattr(each, "pid", each) for each in found] == [4711]


# --- waiting -----------------------------------------------------------------------------


def test_a_deployment_is_waited_for_by_its_bell() -> None:
    from core.engine.waiting import await_deployment

    looks: list[str] = []
    now = ["paused"]

    def rows(sql: str, **params: str) -> list[dict[str, str]]:
        looks.append(now[0])
        return [{"status": now[0]}]

    bell, found = Bell(), []
    engine = SimpleNamespace(
        bell=bell,
        workspace=SimpleNamespace(embedded=True),
        session=SimpleNamespace(reader=SimpleNamespace(rows=rows)),
        insist=lambda work: work(),
        hold_if_stopping=lambda: None,
    )
    thread = threading.Thread(
        target=lambda: found.append(await_deployment(cast(Engine, engine), "d"))
    )
    thread.start()
    time.sleep(1)
    now[0] = "succeeded"
    bell.ring("deployment:d")
    thread.join(2)
    assert found == ["succeeded"]
    assert looks == ["paused", "succeeded"]
