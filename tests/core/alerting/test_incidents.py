"""Alerts by cause: storms are one, what is worse is said, what is over ends, what returns too."""

from __future__ import annotations

from typing import Any

import pytest

from core.alerting import raise_incident, resolve_incident
from core.domain.alert import Alert, AlertState, Severity
from core.ops import Ops
from core.state.store import Transaction
from tests.support.opened import raw

TARGET = "endpoint/bike"


def found(tx: Transaction, key: str, **given: Any) -> str:
    told: dict[str, Any] = {
        "kind": "drift",
        "target": TARGET,
        "title": f"{key} drifts",
        "severity": Severity.INFO,
    }
    return raise_incident(tx, cause_key=key, **{**told, **given})


def see(ops: Ops, key: str, **given: Any) -> str:
    with ops.session.change("test") as tx:
        return found(tx, key, **given)


def over(ops: Ops, key: str) -> tuple[str, ...]:
    with ops.session.change("test") as tx:
        return resolve_incident(tx, key)


def alert(ops: Ops) -> Alert:
    (only,) = ops.alerts.list(state=None)
    return only


def journalled(ops: Ops, database_url: str) -> list[str]:
    rows = raw(
        database_url,
        "SELECT action FROM journal WHERE substr(action, 1, 6) = 'alert.' ORDER BY seq",
    )
    return [row[0] for row in rows]


def test_five_hundred_features_that_drift_at_once_are_one_line(ops: Ops, database_url: str) -> None:
    with ops.session.change("test") as tx:
        ids = {found(tx, f"monitor/drift:f{n}") for n in range(500)}
    assert len(ids) == 1
    one = alert(ops)
    assert (one.causes, one.events, one.state) == (500, 500, AlertState.OPEN)
    assert one.headline == "monitor/drift:f0 drifts (and 499 more)"
    assert raw(database_url, "SELECT count(*) FROM alert_notices") == [(1,)]
    assert journalled(ops, database_url) == ["alert.opened"]
    with ops.session.change("test") as tx:  # the next window: seen again, nobody is told again
        for n in range(500):
            found(tx, f"monitor/drift:f{n}")
    assert (alert(ops).causes, alert(ops).events) == (500, 1000)
    assert raw(database_url, "SELECT count(*) FROM alert_notices") == [(1,)]
    with ops.session.change("test") as tx:
        ended = [resolve_incident(tx, f"monitor/drift:f{n}") for n in range(500)]
    assert ended[:-1] == [()] * 499
    assert ended[-1] == (one.id,)
    assert alert(ops).state is AlertState.RESOLVED


def test_another_kind_or_target_is_another_alert(ops: Ops) -> None:
    see(ops, "a")
    see(ops, "b", kind="attribution")  # one family with drift
    see(ops, "c", kind="service")
    see(ops, "d", target="endpoint/shop")
    found_ = {(each.target, each.kind): each.causes for each in ops.alerts.list()}
    assert found_ == {(TARGET, "drift"): 2, (TARGET, "service"): 1, ("endpoint/shop", "drift"): 1}


def test_drift_and_lost_quality_are_one_alert_as_severe_as_the_worst_that_is_left(
    ops: Ops, database_url: str
) -> None:
    see(ops, "drift", severity="info")
    see(ops, "mae", kind="model_quality", severity="critical")
    assert (alert(ops).severity, alert(ops).headline) == ("critical", "mae drifts (and 1 more)")
    over(ops, "mae")
    assert (alert(ops).severity, alert(ops).headline) == ("info", "drift drifts")
    notices = raw(database_url, "SELECT kind FROM alert_notices ORDER BY id")
    assert notices == [("opened",), ("worse",)], "that it is better wakes nobody"
    see(ops, "mae", kind="model_quality", severity="critical")
    assert alert(ops).severity == "critical"
    verbs = ["alert.opened", "alert.worse", "alert.better", "alert.worse"]
    assert journalled(ops, database_url) == verbs


def test_what_gets_worse_is_told_again_with_the_worst_on_top(ops: Ops, database_url: str) -> None:
    see(ops, "a")
    see(ops, "b", severity="critical")
    see(ops, "c", severity="warning")
    one = alert(ops)
    assert one.severity is Severity.CRITICAL
    assert one.headline == "b drifts (and 2 more)"
    assert journalled(ops, database_url) == ["alert.opened", "alert.worse"]
    notices = raw(database_url, "SELECT kind FROM alert_notices ORDER BY id")
    assert notices == [("opened",), ("worse",)]


def test_what_was_taken_as_a_drift_is_open_again_when_quality_falls(ops: Ops) -> None:
    """Drift and the quality that falls with it are one alert; who took it took less."""
    first = see(ops, "a")
    ops.alerts.acknowledge(first)
    see(ops, "b")
    assert alert(ops).state is AlertState.ACKNOWLEDGED
    assert see(ops, "mae", kind="model_quality", severity="critical") == first
    worse = alert(ops)
    assert (worse.state, worse.acked_by, worse.kind) == (AlertState.OPEN, None, "model_quality")
    assert worse.headline == "mae drifts (and 2 more)"


def test_when_the_cause_that_was_told_is_over_the_next_one_is_told(ops: Ops) -> None:
    see(ops, "a", severity="warning")
    see(ops, "b")
    over(ops, "a")
    assert alert(ops).headline == "b drifts"
    assert alert(ops).state is AlertState.OPEN


def test_what_comes_back_soon_opens_the_same_alert(ops: Ops, database_url: str) -> None:
    first = see(ops, "a")
    see(ops, "b")
    ops.alerts.acknowledge(first)
    assert over(ops, "a") == ()
    assert over(ops, "b") == (first,)
    assert over(ops, "b") == (), "once"
    assert see(ops, "b") == first
    one = alert(ops)
    assert (one.state, one.reopened, one.acked_by, one.causes) == (AlertState.OPEN, 1, None, 1)
    assert journalled(ops, database_url)[-1] == "alert.reopened"


def test_what_comes_back_late_is_another_alert(ops: Ops, database_url: str) -> None:
    first = see(ops, "a")
    over(ops, "a")
    raw(database_url, "UPDATE alerts SET resolved_at = resolved_at - 7 * 3600")
    assert see(ops, "a") != first


def test_an_alert_that_was_quiet_for_long_takes_in_its_own_causes_only(
    ops: Ops, database_url: str
) -> None:
    first = see(ops, "a")
    raw(database_url, "UPDATE alerts SET last_at = last_at - 25 * 3600")
    second = see(ops, "b")
    assert second != first
    assert see(ops, "a") == first


def test_a_cause_that_nobody_raised_ends_nothing(ops: Ops) -> None:
    assert over(ops, "nothing") == ()


def test_what_fails_with_its_transaction_was_never_raised(ops: Ops) -> None:
    with pytest.raises(RuntimeError), ops.session.change("test") as tx:
        found(tx, "a")
        raise RuntimeError
    assert ops.alerts.list(state=None) == ()
