"""Batching, counting, capturing, remembering: the parts of a server by themselves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.errors import (
    BadInput,
    EndpointUnavailable,
    NotFound,
    OpsdeckError,
    StateCorrupt,
    WrongState,
)
from core.processes import is_alive, started
from core.serving import EndpointControl, EndpointStatus, Flavour, LoadReport, Parity, Variant, wire
from core.serving.config import EndpointConfig
from core.serving.folder import EndpointFolder
from core.serving.model.batch import Batcher
from core.serving.model.schema import Signature
from core.serving.process.capture import Capture, Captured
from core.serving.process.traffic import RevisionTraffic, percentile_ms
from core.serving.routing import RoutingTable
from core.serving.supervision.desired import CrashCount, Desired


class Halves:
    """An engine that halves numbers, refuses odd ones, and notes the batches it got."""

    flavour = Flavour.NATIVE_ARRAY
    batches = True
    signature = Signature()

    def __init__(self, seconds: float) -> None:
        self.seen: list[int] = []
        self._seconds = seconds

    def prepare(self, body: bytes, content_type: str) -> Any:
        return int(body)

    def answer(self, inputs: Sequence[Any]) -> list[Any]:
        self.seen.append(len(inputs))
        time.sleep(self._seconds)
        if any(number % 2 for number in inputs):
            raise ValueError("odd")
        return [number // 2 for number in inputs]

    def describe(self, inputs: Any, body: bytes = b"", content_type: str = "") -> Any:
        return inputs


@pytest.mark.parametrize("seconds", [0.0, 0.005])
async def test_what_arrives_together_is_answered_together_and_fails_alone(seconds: float) -> None:
    engine = Halves(seconds)
    batcher = Batcher(engine)
    numbers = [2, 4, 5, 6, 7, 8]
    found = await asyncio.gather(*map(batcher.answer, numbers), return_exceptions=True)
    for number, result in zip(numbers, found, strict=True):
        if number % 2:
            assert isinstance(result, ValueError)
        else:
            assert result == number // 2
    assert engine.seen[0] == len(numbers)
    batches = len(engine.seen)
    assert await batcher.answer(10) == 5
    assert len(engine.seen) == batches + 1
    batcher.close()


async def test_a_batch_gathers_while_the_model_is_busy_and_answers_stay_apart() -> None:
    engine = Halves(0.01)
    batcher = Batcher(engine)

    async def later(number: int) -> int:
        await asyncio.sleep(number / 10_000)
        answer: int = await batcher.answer(number * 2)
        return answer

    assert await asyncio.gather(*map(later, range(200))) == list(range(200))
    assert len(engine.seen) < 60
    batcher.close()


async def test_a_client_that_left_stops_nobody() -> None:
    batcher = Batcher(Halves(0.01))
    gone = asyncio.ensure_future(batcher.answer(2))
    stays = asyncio.ensure_future(batcher.answer(4))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == 2
    assert await batcher.answer(6) == 3
    batcher.close()


@settings(deadline=None)
@given(st.lists(st.floats(1e-5, 30), min_size=1, max_size=200))
def test_percentiles_are_within_four_percent(seconds: list[float]) -> None:
    traffic = RevisionTraffic(1)
    for value in seconds:
        traffic.record(200, value)
    stats = traffic.stats()
    ordered = sorted(seconds)
    for share, found in ((0.5, stats.p50_ms), (0.99, stats.p99_ms)):
        rank = max(0, int(np.ceil(share * len(ordered))) - 1)
        assert found == pytest.approx(ordered[rank] * 1000, rel=0.04)


def test_counts() -> None:
    traffic = RevisionTraffic(3)
    for status in (200, 200, 400, 500, 499):
        traffic.record(status, 0.002)
    stats = traffic.stats()
    assert (stats.requests, stats.errors, stats.rejected) == (5, 1, 2)
    assert (stats.recent_requests, stats.recent_errors) == (5, 1)
    assert percentile_ms({}, 0.5) is None


def captured(number: int, at: float = 1_760_000_000.0) -> Captured:
    return Captured(f"id-{number}", at, 1 + number % 2, 200, 1.5, lambda: {"n": number}, [number])


def test_capture_writes_partitioned_parquet(tmp_path: Path) -> None:
    import pyarrow.dataset as ds

    capture = Capture(tmp_path)
    for number in range(10):
        capture.add(captured(number))
    capture.add(captured(10, at=1_760_000_000.0 + 86_400))
    capture.close()
    assert capture.status().written == 11
    days = sorted(path.name for path in tmp_path.iterdir())
    assert days == ["date=2025-10-09", "date=2025-10-10"]
    assert not list(tmp_path.rglob("*.tmp"))
    table = ds.dataset(tmp_path, partitioning="hive").to_table().to_pylist()
    found = {row["inference_id"]: row for row in table}
    assert json.loads(found["id-3"]["inputs"]) == {"n": 3}
    assert json.loads(found["id-3"]["outputs"]) == [3]
    assert (found["id-3"]["variant"], found["id-3"]["revision"]) == ("r2", 2)


def test_a_full_queue_drops_and_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.serving.process.capture.MAX_QUEUE", 5)
    capture = Capture(tmp_path)
    for number in range(8):
        capture.add(captured(number))
    assert capture.status().dropped_full == 3
    capture.close()
    assert capture.status().written == 5


def test_a_folder_that_refuses_is_counted(tmp_path: Path) -> None:
    (tmp_path / "date=2025-10-09").write_text("in the way")
    capture = Capture(tmp_path)
    capture.add(captured(1))
    capture.close()
    status = capture.status()
    assert (status.dropped_disk, status.written) == (1, 0)
    assert "date=2025-10-09" in status.last_error


def test_captured_requests_can_be_sent_again(
    endpoint: EndpointControl, split: Callable[..., bytes]
) -> None:
    import pyarrow.parquet as pq

    identity = f"again-{time.time_ns()}"
    headers = {"X-Amzn-SageMaker-Inference-Id": identity}
    first = endpoint.invoke(split([8, 0.5, 0.25], [9, None, 0.5]), headers=headers)
    deadline = time.monotonic() + 20
    rows: list[dict[str, Any]] = []
    while not rows and time.monotonic() < deadline:
        time.sleep(0.2)
        for part in endpoint.folder.capture.rglob("part-*.parquet"):
            table = pq.ParquetFile(part).read().to_pylist()
            rows += [row for row in table if row["inference_id"] == identity]
    (row,) = rows
    assert (row["status"], row["revision"]) == (200, 1)
    assert json.loads(row["outputs"]) == json.loads(first.body)["predictions"]
    assert endpoint.invoke(row["inputs"].encode()).body == first.body


def test_the_capture_rate_can_be_changed(endpoint: EndpointControl) -> None:
    assert endpoint.set_capture(0.0).rate == 0.0
    with pytest.raises(BadInput):
        endpoint.set_capture(2.0)
    assert endpoint.set_capture(1.0).rate == 1.0


def report(revision: int) -> LoadReport:
    return LoadReport(revision, "m", 1, f"/m/{revision}", Flavour.PYFUNC, Parity.UNTESTED, "", 1.0)


class Remembering(RuleBasedStateMachine):
    """Whatever is asked for, the desired state is loadable, and survives the file."""

    def __init__(self) -> None:
        super().__init__()
        self.desired = Desired()

    @rule(revision=st.integers(1, 4))
    def load(self, revision: int) -> None:
        self.desired.loads[revision] = report(revision)

    @rule(revision=st.integers(1, 4), weight=st.integers(0, 100), healthy=st.booleans())
    def route(self, revision: int, weight: int, healthy: bool) -> None:
        variants = [Variant(revision, weight), Variant(revision + 1, 100 - weight)]
        before = self.desired.to_json()
        try:
            self.desired.route(RoutingTable.of(variants), "why", healthy)
        except NotFound:
            assert self.desired.to_json() == before

    @rule(revision=st.integers(1, 4))
    def unload(self, revision: int) -> None:
        with contextlib.suppress(NotFound, WrongState):
            self.desired.unload(revision)

    @rule()
    def pin(self) -> None:
        if self.desired.pin():
            assert self.desired.table == self.desired.good
            assert not self.desired.pin(), "pinning is not tried twice"

    @invariant()
    def what_is_routed_is_loaded(self) -> None:
        assert all(v.revision in self.desired.loads for v in self.desired.table.variants)

    @invariant()
    def it_survives_the_file(self) -> None:
        text = json.dumps(self.desired.to_json())
        assert Desired.from_json(json.loads(text)) == self.desired


TestRemembering = Remembering.TestCase
TestRemembering.settings = settings(max_examples=50, deadline=None)


def test_a_crash_loop_is_five_in_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("core.serving.supervision.desired.time.monotonic", lambda: now[0])
    crashes = CrashCount()
    waits = []
    for _ in range(5):
        assert not crashes.looping
        crashes.add()
        waits.append(crashes.back_off)
    assert crashes.looping
    assert waits == [0.0, 0.5, 1.0, 2.0, 2.0]
    now[0] += 61
    assert (crashes.count, crashes.back_off) == (0, 0.0)


def test_settings_changed_by_several_at_once_are_all_there(tmp_path: Path) -> None:
    control = EndpointControl(tmp_path / "bike")

    def more(name: str) -> None:
        def one_more(before: EndpointConfig) -> EndpointConfig:
            time.sleep(0.001)  # long enough for somebody else to read the same
            return replace(before, **{name: getattr(before, name) + 1})

        for _ in range(20):
            control.reconfigure(one_more)

    names = ("max_body", "max_concurrency", "max_connections")
    threads = [threading.Thread(target=more, args=(name,)) for name in (*names, "max_body")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    usual, found = EndpointConfig(), control.config()
    assert found.max_body == usual.max_body + 40
    assert found.max_concurrency == usual.max_concurrency + 20
    assert found.max_connections == usual.max_connections + 20
    with pytest.raises(BadInput):
        control.reconfigure(lambda before: replace(before, max_body=0))
    assert control.config() == found


def test_errors_keep_their_class_over_the_wire() -> None:
    with pytest.raises(NotFound, match="no such") as caught:
        wire.unwrap(json.loads(wire.encode(wire.failure(NotFound("no such", "look")))))
    assert caught.value.hint == "look"
    with pytest.raises(OpsdeckError):
        wire.unwrap({"ok": False, "error": {"code": "E999", "message": "from the future"}})
    with pytest.raises(EndpointUnavailable):
        wire.ask("/nowhere/control.sock", {"op": "status"}, 1)


def test_records_ignore_what_a_newer_version_adds(endpoint: EndpointControl) -> None:
    from dataclasses import asdict

    status = endpoint.status()
    assert EndpointStatus.from_json({**asdict(status), "new": 1}) == status


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    control = EndpointControl(tmp_path)
    for text in ("{", "[]", "{}"):
        control.folder.file.write_text(text)
        with pytest.raises(StateCorrupt, match=r"endpoint\.json"):
            control.info()


def test_only_one_holds_the_lock(tmp_path: Path) -> None:
    import os

    folder = EndpointFolder(tmp_path)
    first = folder.acquire()
    assert first is not None
    assert folder.acquire() is None
    os.close(first)
    again = folder.acquire()
    assert again is not None
    os.close(again)
    mine = started(os.getpid())
    assert is_alive(os.getpid(), mine)
    assert not is_alive(os.getpid(), "1")
    assert not is_alive(None, None)


def test_the_client_is_light() -> None:
    import subprocess
    import sys

    code = "import sys, core.serving; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    loaded = set(done.stdout.split())
    heavy = {"numpy", "pandas", "mlflow", "uvicorn", "starlette", "orjson", "asyncio", "httpx"}
    assert not loaded & heavy


async def test_too_many_at_once_are_shed_with_a_429_and_ping_still_answers(tmp_path: Path) -> None:
    import httpx

    from core.serving.http.app import build
    from core.serving.process.service import Loaded, Service

    service = Service("bike", tmp_path, EndpointConfig(max_body=100, max_concurrency=2))
    service.loaded[1] = Loaded(Batcher(Halves(0.05)), report(1))
    service.swap([Variant(1, 100)])
    transport = httpx.ASGITransport(build(service))
    async with httpx.AsyncClient(transport=transport, base_url="http://bike") as client:

        async def ask(number: int) -> httpx.Response:
            return await client.post("/invocations", content=str(number))

        replies = await asyncio.gather(*(ask(2 * number) for number in range(5)))
        statuses = [reply.status_code for reply in replies]
        assert statuses == [200, 200, 429, 429, 429]
        assert replies[2].headers["retry-after"] == "1"
        assert replies[2].json()["error"]["code"] == "overloaded"
        assert (await client.get("/ping")).status_code == 200
        assert (await ask(4)).json() == {"predictions": 2}
        assert (await client.post("/invocations", content="9" * 101)).status_code == 413
        failed = await ask(3)
        assert (failed.status_code, failed.json()["error"]["code"]) == (500, "internal")
    assert service.stats().shed == 3
    assert service.in_flight == service.epoch.in_flight == 0
    assert service.ledger.failed == 1
    service.capture.close()
    service.loaded[1].batcher.close()


async def test_what_is_unloaded_answers_the_request_that_is_still_being_received(
    tmp_path: Path,
) -> None:
    import httpx

    from core.serving.http.app import build
    from core.serving.process.service import Loaded, Service

    service = Service("bike", tmp_path, EndpointConfig(max_body=100))
    service.loaded[1] = Loaded(Batcher(Halves(0.01)), report(1))
    service.swap([Variant(1, 100)])
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def upload() -> AsyncIterator[bytes]:
        yield b"1"
        begun.set()
        await go_on.wait()
        yield b"0"

    transport = httpx.ASGITransport(build(service))
    async with httpx.AsyncClient(transport=transport, base_url="http://bike") as client:
        asked = asyncio.ensure_future(client.post("/invocations", content=upload()))
        await begun.wait()
        await asyncio.sleep(0)
        service.swap([])
        service.unload(1)
        go_on.set()
        assert (await asyncio.wait_for(asked, 5)).json() == {"predictions": 5}
    service.capture.close()


def test_the_capture_stays_below_its_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def size() -> int:
        return sum(part.stat().st_size for part in tmp_path.rglob("*.parquet"))

    def days() -> list[str]:
        return sorted(path.name for path in tmp_path.iterdir())

    for day in range(3):
        capture = Capture(tmp_path)
        capture.add(captured(2, at=1_760_000_000.0 + day * 86_400))
        capture.close()
    one = size() // 3
    monkeypatch.setattr("core.serving.process.capture.MAX_BYTES", int(2.5 * one))
    capture = Capture(tmp_path)
    capture.add(captured(2, at=1_760_000_000.0 + 3 * 86_400))
    capture.close()
    assert days() == ["date=2025-10-11", "date=2025-10-12"], "the oldest days go first"
    for _ in range(3):
        capture = Capture(tmp_path)
        capture.add(captured(2, at=1_760_000_000.0 + 3 * 86_400))
        capture.close()
    assert days() == ["date=2025-10-12"], "of the last day, its oldest parts"
    assert one < size() <= 2.5 * one


def test_the_queue_is_bounded_in_bytes_and_written_in_large_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.serving.process.capture.MAX_QUEUE_BYTES", 1000)
    capture = Capture(tmp_path / "a")
    for number in range(8):
        capture.add(captured(number)._replace(size=300))
    assert (capture.status().queued, capture.status().dropped_full) == (3, 5)
    capture.close()
    assert capture.status().written == 3

    monkeypatch.setattr("core.serving.process.capture.FLUSH_ROWS", 20)
    capture = Capture(tmp_path / "b")
    for number in range(20):
        capture.add(captured(number))
    deadline = time.monotonic() + 5  # less than the seconds between two writes
    while capture.status().written < 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert capture.status().written == 20
    capture.close()
