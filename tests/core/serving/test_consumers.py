"""Who calls an endpoint: counted for real, bounded, and without anything secret."""

from __future__ import annotations

import hashlib
import http.client
import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.touched import CONSUMER_SECONDS, Consumer, consumer_words
from core.serving import EndpointControl
from core.serving.process import consumers as module
from core.serving.process.consumers import MAX_NAME, MOST, Consumers, Tally, clean

PATH = b"/invocations"


class Clock:
    """Stands for `time` where only the hour is asked for."""

    def __init__(self) -> None:
        self.now = 1_780_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(module, "time", found)
    return found


def tally(*tables: Consumers) -> tuple[Consumer, ...]:
    """What a supervisor makes of what servers say, over the wire."""
    total = Tally()
    for table in tables:
        total += Tally.from_json(json.loads(json.dumps(table.rows())))
    return total.consumers(module.time.time())


async def test_requests_count_in_the_row_of_their_connection(clock: Clock) -> None:
    table, other = Consumers(), Consumers()
    agent = (b"user-agent", b"python-requests/2.32.3 (linux)")
    first, second = table.meet("10.0.0.1", [agent], PATH), table.meet("10.0.0.1", [agent], PATH)
    assert first is second is not None
    assert table.meet("10.0.0.1", [agent], b"/metrics") is None
    first.requests += 5
    clock.now += 60
    named = [agent, (b"x-opsdeck-consumer", b"checkout")]
    for each, address in ((table, "10.0.0.2"), (other, "10.0.0.3")):
        row = each.meet(address, named, b"/v2/models/bike/infer?x=1")
        assert row is not None
        row.requests += 10
        each.rows()
        clock.now += 1
    found = tally(table, other)
    assert [(c.title, c.requests, c.total) for c in found] == [
        ("checkout from 10.0.0.3", 20, 20),  # one row, whatever servers and addresses
        ("python-requests/2.32.3 from 10.0.0.1", 5, 5),
    ]
    clock.now += CONSUMER_SECONDS
    assert [(c.requests, c.total) for c in tally(table, other)] == [(0, 20), (0, 5)]


async def test_the_table_is_bounded_and_those_long_gone_make_room(clock: Clock) -> None:
    table = Consumers()
    rows = []
    for number in range(MOST + 20):
        row = table.meet(f"10.0.0.{number}", [], PATH)
        assert row is not None
        row.requests += 1
        rows.append(row)
    found = tally(table)
    assert len(found) == MOST + 1
    assert (found[0].title, found[0].requests) == ("others", 20)
    clock.now += CONSUMER_SECONDS + 60
    Consumers.part(rows[0])
    newer = table.meet("10.9.9.9", [], PATH)
    assert newer is not None
    assert newer.name == "unnamed"
    newer.requests += 3
    found = tally(table)
    assert len(found) == MOST + 1
    assert sum(c.total for c in found) == MOST + 20 + 3
    assert [(c.title, c.requests) for c in found if c.requests] == [("unnamed from 10.9.9.9", 3)]
    rows[1].requests += 1  # its connection is still open: it is not lost
    assert sum(c.requests for c in tally(table)) == 4


async def test_together_several_servers_stay_within_the_bound(clock: Clock) -> None:
    tables = [Consumers(), Consumers()]
    for number in range(MOST * 2):
        row = tables[number % 2].meet(f"10.0.{number}.1", [], PATH)
        assert row is not None
        row.requests += 2
    found = tally(*tables)
    assert len(found) == MOST + 1
    assert sum(c.requests for c in found) == MOST * 4


@pytest.mark.parametrize(
    "given",
    [
        b"Bearer abc.def", b"token=hunter2", b"api_key:12", b"https://me:pw@example.org/",
        b"AKIAIOSFODNN7EXAMPLE12", b"eyJhbGciOi.JIUzI1NiJ9.abc",
        b"9f86d081884c7d659a2feaa0c55ad015",
        b"123e4567-e89b-12d3-a456-426614174000", b"x secret/abcdef",
    ],
)  # fmt: skip
def test_what_looks_secret_is_not_kept(given: bytes) -> None:
    found = clean(given)
    assert "[redacted]" in found
    for part in (b"abc.def", b"hunter2", b"pw@", b"AKIA", b"JIUz", b"9f86", b"e89b", b"abcdef"):
        assert part.decode() not in found


@pytest.mark.parametrize(
    "given", ["checkout-api", "python-requests/2.32.3", "Boto3/1.40.55", "order_service_worker_2"]
)
def test_names_stay_as_they_are(given: str) -> None:
    assert clean(given.encode()) == given


@given(st.binary(max_size=2000))
def test_a_name_is_bounded_and_can_be_shown(given: bytes) -> None:
    found = clean(given)
    assert len(found) <= MAX_NAME
    assert found.isprintable()
    assert found == found.strip()


def test_in_words() -> None:
    def made(name: str, requests: int) -> Consumer:
        return Consumer(name, "10.0.0.1", requests, 9, 0.0)

    assert consumer_words(None) == "not known: the endpoint does not say"
    assert consumer_words((made("a", 0),)) == "nobody in the last 15 min"
    many = consumer_words(tuple(made(name, 1200) for name in "abcd"), most=2)
    assert many == (
        "4 in the last 15 min: a from 10.0.0.1 (1,200), b from 10.0.0.1 (1,200), and 2 more"
    )


def post(port: int, headers: dict[str, str], body: bytes, times: int) -> list[int]:
    """Requests over one connection."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        answers = []
        for _ in range(times):
            connection.request("POST", "/invocations", body, headers)
            reply = connection.getresponse()
            reply.read()
            answers.append(reply.status)
    return answers


def test_an_endpoint_says_who_calls(
    start: Callable[..., EndpointControl], models: Any, split: Callable[..., bytes]
) -> None:
    """Also of several servers, of one that died, and of one that takes its callers' token."""
    control = start()
    control.load(1, models["one"], "one", 1)
    control.set_table({1: 100})
    info = control.info()
    assert info is not None
    body = split([8, 0.5, 0.25])
    assert post(info.port, {"X-Opsdeck-Consumer": "checkout"}, body, 7) == [200] * 7
    assert post(info.port, {"User-Agent": "jobs/1.2 token=hunter2"}, body, 2) == [200] * 2
    control.invoke(body)
    begun = time.time()
    found = control.consumers()
    counts = [(c.name, c.requests) for c in found]
    assert counts == [("checkout", 7), ("jobs/1.2", 2), ("opsdeck", 1)]
    assert {c.address for c in found} == {"127.0.0.1"}
    assert all(abs(c.last_at - begun) < 30 for c in found)

    digest = hashlib.sha256(b"letmein").hexdigest()
    control.reconfigure(lambda config: replace(config, token_sha256=digest))
    assert post(info.port, {"X-Opsdeck-Consumer": "stranger"}, body, 2) == [401] * 2
    held = {"X-Opsdeck-Consumer": "friend", "Authorization": "Bearer letmein"}
    assert post(info.port, held, body, 2) == [200] * 2
    control.consumers()
    control.replace_server()
    names = sorted((c.name, c.requests) for c in control.consumers())
    assert names == [("checkout", 7), ("friend", 2), ("jobs/1.2", 2), ("opsdeck", 1)]
