"""Any sequence of writes leaves what a plain list of rows would hold, at every version."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.ops import open_ops

KEYS = st.integers(0, 6)
ROWS = st.lists(st.tuples(KEYS, st.integers(0, 9)), max_size=5)
WRITES = st.lists(
    st.one_of(
        st.tuples(st.just("append"), ROWS),
        st.tuples(st.just("upsert"), ROWS),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.just("overwrite"), ROWS),
        st.tuples(st.just("replace"), KEYS, ROWS),
        st.tuples(st.just("compact")),
        st.tuples(st.just("rollback"), st.integers(0, 5)),
    ),
    min_size=1,
    max_size=7,
)
Row = tuple[int, int]


def table(rows: list[Row]) -> pa.Table:
    """The rows as Arrow has them."""
    keys, values = [k for k, _ in rows], [v for _, v in rows]
    return pa.table({"k": pa.array(keys, pa.int64()), "v": pa.array(values, pa.int64())})


def applied(rows: list[Row], write: tuple[Any, ...]) -> list[Row]:
    """What a plain list holds after a write."""
    what = write[0]
    if what == "append":
        return rows + write[1]
    if what == "upsert":
        new = dict(write[1])
        return [row for row in rows if row[0] not in new] + list(new.items())
    if what == "delete":
        return [row for row in rows if row[0] != write[1]]
    if what == "overwrite":
        return list(write[1])
    if what == "replace":
        return [row for row in rows if row[0] != write[1]] + write[2]
    return rows


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(WRITES)
def test_writes_do_what_they_do_to_a_list(writes: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "opsdeck.yaml").write_text(json.dumps({"name": "model"}))
        with open_ops(Path(folder), actor="ann") as ops:
            lake = ops.data.lake
            lake.create("t", table([]).schema, owner="ann")
            rows: list[Row] = []
            held: dict[int, list[Row]] = {1: rows}
            for write in writes:
                if write[0] == "rollback":
                    number = sorted(held)[write[1] % len(held)]
                    lake.rollback("t", str(number))
                    rows = held[number]
                    continue
                rows = applied(rows, write)
                if write[0] == "append":
                    lake.append("t", table(write[1]), by="ann")
                elif write[0] == "upsert":
                    lake.upsert("t", table(write[1]), keys=["k"], by="ann")
                elif write[0] == "delete":
                    lake.delete("t", f"k = {write[1]}", by="ann")
                elif write[0] == "overwrite":
                    lake.overwrite("t", table(write[1]), by="ann")
                elif write[0] == "replace":
                    lake.overwrite("t", table(write[2]), where=f"k = {write[1]}", by="ann")
                else:
                    lake.compact("t", least=2)
                found = lake.dataset("t")
                assert found.number is not None and found.rows == len(rows)
                held[found.number] = rows
            for number, expected in held.items():
                read = lake.read("t", at=f"#{number}").read_all()
                pairs = zip(*(read.column(c).to_pylist() for c in ("k", "v")), strict=True)
                assert sorted(pairs) == sorted(expected), number
