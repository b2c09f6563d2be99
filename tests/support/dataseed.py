"""Rows of a lake such as work on the bike data leaves: datasets, versions, views, quality.

    seed_data(workspace)    into a workspace that `tests.support.seed` has made

Only rows are written: no lake is behind them. Times are before `NOW`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.domain.journal import entry_hash
from core.state import lake_tables as lake
from core.state import schema
from core.state.store import Store
from tests.support.dataseed_quality import quality_rows
from tests.support.profiles import rentals_profile
from tests.support.seed import DAY, NOW

HOUR = 3600.0

RENTALS = [
    ("at", "timestamp", False, "local hour"),
    ("season", "string", True, ""),
    ("casual", "long", True, "rentals without an account"),
    ("registered", "long", True, "rentals with one"),
    ("cnt", "long", False, "all rentals of the hour"),
    ("member_email", "string", True, "of the last one"),
]
WEATHER = [
    ("at", "timestamp", False, ""),
    ("temp", "double", True, "degrees Celsius"),
    ("humidity", "double", True, "percent"),
    ("windspeed", "double", True, "metres a second"),
    ("situation", "string", True, ""),
]
CALENDAR = [("day", "date", False, ""), ("holiday", "boolean", False, ""),
            ("workingday", "boolean", False, "")]  # fmt: skip
HOURLY = [*RENTALS[:5], *WEATHER[1:4]]


def columns(named: list[tuple[str, str, bool, str]]) -> str:
    """Columns as they stand in a row."""
    return json.dumps(
        [{"name": n, "type": t, "nullable": null, "doc": doc} for n, t, null, doc in named]
    )


def seed_data(workspace: Path) -> Path:
    """Fill the lake's tables of a workspace; returns it."""
    store = Store(f"sqlite:///{workspace / '.opsdeck' / 'state.db'}")
    with store.engine.begin() as db:
        _datasets(db)
        _views(db)
        _governance(db)
        _edges(db)
        _features(db)
        _queries(db)
        quality_rows(db)
        _journal(db)
        db.execute(
            lake.profiles.insert().values(
                dataset="rentals", snapshot_id=snapshot_id("rentals", 4), at=NOW - 2 * HOUR,
                rows=17_379, sampled_rows=None, body=rentals_profile(4),
            )
        )  # fmt: skip
        db.execute(
            lake.profiles.insert().values(
                dataset="rentals", snapshot_id=snapshot_id("rentals", 3), at=NOW - DAY,
                rows=16_635, sampled_rows=None, body=rentals_profile(3),
            )
        )  # fmt: skip
    store.close()
    return workspace


def snapshot_id(dataset: str, number: int) -> str:
    """The id of a seeded snapshot."""
    return str(7_000_000_000_000_000_000 + sum(map(ord, dataset)) * 1_000_000 + number)


def _datasets(db: sa.Connection) -> None:
    said = {
        "rentals": ("table", RENTALS, "Hourly rentals of the bike-sharing system, 2011 to 2012."),
        "weather": ("table", WEATHER, "Weather at the station, by hour."),
        "calendar": ("table", CALENDAR, "Holidays and working days."),
        "hourly": ("view", HOURLY, "Rentals with the weather of the hour."),
        "daily": ("view", CALENDAR, ""),
        "bike_captures": ("captures", WEATHER[:3], "What the endpoint bike-demand was asked."),
        "planned": ("table", CALENDAR, "Planned works on stations."),
    }
    history: dict[str, list[tuple[str, int, int, int, str, str]]] = {
        # operation, rows, added, deleted, by, message
        "rentals": [
            ("append", 8_645, 8_645, 0, "engineer", "2011"),
            ("append", 16_635, 7_990, 0, "engineer", "2012 to November"),
            ("compact", 16_635, 0, 0, "worker-1", ""),
            ("append", 17_379, 744, 0, "scheduler", "December"),
        ],
        "weather": [("append", 17_379, 17_379, 0, "engineer", "")],
        "calendar": [
            ("append", 731, 731, 0, "engineer", ""),
            ("overwrite", 731, 12, 12, "engineer", "holidays of 2012 put right"),
        ],
        "hourly": [("append", 16_635, 16_635, 0, "worker-1", "")],
        "daily": [("append", 693, 693, 0, "worker-1", "")],
        "bike_captures": [("append", 104_201, 104_201, 0, "worker-1", "")],
        "planned": [],
    }
    for name, (kind, named, description) in said.items():
        versions = history[name]
        newest = len(versions)
        at = NOW - 2.1 * HOUR if name == "rentals" else NOW - 3 * DAY
        rows = versions[-1][1] if versions else None
        db.execute(
            lake.datasets.insert().values(
                name=name, kind=kind, description=description,
                owner="worker-1" if kind == "captures" else "engineer",
                created_at=NOW - 30 * DAY, created_by="engineer", location=f"lake/{name}",
                schema=columns(named),
                current_snapshot=snapshot_id(name, newest) if newest else None,
                rows=rows, bytes=None if rows is None else rows * 31,
                updated_at=at if newest else None, metadata_version=newest,
            )
        )  # fmt: skip
        for number, version in enumerate(versions, 1):
            operation, rows, added, deleted, by, message = version
            db.execute(
                lake.dataset_snapshots.insert().values(
                    dataset=name, snapshot_id=snapshot_id(name, number), number=number,
                    parent_id=snapshot_id(name, number - 1) if number > 1 else None,
                    at=at - (newest - number) * DAY, operation=operation, rows=rows,
                    added_rows=added, deleted_rows=deleted, files=number, bytes=rows * 31,
                    schema=columns(named[:-1] if number < 3 and name == "rentals" else named),
                    by=by, message=message,
                    expired_at=NOW - DAY if name == "rentals" and number == 1 else None,
                )
            )  # fmt: skip
    for dataset, tag, number in (("rentals", "trained_v3", 3), ("calendar", "checked", 2)):
        db.execute(
            lake.dataset_refs.insert().values(
                dataset=dataset, name=tag, kind="tag", snapshot_id=snapshot_id(dataset, number),
                at=NOW - DAY, by="engineer",
            )
        )  # fmt: skip


def _views(db: sa.Connection) -> None:
    sql = "SELECT r.*, w.temp, w.humidity, w.windspeed FROM rentals r JOIN weather w USING (at)"
    seen = {"rentals": snapshot_id("rentals", 2), "weather": snapshot_id("weather", 1)}
    common: dict[str, Any] = {"owner": "engineer", "created_at": NOW - 20 * DAY}
    db.execute(
        lake.views.insert().values(
            name="hourly", sql=sql, sources='["rentals", "weather"]', keys='["at"]',
            mode="incremental", settings='{"every": 3600}', cursor=json.dumps(seen),
            refreshed_at=NOW - 26 * HOUR, state="fresh", message="", **common,
        )
    )  # fmt: skip
    db.execute(
        lake.views.insert().values(
            name="daily", sql="SELECT 1", sources='["hourly", "calendar"]', keys="[]",
            mode="full", settings='{"every": 86400}', cursor="{}",
            refreshed_at=NOW - 3 * DAY, state="failed",
            message="column cnt of hourly is gone", **common,
        )
    )  # fmt: skip


def _governance(db: sa.Connection) -> None:
    for dataset, column, tag, origin in (
        ("rentals", "member_email", "pii", ""),
        ("bike_captures", "", "internal", ""),
    ):
        db.execute(
            lake.dataset_tags.insert().values(
                dataset=dataset, column_name=column, tag=tag, origin=origin, at=NOW - 9 * DAY,
                by="engineer",
            )
        )  # fmt: skip
    grants = (
        ("g1", "rentals", "reviewer", "read", None, '{"member_email": "partial:4"}',
         "season <> 'test'", None),
        ("g2", "rentals", "group:analysts", "read", '["at", "cnt"]', "{}", None, NOW + 6 * DAY),
        ("g3", "rentals", "scheduler", "write", None, "{}", None, None),
    )  # fmt: skip
    for id_, dataset, principal, action, named, masks, condition, ends in grants:
        db.execute(
            lake.grants.insert().values(
                id=id_, dataset=dataset, principal=principal, action=action, columns=named,
                masks=masks, row_filter=condition, at=NOW - 8 * DAY, by="engineer",
                expires_at=ends,
            )
        )  # fmt: skip


def _edges(db: sa.Connection) -> None:
    pairs: list[tuple[str, str, str, str, str, str, str]] = [
        ("source", "s3://bikes/rentals/*.csv.gz", "", "dataset", "rentals", "", "ingest"),
        ("source", "data/weather.parquet", "", "dataset", "weather", "", "ingest"),
        ("dataset", "rentals", "", "dataset", "hourly", "", "view"),
        ("dataset", "weather", "", "dataset", "hourly", "", "view"),
        ("dataset", "hourly", "", "dataset", "daily", "", "view"),
        ("dataset", "calendar", "", "dataset", "daily", "", "view"),
        ("dataset", "hourly", "", "feature_view", "hour_features", "", "features"),
        ("dataset", "hourly", "", "run", "38", "", "train"),
    ]
    for column in ("at", "cnt", "casual", "registered", "season"):
        pairs.append(("dataset", "rentals", column, "dataset", "hourly", column, "view"))
    for column in ("temp", "humidity", "windspeed"):
        pairs.append(("dataset", "weather", column, "dataset", "hourly", column, "view"))
    pairs.append(
        ("dataset", "hourly", "cnt", "feature_view", "hour_features", "lag_24", "features")
    )
    for number, (sk, s, sc, tk, t, tc, via) in enumerate(pairs):
        detail = {"view": t, "features": "hour_features@2", "train": "bike-demand"}.get(via, "")
        db.execute(
            lake.lineage_edges.insert().values(
                id=f"e{number}", source_kind=sk, source=s, source_column=sc, target_kind=tk,
                target=t, target_column=tc, via=via, detail=detail,
                first_at=NOW - 20 * DAY, last_at=NOW - 26 * HOUR, by="worker-1",
            )
        )  # fmt: skip


def _features(db: sa.Connection) -> None:
    """One view in two versions, one that is late, and measured skew."""
    from tests.support.featureseed import feature_rows

    feature_rows(db)


def _journal(db: sa.Connection) -> None:
    """Entries behind those of the seed, in its hash chain, and what somebody should know of."""
    last = db.execute(sa.select(schema.journal).order_by(schema.journal.c.seq.desc())).first()
    assert last is not None
    seq, at, previous = last.seq, last.at, last.hash
    filled: dict[str, Any] = {"mode": "incremental", "read": 744, "written": 58}
    for action, subject, detail in (
        ("features.apply", "feature_view/hour_features@2", {}),
        ("features.materialize_failed", "feature_view/hour_features@2", {"message": "lake busy"}),
        ("features.materialize", "feature_view/hour_features@2", filled),
        ("quarantine.hold", "quarantine/7fk2m9qx4a1c", {"dataset": "rentals", "rows": 744}),
    ):
        seq, at = seq + 1, at + 2.0
        text = json.dumps(detail, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        current = entry_hash(seq, at, "worker-1", action, subject, text, previous)
        db.execute(
            schema.journal.insert().values(
                seq=seq, at=at, actor="worker-1", action=action, subject=subject, detail=text,
                previous_hash=previous, hash=current,
            )
        )  # fmt: skip
        previous = current
    db.execute(
        schema.alerts.insert().values(
            id="7fk2m9qx4a1c", at=NOW - 1800, severity="warning", kind="quarantine",
            target="dataset/rentals", title="a batch of 744 rows is held back",
            message="14 of 744 rows are below 0", state="open",
        )
    )  # fmt: skip


def _queries(db: sa.Connection) -> None:
    asked = (
        ("q1", 400.0, "SELECT season, sum(cnt) AS rentals FROM rentals GROUP BY season", "done",
         4, 38.2, ""),
        ("q2", 900.0, "SELECT * FROM hourly WHERE temp > 35", "done", 12, 51.0, ""),
        ("q3", 5_000.0, "SELECT nope FROM rentals", "failed", None, 9.0, "no column nope"),
    )  # fmt: skip
    for id_, ago, sql, state, rows, took, message in asked:
        db.execute(
            lake.queries.insert().values(
                id=id_, at=NOW - ago, actor="engineer", sql=sql, datasets='["rentals#4"]',
                state=state, rows=rows, milliseconds=took, message=message,
            )
        )  # fmt: skip
