"""Reading what was captured."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from core.capture.reader import every, newest
from core.capture.tombstone import mark_deleted
from core.domain.capture import CaptureFilter
from core.serving.process.capture import Captured
from core.serving.process.parts import keep_within, list_parts

NOON = 1_760_011_200.0
Request = Callable[..., Captured]
Put = Callable[..., list[Path]]
ALL = CaptureFilter()


def test_the_newest_first(tmp_path: Path, request_of: Request, put: Put) -> None:
    for start in (20, 0, 10):  # parts need not be written in the order of time
        put(tmp_path, *(request_of(start + n, revision=1 + n % 2) for n in range(10)))
    found = newest(tmp_path, ALL, 12)
    assert [row.inference_id for row in found] == [f"id-{n}" for n in range(29, 17, -1)]
    first = found[0]
    assert (first.variant, first.revision, first.at) == ("r2", 2, NOON + 29)
    assert (first.model, first.version, first.status) == ("demand", 3, 200)
    assert first.inputs == '{"dataframe_split":{"columns":["x"],"data":[[29]]}}'
    assert first.outputs == "[29.0]"
    assert (first.content_type, first.sampling_rate, first.shadow) == (
        "application/json",
        1.0,
        False,
    )
    assert newest(tmp_path, ALL, 0) == []
    assert newest(tmp_path / "none", ALL, 5) == []


def test_filters(tmp_path: Path, request_of: Request, put: Put) -> None:
    put(
        tmp_path,
        request_of(1),
        request_of(2, status=500, outputs={"error": "bad"}),
        request_of(3, status=400),
        request_of(4, revision=2, shadow=True),
        request_of(5, revision=2),
    )

    def ids(**wanted: object) -> list[str]:
        return [row.inference_id for row in newest(tmp_path, CaptureFilter(**wanted), 9)]  # type: ignore[arg-type]

    assert ids(variant="r2") == ["id-5", "id-4"]
    assert ids(variant="r9") == []
    assert ids(status_low=400, status_high=599) == ["id-3", "id-2"]
    assert ids(status_low=500) == ["id-2"]
    assert ids(since=NOON + 2, until=NOON + 4) == ["id-3", "id-2"]
    assert ids(shadow=True) == ["id-4"]
    assert ids(inference_id="id-3") == ["id-3"]
    assert ids(since=NOON + 86_400) == []
    assert {row.inference_id for row in every(tmp_path, CaptureFilter(variant="r1"))} == {
        "id-1",
        "id-2",
        "id-3",
    }


def test_what_was_deleted_is_never_read_again(
    tmp_path: Path, request_of: Request, put: Put
) -> None:
    put(tmp_path, *(request_of(n) for n in range(6)))
    mark_deleted(tmp_path, NOON + 4)
    mark_deleted(tmp_path, NOON + 2)  # never moves back
    assert [row.inference_id for row in newest(tmp_path, ALL, 9)] == ["id-5", "id-4"]
    assert [row.inference_id for row in every(tmp_path, ALL)] == ["id-4", "id-5"]


def test_a_part_that_goes_or_is_broken_is_left_out(
    tmp_path: Path, request_of: Request, put: Put
) -> None:
    (gone,) = put(tmp_path, request_of(1))
    (broken,) = put(tmp_path, request_of(2))
    put(tmp_path, request_of(3))
    rows = every(tmp_path, ALL)
    assert next(rows).inference_id == "id-1"
    gone.unlink()
    broken.write_bytes(b"PAR1 no parquet PAR1")
    assert [row.inference_id for row in rows] == ["id-3"]
    assert [row.inference_id for row in newest(tmp_path, ALL, 9)] == ["id-3"]
    (tmp_path / "date=2025-10-09" / "variant=r1" / ".part-1-a-1.parquet.tmp").write_text("half")
    assert len(newest(tmp_path, ALL, 9)) == 1


def test_reading_while_parts_are_written_and_deleted(
    tmp_path: Path, request_of: Request, put: Put
) -> None:
    stop = threading.Event()

    def churn() -> None:
        number = 0
        while not stop.is_set():
            put(tmp_path, *(request_of(number + n) for n in range(20)))
            number += 20
            sizes = [part.size for part in list_parts(tmp_path)]
            keep_within(tmp_path, 4 * max(sizes))

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(30):
            found = newest(tmp_path, ALL, 30)
            ids = [int(row.inference_id.removeprefix("id-")) for row in found]
            assert ids == sorted(ids, reverse=True)
            assert len({*ids}) == len(ids)
    finally:
        stop.set()
        thread.join(20)
