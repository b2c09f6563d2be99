"""Workers of a variant: within their bounds, as many as the load asks for, none held up by
another that hangs; and a lone one is what it always was."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import BadInput
from core.serving import EndpointControl
from core.serving.bounds import ScheduledBounds, VariantWorkers
from core.serving.config import EndpointConfig
from core.serving.model.batch import TRIALS, Batcher, TimedOut
from core.serving.model.schema import Signature
from core.serving.process.workers import Workers
from core.serving.records import Flavour, WorkerCount
from core.serving.supervision.capacity import WORKERS_DOWN_SECONDS, WORKERS_UP_SECONDS
from core.workerbounds import parse_workers


class Naps:
    """An engine that sleeps for as long as each input says (None: until let go), one at a time,
    and notes how many calls there were at once, and in which threads."""

    flavour = Flavour.PYFUNC
    batches = False
    signature = Signature()

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.inside = self.most = 0
        self.threads: set[int] = set()
        self._lock = threading.Lock()

    def prepare(self, body: bytes, content_type: str) -> Any:
        return float(body)

    def answer(self, inputs: Sequence[Any]) -> list[Any]:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.threads.add(threading.get_ident())
        if inputs[0] is None:
            self.let_go.wait(20)
        elif inputs[0]:
            time.sleep(inputs[0])
        with self._lock:
            self.inside -= 1
        return list(inputs)

    def describe(self, inputs: Any, body: bytes = b"", content_type: str = "") -> Any:
        return inputs


async def known_as_slow(batcher: Batcher) -> None:
    for _ in range(TRIALS):
        await batcher.answer(0.003)


@pytest.mark.parametrize("workers", [1, 3])
async def test_so_many_batches_are_in_the_model_as_there_are_workers(workers: int) -> None:
    engine = Naps()
    batcher = Batcher(engine)
    batcher.resize(workers)
    await known_as_slow(batcher)
    begun = time.perf_counter()
    found = await asyncio.gather(*(batcher.answer(0.02 + n / 1e6) for n in range(30)))
    took = time.perf_counter() - begun
    assert found == [0.02 + n / 1e6 for n in range(30)]
    assert engine.most == workers
    assert 30 * 0.02 / workers <= took + 0.005
    if workers == 3:
        assert took < 30 * 0.02 * 0.7, "faster than one could"
    batcher.close()


async def test_while_it_is_not_known_how_long_the_model_takes_one_is_in_it_alone() -> None:
    engine = Naps()
    batcher = Batcher(engine)
    batcher.resize(4)
    await asyncio.gather(*(batcher.answer(0.0) for _ in range(200)))
    assert engine.most == 1
    assert threading.get_ident() in engine.threads, "it turned out to be quick"
    before = len(engine.threads)
    await asyncio.gather(*(batcher.answer(0.0) for _ in range(200)))
    assert len(engine.threads) == before, "a quick model needs none"
    assert batcher.load == 0
    batcher.close()


async def test_one_that_hangs_at_its_first_batch_holds_up_nobody() -> None:
    engine = Naps()
    batcher = Batcher(engine, timeout=0.3)
    batcher.resize(2)
    hangs = asyncio.ensure_future(batcher.answer(None))
    await asyncio.sleep(0.01)
    answers = [await asyncio.wait_for(batcher.answer(0.001), 0.25) for _ in range(5)]
    assert answers == [0.001] * 5
    with pytest.raises(TimedOut):
        await hangs
    assert batcher.stuck == 1
    assert batcher.busy_seconds == 0.0, "somebody still answers"
    engine.let_go.set()
    batcher.close()


async def test_a_lone_one_that_hangs_is_told_of_as_ever() -> None:
    engine = Naps()
    batcher = Batcher(engine, timeout=0.05)
    with pytest.raises(TimedOut):
        await batcher.answer(None)
    assert batcher.busy_seconds >= 0.05
    assert (batcher.workers, batcher.stuck) == (1, 1)
    engine.let_go.set()
    await asyncio.sleep(0.05)
    assert (batcher.busy_seconds, batcher.stuck) == (0.0, 0)
    assert await batcher.answer(0.001) == 0.001
    batcher.close()


async def test_fewer_workers_answer_what_they_have_and_then_go() -> None:
    engine = Naps()
    batcher = Batcher(engine)
    batcher.resize(4)
    await known_as_slow(batcher)
    waiting = [asyncio.ensure_future(batcher.answer(0.05)) for _ in range(12)]
    await asyncio.sleep(0.02)
    assert batcher.load == 12
    batcher.resize(1)
    assert await asyncio.gather(*waiting) == [0.05] * 12
    assert batcher.workers == 1
    engine.most = 0
    await asyncio.gather(*(batcher.answer(0.005) for _ in range(6)))
    assert engine.most == 1
    batcher.close()


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    moves=st.lists(
        st.one_of(
            st.tuples(st.just("ask"), st.integers(1, 9)),
            st.tuples(st.just("resize"), st.integers(1, 5)),
            st.tuples(st.just("wait"), st.integers(0, 4)),
        ),
        max_size=14,
    )
)
def test_whatever_is_asked_and_changed_everything_is_answered_once(
    moves: list[tuple[str, int]],
) -> None:
    async def run() -> None:
        engine = Naps()
        batcher = Batcher(engine)
        asked: list[asyncio.Future[Any]] = []
        most = 1
        for kind, number in moves:
            if kind == "ask":
                asked += [asyncio.ensure_future(batcher.answer(0.002)) for _ in range(number)]
            elif kind == "resize":
                batcher.resize(number)
                most = max(most, number)
            else:
                await asyncio.sleep(number / 1000)
        assert await asyncio.wait_for(asyncio.gather(*asked), 10) == [0.002] * len(asked)
        assert engine.most <= most
        batcher.close()

    asyncio.run(run())


class Said:
    """A batcher as the rule sees it."""

    def __init__(self) -> None:
        self.load = self.stuck = 0
        self.workers = 1

    def resize(self, workers: int) -> None:
        self.workers = workers


@given(
    looks=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 6), st.floats(0.1, 60))),
    low=st.integers(1, 4),
    more=st.integers(0, 5),
)
def test_bounds_hold_whatever_the_load_and_whoever_is_stuck(
    looks: list[tuple[int, int, float]], low: int, more: int
) -> None:
    said, now = Said(), 0.0
    workers = Workers(said, 1)  # type: ignore[arg-type]
    config = EndpointConfig(min_workers=low, max_workers=low + more)
    for load, stuck, seconds in looks:
        said.load, said.stuck = load, min(stuck, said.workers)
        workers.follow(config, now)
        now += seconds
        assert low <= said.workers <= low + more
        if said.stuck < low + more:
            assert said.workers > said.stuck, "somebody can still answer"


def test_more_soon_fewer_slowly_and_one_that_is_stuck_has_a_stand_in() -> None:
    said = Said()
    workers = Workers(said, 1)  # type: ignore[arg-type]
    config = EndpointConfig(max_workers=4, target_per_worker=2.0)
    seen: list[tuple[float, int]] = []

    def pass_time(begin: float, end: float) -> None:
        for tick in range(int(begin * 5), int(end * 5)):
            workers.follow(config, tick / 5)
            if not seen or seen[-1][1] != said.workers:
                seen.append((tick / 5, said.workers))

    pass_time(0, 10)
    said.load = 8
    pass_time(10, 30)
    said.load = 0
    pass_time(30, 130)
    counts = [count for _, count in seen]
    assert counts[0] == 1
    assert max(counts) == counts[counts.index(4)] == 4
    assert counts[counts.index(4) :] == [4, 3, 2, 1], "one at a time"
    at = {count: when for when, count in seen}
    full = next(when for when, count in seen if count == 4)
    assert full - 10 <= 5 * WORKERS_UP_SECONDS + 5
    assert at[2] - at[3] == pytest.approx(WORKERS_DOWN_SECONDS, abs=0.3)
    said.stuck = 1
    pass_time(130, 131)
    assert said.workers == 2
    assert workers.count() == WorkerCount(1, 2, 1, 1, 4)


def test_what_names_a_variant_comes_before_what_is_for_all() -> None:
    weekday = ScheduledBounds(
        "Mon-Fri 08:00-18:00 UTC", min_workers=2, max_workers=6, variants=({
            "revision": 3, "min_workers": 4, "max_workers": 4},),  # type: ignore[arg-type]
    )  # fmt: skip
    config = EndpointConfig(max_workers=2, schedule=(weekday,)).with_workers(7, (1, 1))
    config.check()
    day = datetime(2026, 11, 23, 9, tzinfo=UTC).timestamp()
    night = datetime(2026, 11, 23, 20, tzinfo=UTC).timestamp()
    assert [config.worker_bounds(n, day) for n in (1, 3, 7)] == [(2, 6), (4, 4), (1, 1)]
    assert [config.worker_bounds(n, night) for n in (1, 3, 7)] == [(1, 2), (1, 2), (1, 1)]
    assert config.bounds(day) == (1, 1), "the window says nothing of servers"
    assert config.with_workers(7, None).variants == ()
    assert config.with_workers(7, (2, 3)).variants == (VariantWorkers(7, 2, 3),)


def test_settings_of_workers_survive_the_file(tmp_path: Path) -> None:
    window = ScheduledBounds("22:00-06:00", variants=(VariantWorkers(2, 1, 2),))
    config = EndpointConfig(min_workers=2, max_workers=3, schedule=(window,)).with_workers(
        4, (1, 8)
    )
    config.write(tmp_path)
    assert EndpointConfig.read(tmp_path) == config


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"min_workers": 0}, "min_workers 0 and max_workers 1"),
        ({"min_workers": 3}, "min_workers 3 and max_workers 1"),
        ({"max_workers": 33}, "max_workers 33"),
        ({"max_workers": True}, "max_workers True"),
        ({"target_per_worker": 0}, "target_per_worker is 0"),
        ({"variants": ({"revision": 2, "min_workers": 2, "max_workers": 1},)}, "r2"),
        ({"variants": ({"revision": "x", "min_workers": 1, "max_workers": 1},)}, "revision 'x'"),
        ({"variants": (VariantWorkers(2, 1, 1), VariantWorkers(2, 1, 2))}, "r2 stands there twice"),
        ({"schedule": ({"window": "08:00-09:00"},)}, "changes nothing"),
        ({"schedule": ({"window": "08:00-09:00", "min_workers": 2},)}, "max_workers None"),
    ],
)
def test_bounds_that_cannot_hold_are_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput) as caught:
        replace(EndpointConfig(), **change).check()
    assert said in caught.value.message


def test_bounds_as_they_are_written() -> None:
    assert [parse_workers("x", text) for text in ("1:4", " 2 - 3 ", "5")] == [
        (1, 4),
        (2, 3),
        (5, 5),
    ]
    for text in ("", "0", "4:1", "1:33", "1:2:3", "a", "-1:2", "1:", "٣"):
        with pytest.raises(BadInput, match="--workers"):
            parse_workers("--workers", text)


# With real processes. The model adds one; above 1000 it takes 0.7 s, -5 hangs.


@pytest.fixture
def slow(start: Callable[..., EndpointControl], models: dict[str, Path]) -> EndpointControl:
    control = start("slow")
    control.load(1, models["tricky"], "tricky", 1)
    control.load(2, models["tricky"], "tricky", 2)
    control.set_table({1: 100})
    return control


def body(x: float) -> bytes:
    return json.dumps({"dataframe_split": {"columns": ["x"], "data": [[x]]}}).encode()


def counts(control: EndpointControl) -> dict[int, WorkerCount]:
    return {count.revision: count for count in control.status().workers}


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def clients() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


def took(control: EndpointControl, clients: ThreadPoolExecutor, requests: int) -> float:
    """Seconds for so many slow requests at once."""
    begun = time.perf_counter()
    replies = list(clients.map(lambda n: control.invoke(body(2000 + n)), range(requests)))
    seconds = time.perf_counter() - begun
    assert [reply.status for reply in replies] == [200] * requests
    assert [json.loads(r.body)["predictions"] for r in replies] == [
        [2001.0 + n] for n in range(requests)
    ]
    return seconds


def test_throughput_rises_with_workers_and_settings_outlive_the_server(
    slow: EndpointControl, clients: ThreadPoolExecutor
) -> None:
    assert counts(slow) == {n: WorkerCount(n, 1, 0, 1, 1) for n in (1, 2)}
    alone = took(slow, clients, 4)
    assert alone >= 4 * 0.7, "one at a time, as nobody said otherwise"
    slow.set_workers(1, (4, 4))
    assert counts(slow)[1] == WorkerCount(1, 4, 0, 4, 4)
    assert counts(slow)[2] == WorkerCount(2, 1, 0, 1, 1)
    together = took(slow, clients, 8)
    assert together < alone, "twice the requests in less time"
    slow.replace_server()
    assert counts(slow)[1] == WorkerCount(1, 4, 0, 4, 4)
    assert took(slow, clients, 4) < alone / 2
    slow.set_workers(1, None)
    assert counts(slow)[1] == WorkerCount(1, 1, 0, 1, 1)
    slow.configure(
        replace(slow.config(), min_workers=2, max_workers=3, max_servers=2, min_servers=2)
    )
    until(lambda: counts(slow)[2] == WorkerCount(2, 4, 0, 2, 3))
    with urllib.request.urlopen(f"{slow.status().url}/metrics", timeout=5) as reply:
        text = reply.read().decode()
    samples = re.findall(r'^opsdeck_workers\{.*variant="r(\d)".*\} (\d+)$', text, re.MULTILINE)
    assert sorted(samples) == [("1", "2"), ("1", "2"), ("2", "2"), ("2", "2")]
    assert re.search(r'^opsdeck_max_workers\{.*variant="r2".*\} 3$', text, re.MULTILINE)
    with urllib.request.urlopen(f"{slow.status().url}/status", timeout=5) as reply:
        assert [row["workers"] for row in json.load(reply)["workers"]] == [4, 4]


def test_the_number_follows_the_load_of_each_variant(
    slow: EndpointControl, clients: ThreadPoolExecutor
) -> None:
    slow.set_workers(1, (1, 3))
    slow.set_workers(2, (1, 3))
    busy = [clients.submit(took, slow, clients, 4) for _ in range(2)]
    until(lambda: counts(slow)[1].workers == 3, 8)
    seen = counts(slow)
    assert seen[1] == WorkerCount(1, 3, 0, 1, 3), "never above its bound"
    assert seen[2].workers == 1, "nobody asks it"
    for each in busy:
        each.result(30)


def test_one_call_that_hangs_stops_neither_the_others_nor_a_rollback(
    slow: EndpointControl, clients: ThreadPoolExecutor
) -> None:
    slow.configure(replace(slow.config(), predict_timeout=1.5))
    slow.set_workers(1, (1, 3))
    slow.set_workers(2, (1, 2))
    pid = slow.status().server_pid
    hangs = clients.submit(slow.invoke, body(-5))
    time.sleep(0.2)
    replies = [slow.invoke(body(n)) for n in range(3)]
    assert hangs.result(10).status == 504
    assert [r.status for r in replies[1:]] == [200, 200]
    until(lambda: counts(slow)[1].stuck == 1)
    assert counts(slow)[1].workers == 2, "one stands in"
    assert took(slow, clients, 1) < 1.5
    flying = [clients.submit(slow.invoke, body(3000 + n)) for n in range(2)]
    time.sleep(0.3)
    report = slow.rollback(2, "back")
    assert (report.requests_failed, report.drained) == (0, True)
    assert report.in_flight_at_swap == 2
    assert [f.result(10).revision for f in flying] == [1, 1]
    assert [f.result(10).status for f in flying] == [200, 200]
    assert slow.invoke(body(1)).revision == 2
    assert slow.status().server_pid == pid, "no server was ended for it"
