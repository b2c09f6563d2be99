"""Processes that die, ports that are taken, disks that are full."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from console.invoking import TOKEN_VARIABLE
from core.errors import (
    DiskFull,
    EndpointUnavailable,
    ModelUnusable,
    NotFound,
    OpsdeckError,
    PortTaken,
    RequestFailed,
    WrongState,
)
from core.processes import started
from core.serving import EndpointControl, EndpointInfo, EndpointState
from core.serving.config import EndpointConfig

pytestmark = pytest.mark.slow

BODY = b'{"dataframe_split":{"columns":["hour","temp","hum"],"data":[[8,0.5,0.25]]}}'


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def running(control: EndpointControl) -> EndpointInfo:
    info = control.info()
    assert info is not None
    return info


def kill_server(control: EndpointControl) -> int:
    pid = running(control).server_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def test_a_killed_server_is_back_within_two_seconds_with_its_table(
    endpoint: EndpointControl, load: type
) -> None:
    endpoint.set_table({1: 70, 2: 30}, "canary")
    until(lambda: endpoint.status().warm)
    before = endpoint.status()
    with load(running(endpoint).port, 4) as busy:
        outages: list[float] = []
        # A busy machine may be late once: the better of two counts.
        while not outages or (len(outages) < 2 and min(outages) >= 2):
            killed = kill_server(endpoint)
            begun = time.monotonic()
            assert endpoint.invoke(BODY).status == 200  # waits on the socket meanwhile
            outages.append(time.monotonic() - begun)
            busy.wait_for(50)
        assert min(outages) < 2
    assert len(busy.failures) <= 4 * len(outages), "only what was in flight may be lost"
    after = endpoint.status()
    assert after.actual == before.actual
    assert after.restarts == before.restarts + len(outages)
    assert after.server_pid != killed
    assert "SIGKILL" in after.last_error
    assert {report.revision for report in after.loaded} == {r.revision for r in before.loaded}


def test_a_rollback_during_an_outage_takes_effect(endpoint: EndpointControl) -> None:
    endpoint.set_table({2: 100})
    kill_server(endpoint)
    receipt = endpoint.rollback(1, "worse")
    assert receipt.changed
    assert endpoint.invoke(BODY).revision == 1


def test_a_server_that_hangs_is_ended(endpoint: EndpointControl) -> None:
    pid = running(endpoint).server_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    until(lambda: running(endpoint).server_pid not in (pid, None), 40)
    assert endpoint.invoke(BODY).status == 200


def test_a_server_whose_model_hangs_in_its_thread_is_ended(
    start: Callable[..., EndpointControl], models: dict[str, Path], tmp_path: Path
) -> None:
    """It answers every ping; but every request to that variant would be a 504 for ever."""
    folder = tmp_path / "endpoints" / "bike"
    EndpointConfig(predict_timeout=0.3).write(folder)
    control = start("bike", folder)
    control.load(1, models["tricky"], "tricky", 1)
    control.set_table({1: 100})
    ask = b'{"dataframe_split":{"columns":["x"],"data":[[%d]]}}'
    before = control.status().server_pid
    assert control.invoke(ask % -5).status == 504
    assert control.invoke(ask % 1).status == 504
    deadline = time.monotonic() + 20
    while (status := control.status()).server_pid in (before, None):
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.1)
    assert status.restarts == 1 and "the model of r1 has been at one batch" in status.last_error
    assert control.invoke(ask % 1).status == 200


def test_a_model_that_hangs_and_answers_nobody_any_more_goes_without_a_crash(
    start: Callable[..., EndpointControl], models: dict[str, Path], tmp_path: Path
) -> None:
    """What was rolled back may spin for ever, at the cost of what is served."""
    folder = tmp_path / "endpoints" / "bike"
    EndpointConfig(predict_timeout=0.3).write(folder)
    control = start("bike", folder)
    control.load(1, models["one"], "one", 1)
    control.load(2, models["tricky"], "tricky", 2)
    control.set_table({2: 100})
    before = control.status().server_pid
    ask = b'{"dataframe_split":{"columns":["x"],"data":[[-5]]}}'
    assert control.invoke(ask).status == 504
    control.rollback(1, "it hangs")
    deadline = time.monotonic() + 25
    while (status := control.status()).server_pid == before:
        assert time.monotonic() < deadline, "it still runs"
        assert control.invoke(BODY).status == 200
        time.sleep(0.1)
    assert (status.restarts, status.state) == (0, "serving")
    assert {item.revision for item in status.loaded} == {1, 2}
    assert control.invoke(BODY).status == 200


def test_a_new_supervisor_takes_over_port_and_table(
    start: Callable[..., EndpointControl], models: dict[str, Path]
) -> None:
    control = start()
    control.load(1, models["one"], "one", 1)
    control.set_table({1: 100})
    before = running(control)
    assert before.pid is not None and before.server_pid is not None
    os.kill(before.pid, signal.SIGKILL)
    until(lambda: not running(control).alive)
    assert running(control).state is EndpointState.LOST
    with pytest.raises(EndpointUnavailable):
        control.status()
    after = control.ensure_running("bike")
    assert after.port == before.port
    assert after.pid != before.pid
    assert control.invoke(BODY).revision == 1
    until(lambda: started(before.server_pid or 0) is None)
    # And an orderly stop remembers as well.
    control.stop()
    assert running(control).state is EndpointState.STOPPED
    assert running(control).server_pid is None
    assert control.ensure_running("bike").port == before.port
    assert control.invoke(BODY).revision == 1


def test_the_orphaned_server_answers_what_it_has(
    start: Callable[..., EndpointControl], models: dict[str, Path]
) -> None:
    control = start()
    control.load(1, models["tricky"], "tricky", 1)
    control.set_table({1: 100})
    info = running(control)
    replies: list[int] = []
    slow = threading.Thread(
        target=lambda: replies.append(control.invoke(b'{"inputs": {"x": [2000]}}').status)
    )
    slow.start()
    time.sleep(0.3)
    assert info.pid is not None
    os.kill(info.pid, signal.SIGKILL)
    slow.join(10)
    assert replies == [200]


def test_a_stop_answers_what_is_in_flight(
    start: Callable[..., EndpointControl], models: dict[str, Path]
) -> None:
    control = start()
    control.load(1, models["tricky"], "tricky", 1)
    control.set_table({1: 100})
    replies: list[int] = []
    slow = threading.Thread(
        target=lambda: replies.append(control.invoke(b'{"inputs": {"x": [2000]}}').status)
    )
    slow.start()
    time.sleep(0.3)
    control.stop()
    slow.join(10)
    assert replies == [200]
    with pytest.raises(EndpointUnavailable):
        control.invoke(BODY)
    control.stop()  # again: nothing to do


def test_a_second_supervisor_is_refused(endpoint: EndpointControl) -> None:
    command = [sys.executable, "-P", "-m", "core.serving.supervision.supervisor", "--name", "bike"]
    done = subprocess.run(
        [*command, "--dir", str(endpoint.folder.root)], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == WrongState.exit_status
    assert "Another supervisor already runs endpoint bike" in done.stderr
    assert "Traceback" not in done.stderr
    assert endpoint.invoke(BODY).status == 200


def test_many_starters_get_one_supervisor(tmp_path: Path) -> None:
    control = EndpointControl(tmp_path / "bike")
    found: list[EndpointInfo] = []
    threads = [
        threading.Thread(target=lambda: found.append(control.ensure_running("bike")))
        for _ in range(4)
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(found) == 4
        assert len({info.pid for info in found}) == 1
    finally:
        control.stop()


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    control = EndpointControl(tmp_path / "bike")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=str(port)):
            control.ensure_running("bike", port)
    assert control.info() is None
    with pytest.raises(NotFound):
        control.status()
    info = control.ensure_running("bike", port)
    try:
        assert info.port == port
        with pytest.raises(WrongState, match=str(port)):
            control.ensure_running("bike", 1 if port != 1 else 2)
    finally:
        control.stop()


def test_a_folder_with_a_long_path_works(tmp_path: Path) -> None:
    control = EndpointControl(tmp_path / ("deep" * 20) / ("er" * 30) / "bike")
    info = control.ensure_running("bike")
    try:
        assert control.status().state is EndpointState.EMPTY
        assert info.state is EndpointState.EMPTY
        path = Path(json.loads(control.folder.file.read_text())["control"])
        assert len(str(path)) < 100
        assert path.stat().st_mode & 0o077 == 0
    finally:
        control.stop()
    assert not path.exists()


def test_a_model_that_kills_its_loader_is_refused_and_traffic_goes_on(
    endpoint: EndpointControl, models: dict[str, Path]
) -> None:
    with pytest.raises(ModelUnusable, match="ended the server process"):
        endpoint.load(70, models["deadly"], "deadly", 1)
    assert endpoint.invoke(BODY).revision == 1
    assert 70 not in {report.revision for report in endpoint.status().loaded}


def crash(control: EndpointControl, revision: int = 2) -> None:
    headers = {"X-Amzn-SageMaker-Target-Variant": f"r{revision}"}
    with contextlib.suppress(OpsdeckError):
        control.invoke(b'{"inputs": {"x": [-9]}}', headers=headers, timeout=10)


def test_a_crash_loop_goes_back_to_the_last_good_table(
    start: Callable[..., EndpointControl], models: dict[str, Path]
) -> None:
    control = start()
    control.load(1, models["one"], "one", 1)
    control.set_table({1: 100})
    control.load(2, models["tricky"], "tricky", 1)
    # A table that gives the canary less is no good one: the canary is in it.
    control.set_table({1: 90, 2: 10}, "new")
    control.set_table({1: 50, 2: 50}, "more")
    for _ in range(5):
        crash(control)
        control.status()
    until(lambda: control.status().pinned, 60)
    assert control.invoke(BODY).revision == 1
    status = control.status()
    assert status.state is EndpointState.SERVING
    assert "crash loop" in status.reason
    assert {report.revision for report in status.loaded} == {1}
    told = control.info()
    assert told is not None
    assert told.gave_up is not None
    assert time.time() - told.gave_up.at < 60
    assert told.gave_up.revisions == (2, 1)
    assert told.gave_up.requests_failed >= 1, "what died with a server got no answer"


def test_a_crash_loop_without_a_good_table_fails_and_can_be_rolled_back(
    start: Callable[..., EndpointControl], models: dict[str, Path]
) -> None:
    control = start()
    control.load(1, models["one"], "one", 1)
    control.load(2, models["tricky"], "tricky", 1)
    control.set_table({2: 100})
    for _ in range(5):
        crash(control)
    until(lambda: control.status().state is EndpointState.FAILED, 60)
    until(lambda: control.info().server_pid is not None)  # type: ignore[union-attr]
    assert control.invoke(BODY).status == 503
    status = control.status()
    assert [variant.revision for variant in status.desired] == [2]
    assert status.actual == ()
    assert control.rollback(1, "it crashes").changed
    assert control.invoke(BODY).revision == 1
    assert control.status().state is EndpointState.SERVING


def test_a_model_that_has_gone_is_named_and_the_endpoint_still_answers(
    start: Callable[..., EndpointControl], models: dict[str, Path], tmp_path: Path
) -> None:
    control = start()
    place = tmp_path / "model"
    shutil.copytree(models["one"], place)
    control.load(1, place, "one", 1)
    control.set_table({1: 100})
    control.stop()
    shutil.rmtree(place)
    assert control.ensure_running("bike").state is EndpointState.FAILED
    assert str(place) in control.status().last_error
    assert control.invoke(BODY).status == 503
    shutil.copytree(models["one"], place)
    control.set_table({1: 100}, "it is back")
    assert control.invoke(BODY).status == 200


def test_terminating_the_supervisor_is_an_orderly_stop(
    start: Callable[..., EndpointControl],
) -> None:
    control = start()
    info = running(control)
    assert info.pid is not None and info.server_pid is not None
    os.kill(info.pid, signal.SIGTERM)
    until(lambda: running(control).state is EndpointState.STOPPED)
    until(lambda: started(info.pid or 0) is None and started(info.server_pid or 0) is None)


def test_a_clients_token_in_the_environment_does_not_reach_the_models(
    start: Callable[..., EndpointControl], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "s3cret")
    info = running(start())
    supervisor = psutil.Process(info.pid)
    processes = [supervisor, *supervisor.children(recursive=True)]
    assert len(processes) >= 3
    for process in processes:
        assert "s3cret" not in process.environ().values()


def test_without_its_warm_process_a_server_is_still_replaced(endpoint: EndpointControl) -> None:
    supervisor = psutil.Process(running(endpoint).pid)
    (warm,) = [
        child for child in supervisor.children() if "core.serving.process.warm" in child.cmdline()
    ]
    warm.kill()
    assert endpoint.invoke(BODY).status == 200, "the server does not need it"
    kill_server(endpoint)
    assert endpoint.invoke(BODY).revision == 1
    until(lambda: endpoint.status().warm)


def test_nothing_is_left_behind(start: Callable[..., EndpointControl]) -> None:
    control = start()
    supervisor = psutil.Process(running(control).pid)
    family = [supervisor, *supervisor.children(recursive=True)]
    assert len(family) == 3
    control.stop()
    psutil.wait_procs(family, timeout=5)
    assert [process for process in family if started(process.pid) is not None] == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB of our own."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs takes root")
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, timeout=10).returncode:
        pytest.skip("this system lets nobody mount a tmpfs")
    yield place
    subprocess.run(["umount", "-l", str(place)], timeout=10, check=True)


def test_a_full_disk_fails_no_request_and_no_rollback(
    small_disk: Path, models: dict[str, Path], start: Callable[..., EndpointControl]
) -> None:
    control = start("bike", small_disk / "bike")
    control.load(1, models["one"], "one", 1)
    control.load(2, models["two"], "two", 1)
    control.set_table({1: 50, 2: 50})
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as stream:
        while stream.write(b"x" * 4096):
            pass
    for _ in range(20):
        assert control.invoke(BODY).status == 200
    until(lambda: control.status().capture.dropped_disk >= 20)
    assert "No space left" in control.status().capture.last_error
    assert control.rollback(1, "worse").requests_failed == 0
    assert {control.invoke(BODY).revision for _ in range(5)} == {1}
    filler.unlink()
    assert control.invoke(BODY).status == 200
    until(lambda: control.status().capture.written > 0)
    filler.unlink(missing_ok=True)
    control.set_table({1: 100}, "room again")
    assert json.loads(control.folder.file.read_text())["reason"] == "room again"
    control.stop()


def test_invoking_what_does_not_answer(start: Callable[..., EndpointControl]) -> None:
    control = start()
    pid = running(control).server_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(RequestFailed):
            control.invoke(BODY, timeout=0.3)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_disk_that_is_full_from_the_start_is_named(small_disk: Path) -> None:
    with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as stream:
        while stream.write(b"x" * 4096):
            pass
    control = EndpointControl(small_disk / "bike")
    with pytest.raises(DiskFull, match="No space left"):
        control.ensure_running("bike")
