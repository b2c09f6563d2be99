"""Monitors as they stand after a spring: inputs drift, answers get worse, one has a broken file.

Rows on top of `tests.support.seed` (at its time `NOW`), written through the tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.ops import open_ops
from core.state.monitor_tables import (
    monitor_baselines,
    monitor_measurements,
    monitor_runs,
    monitor_violations,
    monitors,
)
from core.state.store import Transaction
from tests.support.seed import NOW

DAY = 86_400.0
WINDOWS = 14
FEATURES = ("temp", "atemp", "hum", "windspeed", "hr", "weekday", "workingday", "__prediction")
_D = {"temp": 0.05, "atemp": 0.05, "hum": 0.03, "windspeed": 0.02, "__prediction": 0.015}
_BINS = ("below 0.2", "0.2 to 0.4", "0.4 to 0.6", "0.6 to 0.8", "above 0.8")
_PROBLEM = "monitors/shop.yaml:4: monitors.shop-bias.facet: no such key; did you mean facets?"
_KS = "KS, exact; D >= 0.05 and BH q = 0.01, in 2 of 3 windows"


def seed_monitors(path: Path) -> Path:
    """Put monitors into a seeded workspace; returns its path."""
    with open_ops(path, actor="engineer") as ops, ops.session.change("seed") as tx:
        _monitor(tx, "demand-drift", "drift", "violated", "4 of 8 columns drift: temp (D 0.72)")
        _monitor(
            tx, "demand-quality", "model_quality", "violated",
            "mae 61.2 is more than 45.3 (baseline 38.1); worst segment workingday=0: mae 74.9",
        )  # fmt: skip
        _monitor(tx, "rentals-quality", "data_quality", "paused", "", watch="dataset/rentals")
        _monitor(
            tx, "shop-bias", "bias", "broken", "", watch="endpoint/shop",
            problems=json.dumps([_PROBLEM]),
        )  # fmt: skip
        for number in range(WINDOWS):
            _window(tx, "demand-drift", number, list(_drift(number)))
            _window(tx, "demand-quality", number, list(_quality(number)))
        for monitor in ("demand-drift", "demand-quality"):
            _baseline(tx, monitor)
    return path


def _monitor(
    tx: Transaction, name: str, kind: str, state: str, headline: str, *,
    watch: str = "endpoint/bike-demand", problems: str = "[]",
) -> None:  # fmt: skip
    ran = state == "violated"
    shown = {
        "every": "new_data", "window": "500 rows", "baseline": "training", "owner": "demand-team",
        "description": "Whether what is asked is as it was in training.",
    }  # fmt: skip
    tx.execute(
        monitors.insert().values(
            name=name, kind=kind, watch=watch, file="monitors/bike-demand.yaml", line=9,
            definition="{}", shown=json.dumps(shown), problems=problems, created_at=NOW - 30 * DAY,
            created_by="engineer", updated_at=NOW, state="violated" if ran else "pending",
            headline=headline, last_run=f"{name}-{WINDOWS - 1}" if ran else None,
            last_run_at=NOW - 300 if ran else None, next_at=NOW + 240 if ran else None,
            paused_at=NOW - DAY if state == "paused" else None,
            paused_by="reviewer" if state == "paused" else None,
            pause_reason="the supplier mends the file" if state == "paused" else "",
        )
    )  # fmt: skip


def _window(tx: Transaction, monitor: str, number: int, numbers: list[dict[str, Any]]) -> None:
    run, end = f"{monitor}-{number}", NOW - (WINDOWS - 1 - number) * DAY - 600
    bad = [each for each in numbers if each["state"] == "violated"]
    state = "insufficient" if number == 0 else "violated" if bad else "ok"
    labels = None if monitor == "demand-drift" else min(1.0, 0.35 + 0.05 * (WINDOWS - number))
    tx.execute(
        monitor_runs.insert().values(
            id=run, monitor=monitor, kind="x", window_key=f"w{number}", window_start=end - DAY,
            window_end=end, status="done", state=state, generation=1 + (number == 3),
            cause="schedule", rows=120 if number == 0 else 500, label_coverage=labels,
            model="bike-demand", version=3, headline=f"{len(bad)} of {len(numbers)} are off",
            violations=len(bad), started_at=end, ended_at=end + 1,
            duplicates=2 if number == WINDOWS - 1 else 0,
        )
    )  # fmt: skip
    for place, values in enumerate(numbers):
        told = {"detail": "{}", "definition": "", "comparison": "GreaterThanThreshold", **values}
        tx.execute(
            monitor_measurements.insert().values(run=run, place=place, monitor=monitor, **told)
        )
    for place, each in enumerate(bad):
        tx.execute(
            monitor_violations.insert().values(
                run=run, place=place, monitor=monitor, feature=each.get("feature", ""),
                check_type="baseline_drift_check", metric=each["metric"], value=each["value"],
                description=f"{each['metric']} {each['value']:.3g}, more than {each['threshold']}",
                threshold=each["threshold"], severity="info" if each.get("feature") else "critical",
            )
        )  # fmt: skip


def _drift(number: int) -> Iterator[dict[str, Any]]:
    for feature in FEATURES:
        value = round(0.012 + _D.get(feature, 0.0005) * number, 4)
        state = "insufficient" if number == 0 else "violated" if value > 0.1 else "ok"
        now = [max(0.02, share) for share in (0.1 - 0.006 * number, 0.2, 0.3, 0.2, 0.1)]
        shares = [*now[:4], round(1 - sum(now[:4]), 4)]
        histogram = {"labels": _BINS, "now": shares, "then": [0.2, 0.2, 0.25, 0.2, 0.15]}
        yield {
            "metric": "ks", "feature": feature, "value": None if number == 0 else value,
            "threshold": 0.1, "state": state, "definition": _KS, "p_value": 0.5 / (1 + value * 90),
            "low": value * 0.9, "high": value * 1.1, "detail": json.dumps({"histogram": histogram}),
        }  # fmt: skip


def _quality(number: int) -> Iterator[dict[str, Any]]:
    mae = 37.0 + (0.2 * number if number < 8 else 4.6 * (number - 8) + 2)
    state = "violated" if mae > 45.3 else "ok"
    limit = {"threshold": 45.3, "state": state, "definition": "mean of |prediction - label|"}
    yield {"metric": "mae", "value": mae, "low": mae - 4, "high": mae + 4, **limit}
    yield {"metric": "mae", "segment": "workingday=0", "value": mae * 1.2, **limit}
    yield {"metric": "rmse", "value": mae * 1.5, "state": "info"}
    yield {
        "metric": "estimated_mae", "value": 37.4, "state": "info",
        "definition": "DLE, assumes P(y|x) unchanged",
    }  # fmt: skip


def _baseline(tx: Transaction, monitor: str) -> None:
    for number, version in enumerate((2, 3)):
        tx.execute(
            monitor_baselines.insert().values(
                monitor=monitor, id=f"{number}f3a9c0d21e84b77", kind="x", source="training",
                origin=json.dumps({"run": 2 + version, "step": "split", "output": "train_rows"}),
                model="bike-demand", version=version, fingerprint="f", rows=7_900 + 700 * version,
                bytes=48_000, path="x", made_at=NOW - (20 - 9 * number) * DAY, made_by="worker",
                promoted_at=None,
            )
        )  # fmt: skip
