"""The point-in-time join does what a slow loop in plain Python does, whatever the rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain.features import EntityKey, Feature, FeatureSpec
from core.features.errors import JoinRefused, TransformFailed
from core.features.join import JoinPart, point_in_time
from tests.support.pointintime import reference_join

BASE = 1_700_000_000_000_000
UNIT = 1_000_000
FEATURES = (Feature("a", "float"), Feature("b", "string"), Feature("c", "int", default=7))
SCHEMA = pa.schema(
    [
        ("shop", pa.string()),
        ("line", pa.int64()),
        ("et", pa.timestamp("us")),
        ("cr", pa.timestamp("us", tz="UTC")),
        ("del", pa.bool_()),
        ("a", pa.float64()),
        ("b", pa.string()),
        ("c", pa.int64()),
    ]
)
ENTITIES = pa.schema([("shop", pa.string()), ("line", pa.int64()), ("t", pa.timestamp("us"))])


def spec(ttl: float | None = None, **changes: Any) -> FeatureSpec:
    """A view over two key columns with everything that it may have."""
    values: dict[str, Any] = {
        "name": "shops",
        "source": "shops",
        "entity": (EntityKey("shop", "string"), EntityKey("line", "int")),
        "event_time": "et",
        "created_time": "cr",
        "deleted": "del",
        "features": FEATURES,
        "ttl": ttl,
    }
    return FeatureSpec(**values | changes)


few_times = st.one_of(st.none(), st.integers(-3, 12))
keys = st.fixed_dictionaries(
    {
        "shop": st.sampled_from(["x", "y", None]),
        "line": st.sampled_from([1, 2, None]),
    }
)
feature_rows = st.lists(
    st.builds(
        lambda key, rest: {**key, **rest},
        keys,
        st.fixed_dictionaries(
            {
                "et": few_times,
                "cr": few_times,
                "del": st.booleans(),
                "a": st.one_of(st.none(), st.sampled_from([0.5, 1.5, -2.5])),
                "b": st.sampled_from(["p", "q", 'é"', None]),
                "c": st.one_of(st.none(), st.integers(-2, 2)),
            }
        ),
    ),
    max_size=25,
)
entity_rows = st.lists(
    st.builds(lambda key, t: {**key, "t": t}, keys, few_times), min_size=1, max_size=8
)


def table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows whose times are small numbers, as a table in which they are moments."""
    columns: dict[str, Any] = {}
    for field in schema:
        values = [row[field.name] for row in rows]
        if pa.types.is_timestamp(field.type):
            values = [None if v is None else BASE + v * UNIT for v in values]
            columns[field.name] = pa.array(values, pa.int64()).cast(field.type)
        else:
            columns[field.name] = pa.array(values, field.type)
    return pa.table(columns, schema=schema)


@settings(max_examples=60, deadline=None)
@given(
    rows=feature_rows,
    entities=entity_rows,
    ttl=st.sampled_from([None, 0, 1, 4]),
    cutoff=st.booleans(),
    many=st.booleans(),
    streamed=st.booleans(),
    seed=st.randoms(use_true_random=False),
)
def test_it_equals_the_reference_on_late_duplicate_tied_and_deleted_rows(
    rows: list[dict[str, Any]],
    entities: list[dict[str, Any]],
    ttl: int | None,
    cutoff: bool,
    many: bool,
    streamed: bool,
    seed: Any,
) -> None:
    if many:  # DuckDB joins a handful of rows in another way
        entities = entities * (100 // len(entities) + 1)
    names = [feature.name for feature in FEATURES]
    expected = reference_join(
        entities, rows, keys=["shop", "line"], features=names, defaults={"c": 7},
        ttl=ttl, cutoff=cutoff,
    )  # fmt: skip
    shuffled = list(rows)
    seed.shuffle(shuffled)
    source = table(shuffled, SCHEMA)
    part = JoinPart(spec(ttl), lambda: source.to_reader(3) if streamed else source)
    given_rows = table(entities, ENTITIES)
    found = point_in_time(given_rows, [part], time="t", cutoff=cutoff)
    assert found.select(["shop", "line", "t"]).equals(given_rows)
    assert found.select(names).to_pylist() == expected


def at(hour: int) -> datetime:
    return datetime(2026, 1, 1, hour, tzinfo=UTC)


def readings(*rows: tuple[str, datetime, float]) -> pa.Table:
    return pa.table(
        {
            "station": [row[0] for row in rows],
            "at": pa.array([row[1] for row in rows], pa.timestamp("us", tz="UTC")),
            "temp": [row[2] for row in rows],
        }
    )


def weather(**changes: Any) -> FeatureSpec:
    values: dict[str, Any] = {
        "name": "weather",
        "source": "readings",
        "entity": (EntityKey("station", "string"),),
        "event_time": "at",
        "features": (Feature("temp", "float"),),
    }
    return FeatureSpec(**values | changes)


TRIPS = pa.table(
    {
        "trip": [1, 2, 3],
        "station": ["a", "a", "b"],
        "hour": pa.array([at(9), at(11), at(11)], pa.timestamp("us", tz="UTC")),
    }
)
ROWS = readings(("a", at(8), 1.0), ("a", at(10), 2.0))


def test_several_views_prefixes_picks_and_times() -> None:
    double = weather(name="double", transform={"temp": "temp * 2", "cold": "temp < 3"},
                     features=(Feature("temp", "float"), Feature("cold", "bool")))  # fmt: skip
    parts = [
        JoinPart(weather(), lambda: ROWS),
        JoinPart(double, lambda: ROWS, prefix="d_"),
        JoinPart(double, lambda: ROWS, prefix="only_", only=("cold",)),
    ]
    found = point_in_time(TRIPS, parts, time="hour", times=True)
    assert found.column("temp").to_pylist() == [1.0, 2.0, None]
    assert found.column("d_temp").to_pylist() == [2.0, 4.0, None]
    assert found.column("only_cold").to_pylist() == [True, True, None]
    assert "only_temp" not in found.column_names
    assert [t and t.hour for t in found.column("weather__event_time").to_pylist()] == [8, 10, None]


def test_sql_may_read_its_source_twice() -> None:
    text = 'SELECT station, "at", temp - (SELECT avg(temp) FROM readings) AS temp FROM readings'
    part = JoinPart(weather(sql=text), lambda: ROWS.to_reader())
    assert point_in_time(TRIPS, [part], time="hour").column("temp").to_pylist() == [-0.5, 0.5, None]


def test_an_entity_column_may_be_called_otherwise() -> None:
    renamed = TRIPS.rename_columns(["trip", "start_station", "hour"])
    part = JoinPart(weather(), lambda: ROWS, keys={"station": "start_station"})
    assert point_in_time(renamed, [part], time="hour").column("temp").to_pylist()[:2] == [1.0, 2.0]


def test_whole_numbers_that_came_as_fractions_are_keys_and_others_are_nobodys() -> None:
    rows = pa.table({"k": [1, 2], "at": pa.array([at(1), at(1)], pa.timestamp("us", "UTC")),
                     "temp": [1.0, 2.0]})  # fmt: skip
    view = weather(entity=(EntityKey("k", "int"),))
    entities = pa.table({"k": [1.0, 2.4, None], "t": pa.array([at(2)] * 3)})
    found = point_in_time(entities, [JoinPart(view, lambda: rows)], time="t")
    assert found.column("temp").to_pylist() == [1.0, None, None]


def test_text_dates_and_zones_are_one_time() -> None:
    zoned = pa.array([at(10)], pa.timestamp("ms", tz="America/New_York"))
    for time in (pa.array(["2026-01-01T10:30:00"]), pa.array([at(10)]), zoned):
        entities = pa.table({"station": ["a"], "t": time})
        found = point_in_time(entities, [JoinPart(weather(), lambda: ROWS)], time="t")
        assert found.column("temp").to_pylist() == [2.0]


@pytest.mark.parametrize(
    ("entities", "changes", "options", "words"),
    [
        (TRIPS, {}, {"time": "hours"}, "no column hours"),
        (TRIPS.drop_columns(["station"]), {}, {}, "no column station"),
        (TRIPS.append_column("temp", [[1, 2, 3]]), {}, {}, "column temp would come from"),
        (TRIPS, {}, {"cutoff": True}, "no created_time"),
        (TRIPS, {}, {"time": "trip"}, "no time"),
        (TRIPS, {"entity": (EntityKey("station", "int"),)}, {}, "do not fit"),
    ],
)
def test_entity_rows_that_do_not_fit_are_refused(
    entities: pa.Table, changes: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    part = JoinPart(weather(**changes), lambda: ROWS)
    with pytest.raises(JoinRefused) as caught:
        point_in_time(entities, [part], **{"time": "hour", **options})
    assert words in caught.value.one_line()
    assert "\n" not in caught.value.one_line()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"transform": {"temp": "temperature + 1"}}, "temperature"),
        (
            {"features": (Feature("humidity", "float"),)},
            "features.humidity: readings gives no column",
        ),
        ({"event_time": "when"}, "event_time: readings gives no column when"),
        ({"event_time": "temp"}, "no time"),
        ({"sql": "SELECT * FROM read_csv('/etc/passwd')"}, "transform"),
        ({"sql": "SELECT * FROM ROWS"}, "transform"),
        ({"sql": "COPY readings TO '/tmp/x'"}, "transform"),
    ],
)
def test_a_definition_that_does_not_fit_its_source_says_where(
    changes: dict[str, Any], words: str
) -> None:
    part = JoinPart(weather(**changes), lambda: ROWS)
    with pytest.raises(TransformFailed) as caught:
        point_in_time(TRIPS, [part], time="hour")
    assert words in caught.value.one_line()
    assert "\n" not in caught.value.one_line()


def test_no_entity_rows_and_no_feature_rows() -> None:
    part = JoinPart(weather(), lambda: ROWS.slice(0, 0))
    assert point_in_time(TRIPS, [part], time="hour").column("temp").null_count == 3
    part = JoinPart(weather(), lambda: ROWS)
    assert point_in_time(TRIPS.slice(0, 0), [part], time="hour").num_rows == 0
