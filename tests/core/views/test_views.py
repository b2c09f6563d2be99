"""Views over a real lake: defined in files, refreshed from what is new, shown with their lag."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core.domain.view import ViewState
from core.errors import NotFound, OpsdeckError, WrongState
from core.governance.access import open_access
from core.lake import open_lake
from core.lineage import LineageUnknown
from core.ops import Ops, open_ops
from core.state.lake_tables import views
from core.views.definition import parse_definition
from core.views.errors import ViewFailed, ViewInvalid
from core.views.refresher import Refresher
from core.views.turn import my_turn
from tests.support.opened import write_workspace

FIRST = datetime(2026, 1, 1)
HOURLY = """\
-- description: rentals with the weather of the hour
-- keys: hour
-- every: 10m
SELECT r.hour, r.casual + r.registered AS total, w.temp
FROM rentals r LEFT JOIN weather w USING (hour);
"""


def rentals(first: int, last: int, casual: int = 1) -> pa.Table:
    hours = [FIRST + timedelta(hours=n) for n in range(first, last)]
    return pa.table(
        {
            "hour": pa.array(hours, pa.timestamp("us")),
            "casual": pa.array([casual] * len(hours), pa.int32()),
            "registered": pa.array([n % 24 for n in range(first, last)], pa.int32()),
        }
    )


def weather(first: int, last: int) -> pa.Table:
    hours = [FIRST + timedelta(hours=n) for n in range(first, last)]
    return pa.table(
        {
            "hour": pa.array(hours, pa.timestamp("us")),
            "temp": pa.array([float(n) for n in range(first, last)]),
        }
    )


@pytest.fixture
def ops(tmp_path: Path) -> Iterator[Ops]:
    root = write_workspace(tmp_path / "w")
    (root / "views").mkdir()
    (root / "views" / "hourly.sql").write_text(HOURLY)
    with open_ops(root, actor="ana") as opened:
        put(opened, "rentals", rentals(0, 48))
        put(opened, "weather", weather(0, 24))
        yield opened


def put(ops: Ops, name: str, rows: pa.Table) -> None:
    lake = open_lake(ops.session)
    lake.ensure(name, rows.schema, owner="ana")
    lake.append(name, rows, by="ana")


def rows(ops: Ops, name: str) -> list[dict[str, Any]]:
    found = open_access(ops.session).scan(name).read_all().to_pylist()
    return sorted(found, key=lambda row: str(next(iter(row.values()))))


def test_a_view_follows_its_sources(ops: Ops) -> None:
    assert ops.views.files() == ("hourly",)
    first = ops.views.refresh("hourly")
    assert (first.how, first.rows) == ("full", 48)
    assert rows(ops, "hourly")[1] == {
        "hour": FIRST + timedelta(hours=1), "total": 2, "temp": 1.0,
    }  # fmt: skip
    assert ops.views.refresh("hourly").how == "nothing"

    put(ops, "rentals", rentals(48, 60))
    view = ops.views.get("hourly")
    assert view.state is ViewState.STALE and view.stale_since is not None
    assert {lag.dataset: lag.behind for lag in view.sources} == {"rentals": 1, "weather": 0}
    new = ops.views.refresh("hourly")
    assert (new.how, new.keys, new.rows) == ("append", 12, 60)

    put(ops, "weather", weather(24, 30))  # late: it touches hours that are there
    late = ops.views.refresh("hourly")
    assert (late.how, late.keys, late.rows) == ("upsert", 6, 60)
    assert [row["temp"] for row in rows(ops, "hourly")[22:32]] == [
        *(float(n) for n in range(22, 30)), None, None,
    ]  # fmt: skip
    assert ops.views.get("hourly").state is ViewState.FRESH


def test_a_correction_in_a_source_makes_all_rows_anew(ops: Ops) -> None:
    ops.views.refresh("hourly")
    open_lake(ops.session).overwrite("rentals", rentals(0, 40, casual=5), by="ana")
    done = ops.views.refresh("hourly")
    assert done.how == "full" and "changed or deleted" in done.why_full
    assert done.rows == 40 and rows(ops, "hourly")[0]["total"] == 5


def test_two_that_refresh_at_once_never_leave_old_rows(
    ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    ops.views.refresh("hourly")
    with my_turn(ops.workspace.state_dir, "hourly"):
        monkeypatch.setattr("core.views.turn.PATIENCE_SECONDS", 0.0)
        with pytest.raises(WrongState, match="somebody else is refreshing it"):
            ops.views.refresh("hourly")
    assert ops.views.get("hourly").state is ViewState.FRESH

    # One without our locks gets in between: what it saw is not known to be in the rows.
    real = Refresher._some

    def overtaken(self: Refresher, *args: Any) -> Any:
        done = real(self, *args)
        with self._session.change("another") as tx:
            tx.execute(views.update().values(cursor='{"rentals": "1"}'))
        return done

    put(ops, "rentals", rentals(48, 50))
    with monkeypatch.context() as patch:
        patch.setattr(Refresher, "_some", overtaken)
        with pytest.raises(WrongState, match="meanwhile"):
            ops.views.refresh("hourly")
    after = ops.views.refresh("hourly")
    assert (after.how, after.rows) == ("full", 50)
    assert ops.views.get("hourly").state is ViewState.FRESH


def test_a_view_of_a_view(ops: Ops) -> None:
    daily = "-- keys: day\nSELECT CAST(hour AS DATE) AS day, sum(total) AS n FROM hourly GROUP BY 1"
    (ops.workspace.root / "views" / "daily.sql").write_text(daily)
    assert ops.views.in_order() == ("hourly", "daily")
    for name in ops.views.in_order():
        ops.views.refresh(name)
    put(ops, "rentals", rentals(48, 72))
    ops.views.refresh("hourly")
    assert ops.views.refresh("daily").how == "append"
    assert [row["n"] for row in rows(ops, "daily")] == [300, 300, 300]
    impact = ops.lineage.impact("rentals.casual")
    assert [(str(t.node), t.columns) for t in impact.breaks] == [
        ("dataset/hourly", ("total",)),
        ("dataset/daily", ("n",)),
    ]


def test_a_changed_file_is_taken_over(ops: Ops) -> None:
    ops.views.refresh("hourly")
    path = ops.workspace.root / "views" / "hourly.sql"
    path.write_text(HOURLY.replace("w.temp", "w.temp * 2 AS temp"))
    assert ops.views.refresh("hourly").how == "full"
    assert rows(ops, "hourly")[3]["temp"] == 6.0
    path.unlink()  # the definition is known: the file is for people
    assert ops.views.refresh("hourly").how == "nothing"


def test_a_refresh_that_fails_leaves_the_rows_and_says_why(ops: Ops) -> None:
    ops.views.refresh("hourly")
    put(ops, "rentals", rentals(0, 1))  # an hour twice
    with pytest.raises(ViewFailed, match="not unique"):
        ops.views.refresh("hourly")
    view = ops.views.get("hourly")
    assert view.state is ViewState.FAILED and view.message.startswith("E581")
    assert view.rows == 48
    assert ops.views.due(view.refreshed_at or 0.0) == ()
    assert ops.views.due((view.refreshed_at or 0.0) + 601) == ("hourly",)


def test_a_view_has_its_owners_rights_and_its_sources_labels(ops: Ops) -> None:
    from core.state.lake_tables import dataset_tags

    with ops.session.change("label") as tx:
        tx.execute(
            dataset_tags.insert().values(
                dataset="rentals", column_name="casual", tag="pii", at=tx.now, by="ana"
            )
        )
    ops.views.refresh("hourly")
    assert open_access(ops.session).tags("hourly") == {"total": frozenset({"pii"})}


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT nope FROM rentals", LineageUnknown),
        ("SELECT hour FROM nowhere", LineageUnknown),
        ("DELETE FROM rentals", LineageUnknown),
        ("SELECT 1 AS one", ViewInvalid),
        ("-- keys: minute\nSELECT hour FROM rentals", ViewInvalid),
        ("-- kyes: hour\nSELECT hour FROM rentals", ViewInvalid),
        ("-- keys: hour\n-- keys: hour\nSELECT hour FROM rentals", ViewInvalid),
        ("-- every: soon\nSELECT hour FROM rentals", ViewInvalid),
        ("-- nothing but words", ViewInvalid),
    ],
)
def test_bad_definitions_are_refused(ops: Ops, sql: str, error: type[OpsdeckError]) -> None:
    (ops.workspace.root / "views" / "bad.sql").write_text(sql)
    with pytest.raises(error) as caught:
        ops.views.apply("bad")
    assert "\n" not in caught.value.one_line()
    assert "bad" not in {view.name for view in ops.views.list()}


def test_names_that_are_taken_or_are_none(ops: Ops) -> None:
    (ops.workspace.root / "views" / "rentals.sql").write_text("SELECT hour FROM weather")
    with pytest.raises(WrongState, match="no view"):
        ops.views.apply("rentals")
    with pytest.raises(NotFound, match="no such view"):
        ops.views.get("nothing")
    with pytest.raises(OpsdeckError, match="not allowed"):
        ops.views.refresh("../secrets")


def test_a_circle_is_refused(ops: Ops) -> None:
    folder = ops.workspace.root / "views"
    ops.views.refresh("hourly")
    (folder / "daily.sql").write_text("SELECT sum(total) AS n FROM hourly")
    ops.views.refresh("daily")
    (folder / "hourly.sql").write_text("SELECT n AS total FROM daily")
    with pytest.raises(ViewInvalid, match="itself"):
        ops.views.apply("hourly")


def test_lines_of_faults() -> None:
    with pytest.raises(ViewInvalid, match=r"views/x\.sql:3 every"):
        parse_definition("x", "-- a note: of no key\n\n-- every: -1\nSELECT 1", "views/x.sql")
    found = parse_definition("x", "-- keys: a, b c\nSELECT 1;\n", "x")
    assert found.keys == ("a", "b", "c") and found.sql == "-- keys: a, b c\nSELECT 1"
