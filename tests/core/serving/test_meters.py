"""What a server process counts, and where a shadow disagrees."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.analysis.arms import Moments
from core.analysis.buckets import class_bucket, score_bucket
from core.errors import BadInput
from core.serving import wire
from core.serving.process.capture import Capture
from core.serving.process.meters import Meter, Reading
from core.serving.process.segments import MAX_ROWS, MAX_VALUES, Segments, summary
from core.serving.process.shadow import MAX_WAITING, Shadow, first_difference, row_of, same


def read(meter: Meter) -> Reading:
    return Reading.from_json(json.loads(json.dumps(meter.reading())))


def sum_of(parts: Mapping[int, Moments]) -> Moments:
    total = Moments()
    for part in parts.values():
        total = total.merge(part)
    return total


def test_what_a_meter_counts() -> None:
    meter = Meter()
    meter.record(200, 0.010, True)
    meter.record(200, 0.040, False)
    meter.record(500, 9.0, True)
    meter.record(404, 9.0, True)
    counts = read(meter)
    assert (counts.requests, counts.errors, counts.rejected, counts.chance) == (4, 1, 1, 3)
    latency = sum_of(counts.arm().latency)
    assert latency.count == 2 and latency.mean == pytest.approx(math.log(20))
    assert counts.period(10.0).milliseconds == pytest.approx(50)


@pytest.mark.parametrize(
    ("outputs", "bucket"),
    [
        ([2.5], score_bucket(2.5)),
        ([True], score_bucket(1)),
        (["cat"], class_bucket("cat")),
        ([[0.25, 0.75]], score_bucket(0.75)),
        ([{"score": 3, "rest": 1}], score_bucket(3)),
        ({"score": [3]}, score_bucket(3)),
        ([], None),
        ([None], None),
        ([math.nan], None),
        ([[]], None),
    ],
)
def test_what_a_prediction_comes_down_to(outputs: Any, bucket: int | None) -> None:
    meter = Meter()
    meter.predicted(outputs)
    assert read(meter).scores == ({} if bucket is None else {bucket: 1})


def test_one_prediction_of_many_counts_any_of_them() -> None:
    meter = Meter()
    for _ in range(300):
        meter.predicted([1.0, 10.0, 100.0])
    counts = read(meter)
    assert counts.score_count == 300 and len(counts.scores) == 3
    assert counts.arm().score.mean == pytest.approx(37, abs=12)


@given(st.lists(st.floats(-1e6, 1e6), max_size=30), st.integers(0, 30))
def test_differences_of_readings_are_what_happened_between(values: list[float], cut: int) -> None:
    whole, late = Meter(), Meter()
    cut = min(cut, len(values))
    before = read(whole)
    for index, value in enumerate(values):
        if index == cut:
            before = read(whole)
        whole.record(200, 0.01, True)
        whole.predicted([value])
    if cut == len(values):
        before = read(whole)
    for value in values[cut:]:
        late.record(200, 0.01, True)
        late.predicted([value])
    found = read(whole).since(before)
    assert found.requests == read(late).requests
    assert found.scores == read(late).scores
    mean = found.arm().score.mean
    assert mean == pytest.approx(read(late).arm().score.mean, rel=1e-6, abs=1e-3)


def test_another_meter_begins_at_nothing() -> None:
    old, new = Meter(), Meter()
    for _ in range(9):
        old.record(200, 0.01, True)
    new.record(200, 0.01, True)
    assert read(new).since(read(old)).requests == 1
    assert read(new).since(None).requests == 1


@pytest.mark.parametrize(
    ("old", "new", "equal"),
    [
        (1.0, 1.005, True),
        (1.0, 1.02, False),
        (0.0, 1e-10, True),
        (0, 0.0, True),
        ("cat", "cat", True),
        ("cat", "dog", False),
        (True, False, False),
        (None, math.nan, True),
        (None, 0.0, False),
        (math.nan, math.nan, True),
        (math.inf, math.inf, True),
        (math.inf, 1.0, False),
        ([0.2, 0.8], [0.2, 0.801], True),
        ([0.2, 0.8], [0.2], False),
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"b": 1}, False),
        ("1", 1, False),
    ],
)
def test_when_predictions_say_the_same(old: Any, new: Any, equal: bool) -> None:
    assert same(old, new, 0.01) is equal
    assert same(new, old, 0.01) is equal


def test_the_first_row_that_differs() -> None:
    assert first_difference([1, 2, 3], [1, 2, 3], 0.01) is None
    assert first_difference([1, 2, 3], [1, 5, 9], 0.01) == 1
    assert first_difference([1, 2], [1], 0.01) == 0
    assert row_of({"dataframe_split": {"columns": ["a"], "data": [[1], [2]]}}, 1) == {"a": 2}
    assert row_of({"dataframe_records": [{"a": 1}]}, 0) == {"a": 1}
    assert row_of({"instances": [[1]]}, 0) == {} == row_of({"csv": "a"}, 0)


def test_segments_are_of_the_column_that_tells_most() -> None:
    one, two = Segments(), Segments()
    for index in range(200):
        row = {"sky": ("clear", "rain")[index % 2], "day": index % 7, "temp": index / 7}
        part = one if index % 3 else two
        if index % 2 and index % 4 == 1:
            part.differ(row, 1, 2, f"id{index}", float(index))
        else:
            part.add(row)
    found = summary(json.loads(json.dumps([one.to_json(), two.to_json()])))
    assert found.by == "sky"  # days disagree alike, and temp has too many values
    assert [(s.segment, s.compared, s.disagreements) for s in found.segments] == [
        ("rain", 100, 50),
        ("clear", 100, 0),
    ]
    assert [row.at for row in found.rows] == sorted((row.at for row in found.rows), reverse=True)
    assert found.rows[0].inference_id == "id197" and found.rows[0].segment == "rain"


def test_segments_stay_small() -> None:
    one = Segments()
    for index in range(MAX_ROWS * 2):
        one.differ({f"c{column}": index for column in range(200)} | {"text": "x" * 9999},
                   ["y" * 9999], list(range(999)), "id", 0.0)  # fmt: skip
    kept = one.to_json()
    assert len(kept["rows"]) == MAX_ROWS and not kept["columns"]
    assert all(len(values) <= MAX_VALUES for values in kept["columns"].values())
    assert len(json.dumps(kept)) < 1_000_000
    assert summary([]).segments == ()


class _Engine:
    """Doubles; raises on what it is told to, and takes its time."""

    def __init__(self, slow: float = 0.0) -> None:
        self.slow = slow

    def answer(self, inputs: list[Any]) -> list[Any]:
        time.sleep(self.slow)
        if inputs[0] == "raise":
            raise SystemError("a model may raise anything")
        return [[len(inputs[0])]]

    def describe(self, inputs: Any, body: bytes = b"", content_type: str = "") -> Any:
        return {"dataframe_records": [{"text": inputs}]}


def _take(engine: Any, body: bytes, content_type: str) -> tuple[Any, Any]:
    return body.decode(), None


def _shadow(folder: Path, slow: float = 0.0) -> Shadow:
    report = SimpleNamespace(revision=2, model="m", version=1)
    shadow = Shadow(Capture(folder, rate=0.0))
    shadow.order(SimpleNamespace(engine=_Engine(slow), report=report), 100)  # type: ignore[arg-type]
    return shadow


def _eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_a_shadow_compares_and_counts(tmp_path: Path) -> None:
    shadow = _shadow(tmp_path)
    for body, said in ((b"abc", [3]), (b"abcd", [9]), (b"raise", [5]), (b"ab", None)):
        shadow.mirror(1, _take, body, "", "id", said)
    shadow.mirror(2, _take, b"abc", "", "id", [3])  # its own answer: nothing to compare

    def counts() -> dict[str, Any]:
        return shadow.reading() or {}

    _eventually(lambda: counts()["meter"]["requests"] == 4)
    found = counts()
    assert (found["mirrored"], found["compared"], found["disagreements"]) == (4, 2, 1)
    assert (found["failed"], found["dropped"], found["meter"]["errors"]) == (1, 0, 1)
    (row,) = shadow.disagreements()["rows"]
    assert (row["inputs"], row["champion"], row["candidate"]) == ({"text": "abcd"}, 9, 4)
    shadow.close()
    assert shadow.revision is None


async def test_a_shadow_that_hangs_keeps_the_next_one_from_nothing(tmp_path: Path) -> None:
    shadow = _shadow(tmp_path, slow=2.0)
    shadow.mirror(1, _take, b"abc", "", "id", [3])
    report = SimpleNamespace(revision=3, model="m", version=2)
    shadow.order(None, 0)
    shadow.order(SimpleNamespace(engine=_Engine(0.0), report=report), 100)  # type: ignore[arg-type]
    begun = time.monotonic()
    shadow.mirror(1, _take, b"abcd", "", "id", [9])
    _eventually(lambda: (shadow.reading() or {})["compared"] == 1)
    assert time.monotonic() - begun < 1.5
    assert shadow.disagreements()["revision"] == 3
    shadow.close()


def test_disagreements_travel_in_one_line_whatever_the_inputs_are() -> None:
    segments = Segments()
    for number in range(300):
        row: dict[str, Any] = {f"{i}{'é' * 300}": ["é" * 300] * 20 for i in range(80)}
        segments.differ(row, [["é" * 300] * 30] * 30, number, "id", float(number))
    found = segments.to_json()
    assert len(json.dumps(found)) < wire.MAX_LINE / 2
    assert found["rows"][-1]["candidate"] == 299 and found["rows"][-1]["at"] == 299.0
    assert summary([found] * 8).rows[0].candidate == 299


async def test_a_slow_shadow_sheds_and_never_waits(tmp_path: Path) -> None:
    shadow = _shadow(tmp_path, slow=0.2)
    begun = time.perf_counter()
    for _ in range(MAX_WAITING + 50):
        shadow.mirror(1, _take, b"x", "", "id", [1])
    assert time.perf_counter() - begun < 0.15
    found = shadow.reading()
    assert found is not None and found["dropped"] >= 48
    shadow.close()


async def test_the_share_and_the_order_of_a_shadow(tmp_path: Path) -> None:
    shadow = _shadow(tmp_path)
    target = shadow.target
    shadow.order(target, 25)
    for _ in range(400):
        shadow.mirror(1, _take, b"x", "", "id", [1])
        time.sleep(0.0001)
    found = shadow.reading()
    assert found is not None and 60 < found["mirrored"] < 140
    with pytest.raises(BadInput):
        shadow.order(target, 101)
    shadow.order(None, 0)
    shadow.mirror(1, _take, b"x", "", "id", [1])
    after = shadow.reading()
    assert after is not None and after["mirrored"] == found["mirrored"]
    shadow.close()
