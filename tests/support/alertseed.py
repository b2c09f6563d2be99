"""Alerts as they stand at night: one that is bad, a storm that is one line, one that is hidden.

Written on top of `tests.support.seed` (at its time `NOW`) through the tables and the functions
that write them in earnest; only the clock of each transaction is set.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from core.alerting import moves, raise_incident, silencing
from core.domain.alert import Matcher
from core.ops import Ops, open_ops
from core.state.alert_tables import alert_deliveries, alert_notices
from core.state.store import Transaction
from tests.support.seed import NOW

CONFIG = """\
alerts:
  targets:
    pager: {url: "${PAGER_URL}"}
    chat: {url: "${CHAT_URL}"}
  people:
    engineer: {notify: [pager]}
    reviewer: {notify: [chat]}
  schedules:
    primary:
      people: [engineer, reviewer]
      every: 1w
      starts: 2026-03-02
      handover: "09:00"
      zone: Europe/Berlin
  owners:
    - {target: "endpoint/*", owner: oncall/primary}
  escalation:
    default:
      - {notify: [oncall/primary]}
      - {after: 15m, notify: [reviewer, chat]}
      - {after: 1h, notify: [pager, chat]}
"""
MAE = (38.2, 39.1, 37.7, 38.9, 40.2, 39.4, 41.0, 40.6, 43.8, 47.2, 52.6, 58.3, 61.2)


def seed_alerts(path: Path) -> Path:
    """Put alerts into a seeded workspace; returns its path."""
    file = path / "opsdeck.yaml"
    file.write_text(file.read_text() + CONFIG)
    ids = (f"a1e{number}kq7x" for number in itertools.count())  # pictures show them
    with (
        open_ops(path, actor="opsdeck") as ops,
        mock.patch("core.alerting.incidents.short_id", lambda: next(ids)),
        mock.patch("core.alerting.silencing.short_id", lambda: next(ids)),
    ):
        worst = _quality(ops)
        _storm(ops)
        _missing(ops)
        _hidden(ops)
        _told(ops, worst)
    return path


@contextmanager
def at(ops: Ops, ago: float, actor: str = "opsdeck") -> Iterator[Transaction]:
    """A transaction of somebody's, so many seconds before the seed's time."""
    with ops.session.store().transaction(actor) as tx:
        tx.now = NOW - ago
        yield tx


def _quality(ops: Ops) -> str:
    from core.alarms.stored import definition_json
    from core.domain.alarm import AlarmDefinition
    from core.domain.series import Point, SeriesName
    from core.series import record
    from core.state.alarm_tables import alarms

    alarm = AlarmDefinition(
        "demand-mae", metric=SeriesName("monitor/demand-quality", "mae"), period=None,
        evaluation_periods=3, datapoints_to_alarm=3, threshold=50.0,
    )  # fmt: skip
    with at(ops, 700) as tx:
        tx.execute(
            alarms.insert().values(
                name=alarm.name, definition=definition_json(alarm), state="ALARM", since=NOW - 700,
                created_at=NOW - 86_400, armed_at=0.0,
            )
        )  # fmt: skip
        points = [
            Point("mae", NOW - 700 - 300 * (len(MAE) - 1 - n), value) for n, value in enumerate(MAE)
        ]
        record(tx, "monitor/demand-quality", points)
        return _raise(
            tx, "alarm/demand-mae", "model_quality", "demand-mae: mae is 61.2, above 50",
            "3 of the last 3 windows above 50; 1,420 of 1,500 rows have labels", "critical",
            {"open": ["alarm/demand-mae", "endpoint/bike-demand"], "alarm": "demand-mae",
             "definition": alarm.words(), "value": 61.2},
        )  # fmt: skip


def _storm(ops: Ops) -> None:
    names = ("temp", "atemp", "hum", "windspeed", "weathersit")
    for ago in (4_200, 3_900, 3_600):
        with at(ops, ago) as tx:
            for number in range(500):
                name = names[number] if number < len(names) else f"lag_{number}"
                _raise(
                    tx, f"monitor/demand-drift:{name}", "drift", f"{name} drifts",
                    f"KS D 0.{31 - number % 20:02} over 500 rows", "info",
                    {"open": "monitor/demand-drift@3", "monitor": "demand-drift"},
                    target="dataset/rentals",
                )  # fmt: skip
    found = ops.alerts.list(state=None)[-1]
    with at(ops, 3_000, "reviewer") as tx:
        moves.comment(tx, found.id, "colder week than any in the training data")


def _missing(ops: Ops) -> None:
    with at(ops, 9_000) as tx:
        made = _raise(
            tx, "monitor/rentals-quality:temp", "data_quality", "12 % of temp are missing",
            "at most 1 % may be", "warning", {"open": "dataset/rentals"}, target="dataset/rentals",
        )  # fmt: skip
    with at(ops, 8_400, "engineer") as tx:
        moves.acknowledge(tx, made, "the source is asked")


def _hidden(ops: Ops) -> None:
    with at(ops, 7_000) as tx:
        _raise(
            tx, "alarm/shop-latency", "service", "shop-latency: p99 is 812, above 500",
            "", "warning", {"open": "alarm/shop-latency"}, target="endpoint/shop",
        )  # fmt: skip
    with at(ops, 6_900, "reviewer") as tx:
        silencing.silence(
            tx, Matcher(target="endpoint/shop"), NOW + 5_400, "its machine is being replaced"
        )


def _raise(
    tx: Transaction, key: str, kind: str, title: str, message: str, severity: str,
    evidence: dict[str, Any], target: str = "endpoint/bike-demand",
) -> str:  # fmt: skip
    return raise_incident(
        tx, cause_key=key, kind=kind, target=target, title=title, message=message,
        severity=severity, evidence=evidence,
    )  # fmt: skip


def _told(ops: Ops, alert: str) -> None:
    with at(ops, 690) as tx:
        tx.execute(alert_notices.update().values(routed_at=tx.now, outcome="told: pager"))
        for target, kind, ago, error in (
            ("pager", "opened", 690, ""),
            ("chat", "opened", 690, "target chat: no answer within 20 s"),
        ):
            tx.execute(
                alert_deliveries.insert().values(
                    target=target, alert_id=alert, kind=kind, severity="critical",
                    person="engineer" if target == "pager" else "", created_at=NOW - ago,
                    due_at=NOW - ago if not error else NOW + 30, attempts=1, error=error,
                    sent_at=None if error else NOW - ago,
                )
            )  # fmt: skip
