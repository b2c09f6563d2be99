"""Mirroring requests to a revision that answers nobody, and comparing what it says.

The event loop puts a request that has been answered in a bounded queue, or sheds it; one thread
does the rest. So the real request is neither slowed nor failed by whatever the shadow does: it
has its answer already. A shadow that raises is counted as failed.
"""

from __future__ import annotations

import asyncio
import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from core.errors import BadInput
from core.serving.chance import draw
from core.serving.process.capture import Capture, Captured
from core.serving.process.meters import Meter, new_token
from core.serving.process.segments import Segments

if TYPE_CHECKING:
    from core.serving.process.service import Loaded

log = logging.getLogger(__name__)

MAX_WAITING = 256
MAX_WAITING_BYTES = 16 << 20
TOLERANCE = 0.01  # of the larger number: a model trained anew never agrees to the last digit

Take = Callable[[Any, bytes, str], tuple[Any, Any]]  # a dialect's: engine, body, content type


@dataclass(slots=True)
class _Mirrored:
    take: Take
    body: bytes
    content_type: str
    identity: str
    outputs: Any  # the champion's; None where it failed
    target: Loaded
    tolerance: float
    counts: _Counts


class _Line:
    """What waits for one target, and the thread that takes it: a model that hangs keeps its
    own waiting, and not those of the next target."""

    def __init__(self) -> None:
        self.waiting: queue.SimpleQueue[_Mirrored | None] = queue.SimpleQueue()
        self.bytes = 0
        self.thread: threading.Thread | None = None


class Shadow:
    """The shadow of one server process. All but the thread is for the event loop."""

    def __init__(self, capture: Capture) -> None:
        self.target: Loaded | None = None
        self.percent = 0.0
        self.tolerance = TOLERANCE
        self._capture = capture
        self._line = _Line()
        self._lock = threading.Lock()  # over everything below, and the bytes that wait
        self._counts = _Counts()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def revision(self) -> int | None:
        """The revision that is mirrored to, if any."""
        return None if self.target is None else self.target.report.revision

    def order(self, target: Loaded | None, percent: float, tolerance: float = TOLERANCE) -> None:
        """Mirror this share (0-100) of the requests from now on; another revision counts
        afresh. Raises `BadInput`."""
        if not 0 <= percent <= 100:
            raise BadInput(f"{percent:g} % of the requests cannot be mirrored", "give 0 to 100")
        if not tolerance >= 0:
            raise BadInput(f"The tolerance is {tolerance:g}; it must be at least 0")
        if target is not None and target is not self.target:
            self._line.waiting.put(None)
            self._line = _Line()
            with self._lock:
                self._counts = _Counts(target.report.revision)
        self.target = target if percent else None
        self.percent = percent if target is not None else 0.0
        self.tolerance = tolerance

    def mirror(
        self, revision: int, take: Take, body: bytes, content_type: str, identity: str, outputs: Any
    ) -> None:
        """A request was answered by this revision; `outputs` is None where its model failed."""
        target = self.target
        if target is None or target.report.revision == revision:
            return
        if self.percent < 100 and draw() * 100 >= self.percent:
            return
        counts, line = self._counts, self._line
        counts.mirrored += 1
        if line.waiting.qsize() >= MAX_WAITING or line.bytes > MAX_WAITING_BYTES:
            counts.dropped += 1
            return
        if line.thread is None:
            self._loop = asyncio.get_running_loop()
            line.thread = threading.Thread(
                target=self._work, args=(line,), name="shadow", daemon=True
            )
            line.thread.start()
        with self._lock:
            line.bytes += len(body)
        line.waiting.put(
            _Mirrored(take, body, content_type, identity, outputs, target, self.tolerance, counts)
        )

    def reading(self) -> dict[str, Any] | None:
        """What is mirrored and has been counted, as JSON; None without a shadow so far."""
        with self._lock:
            counts = self._counts
            if self.target is None and not counts.mirrored:
                return None
            return {
                "revision": self.revision,
                "percent": self.percent,
                "tolerance": self.tolerance,
                "token": counts.token,
                "mirrored": counts.mirrored,
                "compared": counts.compared,
                "disagreements": counts.disagreements,
                "dropped": counts.dropped,
                "failed": counts.failed,
                "meter": counts.meter.reading(),
            }

    def disagreements(self) -> dict[str, Any]:
        """Where they disagree, as JSON for `segments.summary`."""
        with self._lock:
            return {"revision": self._counts.revision, **self._counts.segments.to_json()}

    def close(self) -> None:
        """End the thread after what it has in hand."""
        self.order(None, 0)
        self._line.waiting.put(None)

    def _work(self, line: _Line) -> None:
        while (item := line.waiting.get()) is not None:
            with self._lock:
                line.bytes -= len(item.body)
            if item.target is not self.target:
                continue  # it was called off meanwhile
            try:
                self._one(item)
            except Exception:
                log.exception("a mirrored request could not be compared")

    def _one(self, item: _Mirrored) -> None:
        counts, engine = item.counts, item.target.engine
        begun = time.perf_counter()
        try:
            inputs, _ = item.take(engine, item.body, item.content_type)
            outputs = engine.answer([inputs])[0]
        except Exception as error:  # noqa: BLE001 - whatever a model raises is its failure
            with self._lock:
                counts.failed += 1
                counts.meter.record(500, time.perf_counter() - begun, False)
            if counts.failed <= 3:
                log.warning("the shadow r%s failed: %s", item.target.report.revision, error)
            return
        taken = time.perf_counter() - begun
        index = None
        row: Mapping[str, Any] = {}
        if item.outputs is not None:
            index = first_difference(item.outputs, outputs, item.tolerance)
            row = row_of(engine.describe(inputs), index or 0)
        with self._lock:
            counts.meter.record(200, taken, False)
            counts.meter.predicted(outputs)
            if item.outputs is not None:
                counts.compared += 1
                if index is None:
                    counts.segments.add(row)
                else:
                    counts.disagreements += 1
                    old, new = part(item.outputs, index), part(outputs, index)
                    counts.segments.differ(row, old, new, item.identity, time.time())
        self._keep(
            item, partial(engine.describe, inputs, item.body, item.content_type), outputs, taken
        )

    def _keep(
        self, item: _Mirrored, describe: Callable[[], Any], outputs: Any, taken: float
    ) -> None:
        capture, report = self._capture, item.target.report
        if self._loop is None or not capture.wants(item.identity):
            return
        captured = Captured(
            item.identity,
            time.time(),
            report.revision,
            200,
            taken * 1000,
            describe,
            outputs,
            len(item.body),
            model=report.model,
            version=report.version,
            content_type=item.content_type,
            rate=capture.rate,
            shadow=True,
        )
        try:
            self._loop.call_soon_threadsafe(capture.add, captured)
        except RuntimeError:
            self._loop = None  # the loop has ended: so does the process


class _Counts:
    """What is known of one shadow revision since it became one."""

    def __init__(self, revision: int | None = None) -> None:
        self.revision = revision
        self.token = new_token()
        self.mirrored = self.compared = self.disagreements = self.dropped = self.failed = 0
        self.meter = Meter()
        self.segments = Segments()


def first_difference(old: Any, new: Any, tolerance: float) -> int | None:
    """The first row on which two answers differ; None where they say the same."""
    if isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            return 0
        pairs = enumerate(zip(old, new, strict=True))
        return next((at for at, (a, b) in pairs if not same(a, b, tolerance)), None)
    return None if same(old, new, tolerance) else 0


def same(old: Any, new: Any, tolerance: float) -> bool:
    """Whether two predictions say the same: classes are equal, numbers within the tolerance,
    which is a share of the larger one. NaN and null are the same."""
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(
            same(a, b, tolerance) for a, b in zip(old, new, strict=True)
        )
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(
            same(value, new[key], tolerance) for key, value in old.items()
        )
    if _number(old) and _number(new):
        if old == new or (old != old and new != new):
            return True
        apart = abs(old - new)
        return math.isfinite(apart) and apart <= 1e-9 + tolerance * max(abs(old), abs(new))
    if _nothing(old) or _nothing(new):
        return _nothing(old) and _nothing(new)
    return bool(old == new)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def part(outputs: Any, index: int) -> Any:
    """One row's prediction."""
    return outputs[index] if isinstance(outputs, list) and index < len(outputs) else outputs


def row_of(described: Any, index: int) -> dict[str, Any]:
    """One row of a request as an engine describes it, by column; empty for other shapes."""
    if not isinstance(described, dict):
        return {}
    split = described.get("dataframe_split")
    if isinstance(split, dict):
        data, names = split.get("data", ()), split.get("columns", ())
        if index >= len(data):
            return {}
        return {str(name): _plain(value) for name, value in zip(names, data[index], strict=False)}
    for key in ("dataframe_records", "instances", "inputs"):
        rows = described.get(key)
        if isinstance(rows, list) and index < len(rows) and isinstance(rows[index], dict):
            return {str(name): value for name, value in rows[index].items()}
    return {}


def _plain(value: Any) -> Any:
    """A value that JSON takes: NumPy's have `item`."""
    return value.item() if hasattr(value, "item") else value
