"""When a trigger fires by itself: schedules, new data, monitors, metrics, alarms."""

from __future__ import annotations

import time
from typing import Any

import pytest

from core.domain.trigger import CauseKind, Condition, FiringDecision, TriggerDefinition
from core.engine import duties
from core.ops import Ops
from core.series import Point, record
from core.triggers.conditions import Seen, look
from core.triggers.looking import TriggersDue
from tests.core.triggers.conftest import Write
from tests.support.opened import raw

NOW = 1_790_000_000.0
HOURLY = Condition(CauseKind.SCHEDULE, every=3600.0)
TRIGGER = TriggerDefinition("retrain", "chain", (HOURLY,), model="demand")


def state(ops: Ops) -> None:
    """The state's tables, before anything is read."""
    ops.session.store()


def test_a_schedule_begins_with_the_first_look_and_what_was_missed_counts_once(ops: Ops) -> None:
    first = look(ops.session.reader, TRIGGER, HOURLY, Seen(), NOW)
    assert first.cause is None
    assert first.seen is not None
    seen = Seen({HOURLY.key: first.seen})
    assert look(ops.session.reader, TRIGGER, HOURLY, seen, NOW + 3599).cause is None
    late = look(ops.session.reader, TRIGGER, HOURLY, seen, NOW + 3 * 3600 + 5)
    assert late.cause is not None
    assert late.seen == {"last": NOW + 3 * 3600, "slot": True}
    again = look(ops.session.reader, TRIGGER, HOURLY, Seen({HOURLY.key: late.seen}), NOW + 11_000)
    assert again.cause is not None
    assert again.cause.same == late.cause.same, "the same time round is the same cause"


def test_a_clock_that_went_back_does_not_stop_a_schedule(ops: Ops) -> None:
    seen = Seen({HOURLY.key: {"last": NOW + 10 * 86_400}})
    assert look(ops.session.reader, TRIGGER, HOURLY, seen, NOW).seen == {"last": NOW}


def turn_back(ops: Ops, seconds: float) -> None:
    """As if the last look had been so long ago."""
    (text,) = raw(ops.workspace.database_url, "SELECT seen FROM triggers")[0]
    import json

    seen = json.loads(text)
    for each in seen.values():
        each["last"] -= seconds
    raw(ops.workspace.database_url, "UPDATE triggers SET seen = ?", (json.dumps(seen),))


def test_each_time_round_one_run_and_one_that_was_busy_is_made_up_for(
    ops: Ops, write: Write
) -> None:
    write(retrain={"on": {"schedule": "1h"}})
    due = TriggersDue()
    assert due.look(ops.session, time.time()), "seen for the first time"
    assert ops.triggers.look() == 0
    assert not due.look(ops.session, time.time())
    turn_back(ops, 3700)
    assert due.look(ops.session, time.time())
    assert ops.triggers.look() == 1
    assert not due.look(ops.session, time.time())
    (firing,) = due.firings(ops.session, time.time())
    ops.triggers.start(firing)
    assert due.firings(ops.session, time.time()) == []
    turn_back(ops, 3700)
    assert ops.triggers.look() == 0
    assert ops.triggers.firings()[0].decision is FiringDecision.BUSY
    assert not due.look(ops.session, time.time()), "it is not asked again while that is so"
    raw(ops.workspace.database_url, "UPDATE runs SET status = 'succeeded', ended_at = 1")
    assert due.look(ops.session, time.time())
    assert ops.triggers.look() == 1


def versions(ops: Ops, *rows: int, run: str | None = None, operation: str = "append") -> None:
    """A dataset `rentals` gets further versions with so many rows each."""
    url = ops.workspace.database_url
    (total, last) = raw(
        url, "SELECT coalesce(max(rows), 0), coalesce(max(number), 0) FROM dataset_snapshots"
    )[0]
    if not last:
        raw(
            url,
            "INSERT INTO datasets (name, owner, created_at, created_by)"
            " VALUES ('rentals', 'author', 1, 'author')",
        )
    for number, more in enumerate(rows, start=last + 1):
        total += more
        raw(
            url,
            "INSERT INTO dataset_snapshots (dataset, snapshot_id, number, at, operation, rows,"
            " added_rows, run_id) VALUES ('rentals', ?, ?, ?, ?, ?, ?, ?)",
            (
                str(1000 + number), number, float(number), operation, total,
                total if operation == "overwrite" else more, run,
            ),
        )  # fmt: skip
    raw(
        url,
        "UPDATE datasets SET current_snapshot = (SELECT snapshot_id FROM dataset_snapshots"
        " ORDER BY number DESC LIMIT 1)",
    )


def test_new_data_count_from_what_the_last_run_read(ops: Ops, write: Write) -> None:
    state(ops)
    versions(ops, 500)
    write(retrain={"on": {"new_data": "rentals", "rows": 100}})
    assert ops.triggers.look() == 0, "what is there already is no news"
    versions(ops, 60)
    assert ops.triggers.look() == 0
    versions(ops, 40)
    assert ops.triggers.look() == 1
    firing = ops.triggers.firings()[0]
    assert firing.cause.message == "100 rows in 2 versions since version 1"
    assert firing.cause.subject == "dataset/rentals@3"
    ops.triggers.start(firing.id)
    raw(ops.workspace.database_url, "UPDATE runs SET status = 'succeeded', ended_at = 1")
    raw(
        ops.workspace.database_url,
        "INSERT INTO lineage_edges (id, source_kind, source, source_column, target_kind, target,"
        " target_column, via, snapshot_id, first_at, last_at, by)"
        " VALUES ('e', 'dataset', 'rentals', '', 'run', '1', '', 'read', '1003', 1, 1, 'x')",
    )
    versions(ops, 99)
    assert ops.triggers.look() == 0
    versions(ops, 1)
    assert ops.triggers.look() == 1


def test_a_version_that_replaces_all_counts_by_what_it_has_more(ops: Ops, write: Write) -> None:
    state(ops)
    versions(ops, 500)
    write(retrain={"on": {"new_data": "rentals", "rows": 100}})
    ops.triggers.look()
    versions(ops, 10, operation="overwrite")
    assert ops.triggers.look() == 0
    versions(ops, 90, operation="overwrite")
    assert ops.triggers.look() == 1


def test_data_that_its_own_run_wrote_do_not_make_it_fire(ops: Ops, write: Write) -> None:
    """Also where the file cannot tell: code that writes by itself."""
    state(ops)
    versions(ops, 5)
    write(
        retrain={"on": {"new_data": "rentals"}, "priority": 1},
        other={"on": {"new_data": "rentals"}, "model": "other"},
    )
    ops.triggers.look()
    versions(ops, 5)
    ops.triggers.look()
    firing = next(each for each in ops.triggers.firings() if each.trigger == "retrain")
    run = ops.triggers.start(firing.id)
    raw(ops.workspace.database_url, "UPDATE runs SET status = 'succeeded', ended_at = 1")
    raw(ops.workspace.database_url, "DELETE FROM trigger_firings WHERE trigger = 'other'")
    versions(ops, 5, run=run)
    ops.triggers.look()
    latest = {each.trigger: each for each in reversed(ops.triggers.firings())}
    assert latest["retrain"].id == firing.id
    assert latest["other"].cause.subject == "dataset/rentals@3"


def window(ops: Ops, number: int, state: str, status: str = "done") -> None:
    """One window of the monitor `drift`."""
    raw(
        ops.workspace.database_url,
        "INSERT INTO monitor_runs (id, monitor, kind, window_key, window_start, window_end,"
        " status, state, cause, headline, started_at)"
        " VALUES (?, 'drift', 'drift', ?, ?, ?, ?, ?, 'test', 'temp drifts', ?)",
        (f"w{number}", str(number), float(number), number + 1.0, status, state, float(number)),
    )


def test_a_monitor_that_stays_violated_is_one_cause(ops: Ops) -> None:
    state(ops)
    condition = Condition(CauseKind.MONITOR, monitor="drift", windows=2)
    reader = ops.session.reader

    def now() -> Any:
        return look(reader, TRIGGER, condition, Seen(), NOW).cause

    assert now() is None
    window(ops, 1, "violated")
    assert now() is None, "one window is not enough"
    window(ops, 2, "violated")
    first = now()
    assert first.subject == "monitor/drift@w2"
    assert first.message == "monitor drift violated in 2 windows: temp drifts"
    window(ops, 3, "violated")
    assert now().same == first.same
    window(ops, 4, "ok")
    assert now() is None
    window(ops, 5, "insufficient")
    window(ops, 6, "violated")
    window(ops, 7, "violated")
    assert now().same != first.same, "a new time that it is violated is a new cause"


@pytest.mark.parametrize(
    ("values", "met"),
    [
        ([50, 61, 50], False),
        ([50, 61, 62], True),
        ([61, 50, 62], True),
        ([61, None, 62], True),
        ([61, 62, 50, 50], False),
        ([], False),
    ],
)
def test_a_metric_is_bad_in_m_of_n(ops: Ops, values: list[float | None], met: bool) -> None:
    state(ops)
    condition = Condition(
        CauseKind.METRIC, source="monitor/quality", metric="mae", above=60, datapoints=2, of=3
    )
    with ops.session.change("test") as tx:
        points = [Point("mae", NOW + 60 * n, value) for n, value in enumerate(values)]
        record(tx, "monitor/quality", points)
    found = look(ops.session.reader, TRIGGER, condition, Seen(), NOW)
    assert (found.cause is not None) == met
    if found.cause is not None:
        assert "now 62" in found.cause.message


def test_a_metric_that_stays_bad_is_one_cause(ops: Ops) -> None:
    state(ops)
    condition = Condition(CauseKind.METRIC, source="run/1", metric="auc", below=0.7)
    keys = []
    for number, value in enumerate([0.8, 0.6, 0.5, 0.9, 0.65]):
        with ops.session.change("test") as tx:
            record(tx, "run/1", [Point("auc", NOW + 60 * number, value)])
        cause = look(ops.session.reader, TRIGGER, condition, Seen(), NOW).cause
        keys.append(cause.same if cause else None)
    assert keys[0] is None
    assert keys[1] == keys[2] is not None
    assert keys[3] is None
    assert keys[4] not in keys[:4]


def test_an_alarm_in_alarm_is_one_cause_until_it_was_well(ops: Ops) -> None:
    state(ops)
    condition = Condition(CauseKind.ALARM, alarm="mae")
    reader = ops.session.reader
    assert look(reader, TRIGGER, condition, Seen(), NOW).words == "not evaluated yet"
    raw(
        ops.workspace.database_url,
        "INSERT INTO alarms (name, definition, state, since, created_at, reason)"
        " VALUES ('mae', '{}', 'ALARM', 5, 1, '3 of 3 above 60')",
    )
    cause = look(reader, TRIGGER, condition, Seen(), NOW).cause
    assert cause is not None
    assert (cause.same, cause.message) == ("alarm/mae@5.000", "ALARM: 3 of 3 above 60")
    raw(ops.workspace.database_url, "UPDATE alarms SET state = 'OK', since = 6")
    assert look(reader, TRIGGER, condition, Seen(), NOW).cause is None


def test_what_the_worker_has_to_do_is_told_by_rows(ops: Ops, write: Write) -> None:
    assert duties.due_triggers(ops.session, time.time()) == ()
    write(retrain={})
    assert duties.due_triggers(ops.session, time.time()) == ()
    firing = ops.triggers.fire("retrain").id
    (task,) = duties.due_retrainings(ops.session, time.time())
    assert (task.service, task.method, task.args) == ("triggers", "start", (firing,))
