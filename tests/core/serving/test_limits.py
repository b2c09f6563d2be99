"""What a server process does with the slow, the large, the many and the uninvited, over real
connections."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
import uvicorn

from core.errors import BadInput, ModelUnusable
from core.serving.config import EndpointConfig
from core.serving.http.connection import MAX_HEAD
from core.serving.model.batch import Batcher
from core.serving.model.schema import Column, ModelSchema, Signature
from core.serving.process.server import http_config
from core.serving.process.service import Loaded, Service
from core.serving.records import Flavour, LoadReport, Parity, Variant


class Naps:
    """An engine that sleeps for as many seconds as it is told, and says so."""

    flavour = Flavour.PYFUNC
    batches = False
    signature = Signature(ModelSchema((Column("x", "double"),)))

    def prepare(self, body: bytes, content_type: str) -> Any:
        return float(body)

    def answer(self, inputs: Sequence[Any]) -> list[Any]:
        time.sleep(inputs[0])
        return list(inputs)

    def describe(self, inputs: Any, body: bytes = b"", content_type: str = "") -> Any:
        return inputs


@asynccontextmanager
async def serving(folder: Path, **settings: Any) -> AsyncIterator[tuple[Service, int]]:
    """A service with the engine above as r1 on a free port."""
    service = Service("naps", folder, EndpointConfig(**settings))
    report = LoadReport(1, "naps", 1, "/m", Flavour.PYFUNC, Parity.UNTESTED, "", 0.1)
    service.loaded[1] = Loaded(Batcher(Naps(), service.config.predict_timeout), report)
    service.swap([Variant(1, 100)])
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(http_config(service))
    running = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        while not server.started:
            await asyncio.sleep(0.005)
        yield service, listener.getsockname()[1]
    finally:
        server.should_exit = True
        await asyncio.wait_for(running, 10)
        service.loaded[1].batcher.close()
        service.capture.close()


async def talk(port: int, *parts: bytes | float) -> tuple[int, dict[str, str], bytes]:
    """Send bytes, wait for numbers (seconds), read one answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            if isinstance(part, float):
                await asyncio.sleep(part)
            else:
                with contextlib.suppress(ConnectionError):
                    writer.write(part)
                    await writer.drain()
        return await answer(reader)
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    body = await reader.readexactly(int(headers["content-length"]))
    assert b"Traceback" not in body
    assert b"\n" not in body or headers["content-type"] != "application/json"
    return int(head[0].split()[1]), headers, body


def post(body: bytes, path: str = "/invocations", **headers: str) -> bytes:
    named = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in headers.items())
    size = f"content-length: {len(body)}\r\n"
    return f"POST {path} HTTP/1.1\r\nhost: x\r\n{size}{named}\r\n".encode() + body


def code(body: bytes) -> str:
    return str(json.loads(body)["error"]["code"])


async def test_a_predict_that_takes_too_long_is_a_504_and_blocks_nobody(tmp_path: Path) -> None:
    async with serving(tmp_path, predict_timeout=0.2) as (service, port):
        first = asyncio.ensure_future(talk(port, post(b"0.6")))
        await asyncio.sleep(0.05)
        queued = asyncio.ensure_future(talk(port, post(b"0")))
        begun = time.monotonic()
        status, _, _ = await talk(port, b"GET /ping HTTP/1.1\r\nhost: x\r\n\r\n")
        assert status == 200 and time.monotonic() - begun < 0.15
        for waiting in (first, queued):
            status, _, body = await waiting
            assert (status, code(body)) == (504, "timeout")
        assert time.monotonic() - begun < 0.5, "before the model was done"
        assert service.loaded[1].traffic.timeouts == 2
        await asyncio.sleep(0.5)
        assert (await talk(port, post(b"0")))[0] == 200
        assert service.in_flight == 0


async def test_a_batch_that_fails_late_is_not_tried_again_for_those_who_have_left() -> None:
    """And how long the model has been at it is known meanwhile."""

    class Fails(Naps):
        batches = True
        calls: ClassVar[list[int]] = []

        def answer(self, inputs: Sequence[Any]) -> list[Any]:
            self.calls.append(len(inputs))
            time.sleep(0.3)
            raise ValueError("no")

    batcher = Batcher(Fails(), timeout=0.1)
    try:
        assert batcher.busy_seconds == 0
        asked = [asyncio.ensure_future(batcher.answer(0.0)) for _ in range(5)]
        await asyncio.sleep(0.2)
        assert 0.15 < batcher.busy_seconds < 0.3
        ends = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(end).__name__ for end in ends} == {"TimedOut"}
        await asyncio.sleep(0.3)
        assert Fails.calls == [5] and batcher.busy_seconds == 0
    finally:
        batcher.close()


async def test_a_model_whose_load_hangs_is_refused_and_keeps_no_other_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(revision: int, path: Path, model: str, version: int, onnx: bool) -> Any:
        time.sleep(2.0 if model == "hangs" else 0)
        report = LoadReport(
            revision, model, version, str(path), Flavour.PYFUNC, Parity.UNTESTED, "", 0.1
        )
        return Naps(), report

    monkeypatch.setattr("core.serving.process.service.servable.load", load)
    monkeypatch.setattr("core.serving.process.service.LOAD_SECONDS", 0.2)
    async with serving(tmp_path) as (service, _):
        begun = time.monotonic()
        first = asyncio.ensure_future(service.load(2, "/m", "hangs", 1))
        with pytest.raises(ModelUnusable, match=r"hangs version 1 was not loaded within 0.2 s"):
            await first
        assert (await service.load(3, "/n", "fine", 1)).revision == 3
        assert time.monotonic() - begun < 1.0
        assert sorted(service.loaded) == [1, 3]
        service.unload(3)


async def test_a_slow_body_is_a_408(tmp_path: Path) -> None:
    async with serving(tmp_path, read_timeout=0.3) as (service, port):
        whole = post(b"0.0000")
        status, headers, body = await talk(port, whole[:-3], 0.15, b"0")
        assert (status, code(body), headers["connection"]) == (408, "slow_client", "close")
        await asyncio.sleep(0.05)
        assert (service.in_flight, service.slow) == (0, 1)
        assert service.loaded[1].traffic.rejected == 1
        status, _, _ = await talk(port, whole[:-3], 0.1, whole[-3:])
        assert status == 200


@pytest.mark.parametrize("sent", [b"", b"POST /invocations HTTP/1.1\r\nhost: x\r\n"])
async def test_who_sends_no_whole_head_is_let_go(tmp_path: Path, sent: bytes) -> None:
    async with serving(tmp_path, read_timeout=0.2) as (service, port):
        status, headers, body = await talk(port, sent)
        assert (status, code(body), headers["connection"]) == (408, "slow_client", "close")
        assert service.slow == 1


async def test_a_kept_connection_may_idle_but_not_dribble(tmp_path: Path) -> None:
    async with serving(tmp_path, read_timeout=0.2) as (service, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(post(b"0"))
            assert (await answer(reader))[0] == 200
            await asyncio.sleep(0.3)
        assert service.slow == 0
        writer.write(b"POST /invoc")
        assert (await answer(reader))[0] == 408
        assert await reader.read() == b""
        writer.close()


async def test_who_does_not_take_an_answer_is_cut_off(tmp_path: Path) -> None:
    """And who takes it slowly gets all of it."""

    class Wordy(Naps):
        def answer(self, inputs: Sequence[Any]) -> list[Any]:
            return [["x" * (20 << 20)] for _ in inputs]

    async with serving(tmp_path, read_timeout=0.4) as (service, port):
        service.capture.rate = 0.0
        service.loaded[1].batcher.engine = Wordy()
        deaf = socket.create_connection(("127.0.0.1", port))
        deaf.sendall(post(b"0") + post(b"0"))
        slow = socket.create_connection(("127.0.0.1", port))
        slow.setblocking(False)
        slow.sendall(post(b"0", connection="close"))
        loop, size = asyncio.get_running_loop(), 0
        for _ in range(12):
            size += len(await loop.sock_recv(slow, 1 << 20))
            await asyncio.sleep(0.1)
        assert service.slow == 1, "the deaf one, which had nothing taken for so long"
        assert service.in_flight == 0, "nor its next request, which waited behind"
        while chunk := await loop.sock_recv(slow, 8 << 20):
            size += len(chunk)
        assert size > 20 << 20
        assert service.slow == 1
        deaf.close()
        slow.close()


async def test_headers_without_end_are_a_431(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, port):
        lines = [b"x-%d: %s\r\n" % (n, b"a" * 8000) for n in range(MAX_HEAD // 8000 + 1)]
        start = b"GET /ping HTTP/1.1\r\nhost: x\r\n"
        pieces = [piece for line in lines for piece in (line, 0.01)]
        status, _, body = await talk(port, start, 0.01, *pieces)
        assert (status, code(body)) == (431, "head_too_large")


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"NONSENSE\r\n\r\n"])
async def test_what_is_not_http_is_a_400_in_json(tmp_path: Path, sent: bytes) -> None:
    async with serving(tmp_path) as (_, port):
        status, _, body = await talk(port, sent)
        assert (status, code(body)) == (400, "bad_http")


async def test_too_large_bodies_are_413s_that_the_client_gets_to_read(tmp_path: Path) -> None:
    async with serving(tmp_path, max_body=1000) as (_, port):
        for size in (1001, 300_000):
            status, _, body = await talk(port, post(b"0" * size))
            assert (status, code(body)) == (413, "body_too_large")
        chunked = b"POST /invocations HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        chunk = b"258\r\n" + b"0" * 600 + b"\r\n"
        status, _, _ = await talk(port, chunked + chunk * 3 + b"0\r\n\r\n")
        assert status == 413
        status, _, _ = await talk(port, chunked + chunk + b"0\r\n\r\n")
        assert status == 200
        announced = b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n"
        assert (await talk(port, announced))[0] == 413
        expects = post(b"0" * 2000, expect="100-continue")
        assert (await talk(port, expects[:-2000]))[0] == 413


async def test_too_many_connections_are_turned_away(tmp_path: Path) -> None:
    async with serving(tmp_path, max_connections=2) as (service, port):
        kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for reader, writer in kept:
            writer.write(post(b"0"))
            assert (await answer(reader))[0] == 200
        status, headers, body = await talk(port)
        assert (status, code(body)) == (503, "too_many_connections")
        assert headers["retry-after"] == "1"
        assert service.refused == 1
        for _, writer in kept:
            writer.close()
        await asyncio.sleep(0.05)
        assert (await talk(port, post(b"0")))[0] == 200


async def test_overload_is_a_429_with_retry_after_in_every_protocol(tmp_path: Path) -> None:
    async with serving(tmp_path, max_concurrency=1) as (service, port):
        busy = asyncio.ensure_future(talk(port, post(b"0.4")))
        await asyncio.sleep(0.1)
        for path in ("/invocations", "/endpoints/naps/invocations", "/v2/models/naps/infer"):
            status, headers, body = await talk(port, post(b"0", path))
            assert (status, headers["retry-after"]) == (429, "1")
            error = json.loads(body)["error"]
            assert isinstance(error, str) == path.startswith("/v2")
        assert (await busy)[0] == 200
        assert service.stats().shed == 3


async def test_settings_change_under_way(tmp_path: Path) -> None:
    async with serving(tmp_path) as (service, port):
        slow = asyncio.ensure_future(talk(port, post(b"0.8")))
        await asyncio.sleep(0.1)
        service.configure(EndpointConfig(predict_timeout=0.2, max_body=2))
        begun = time.monotonic()
        assert (await slow)[0] == 504
        assert time.monotonic() - begun < 0.4
        assert (await talk(port, post(b"0.0")))[0] == 413
        before = service.config
        for wrong in ({"token_sha256": "x"}, {"max_body": 0}, {"predict_timeout": -1.0}):
            with pytest.raises(BadInput):
                service.configure(EndpointConfig(**wrong))  # type: ignore[arg-type]
        assert service.config is before


TOKEN = "a-token-that-nobody-may-see"


async def test_without_the_token_only_probes_are_answered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    async with serving(tmp_path, token_sha256=digest) as (service, port):
        good = {"authorization": f"Bearer {TOKEN}"}
        wrong: list[dict[str, str]] = [
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": f"Basic {TOKEN}"},
            {"authorization": TOKEN},
            {"authorization": f"Bearer {TOKEN}\r\nAuthorization: Bearer {TOKEN}"},
            {"authorization": f"Bearer {digest}"},
        ]
        for headers in wrong:
            status, found, body = await talk(port, post(b"0", **headers))
            assert (status, code(body)) == (401, "unauthorized")
            assert found["www-authenticate"].startswith("bearer")
        for path in ("/", "/metrics", "/status", "/openapi.json", "/v2", "/nowhere"):
            get = f"GET {path} HTTP/1.1\r\nhost: x\r\n"
            assert (await talk(port, f"{get}\r\n".encode()))[0] == 401
            allowed = f"{get}authorization: bearer {TOKEN}\r\n\r\n".encode()
            assert (await talk(port, allowed))[0] == (404 if path == "/nowhere" else 200)
        for path in ("/ping", "/v2/health/live", "/v2/health/ready"):
            assert (await talk(port, f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode()))[0] == 200
        assert (await talk(port, post(b"0", **good)))[0] == 200
        _, found, body = await talk(port, post(b"0", "/endpoints/naps/invocations"))
        assert found["x-amzn-errortype"] == "accessdeniedexception"
        _, _, body = await talk(port, post(b"0", "/v2/models/naps/infer"))
        assert isinstance(json.loads(body)["error"], str)
        assert service.denied == len(wrong) + 8
    assert TOKEN not in caplog.text
