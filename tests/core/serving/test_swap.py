"""Changing the routing under load: no request may notice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import BadInput, ModelUnusable, NotFound, WrongState
from core.serving import EndpointControl, EndpointState
from core.serving.process.service import Service

BODY = b'{"dataframe_split":{"columns":["hour","temp","hum"],"data":[[8,0.5,0.25]]}}'


def test_swaps_and_rollbacks_under_load_fail_no_request(
    endpoint: EndpointControl, load: type
) -> None:
    info = endpoint.info()
    assert info is not None
    with load(info.port) as busy:
        for _ in range(20):
            assert endpoint.set_table({1: 80, 2: 20}, "canary").milliseconds < 1000
            busy.wait_for(10)
            receipt = endpoint.rollback(1, "worse")
            assert (receipt.requests_failed, receipt.drained, receipt.changed) == (0, True, True)
            assert [variant.revision for variant in receipt.from_variants] == [2, 1]
            assert receipt.milliseconds_to_swap < 1000
    assert busy.failures == []
    assert busy.revisions == {"r1", "r2"}


def test_after_a_rollback_no_request_reaches_the_old_version(
    endpoint: EndpointControl, split: Callable[..., bytes]
) -> None:
    endpoint.set_table({2: 100})
    endpoint.rollback(1, "worse")
    assert {endpoint.invoke(split([8, 0.5, 0.25])).revision for _ in range(20)} == {1}
    status = endpoint.status()
    assert status.desired == status.actual
    assert status.reason == "worse"


def test_a_second_rollback_changes_nothing(endpoint: EndpointControl) -> None:
    endpoint.set_table({2: 100})
    assert endpoint.rollback(1).changed
    again = endpoint.rollback(1)
    assert not again.changed
    assert again.requests_failed == 0


def test_a_rollback_waits_for_what_was_in_flight_and_counts_its_failures(
    endpoint: EndpointControl,
) -> None:
    endpoint.set_table({4: 100})
    statuses: list[int] = []

    def slow() -> None:
        statuses.append(endpoint.invoke(b'{"inputs": {"x": [2000]}}').status)

    def doomed() -> None:
        time.sleep(0.15)  # queued behind the slow one, so it raises after the swap
        statuses.append(endpoint.invoke(b'{"inputs": {"x": [-1]}}').status)

    threads = [threading.Thread(target=slow), threading.Thread(target=doomed)]
    for thread in threads:
        thread.start()
    time.sleep(0.35)
    begun = time.monotonic()
    receipt = endpoint.rollback(1, "worse")
    took = time.monotonic() - begun
    for thread in threads:
        thread.join(10)
    assert receipt.in_flight_at_swap == 2
    assert receipt.milliseconds_to_swap < 300
    assert took > 0.15
    assert receipt.drained
    assert receipt.requests_failed == 1
    assert sorted(statuses) == [200, 500]


@pytest.mark.parametrize(
    ("weights", "error"),
    [
        ({1: 50}, BadInput),
        ({1: 60, 2: 60}, BadInput),
        ({1: 110, 2: -10}, BadInput),
        ({}, BadInput),
        ({1: 50, 77: 50}, NotFound),
    ],
)
def test_a_wrong_table_is_refused_and_the_old_one_stays(
    endpoint: EndpointControl, weights: dict[int, float], error: type[Exception]
) -> None:
    with pytest.raises(error):
        endpoint.set_table(weights)
    assert [variant.revision for variant in endpoint.status().actual] == [1]


def test_rolling_back_to_what_is_not_loaded_is_refused(endpoint: EndpointControl) -> None:
    with pytest.raises(NotFound):
        endpoint.rollback(77)


def test_loads_and_unloads_beside_traffic(
    endpoint: EndpointControl, models: dict[str, Path], load: type
) -> None:
    info = endpoint.info()
    assert info is not None
    with load(info.port, 3) as busy:
        report = endpoint.load(50, models["two"], "two", 2)
        assert endpoint.load(50, models["two"], "two", 2) == report
        with pytest.raises(WrongState):
            endpoint.load(50, models["one"], "one", 1)
        endpoint.set_table({50: 100})
        with pytest.raises(WrongState):
            endpoint.unload(50)
        endpoint.set_table({1: 100})
        endpoint.unload(50)
        with pytest.raises(NotFound):
            endpoint.unload(50)
    assert busy.failures == []


def test_models_that_cannot_be_loaded_touch_nothing(
    endpoint: EndpointControl, tmp_path: Path, models: dict[str, Path], load: type
) -> None:
    before = endpoint.status()
    broken = tmp_path / "broken"
    broken.mkdir()
    for text in ("", "flavors: [", json.dumps({"flavors": {}})):
        (broken / "MLmodel").write_text(text)
        with pytest.raises(ModelUnusable) as caught:
            endpoint.load(60, broken, "broken", 1)
        assert "\n" not in caught.value.message
    with pytest.raises(ModelUnusable, match="no MLmodel"):
        endpoint.load(60, tmp_path / "nowhere", "nowhere", 1)
    after = endpoint.status()
    assert (after.actual, after.loaded, after.server_pid) == (
        before.actual,
        before.loaded,
        before.server_pid,
    )
    assert after.state is EndpointState.SERVING


def test_replacing_the_server_loses_no_request(endpoint: EndpointControl, load: type) -> None:
    before = endpoint.info()
    assert before is not None
    with load(before.port) as busy:
        after = endpoint.replace_server()
        busy.wait_for(50)
    assert busy.failures == []
    assert after.server_pid != before.server_pid
    assert after.pid == before.pid
    assert [variant.revision for variant in endpoint.status().actual] == [1]


def test_a_rollback_does_not_wait_for_a_server_that_hangs(
    endpoint: EndpointControl, load: type
) -> None:
    """It is ended instead, and the receipt says what that cost."""
    endpoint.set_table({2: 100}, "bad")
    deadline = time.monotonic() + 30
    while not endpoint.status().warm and time.monotonic() < deadline:
        time.sleep(0.05)
    info = endpoint.info()
    assert info is not None and info.server_pid is not None
    with load(info.port, 5) as busy:
        os.kill(info.server_pid, signal.SIGSTOP)
        time.sleep(0.3)  # every client waits for its answer now
        begun = time.monotonic()
        receipt = endpoint.rollback(1, "it hangs")
        took = time.monotonic() - begun
        busy.wait_for(50)
    assert receipt.changed
    assert took < 6  # about 1.5 s on an idle machine
    assert len(busy.failures) == 5 and receipt.requests_failed in (4, 5)
    assert not receipt.drained
    assert endpoint.invoke(BODY).revision == 1
    status = endpoint.status()
    assert "did not answer `swap`" in status.last_error
    assert status.desired == status.actual
    assert endpoint.rollback(1).requests_failed == receipt.requests_failed, (
        "asked again it says the same"
    )


def test_a_request_that_was_failed_before_the_drain_was_asked_for_counts(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        service = Service("bike", tmp_path)
        epoch = service.epoch
        epoch.enter()
        service.ledger.enter()
        before = service.ledger.failed
        old = service.swap([])
        service.ledger.fail()
        service.ledger.leave()
        epoch.leave()
        answer = await service.drained(old.number, 1)
        assert (answer["drained"], answer["failed"] - before) == (True, 1)

    asyncio.run(play())
