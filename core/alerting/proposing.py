"""Which rows an alert's evidence points at, as a condition that holds them in quarantine."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.alerting.around import FEATURES, opens
from core.domain.alert import Alert
from core.domain.features import FeatureSpec
from core.state.reading import Reader

_JOIN = " & "
_NUMBERS = ("int", "long", "float", "double", "decimal")
_MOST_VALUES = 10
_RESERVED = (
    " all analyse analyze and anti any array as asc asof asymmetric at authorization binary "
    "both by case cast check collate collation column columns concurrently constraint create "
    "cross default deferrable desc describe distinct do else end except false fetch for "
    "foreign freeze from full generated glob group having ilike in initially inner intersect "
    "into is isnull join lambda lateral leading left like limit map natural not notnull null "
    "offset on only or order outer overlaps pivot pivot_longer pivot_wider placing positional "
    "primary qualify references returning right select semi show similar some struct "
    "summarize symmetric table tablesample then to trailing true try_cast tuple union unique "
    "unpack unpivot using variadic verbose when where window with "
)
"""Words that DuckDB takes for its own where a column might stand."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Rows of a dataset that a monitor found something wrong with.

    `where` is a condition over its columns, empty where the evidence names none; `why` says
    what it was made of, `view` the feature view that the rows were seen through.
    """

    dataset: str
    where: str
    why: str
    view: str = ""


def proposal_of(reader: Reader, alert: Alert) -> Proposal | None:
    """What to hold because of an alert: of the first of its monitors that watches a dataset, or
    a feature view, and found something wrong with a column of it."""
    for reference in opens(alert):
        noun, _, rest = reference.partition("/")
        name, _, window = rest.partition("@")
        if noun != "monitor":
            continue
        found = _of_monitor(reader, name, window or str(alert.evidence.get("window", "")))
        if found is not None:
            return found
    return None


def shell_word(text: str) -> str:
    """A text as one word of a command, as people write it: SQL's quotes stay as they are."""
    if "'" in text and not any(sign in text for sign in '"$`\\!\n'):
        return f'"{text}"'
    return shlex.quote(text)


def source_of(reader: Reader, view: str) -> FeatureSpec | None:
    """The newest definition of a feature view; None where it was never applied."""
    rows = reader.rows(
        "SELECT spec FROM feature_views WHERE name = :name ORDER BY version DESC LIMIT 1", name=view
    )
    return FeatureSpec.from_json(rows[0]["spec"]) if rows else None


def _of_monitor(reader: Reader, name: str, window: str) -> Proposal | None:
    runs = reader.rows(
        "SELECT r.id, r.place, m.watch FROM monitor_runs r JOIN monitors m ON m.name = r.monitor"
        " WHERE r.monitor = :name AND r.state = 'violated'"
        " ORDER BY CASE WHEN r.window_key = :window THEN 0 ELSE 1 END, r.window_end DESC LIMIT 1",
        name=name,
        window=window,
    )
    if not runs:
        return None
    kind, _, watched = runs[0]["watch"].partition("/")
    spec = source_of(reader, watched) if kind == FEATURES else None
    dataset = spec.source if spec is not None else watched if kind == "dataset" else ""
    if not dataset:
        return None
    violations = reader.rows(
        "SELECT feature, segment, description FROM monitor_violations WHERE run = :run"
        " AND feature <> '' ORDER BY place",
        run=runs[0]["id"],
    )
    if not violations:
        return None  # it is not about rows: too few of them, or too old ones
    columns = _columns(reader, dataset, spec)
    parts = _rule(reader, runs[0]["id"], violations, columns)
    place = json.loads(runs[0]["place"])
    timed = _time(place, columns)
    where = " AND ".join(filter(None, (parts[0], timed)))
    told = parts[1] if parts[0] else str(violations[0]["description"])
    span = ", in the window that is violated" if timed else ""
    return Proposal(dataset, where, f"{name}: {told}{span}", watched if spec is not None else "")


def _columns(reader: Reader, dataset: str, spec: FeatureSpec | None) -> dict[str, str]:
    """The dataset's columns with their types, without those that a view makes anew."""
    rows = reader.rows(
        "SELECT s.schema FROM datasets d JOIN dataset_snapshots s"
        " ON s.dataset = d.name AND s.snapshot_id = d.current_snapshot WHERE d.name = :name",
        name=dataset,
    )
    found = json.loads(rows[0]["schema"] or "[]") if rows else []
    if spec is not None and spec.sql is not None:
        return {}  # its columns are its own
    made = spec.transform if spec is not None else {}
    return {each["name"]: str(each["type"]) for each in found if each["name"] not in made}


def _rule(
    reader: Reader,
    run: str,
    violations: list[dict[str, Any]],
    columns: Mapping[str, str],
) -> tuple[str, str]:
    """The condition of the first violation that has one, and what it is."""
    rows = reader.rows(
        "SELECT metric, feature, segment, detail FROM monitor_measurements WHERE run = :run"
        " AND state = 'violated' ORDER BY place",
        run=run,
    )
    for violation in violations:
        for row in rows:
            same = (row["feature"], row["segment"]) == (violation["feature"], violation["segment"])
            found = _of_measurement(row, columns) if same else None
            if found is not None:
                return found
    return "", ""


def _of_measurement(row: Mapping[str, Any], columns: Mapping[str, str]) -> tuple[str, str] | None:
    detail, column = json.loads(row["detail"]), str(row["feature"])
    segments = [row["segment"], *(each["segment"] for each in detail.get("segments", ()))]
    for segment in filter(None, segments):
        found = _segment(str(segment), columns)
        if found:
            return found, f"{column} drifts, most of it in {segment}"
    if column not in columns:
        return None
    name = _quoted(column)
    if row["metric"] == "missing_share":
        return f"{name} IS NULL", f"{column} is missing"
    if row["metric"] == "infinite_share":
        return f"NOT isfinite({name})", f"{column} is infinite"
    if row["metric"] == "outside_share" and "bounds" in detail:
        low, high = detail["bounds"]
        return f"({name} < {low!r} OR {name} > {high!r})", f"{column} is out of its range"
    if row["metric"] == "unknown_share" and detail.get("new"):
        values = [_literal(value, columns[column]) for value in list(detail["new"])[:_MOST_VALUES]]
        if all(values):
            return f"{name} IN ({', '.join(values)})", f"{column} has values that are not expected"
    return None


def _segment(label: str, columns: Mapping[str, str]) -> str:
    """`season=3 & city=x` as a condition; empty where it is none over these columns."""
    parts = []
    for piece in label.split(_JOIN):
        column, equals, value = piece.partition("=")
        literal = _literal(value, columns[column]) if equals and column in columns else ""
        if not literal:
            return ""
        parts.append(f"{_quoted(column)} = {literal}")
    return " AND ".join(parts)


def _literal(value: str, kind: str) -> str:
    """A value as SQL has it in a column of a type; empty where it is none."""
    if kind.startswith(_NUMBERS):
        try:
            float(value)
        except ValueError:
            return ""
        return value
    if kind == "boolean":
        return value.lower() if value.lower() in ("true", "false") else ""
    return "'" + value.replace("'", "''") + "'" if kind == "string" else ""


def _time(place: Mapping[str, Any], columns: Mapping[str, str]) -> str:
    """The window's time range, where it goes by a column of times."""
    column = str(place.get("event", ""))
    kind = columns.get(column, "")
    if place.get("by") != "event" or not kind.startswith(("timestamp", "date")):
        return ""
    since, until = _moments(place, kind)
    return f"{_quoted(column)} >= {since} AND {_quoted(column)} < {until}"


def _moments(place: Mapping[str, Any], kind: str) -> Iterator[str]:
    zone = "+00" if kind == "timestamptz" else ""
    word = "TIMESTAMPTZ" if zone else "TIMESTAMP"
    for key in ("since", "until"):
        at = datetime.fromtimestamp(float(place[key]), UTC)
        yield f"{word} '{at:%Y-%m-%d %H:%M:%S}{zone}'"


def _quoted(name: str) -> str:
    plain = name.isascii() and name.replace("_", "a").isalnum() and not name[0].isdigit()
    return (
        name
        if plain and name.islower() and f" {name} " not in _RESERVED
        else '"' + name.replace('"', '""') + '"'
    )
