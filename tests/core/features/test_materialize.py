"""Whatever arrives in whatever order, the online store answers as the offline join would."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.domain.features import EntityKey, Feature, FeatureSpec, Freshness
from core.errors import NotFound
from core.features import keys
from core.features.errors import Busy, NotOnline
from core.features.materialize import Range, materialize
from core.features.online import OnlineReader, file_of
from core.features.onlinewriter import OnlineWriter, locked
from tests.support.pointintime import reference_join

BASE = 1_700_000_000
SCHEMA = pa.schema(
    [
        ("user", pa.int64()),
        ("et", pa.timestamp("us")),
        ("cr", pa.timestamp("us")),
        ("del", pa.bool_()),
        ("a", pa.float64()),
        ("b", pa.string()),
    ]
)


def users(**changes: Any) -> FeatureSpec:
    values: dict[str, Any] = {
        "name": "users",
        "source": "events",
        "entity": (EntityKey("user", "int"),),
        "event_time": "et",
        "created_time": "cr",
        "deleted": "del",
        "features": (Feature("a", "float"), Feature("b", "string", default="none")),
        "online": True,
    }
    return FeatureSpec(**values | changes)


class Fake:
    """A dataset in memory: every append is a snapshot, a rewrite breaks the line."""

    def __init__(self) -> None:
        self.versions: list[list[dict[str, Any]]] = []
        self.rewritten: set[int] = set()
        self.reads: list[str] = []

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        self.versions.append([*(self.versions[-1] if self.versions else []), *rows])

    def rewrite(self, rows: Sequence[dict[str, Any]]) -> None:
        self.versions.append(list(rows))
        self.rewritten.add(len(self.versions))

    def resolve(self, name: str, at: str | None = None) -> str:
        if not self.versions:
            raise NotFound(f"dataset {name}: holds no snapshot yet")
        return str(len(self.versions))

    def schema(self, name: str, at: str | None = None) -> pa.Schema:
        return SCHEMA

    def read(
        self, name: str, *, at: str | None = None, columns: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        self.reads.append("all")
        found = table(self.versions[int(at or 0) - 1])
        return found.select(columns or SCHEMA.names).to_reader(2)

    def changes(
        self, name: str, since: str | None, until: str | None = None
    ) -> pa.RecordBatchReader | None:
        begin, end = int(since or 0), int(until or 0)
        if any(begin < number <= end for number in self.rewritten):
            return None
        self.reads.append("changes")
        return table(self.versions[end - 1][len(self.versions[begin - 1]) :]).to_reader(2)


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    columns: dict[str, Any] = {}
    for field in SCHEMA:
        values = [row[field.name] for row in rows]
        if pa.types.is_timestamp(field.type):
            values = [None if v is None else (BASE + v) * 1_000_000 for v in values]
            columns[field.name] = pa.array(values, pa.int64()).cast(field.type)
        else:
            columns[field.name] = pa.array(values, field.type)
    return pa.table(columns, schema=SCHEMA)


def row(
    user: int | None, et: int | None, a: float | None = None, cr: int | None = None,
    gone: bool = False, b: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    return {"user": user, "et": et, "cr": cr, "del": gone, "a": a, "b": b}


rows = st.lists(
    st.builds(
        row,
        st.sampled_from([1, 2, 3, None]),
        st.one_of(st.none(), st.integers(0, 12)),
        st.one_of(st.none(), st.sampled_from([0.5, 1.5])),
        st.one_of(st.none(), st.integers(0, 4)),
        st.booleans(),
        st.sampled_from(["p", "q", None]),
    ),
    max_size=6,
)


class OnlineMachine(RuleBasedStateMachine):
    """Appends, rewrites, erasures and runs of the routine, as time goes on."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.source = Fake()
        self.now = 5
        self.seen: list[dict[str, Any]] | None = None
        self.spec = users(ttl=4.0)
        self.file = file_of(Path(self._folder.name), "users", 1)

    @rule(batch=rows)
    def append(self, batch: list[dict[str, Any]]) -> None:
        self.source.append(batch)

    @rule(keep=st.integers(0, 5))
    def rewrite(self, keep: int) -> None:
        if self.source.versions:
            self.source.rewrite(self.source.versions[-1][:keep])

    @rule(seconds=st.integers(0, 3))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.run(False)

    @rule(rebuild=st.booleans())
    def run(self, rebuild: bool) -> None:
        done = materialize(
            self.source, self.spec, 1, self.file, now=BASE + self.now, rebuild=rebuild
        )
        self.seen = list(self.source.versions[-1]) if self.source.versions else []
        again = materialize(self.source, self.spec, 1, self.file, now=BASE + self.now)
        assert (again.mode, again.written, again.removed) == ("unchanged", 0, 0)
        assert again.online_rows == done.online_rows

    @rule(begin=st.integers(0, 12), length=st.integers(0, 6))
    def backfill(self, begin: int, length: int) -> None:
        if self.seen is None or self.seen != (self.source.versions or [[]])[-1]:
            return
        only = Range((BASE + begin) * 1_000_000, (BASE + begin + length) * 1_000_000)
        materialize(self.source, self.spec, 1, self.file, now=BASE + self.now, only=only)

    @invariant()
    def it_answers_as_the_offline_rows_do(self) -> None:
        if self.seen is None:
            return
        reader = OnlineReader(self.file)
        asked = [{"user": user, "t": self.now} for user in (1, 2, 3, 4)]
        expected = reference_join(
            asked, self.seen, keys=["user"], features=["a", "b"], defaults={"b": "none"}, ttl=4
        )
        found = [reader.look_up([each["user"]], BASE + self.now)[1] for each in asked]
        assert [dict(zip(("a", "b"), values, strict=True)) for values in found] == expected
        reader.close()

    def teardown(self) -> None:
        self._folder.cleanup()


TestOnline = OnlineMachine.TestCase
TestOnline.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)


def test_only_what_is_new_is_read_and_late_rows_overwrite_nothing(tmp_path: Path) -> None:
    source, file = Fake(), tmp_path / "users.v1.db"
    source.append([row(1, 5, 1.5), row(2, 5, 0.5)])
    first = materialize(source, users(), 1, file, now=BASE + 10)
    assert (first.mode, first.read, first.written, first.online_rows) == ("full", 2, 2, 2)
    source.append([row(1, 3, 9.0), row(3, 4, 2.5)])
    second = materialize(source, users(), 1, file, now=BASE + 10)
    assert (second.mode, second.read, second.written) == ("incremental", 2, 1)
    assert source.reads == ["all", "changes"]
    reader = OnlineReader(file)
    assert reader.look_up([1], BASE + 10) == (Freshness.FRESH, [1.5, "none"], 5.0)
    assert reader.look_up(["1"], BASE + 10)[1] == [1.5, "none"]
    assert reader.look_up([9], BASE + 10) == (Freshness.MISSING, [None, "none"], None)
    assert reader.count() == 3


def test_rows_that_windows_make_are_made_anew(tmp_path: Path) -> None:
    source, file = Fake(), tmp_path / "users.v1.db"
    text = 'SELECT *, count(*) OVER (PARTITION BY "user") AS n FROM events'
    spec = users(sql=text, features=(Feature("n", "int"),), created_time=None, deleted=None)
    source.append([row(1, 5)])
    materialize(source, spec, 1, file, now=BASE + 10)
    source.append([row(1, 4)])
    assert materialize(source, spec, 1, file, now=BASE + 10).mode == "full"
    assert OnlineReader(file).look_up([1], BASE + 10)[1] == [2]


def test_a_row_whose_time_is_to_come_waits_for_it(tmp_path: Path) -> None:
    source, file = Fake(), tmp_path / "users.v1.db"
    source.append([row(1, 5, 0.5), row(1, 20, 1.5), row(1, 30, gone=True)])
    assert materialize(source, users(), 1, file, now=BASE + 10).later == 2
    reader = OnlineReader(file)
    assert reader.look_up([1], BASE + 10)[1][0] == 0.5
    materialize(source, users(), 1, file, now=BASE + 20)
    assert reader.look_up([1], BASE + 20)[1][0] == 1.5
    materialize(source, users(), 1, file, now=BASE + 30)
    assert reader.look_up([1], BASE + 30)[0] is Freshness.DELETED
    assert reader.row([1], BASE + 30).values == {"a": None, "b": "none"}


def test_a_run_that_dies_has_done_nothing(tmp_path: Path) -> None:
    source, file = Fake(), tmp_path / "users.v1.db"
    source.append([row(1, 5, 0.5)])
    materialize(source, users(), 1, file, now=BASE + 10)
    with locked(file):
        store = OnlineWriter(file, users(), 1)

        def dying() -> Any:
            yield (1, (BASE + 9) * 1_000_000, None, False, 0, 9.5, None)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            store.apply(dying(), [], now=(BASE + 10) * 1_000_000, cursor="2")
        store.close()
    reader = OnlineReader(file)
    assert reader.look_up([1], BASE + 10)[1][0] == 0.5
    assert reader.cursor == "1"


def test_what_was_erased_is_in_no_byte_of_the_store(tmp_path: Path) -> None:
    source, file = Fake(), tmp_path / "users.v1.db"
    source.append([row(n, 5, 0.5, b=f"name-of-{n}") for n in range(50)])
    source.append([row(7, 99, 0.5, b="later-of-7")])
    materialize(source, users(), 1, file, now=BASE + 10)
    with locked(file):
        store = OnlineWriter(file, users(), 1)
        key = keys.encode(store.spec.entity, [7])
        assert key is not None
        assert store.erase(key) == 2
        assert store.erase(key) == 0
        store.close()
    for each in tmp_path.iterdir():
        assert b"name-of-7" not in each.read_bytes()
        assert b"later-of-7" not in each.read_bytes()
    assert OnlineReader(file).look_up([7])[0] is Freshness.MISSING
    assert OnlineReader(file).look_up([8])[1][1] == "name-of-8"


def test_one_writer_at_a_time_and_no_store_yet(tmp_path: Path) -> None:
    source, file = Fake(), tmp_path / "users.v1.db"
    source.append([row(1, 5)])
    with locked(file), pytest.raises(Busy):
        materialize(source, users(), 1, file, patience=0.1)
    with pytest.raises(NotOnline) as caught:
        OnlineReader(file)
    assert "opsdeck features materialize users@1" in caught.value.hint
    empty = Fake()
    assert materialize(empty, users(), 1, file).mode == "unchanged"


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("int", 5.0, "[5]"), ("int", " 5 ", "[5]"), ("string", 5, '["5"]'),
        ("bool", "True", "[true]"),
        ("date", "2026-01-02", '["2026-01-02"]'), ("string", None, None),
    ],
)  # fmt: skip
def test_a_key_is_the_same_however_it_came(kind: str, value: Any, text: str | None) -> None:
    assert keys.encode((EntityKey("k", kind),), [value]) == text


@pytest.mark.parametrize(
    ("kind", "value"),
    [("int", 5.5), ("int", "x"), ("int", True), ("string", 5.0), ("string", [1]), ("date", "today"),
     ("bool", 1), ("int", "9" * 40)],
)  # fmt: skip
def test_what_is_no_key_is_refused(kind: str, value: Any) -> None:
    with pytest.raises(keys.BadKey):
        keys.encode((EntityKey("k", kind),), [value])
