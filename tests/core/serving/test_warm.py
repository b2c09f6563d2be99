"""The warm process: what it is handed it lets go, whether it forks or refuses."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path

import pytest

from core.serving.process.warm import _Warm


@pytest.fixture
def descriptors() -> list[int]:
    ends = os.pipe()
    return list(ends)


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def asked(descriptors: list[int], folder: Path) -> dict[str, str]:
    """What it answers to one request for a server."""
    mine, theirs = socket.socketpair()
    with mine, theirs:
        answer = _Warm(theirs, folder, "bike")._obey({"op": "fork"}, descriptors)
    return json.loads(json.dumps(answer))  # type: ignore[no-any-return]


def test_a_refusal_leaves_nothing_open(tmp_path: Path, descriptors: list[int]) -> None:
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    try:
        answer = asked(descriptors, tmp_path)
    finally:
        done.set()
        other.join()
    assert "threads" in answer["error"]
    assert not any(is_open(each) for each in descriptors)


def test_a_machine_that_forks_no_more_is_told_of(
    tmp_path: Path, descriptors: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", full)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    assert "Resource temporarily unavailable" in asked(descriptors, tmp_path)["error"]
    assert not any(is_open(each) for each in descriptors)
