"""Refreshing by key gives what making everything anew gives; where it would not, it says so."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.views.compute import connect, rows_of, touched_keys
from core.views.errors import ViewFailed, ViewInvalid
from core.views.incremental import RefreshPlan, plan_refresh

SCHEMAS = {
    "rentals": {"hour": "TIMESTAMP", "station": "INT", "count": "INT"},
    "weather": {"hour": "TIMESTAMP", "temp": "DOUBLE"},
    "calendar": {"day": "DATE", "holiday": "BOOLEAN"},
}
ARROW = {
    "rentals": pa.schema(
        [("hour", pa.timestamp("us")), ("station", pa.int32()), ("count", pa.int32())]
    ),
    "weather": pa.schema([("hour", pa.timestamp("us")), ("temp", pa.float64())]),
    "calendar": pa.schema([("day", pa.date32()), ("holiday", pa.bool_())]),
}
BY_KEY = {
    "joined": (
        "SELECT r.hour, r.station, sum(r.count) AS n, max(w.temp) AS temp FROM rentals r"
        " LEFT JOIN weather w ON w.hour = r.hour WHERE r.hour IS NOT NULL"
        " GROUP BY r.hour, r.station",
        ("hour", "station"),
    ),
    "daily": (
        "SELECT CAST(hour AS DATE) AS day, sum(count) AS n, count(*) AS rows FROM rentals"
        " WHERE hour IS NOT NULL GROUP BY 1 HAVING sum(count) > 3",
        ("day",),
    ),
    "calendar": (
        "SELECT c.day, bool_or(c.holiday) AS holiday, sum(r.count) AS n FROM calendar c"
        " JOIN rentals r ON c.day = CAST(r.hour AS DATE) GROUP BY c.day",
        ("day",),
    ),
    "both": (
        "SELECT hour, max(temp) AS temp, count(station) AS n FROM rentals"
        " FULL JOIN weather USING (hour) WHERE hour IS NOT NULL GROUP BY hour",
        ("hour",),
    ),
}
FIRST = datetime(2026, 1, 1)
hours = st.integers(0, 60).map(lambda n: FIRST + timedelta(hours=n))
ROWS = {
    "rentals": st.tuples(st.none() | hours, st.integers(1, 2), st.integers(-3, 9)),
    "weather": st.tuples(hours, st.floats(-9, 40).map(lambda t: round(t, 1))),
    "calendar": st.tuples(st.integers(1, 3).map(lambda d: date(2026, 1, d)), st.booleans()),
}
lists = st.fixed_dictionaries({name: st.lists(rows, max_size=12) for name, rows in ROWS.items()})


def table(name: str, rows: list[Any]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(ARROW[name])
    return pa.table(
        [pa.array(c, f.type) for c, f in zip(columns, ARROW[name], strict=True)], ARROW[name]
    )


@cache
def duck() -> Any:
    return connect()


@cache
def planned(which: str) -> RefreshPlan:
    sql, keys = BY_KEY[which]
    return plan_refresh(sql, SCHEMAS, keys)


def as_set(rows: pa.Table) -> set[tuple[Any, ...]]:
    return {tuple(row.values()) for row in rows.to_pylist()}


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(BY_KEY)), lists, lists)
def test_by_key_is_as_anew(which: str, before: dict[str, Any], new: dict[str, Any]) -> None:
    sql, keys = BY_KEY[which]
    plan = planned(which)
    old = {name: table(name, before[name]) for name in plan.sources}
    now = {name: table(name, before[name] + new[name]) for name in plan.sources}
    # A source whose rows do not tell the keys asks for a full refresh: leave it as it is.
    for name in set(plan.sources) - plan.touched.keys():
        now[name] = old[name]
    changed = {n: table(n, new[n]) for n in plan.sources if n in plan.touched}
    connection = duck()
    kept = rows_of(connection, sql, old, keys)
    touched = touched_keys(connection, plan, changed)
    anew = rows_of(connection, sql, now, keys, touched)
    gone = {tuple(row.values()) for row in touched.to_pylist()}
    left = {
        tuple(row.values())
        for row in kept.to_pylist()
        if tuple(row[key] for key in keys) not in gone
    }
    assert left | as_set(anew) == as_set(rows_of(connection, sql, now, keys))


@pytest.mark.parametrize(
    ("sql", "keys", "why"),
    [
        ("SELECT hour, sum(count) OVER (ORDER BY hour) AS n FROM rentals", ("hour",), "window"),
        ("SELECT hour FROM rentals LIMIT 3", ("hour",), "LIMIT"),
        ("SELECT sum(count) AS n FROM rentals", ("n",), "sums up"),
        ("WITH a AS (SELECT hour FROM rentals) SELECT * FROM a", ("hour",), "subquery"),
        ("SELECT hour FROM rentals UNION SELECT hour FROM weather", ("hour",), "set operation"),
        ("SELECT a.hour FROM rentals a JOIN rentals b USING (station)", ("hour",), "twice"),
        ("SELECT hour, count FROM rentals", (), "no keys"),
        ("SELECT station, max(hour) AS hour FROM rentals GROUP BY 1", ("hour",), "groups"),
    ],
)
def test_what_needs_a_full_refresh_says_why(sql: str, keys: tuple[str, ...], why: str) -> None:
    plan = plan_refresh(sql, SCHEMAS, keys)
    assert not plan.incremental and why in plan.why_full[""]


@pytest.mark.parametrize(
    ("sql", "keys"),
    [
        ("SELECT hour, random() AS r FROM rentals", ("hour",)),
        ("SELECT hour, now() AS t FROM rentals", ("hour",)),
        ("SELECT hour, current_date AS t FROM rentals", ("hour",)),
        ("SELECT hour FROM rentals", ("minute",)),
    ],
)
def test_a_view_that_cannot_be_is_refused(sql: str, keys: tuple[str, ...]) -> None:
    with pytest.raises(ViewInvalid):
        plan_refresh(sql, SCHEMAS, keys)


def test_keys_that_are_not_keys() -> None:
    rows = {"rentals": table("rentals", [(FIRST, 1, 1), (FIRST, 2, 2)])}
    with pytest.raises(ViewFailed, match="not unique: 1 rows"):
        rows_of(connect(), "SELECT hour, count FROM rentals", rows, ("hour",))
    rows = {"rentals": table("rentals", [(None, 1, 1)])}
    with pytest.raises(ViewFailed, match="null in 1 rows"):
        rows_of(connect(), "SELECT hour, count FROM rentals", rows, ("hour",))


def test_sql_of_a_view_reaches_no_file() -> None:
    with pytest.raises(ViewFailed):
        rows_of(connect(), "SELECT * FROM read_csv('/etc/passwd')", {}, ())
