"""Captured JSON as columns: the types are those of what was sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.capture import CapturedRequest
from core.monitors.kind import LABEL, PREDICTION, SCORE
from core.monitors.spool import Spool, moment, spool_requests

values = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
)  # fmt: skip


def request(
    number: int, data: Any, outputs: Any = (1.0,), columns: Any = ("x",), status: int = 200
) -> CapturedRequest:
    return CapturedRequest(
        f"id-{number}", float(number), "r1", 1, "m", 1, status, 1.0,
        json.dumps({"columns": columns, "data": data}), json.dumps(outputs), "", 1.0, False,
    )  # fmt: skip


def spooled(folder: Path, requests: list[CapturedRequest], labels: Any = None) -> Spool:
    spool = Spool(folder)
    known = None if labels is None else (lambda ids: {i: labels[i] for i in ids if i in labels})
    spool_requests(spool, requests, known)
    return spool


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ([1, 2, None], pa.int64()),
        ([1, 2.5], pa.float64()),
        ([True, None], pa.bool_()),
        (["a", None], pa.string()),
        ([1, "a"], pa.string()),
        ([1, True], pa.string()),
        ([None, None], pa.null()),
        ([2**70, 1], pa.float64()),
    ],
)
def test_a_column_has_the_narrowest_type_that_holds_it(
    tmp_path: Path, column: list[Any], kind: pa.DataType
) -> None:
    spool = spooled(tmp_path, [request(0, [[value] for value in column], [1.0] * len(column))])
    assert spool.schema.field("x").type == kind


def test_types_hold_over_all_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.monitors.spool.BATCH_ROWS", 2)
    spool = spooled(
        tmp_path,
        [request(0, [[1]]), request(1, [[2]]), request(2, [[None]]), request(3, [[None]]),
         request(4, [[2.5]]), request(5, [["many"]])],
    )  # fmt: skip
    found = [value for batch in spool.batches(["x"]) for value in batch.column(0).to_pylist()]
    assert found == ["1", "2", None, None, "2.5", "many"]
    assert spool.rows == 6


def test_columns_that_come_and_go_are_nulls_where_they_are_not(tmp_path: Path) -> None:
    spool = spooled(
        tmp_path, [request(0, [[1]]), request(1, [[5, 6]], columns=("x", "y")), request(2, [])]
    )
    table = pa.Table.from_batches(spool.batches(["x", "y", "no such"]))
    assert table.to_pydict() == {"x": [1, 5, None], "y": [None, 6, None]}


def test_scores_labels_and_failures(tmp_path: Path) -> None:
    spool = spooled(
        tmp_path,
        [
            request(0, [[1], [2]], [[0.2, 0.8], [0.9, 0.1]]),
            request(1, [[3]], {"error": "no"}, status=400),
            request(2, [[4]], [7.0]),
        ],
        {"id-0": "[1, 0]", "id-2": "5", "unknown": "1"},
    )
    table = pa.Table.from_batches(spool.batches([PREDICTION, SCORE, LABEL])).to_pydict()
    assert table[PREDICTION] == [1.0, 0.0, None, 7.0]
    assert table[SCORE] == ["[0.2, 0.8]", "[0.9, 0.1]", None, None]
    assert table[LABEL] == [1, 0, None, 5]
    assert spool.labelled == 3


@given(st.lists(st.lists(values, min_size=1, max_size=3), max_size=8))
def test_whatever_was_sent_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[Any]]
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    requests = [request(n, [row], columns=["a", "b", "c"]) for n, row in enumerate(rows)]
    spool = spooled(folder, requests)
    assert sum(batch.num_rows for batch in spool.batches()) == len(rows)
    spool.close()
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2012-03-01", 1_330_560_000.0),
        ("2012-03-01T01:00:00Z", 1_330_563_600.0),
        ("2012-03-01 01:00:00+01:00", 1_330_560_000.0),
        (1_330_560_000, 1_330_560_000.0),
        (1_330_560_000_000, 1_330_560_000.0),
        (1_330_560_000_000_000_000, 1_330_560_000.0),
        ("soon", None),
        (None, None),
        (True, None),
    ],
)
def test_moments(written: Any, at: float | None) -> None:
    assert moment(written) == at
