"""Several server processes on one socket: they act, fail and count as one."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from core.errors import BadInput, ModelUnusable, OpsdeckError, WrongState
from core.serving import EndpointControl, EndpointInfo, EndpointState
from core.serving.config import EndpointConfig
from core.serving.process.ledger import Ledger, shared_memory
from core.serving.process.traffic import RevisionFigures, RevisionTraffic
from core.serving.process.whole import combined
from core.serving.supervision.figures import Collector

pytestmark = pytest.mark.slow

BODY = b'{"dataframe_split":{"columns":["hour","temp","hum"],"data":[[8,0.5,0.25]]}}'
THREE = EndpointConfig(min_servers=3, max_servers=3)


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def running(control: EndpointControl) -> EndpointInfo:
    info = control.info()
    assert info is not None
    return info


def up(control: EndpointControl, count: int) -> bool:
    status = control.status()
    return len(status.servers) == count == status.wanted and status.warm


@pytest.fixture(scope="module")
def three(
    models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EndpointControl]:
    """An endpoint of three servers: r1 one, r2 two, r4 tricky."""
    control = EndpointControl(tmp_path_factory.mktemp("three") / "bike")
    control.configure(THREE)
    control.ensure_running("bike")
    for revision, name in ((1, "one"), (2, "two"), (4, "tricky")):
        control.load(revision, models[name], name, revision)
    control.set_table({1: 100})
    yield control
    control.stop()


@pytest.fixture
def fleet(three: EndpointControl) -> EndpointControl:
    """The same with three servers up, and everything routed to r1."""
    three.configure(THREE)
    three.set_table({1: 100}, "the test's start")
    until(lambda: up(three, 3))
    return three


def test_all_servers_are_listed_and_hold_everything(fleet: EndpointControl) -> None:
    status, info = fleet.status(), running(fleet)
    pids = [server.pid for server in status.servers]
    assert len(set(pids)) == 3
    assert tuple(pids) == info.server_pids
    assert (info.server_pid, status.server_pid) == (pids[0], pids[0])
    assert {report.revision for report in status.loaded} == {1, 2, 4}
    assert [variant.revision for variant in status.actual] == [1]


def test_rollbacks_under_load_fail_no_request_in_any_server(
    fleet: EndpointControl, load: type
) -> None:
    with load(running(fleet).port, 8) as busy:
        for _ in range(10):
            fleet.set_table({1: 50, 2: 50}, "canary")
            busy.wait_for(20)
            receipt = fleet.rollback(1, "worse")
            assert (receipt.requests_failed, receipt.drained, receipt.changed) == (0, True, True)
    assert busy.failures == []
    assert busy.revisions == {"r1", "r2"}
    fleet.set_table({2: 100})
    fleet.rollback(1, "worse")
    # Every connection is new, so all servers are reached.
    assert {fleet.invoke(BODY).revision for _ in range(40)} == {1}


def test_one_that_is_killed_under_load_costs_what_it_had_in_hand(
    fleet: EndpointControl, load: type
) -> None:
    fleet.set_table({1: 70, 2: 30}, "canary")
    before = fleet.status()
    with load(running(fleet).port, 8) as busy:
        victim = max(fleet.status().servers, key=lambda server: server.in_flight).pid
        os.kill(victim, signal.SIGKILL)
        begun = time.monotonic()
        answered = busy.answers
        until(lambda: busy.answers > answered + 20, 2)
        until(lambda: victim not in running(fleet).server_pids, 2)
        until(lambda: len(running(fleet).server_pids) == 3)
        took = time.monotonic() - begun
        busy.wait_for(50)
    assert took < 2 or os.getloadavg()[0] > 3
    assert len(busy.failures) <= 8, "only what the one had in flight may be lost"
    after = fleet.status()
    assert after.restarts == before.restarts + 1
    assert "SIGKILL" in after.last_error
    assert after.state is EndpointState.SERVING
    assert after.actual == before.actual, "the new one has the table in force"
    assert {r.revision for r in after.loaded} == {1, 2, 4}


def test_all_killed_at_once_come_back(fleet: EndpointControl) -> None:
    gone = running(fleet).server_pids
    for pid in gone:
        os.kill(pid, signal.SIGKILL)
    assert fleet.invoke(BODY).revision == 1  # waits on the socket
    until(lambda: up(fleet, 3))
    assert not set(running(fleet).server_pids) & set(gone)
    assert not fleet.status().pinned, "one blow is no crash loop"


def test_a_server_that_hangs_among_others_is_ended(fleet: EndpointControl) -> None:
    victim = running(fleet).server_pids[1]
    os.kill(victim, signal.SIGSTOP)
    until(lambda: victim not in running(fleet).server_pids, 40)
    until(lambda: up(fleet, 3))
    assert fleet.invoke(BODY).status == 200


def test_a_rollback_ends_the_one_that_hangs_and_counts_it(
    fleet: EndpointControl, load: type
) -> None:
    fleet.set_table({2: 100}, "bad")
    with load(running(fleet).port, 9) as busy:
        until(lambda: any(server.in_flight for server in fleet.status().servers))
        victim = max(fleet.status().servers, key=lambda server: server.in_flight).pid
        os.kill(victim, signal.SIGSTOP)
        time.sleep(0.2)
        receipt = fleet.rollback(1, "it hangs")
        busy.wait_for(30)
    assert receipt.changed
    assert receipt.milliseconds_to_swap < 5000
    assert len(busy.failures) <= 9
    assert abs(receipt.requests_failed - len(busy.failures)) <= 2
    assert victim not in [server.pid for server in fleet.status().servers]
    assert {fleet.invoke(BODY).revision for _ in range(20)} == {1}


def test_a_model_that_kills_its_loader_takes_one_server_along(
    fleet: EndpointControl, models: dict[str, Path]
) -> None:
    before = set(running(fleet).server_pids)
    with pytest.raises(ModelUnusable, match="ended the server process"):
        fleet.load(70, models["deadly"], "deadly", 1)
    until(lambda: up(fleet, 3))
    assert len(before & set(running(fleet).server_pids)) == 2
    assert 70 not in {report.revision for report in fleet.status().loaded}


def test_a_revision_is_loaded_and_unloaded_everywhere(
    fleet: EndpointControl, models: dict[str, Path]
) -> None:
    fleet.load(50, models["two"], "two", 2)
    fleet.set_table({50: 100})
    assert {fleet.invoke(BODY).revision for _ in range(30)} == {50}
    fleet.set_table({1: 100})
    fleet.unload(50)
    assert 50 not in {report.revision for report in fleet.status().loaded}
    fleet.load(50, models["one"], "one", 1)  # the number is free again in all of them
    fleet.unload(50)


def test_replacing_them_one_by_one_loses_no_request(fleet: EndpointControl, load: type) -> None:
    before = running(fleet)
    with load(before.port) as busy:
        after = fleet.replace_server()
        busy.wait_for(50)
    assert busy.failures == []
    assert len(after.server_pids) == 3
    assert not set(after.server_pids) & set(before.server_pids)


def test_more_and_fewer_servers_lose_no_request(fleet: EndpointControl, load: type) -> None:
    with load(running(fleet).port) as busy:
        fleet.configure(replace(THREE, min_servers=1, max_servers=1))
        until(lambda: up(fleet, 1), 60)
        busy.wait_for(30)
        fleet.configure(THREE)
        until(lambda: up(fleet, 3))
        busy.wait_for(30)
    assert busy.failures == []
    assert fleet.config() == THREE


def test_the_load_brings_more_servers(fleet: EndpointControl) -> None:
    fleet.configure(EndpointConfig(min_servers=1, max_servers=2, target_in_flight=1.0))
    fleet.set_table({4: 100})  # a slow model: every request is in flight for long
    until(lambda: len(running(fleet).server_pids) == 2, 60)
    fleet.configure(EndpointConfig(max_servers=1))
    until(lambda: up(fleet, 1), 60)
    fleet.configure(EndpointConfig(min_servers=1, max_servers=2, target_in_flight=1.0))
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            assert fleet.invoke(b'{"inputs": {"x": [2000]}}').status == 200

    threads = [threading.Thread(target=ask) for _ in range(4)]
    try:
        for thread in threads:
            thread.start()
        until(lambda: len(running(fleet).server_pids) == 2, 20)
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)


def test_clients_that_keep_their_connections_reach_a_new_server_too(
    fleet: EndpointControl, load: type
) -> None:
    fleet.configure(EndpointConfig(min_servers=1, max_servers=1))
    until(lambda: up(fleet, 1), 60)
    fleet.set_table({4: 100})
    with load(running(fleet).port, 8, b'{"inputs": {"x": [2000]}}') as busy:
        fleet.configure(EndpointConfig(min_servers=2, max_servers=2))
        until(lambda: up(fleet, 2))
        newest = fleet.status().servers[-1].pid
        until(lambda: {s.pid: s.in_flight for s in fleet.status().servers}[newest] >= 2, 20)
    assert busy.failures == []


def test_figures_are_those_of_all_and_never_fall(fleet: EndpointControl, load: type) -> None:
    def requests() -> int:
        return {row.revision: row.requests for row in fleet.stats().revisions}[1]

    first = requests()
    with load(running(fleet).port) as busy:
        busy.wait_for(100)
    asked = busy.answers
    assert requests() == first + asked
    assert fleet.stats().revisions[0].p99_ms is not None
    os.kill(running(fleet).server_pids[0], signal.SIGKILL)
    until(lambda: up(fleet, 3))
    assert requests() >= first + asked


def test_metrics_and_status_are_of_the_whole_whoever_is_asked(fleet: EndpointControl) -> None:
    pids = {str(pid) for pid in running(fleet).server_pids}
    for _ in range(5):
        text = page(fleet, "/metrics")
        assert set(re.findall(r'requests_in_flight{.*process="(\d+)"', text)) == pids
        assert text.count("# TYPE opsdeck_requests_total counter") == 1
        assert 'opsdeck_servers{endpoint="bike"} 3' in text
        shown = json.loads(page(fleet, "/status"))
        assert {str(server["pid"]) for server in shown["servers"]} == pids
        assert shown["variants"] == [{"revision": 1, "weight": 100.0}]
        assert {row["revision"] for row in shown["stats"]["revisions"]} == {1, 2, 4}


def page(control: EndpointControl, path: str) -> str:
    with urllib.request.urlopen(running(control).url + path, timeout=10) as reply:
        return str(reply.read().decode())


def test_texts_of_metrics_are_put_together_metric_by_metric() -> None:
    one = '# HELP a A.\n# TYPE a counter\na{p="1"} 1\n# HELP b B.\n# TYPE b gauge\nb 2\n'
    two = '# HELP a A.\n# TYPE a counter\na{p="2"} 3\n# HELP c C.\n# TYPE c gauge\nc 4\n'
    assert combined([one, two]).splitlines() == [
        "# HELP a A.", "# TYPE a counter", 'a{p="1"} 1', 'a{p="2"} 3',
        "# HELP b B.", "# TYPE b gauge", "b 2", "# HELP c C.", "# TYPE c gauge", "c 4",
    ]  # fmt: skip
    assert combined([one]) == one


def test_settings_are_taken_by_all_and_kept(fleet: EndpointControl) -> None:
    assert fleet.set_capture(0.25) == replace(fleet.status().capture, rate=0.25)
    assert fleet.config().capture_rate == 0.25
    fleet.configure(replace(THREE, max_body=100))
    assert {fleet.invoke(b"x" * 200).status for _ in range(20)} == {413}
    os.kill(running(fleet).server_pids[2], signal.SIGKILL)
    until(lambda: up(fleet, 3))
    assert {fleet.invoke(b"x" * 200).status for _ in range(20)} == {413}
    with pytest.raises(WrongState, match=r"127\.0\.0\.1"):
        fleet.configure(replace(THREE, host="0.0.0.0"))
    with pytest.raises(BadInput, match="min_servers"):
        fleet.configure(replace(THREE, min_servers=9))
    assert fleet.config().max_body == 100


def crash(control: EndpointControl) -> None:
    """Have one server killed by a request that revision 2 dies of."""
    headers = {"X-Amzn-SageMaker-Target-Variant": "r2"}
    with contextlib.suppress(OpsdeckError):
        control.invoke(b'{"inputs": {"x": [-9]}}', headers=headers, timeout=10)


@pytest.mark.parametrize("good", [True, False])
def test_a_crash_loop_of_two_is_ended_in_both(
    start: Callable[..., EndpointControl], models: dict[str, Path], tmp_path: Path, good: bool
) -> None:
    folder = tmp_path / "pair"
    EndpointControl(folder).configure(EndpointConfig(min_servers=2, max_servers=2))
    control = start("pair", folder)
    control.load(1, models["one"], "one", 1)
    control.load(2, models["tricky"], "tricky", 1)
    if good:
        control.set_table({1: 100})
    control.set_table({2: 100}, "new")
    for _ in range(5):
        crash(control)
    if good:
        until(lambda: control.status().pinned, 60)
    else:
        until(lambda: control.status().state is EndpointState.FAILED, 60)
        until(lambda: {control.invoke(BODY).status for _ in range(10)} == {503})
        time.sleep(0.5)  # also of one that was about to start with the table
        assert {control.invoke(BODY).status for _ in range(10)} == {503}
        assert control.rollback(1, "it crashes").changed
    until(lambda: len(control.status().servers) == 2)
    assert {control.invoke(BODY).revision for _ in range(20)} == {1}
    status = control.status()
    assert status.state is EndpointState.SERVING
    assert status.actual == status.desired


def test_a_stop_while_servers_start_is_an_orderly_one(
    start: Callable[..., EndpointControl],
) -> None:
    control = start()
    family = psutil.Process(running(control).pid).children(recursive=True)
    control.configure(EndpointConfig(min_servers=6, max_servers=6))
    control.stop()
    assert running(control).state is EndpointState.STOPPED
    assert running(control).server_pids == ()
    psutil.wait_procs(family, timeout=5)
    assert not [process for process in family if process.is_running()]


def test_a_new_supervisor_brings_all_back(
    start: Callable[..., EndpointControl], models: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "pair"
    EndpointControl(folder).configure(EndpointConfig(min_servers=2, max_servers=2, host="::1"))
    control = start("pair", folder)
    control.load(1, models["one"], "one", 1)
    control.set_table({1: 100})
    before = running(control)
    assert before.url.startswith("http://[::1]:")
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    until(lambda: not running(control).alive)
    after = control.ensure_running("pair")
    assert after.port == before.port
    assert control.invoke(BODY).revision == 1
    until(lambda: len(running(control).server_pids) == 2)
    assert not set(running(control).server_pids) & set(before.server_pids)


def test_figures_add_up_as_if_one_server_had_counted() -> None:
    apart, whole = [RevisionTraffic(1), RevisionTraffic(1)], RevisionTraffic(1)
    for number in range(200):
        status = 500 if number % 50 == 0 else 200
        seconds = 0.001 * (1 + number % 37)
        apart[number % 3 == 0].record(status, seconds)
        whole.record(status, seconds)
    sent = [
        RevisionFigures.from_json(json.loads(json.dumps(asdict(one.figures())))) for one in apart
    ]
    added, alone = (sent[0] + sent[1]).stats(), whole.stats()
    assert replace(added, rps=0) == replace(alone, rps=0)
    assert sent[0].ended().requests == sent[0].requests


async def test_an_unloaded_revision_is_forgotten_with_the_server_that_died() -> None:
    first, second = object(), object()
    said: dict[object, dict[int, int]] = {first: {1: 5, 2: 7}, second: {1: 1}}
    fleet = SimpleNamespace(members=[first, second], leaving=set())

    async def ask(operation: str, patience: float) -> list[Any]:
        rows = [
            (one, [asdict(RevisionFigures(key, count)) for key, count in said[one].items()])
            for one in fleet.members
        ]
        nothing = {"in_flight": 0, "shed": 0, "capture": {}}
        return [(one, {"revisions": found, **nothing}) for one, found in rows]

    fleet.ask = ask
    collector = Collector(fleet)  # type: ignore[arg-type]

    async def requests() -> dict[int, int]:
        found = (await collector.collect(1.0)).revisions
        return {key: row.requests for key, row in found.items()}

    assert await requests() == {1: 6, 2: 7}
    fleet.members.remove(first)
    said[second][2] = 0
    assert await requests() == {1: 6, 2: 7}
    del said[second][2]
    collector.forget(2)
    assert await requests() == {1: 6}
    said[second][2] = 3  # loaded again under its old number
    assert await requests() == {1: 6, 2: 3}


def test_what_a_silent_server_had_in_hand_is_its_own(tmp_path: Path) -> None:
    from core.serving.process.ledger import unanswered

    ledger = Ledger(shared_memory())
    ledger.enter()
    # Nobody holds a connection on this port, so nothing can be lost on it.
    assert unanswered(ledger, 1, os.getpid()) == 0
    assert unanswered(ledger, 1, 2**22) == 1, "who has gone cannot be looked into"
