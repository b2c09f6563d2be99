"""Waiting for a query so that Ctrl-C ends it: DuckDB does not hear of signals by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from core.query.sandbox import Stop

_T = TypeVar("_T")
_PATIENCE_SECONDS = 5.0


def attended(stop: Stop, work: Callable[[], _T]) -> _T:
    """What `work` returns or raises. In the main thread, which is the one that signals come to,
    it is done in another while this one waits; an interruption sets `stop` and goes on up."""
    if threading.current_thread() is not threading.main_thread():
        return work()
    box: dict[str, Any] = {}
    done = threading.Event()

    def run() -> None:
        try:
            box["value"] = work()
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
            box["error"] = error
        finally:
            done.set()

    thread = threading.Thread(target=run, name="query", daemon=True)
    thread.start()
    try:
        while not done.wait(0.5):
            pass
    except BaseException:
        stop.set()
        done.wait(_PATIENCE_SECONDS)
        thread.join(1)
        raise
    if "error" in box:
        raise box["error"]
    value: _T = box["value"]
    return value
