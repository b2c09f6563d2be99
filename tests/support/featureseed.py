"""Rows of feature views: one kept online and measured, one that is late, one retired."""

from __future__ import annotations

import json

import sqlalchemy as sa

from core.domain.features import EntityKey, Feature, FeatureSpec
from core.state import lake_tables as lake
from tests.support.seed import DAY, NOW

HOUR_FEATURES = FeatureSpec(
    name="hour_features",
    source="hourly",
    entity=(EntityKey("station", "string"),),
    event_time="at",
    created_time="loaded_at",
    features=(
        Feature("lag_24", "float", 0.0, "rentals a day before"),
        Feature("mean_168", "float", None, "mean of the week before"),
        Feature("temp", "float", None, "degrees Celsius"),
        Feature("season", "string", "unknown"),
    ),
    ttl=2 * DAY,
    transform={"lag_24": "cnt"},
    owner="engineer",
    description="What was known of a station an hour before.",
    online=True,
    every=3600.0,
)
MEMBER = FeatureSpec(
    name="member_profile",
    source="rentals",
    entity=(EntityKey("member_email", "string"),),
    event_time="at",
    features=(Feature("rides_30d", "int", 0, "rides of the last 30 days"),),
    ttl=30 * DAY,
    owner="engineer",
    online=True,
    every=900.0,
)
OFFLINE = FeatureSpec(
    name="weather_lags",
    source="weather",
    entity=(EntityKey("station", "string"),),
    event_time="at",
    features=(Feature("temp_3h", "float"),),
    owner="reviewer",
)


def feature_rows(db: sa.Connection) -> None:
    """Put the rows into the state."""
    rows = (
        (HOUR_FEATURES, 2, "active", 0.4, 17_214, 58, ""),
        (HOUR_FEATURES, 1, "retired", 90.0, 9_000, None, ""),
        (MEMBER, 1, "active", 30.0, 17_379, 1_204, ""),
        (OFFLINE, 1, "active", None, None, None, ""),
    )
    for spec, version, state, hours, seen, online, message in rows:
        cursor = {"hourly": _snapshot("hourly", 1), "rentals": _snapshot("rentals", 2)}
        db.execute(
            lake.feature_views.insert().values(
                name=spec.name, version=version, spec=spec.to_json(), owner=spec.owner,
                state=state, created_at=NOW - 20 * DAY, by="engineer", cursor=json.dumps(cursor),
                materialized_at=None if hours is None else NOW - hours * 3600.0, rows=seen,
                online_rows=online, message=message,
            )
        )  # fmt: skip
    for number, (ago, different, temp) in enumerate(((1.5, 0, 0), (26.0, 3, 2))):
        body = {
            "different": different, "missing_online": 1 if different else 0,
            "missing_offline": 0, "lag_p50": 0.0 if not different else 1800.0,
            "lag_max": 0.0 if not different else 7200.0,
            "features": [
                {"name": "lag_24", "compared": 58, "different": different,
                 "mean_difference": 0.4 * different, "largest_difference": 3.0 * different},
                {"name": "mean_168", "compared": 58, "different": 0},
                {"name": "temp", "compared": 58, "different": temp,
                 "mean_difference": 0.1 * temp, "largest_difference": 0.5 * temp},
                {"name": "season", "compared": 58, "different": 0},
            ],
        }  # fmt: skip
        db.execute(
            lake.feature_skew.insert().values(
                id=f"s{number}", view="hour_features", version=2, at=NOW - ago * 3600.0,
                entities=58, body=json.dumps(body),
            )
        )  # fmt: skip


def _snapshot(dataset: str, number: int) -> str:
    from tests.support.dataseed import snapshot_id

    return snapshot_id(dataset, number)
