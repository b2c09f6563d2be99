"""The client against processes that die, hang or talk nonsense."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import BadInput, NotFound, TrackingUnavailable, WrongState
from core.tracking.tracker_client import Tracker

# Speaks the protocol; what it does is chosen by the op's name.
SCRIPT = """
import json, os, sys, time
inits = 0
for line in sys.stdin:
    r = json.loads(line); op = r["op"]; out = {"id": r["id"], "ok": True, "result": None}
    with open(sys.argv[1], "a") as log: log.write(op + "\\n")
    if op == "die": os._exit(1)
    if op == "die_once" and not os.path.exists(sys.argv[1] + ".died"):
        open(sys.argv[1] + ".died", "w").close(); os._exit(1)
    if op == "create_run": os._exit(1)
    if op == "hang": time.sleep(60)
    if op == "nonsense": print("what?", flush=True); continue
    if op == "stale": print(json.dumps({"id": -1, "ok": True, "result": "old"}), flush=True)
    if op == "init": inits += 1
    if op == "inits": out["result"] = inits
    if op == "echo": out["result"] = r["args"]
    if op == "refuse":
        error = {"code": r["args"]["code"], "message": "no"}
        out = {"id": r["id"], "ok": False, "error": error}
    print(json.dumps(out), flush=True)
"""

Started = Callable[[], tuple[int, int, int | None]]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "ops.log"


@pytest.fixture
def start(log: Path) -> Iterator[Started]:
    children: list[subprocess.Popen[bytes]] = []

    def started() -> tuple[int, int, int | None]:
        child = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(log)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        children.append(child)
        assert child.stdin and child.stdout
        return os.dup(child.stdout.fileno()), os.dup(child.stdin.fileno()), child.pid

    yield started
    for child in children:
        child.kill()
        child.communicate()


@pytest.fixture
def tracker(start: Started) -> Iterator[Tracker]:
    with Tracker(*start(), respawn=start) as made:
        yield made


def test_calls_from_many_threads_get_their_own_answers(tracker: Tracker) -> None:
    def echo(number: int) -> bool:
        return bool(tracker.call("echo", n=number) == {"n": number})

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(echo, range(100)))


def test_after_a_death_init_is_repeated(tracker: Tracker) -> None:
    tracker.call("init", tracking_uri="sqlite:///x")
    assert tracker.pid is not None
    os.kill(tracker.pid, 9)
    assert tracker.call("inits") == 1


def test_a_call_in_whose_middle_the_process_dies_is_repeated(tracker: Tracker, log: Path) -> None:
    assert tracker.call("die_once") is None
    assert log.read_text().split() == ["die_once", "die_once"]


def test_it_gives_up_when_the_process_dies_again(tracker: Tracker, log: Path) -> None:
    with pytest.raises(TrackingUnavailable, match="die: the tracker process ended"):
        tracker.call("die")
    assert log.read_text().split() == ["die", "die"]
    assert tracker.call("echo") == {}, "the next call starts afresh"


def test_it_may_be_told_to_try_more_often(start: Started, log: Path) -> None:
    with (
        Tracker(*start(), respawn=start, tries=4) as tracker,
        pytest.raises(TrackingUnavailable, match="die: the tracker process ended"),
    ):
        tracker.call("die")
    assert log.read_text().split() == ["die"] * 4


def test_what_a_new_process_takes_to_start_is_not_the_callers_time(
    start: Started, log: Path
) -> None:
    def slow() -> tuple[int, int, int | None]:
        time.sleep(1.0)
        return start()

    with Tracker(*start(), respawn=slow) as tracker:
        tracker.call("die_once", timeout=0.9)
    assert log.read_text().split() == ["die_once", "die_once"]


def test_create_run_is_repeated_only_with_a_unique_tag(tracker: Tracker, log: Path) -> None:
    with pytest.raises(TrackingUnavailable):
        tracker.call("create_run", experiment="e")
    assert log.read_text().split() == ["create_run"]
    with pytest.raises(TrackingUnavailable):
        tracker.call("create_run", experiment="e", tags={"k": "1"}, unique_tag="k")
    assert log.read_text().split() == ["create_run"] * 3


def test_a_hanging_process_is_replaced(tracker: Tracker) -> None:
    before, start = tracker.pid, time.monotonic()
    with pytest.raises(TrackingUnavailable, match="no answer"):
        tracker.call("hang", timeout=0.3)
    assert time.monotonic() - start < 5
    assert tracker.call("echo") == {}
    assert tracker.pid != before


def test_waiting_in_line_counts(tracker: Tracker) -> None:
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(tracker.call, "hang", timeout=1.5)
        time.sleep(0.3)
        with pytest.raises(TrackingUnavailable, match="busy"):
            tracker.call("echo", timeout=0.2)
        with pytest.raises(TrackingUnavailable):
            hanging.result(10)


def test_nonsense_counts_as_death_and_stale_answers_are_skipped(tracker: Tracker) -> None:
    assert tracker.call("stale") is None
    with pytest.raises(TrackingUnavailable, match="wrote something else"):
        tracker.call("nonsense")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("RESOURCE_DOES_NOT_EXIST", NotFound),
        ("INVALID_PARAMETER_VALUE", BadInput),
        ("INVALID_STATE", WrongState),
        ("TEMPORARILY_UNAVAILABLE", TrackingUnavailable),
    ],
)
def test_refusals_keep_their_kind(tracker: Tracker, code: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="refuse: no"):
        tracker.call("refuse", code=code)


def test_a_large_request_and_answer(tracker: Tracker) -> None:
    text = "x" * 3_000_000
    assert tracker.call("echo", text=text) == {"text": text}


def test_arguments_must_be_json(tracker: Tracker) -> None:
    with pytest.raises(BadInput, match="echo"):
        tracker.call("echo", value=object())
    assert tracker.call("echo") == {}


def test_without_respawn_a_death_is_final(start: Started) -> None:
    with Tracker(*start()) as tracker:
        for _ in range(2):
            with pytest.raises(TrackingUnavailable, match="ended"):
                tracker.call("die")


def test_closing_ends_the_process(start: Started) -> None:
    tracker = Tracker.start(sys.executable)
    pid = tracker.pid
    assert tracker.call("ping")["pid"] == pid
    tracker.close()
    tracker.close()
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(TrackingUnavailable, match="closed"):
        tracker.call("ping")


def test_a_missing_interpreter_is_named() -> None:
    with pytest.raises(TrackingUnavailable, match="/no/such/python"):
        Tracker.start("/no/such/python")
