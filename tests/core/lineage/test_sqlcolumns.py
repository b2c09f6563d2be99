"""Column lineage of SQL."""

from __future__ import annotations

import pytest

from core.lineage import LineageUnknown, lineage_of_sql

SCHEMAS = {
    "rentals": {"hour": "TIMESTAMP", "casual": "INT", "registered": "INT", "valid": "BOOLEAN"},
    "weather": {"hour": "TIMESTAMP", "temp": "DOUBLE", "humidity": "DOUBLE"},
}


def test_values_and_what_decides_about_rows() -> None:
    found = lineage_of_sql(
        "SELECT r.hour, casual + registered AS total, w.temp FROM rentals r"
        " LEFT JOIN weather w USING (hour) WHERE valid AND humidity < 1",
        SCHEMAS,
    )
    assert found.tables == ("rentals", "weather")
    assert found.columns["total"] == (("rentals", "casual"), ("rentals", "registered"))
    assert found.columns["temp"] == (("weather", "temp"),)
    assert found.of_table("weather") == {"temp": ("temp",), "": ("hour", "humidity")}
    assert found.of_table("rentals")[""] == ("hour", "valid")


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT * FROM weather", {"hour", "temp", "humidity"}),
        ("SELECT count(*) AS n FROM weather", {"n"}),
        ("WITH a AS (SELECT hour, casual FROM rentals) SELECT a.*, temp FROM a JOIN weather w"
         " ON a.hour = w.hour", {"hour", "casual", "temp"}),
        ("SELECT hour, temp FROM weather UNION ALL SELECT hour, casual FROM rentals",
         {"hour", "temp"}),
        ("SELECT hour, avg(temp) OVER (ORDER BY hour ROWS 2 PRECEDING) AS a FROM weather",
         {"hour", "a"}),
    ],
)  # fmt: skip
def test_every_column_of_the_query_has_its_origins(sql: str, columns: set[str]) -> None:
    found = lineage_of_sql(sql, SCHEMAS)
    assert set(found.columns) == columns
    for origins in found.columns.values():
        assert all(column in SCHEMAS[table] for table, column in origins)


def test_both_halves_of_a_union_count() -> None:
    sql = "SELECT hour, temp FROM weather UNION ALL SELECT hour, casual FROM rentals"
    assert lineage_of_sql(sql, SCHEMAS).columns["temp"] == (
        ("rentals", "casual"),
        ("weather", "temp"),
    )


@pytest.mark.parametrize(
    "sql", ["SELECT nope FROM rentals", "DROP TABLE rentals", "SELECT FROM WHERE", "", "SELECT *",
            "SELECT a FROM elsewhere"],
)  # fmt: skip
def test_what_cannot_be_traced_is_one_line(sql: str) -> None:
    with pytest.raises(LineageUnknown) as caught:
        lineage_of_sql(sql, SCHEMAS)
    assert "\n" not in caught.value.one_line() and "\x1b" not in caught.value.one_line()
