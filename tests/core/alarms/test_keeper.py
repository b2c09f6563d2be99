"""Alarms over time: states, history, alerts, tests, suppressors, files, clocks, two workers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from core.alarms.acting import Change, World
from core.alarms.keeper import Keeper
from core.alarms.rows import find
from core.alarms.transitions import begin_test
from core.domain.analysis import AlarmState
from core.domain.series import Point
from core.session import Session
from core.workspace import open_workspace
from tests.core.alarms.conftest import HIGH, Field
from tests.support.opened import database_url as database_url

OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"


def test_m_of_n_goes_off_is_told_once_and_is_over(field: Field) -> None:
    field.define(high={**HIGH, "evaluation_periods": 3, "datapoints_to_alarm": 2})
    assert field.minute(1)["high"].state is AlarmState.OK
    assert field.minute(20)["high"].state is AlarmState.OK
    standing = field.minute(20)["high"]
    assert standing.state is AlarmState.ALARM
    assert standing.reason.startswith("2 of the last 3 datapoints [1, 20, 20] were greater than 10")
    field.minute(20, 20, 20)
    (alert,) = field.alerts()
    assert (alert["severity"], alert["state"], alert["target"]) == (
        "critical", "open", "endpoint/bike",
    )  # fmt: skip
    assert alert["title"] == "high: endpoint/bike:load is 20 (> 10)"
    field.minute(1, 1)
    assert field.moves("high") == [f"{INSUFFICIENT} → OK", "OK → ALARM", "ALARM → OK"]
    assert [each["state"] for each in field.alerts()] == ["resolved"]
    states = [r for r in field.history("high") if r["kind"] == "state"]
    assert all(r["actor"] == "opsdeck" and r["reason"] and r["datapoints"] != "[]" for r in states)
    journal = field.session.reader.rows("SELECT action FROM journal WHERE subject = 'alarm/high'")
    assert [row["action"] for row in journal] == ["alarm.create", *["alarm.state"] * 3]


@pytest.mark.parametrize(
    ("treat", "after"),
    [("missing", INSUFFICIENT), ("ignore", ALARM), ("breaching", ALARM), ("notBreaching", OK)],
)
def test_missing_data_is_what_the_alarm_says(field: Field, treat: str, after: str) -> None:
    field.define(high={**HIGH, "treat_missing_data": treat})
    assert field.minute(20)["high"].state is AlarmState.ALARM
    assert field.minute(None, None, None, None)["high"].state == after
    open_now = [each["state"] for each in field.alerts()]
    assert open_now == (["resolved"] if after == OK else ["open"]), "no data is not good news"


def test_missing_data_is_not_breaching_before_there_can_have_been_any(field: Field) -> None:
    field.define(high={**HIGH, "treat_missing_data": "breaching", "evaluation_periods": 3})
    assert field.minute(None)["high"].state is AlarmState.INSUFFICIENT_DATA
    assert field.minute(None, None, None)["high"].state is AlarmState.ALARM


def test_too_few_samples_are_missing(field: Field) -> None:
    field.define(high={**HIGH, "minimum_samples": 2})
    field.record(Point("load", field.now, 20), Point("load", field.now + 10, 20))
    assert field.minute(None)["high"].state is AlarmState.ALARM
    assert field.minute(20)["high"].datapoints[-1].value is None


def test_each_window_of_a_monitor_is_a_datapoint_and_one_that_does_not_come(field: Field) -> None:
    metric = "monitor/quality:mae"
    field.define(
        worse={"metric": metric, "threshold": 60, "evaluation_periods": 2},
        late={"metric": metric, "threshold": 60, "expect_every": "5m",
              "insufficient_data_actions": [{"alert": "warning"}], "actions": []},
    )  # fmt: skip
    for at, value in ((-700, 50.0), (-400, 70.0), (-100, 80.0)):
        field.record(Point("mae", field.now + at, value), source="monitor/quality")
    standings = field.minute(None)
    assert standings["worse"].state is AlarmState.ALARM
    assert [point.value for point in standings["worse"].datapoints] == [50, 70, 80]
    assert standings["late"].state is AlarmState.ALARM
    assert field.minute(*[None] * 30)["worse"].state is AlarmState.ALARM, "windows have no clock"
    assert field.standings()["late"].state is AlarmState.INSUFFICIENT_DATA
    assert [row["to_state"] for row in field.history("late", "state")] == [ALARM, INSUFFICIENT]
    assert [each["title"] for each in field.alerts("open")] == [
        "worse: monitor/quality:mae is 80 (> 60)"
    ], "what comes together is one alert"


def test_composite_alarms_go_by_others_in_the_same_look(field: Field) -> None:
    field.define(
        a=HIGH | {"actions": []},
        b=HIGH | {"actions": [], "metric": "endpoint/bike:other"},
        both={"rule": "ALARM(a) AND NOT ALARM(b)", "actions": [{"alert": "warning"}]},
        top={"rule": "ALARM(both)", "actions": []},
    )
    standings = field.minute(20)
    assert [standings[name].state for name in ("both", "top")] == [ALARM, ALARM]
    assert standings["both"].reason == "the rule holds: a ALARM, b INSUFFICIENT_DATA"
    assert field.alerts()[0]["target"] == "endpoint/bike"
    field.record(Point("other", field.now, 20))
    assert field.minute(20)["top"].state is AlarmState.OK


def test_actions_wait_for_the_suppressor_and_its_extension(field: Field) -> None:
    field.define(
        deploying=HIGH | {"metric": "endpoint/bike:deploying", "threshold": 0, "actions": []},
        high={**HIGH, "suppress_with": "deploying", "suppress_extension": "2m"},
    )
    field.record(Point("deploying", field.now, 1))
    assert field.minute(20)["high"].held is not None
    assert field.alerts() == []
    field.record(Point("deploying", field.now, 0))
    field.minute(20)
    assert field.alerts() == [], "the extension"
    for _ in range(3):
        field.record(Point("deploying", field.now, 0))
        field.minute(20)
    assert [each["state"] for each in field.alerts()] == ["open"]
    said = [row["reason"] for row in field.history("high", "action")]
    assert said == ["actions wait: deploying is in ALARM", "nothing suppresses it any more"]


def test_what_is_suppressed_and_over_is_never_told(field: Field) -> None:
    field.define(
        high={**HIGH, "suppress_with": "other", "suppress_wait": "10m"},
        other=HIGH | {"metric": "endpoint/bike:other", "actions": []},
    )
    field.minute(20, 20, 1)
    field.minute(*[1] * 15)
    assert field.alerts() == []
    field.minute(*[20] * 12)
    assert len(field.alerts()) == 1


def switch(field: Field, name: str, on: bool) -> None:
    from core.alarms import rows

    with field.session.change("switch") as tx:
        rows.change(tx, name, actions_enabled=int(on))


def test_actions_that_are_off_are_not_done_and_that_is_on_record(field: Field) -> None:
    field.define(high=HIGH)
    field.minute(1)
    switch(field, "high", on=False)
    assert field.minute(20)["high"].state is AlarmState.ALARM
    assert field.alerts() == []
    assert field.history("high", "action")[-1]["reason"] == (
        "nothing was done: its actions are off"
    )


def begin(field: Field, name: str, act: bool = False) -> None:
    with field.session.change("test") as tx:
        standing = find(tx, name)
        assert standing is not None
        change = Change(standing.definition, AlarmState.ALARM, "tried", test=True, act=act)
        world = World(field.session.reader, field.now, {name: standing.definition})
        begin_test(tx, world, standing, change, field.now + 100)


def test_a_test_fire_is_told_as_one_and_goes_back_by_itself(field: Field) -> None:
    field.define(
        high={**HIGH, "actions": [{"alert": "critical"}, {"trigger": "retrain"}, "rollback"]},
        top={"rule": "ALARM(high)"},
    )
    field.minute(1)
    begin(field, "high")
    standings = field.minute(1)
    assert standings["high"].state is AlarmState.ALARM
    assert standings["top"].state is AlarmState.OK, "others don't go by a test"
    (alert,) = field.alerts("open")
    assert alert["title"] == "[test] high: endpoint/bike:load > 10"
    said = [row["reason"] for row in field.history("high", "action")]
    assert said[0] == "would have fired the trigger retrain"
    assert said[1].startswith("nothing was rolled back: ")
    standings = field.minute(1, 1)
    assert standings["high"].state is AlarmState.OK
    assert standings["high"].test is None
    assert field.alerts("open") == []
    kinds = [(row["kind"], row["to_state"]) for row in field.history("high") if row["to_state"]]
    assert kinds == [("state", OK), ("test", ALARM), ("test", OK)]


def test_an_alarm_that_is_off_indeed_when_its_test_is_over_says_so(field: Field) -> None:
    field.define(high=HIGH)
    field.minute(1)
    begin(field, "high")
    field.minute(20, 20, 20)
    assert field.standings()["high"].state is AlarmState.ALARM
    assert [each["title"][:6] for each in field.alerts("open")] != ["[test]"]
    assert field.moves("high")[-1] == "OK → ALARM"


def test_a_broken_file_keeps_the_last_good_definition_and_says_so(field: Field) -> None:
    field.define(high=HIGH)
    field.minute(1)
    field.define(high={**HIGH, "treshold": 5})
    standing = field.minute(20)["high"]
    assert standing.state is AlarmState.ALARM
    assert "did you mean threshold?" in standing.problem
    (field.root / "monitors" / "alarms.yaml").write_text("alarms: [")
    assert "alarms.yaml" in field.minute(20)["high"].problem
    field.define(high={**HIGH, "threshold": 5})
    standing = field.minute(7)["high"]
    assert (standing.problem, standing.state) == ("", ALARM)
    assert "threshold 10.0 → 5.0" in [row["reason"] for row in field.history("high", "config")]


def test_an_alarm_that_no_file_defines_any_more_is_let_go_with_its_alert(field: Field) -> None:
    field.define(high=HIGH)
    field.minute(20)
    field.define()
    assert field.minute(20) == {}
    assert [each["state"] for each in field.alerts()] == ["resolved"]
    field.define(high=HIGH)
    assert field.minute(20)["high"].state is AlarmState.ALARM
    assert field.history("high")[0]["reason"].startswith("defined: ")


def test_a_clock_that_goes_back_fires_nothing_and_the_alarm_works_again_soon(field: Field) -> None:
    field.define(high={**HIGH, "evaluation_periods": 2})
    field.minute(*[1] * 30, 20, 20)
    assert field.moves("high")[-1] == "OK → ALARM"
    field.now -= 1500  # into the middle of what was good then
    field.minute(*[20] * 4)
    assert field.moves("high")[-1] == "OK → ALARM", "what was recorded before does not count"
    assert "the clock went back" in field.history("high", "config")[-1]["reason"]
    field.minute(1, 1, 1)
    assert field.moves("high")[-1] == "ALARM → OK"
    assert [each["state"] for each in field.alerts()] == ["resolved"]


def test_another_worker_takes_over_only_when_the_first_is_silent(field: Field) -> None:
    field.define(high=HIGH)
    field.minute(1)
    other = Keeper(field.session, "worker-2")
    assert not other.look(field.now + 17)
    assert other.look(field.now + 60)
    assert not field.keeper.look(field.now + 61)


def test_workers_at_once_make_one_transition(field: Field, database_url: str) -> None:
    """Without the beat, too: two that have evaluated the same rows change them once."""
    made = Field(field.root.parent / "shared", database_url)
    try:
        made.define(**{f"high-{n}": HIGH for n in range(5)})
        made.minute(1)
        made.record(Point("load", made.now, 20))
        made.now += 60
        sessions = [
            Session(open_workspace(made.root), "opsdeck", read_only=False) for _ in range(3)
        ]
        with ThreadPoolExecutor() as pool:
            looks = [
                pool.submit(Keeper(session, "worker-1").look, made.now + 16) for session in sessions
            ]
        assert [each.result() for each in looks] == [True] * 3
        for number in range(5):
            assert made.moves(f"high-{number}") == [f"{INSUFFICIENT} → OK", "OK → ALARM"]
        assert len(made.alerts()) == 1, "five alarms of one endpoint are one alert"
        for session in sessions:
            session.close()
    finally:
        made.close()


def test_a_trigger_is_fired_with_the_alarm_as_its_cause(field: Field) -> None:
    field.define(high={**HIGH, "actions": [{"trigger": "retrain"}]})
    field.minute(20)
    (firing,) = field.session.reader.rows("SELECT * FROM trigger_firings")
    assert "alarm/high" in str(firing)
    assert "fired the trigger retrain" in field.history("high", "action")[0]["reason"]


def test_odd_numbers_don_t_stop_an_alarm(field: Field) -> None:
    field.define(high=HIGH, low=HIGH | {"comparison": "<", "threshold": 0})
    standings = field.minute(float("inf"))
    assert [standings[name].state for name in ("high", "low")] == [ALARM, OK]
    standings = field.minute(float("-inf"))
    assert [standings[name].state for name in ("high", "low")] == [OK, ALARM]
    assert field.minute(float("nan"))["high"].state in (OK, INSUFFICIENT)


def test_many_alarms_cost_little(field: Field) -> None:
    """Three hundred alarms are looked at in a fraction of the few seconds between two looks."""
    import time

    alarms: dict[str, Any] = {f"high-{n}": HIGH for n in range(300)}
    field.define(**alarms)
    field.minute(1)
    began = time.process_time()
    field.minute(1)
    assert time.process_time() - began < 3.0


def test_what_a_candidate_did_is_over_when_no_window_of_one_comes_any_more(field: Field) -> None:
    """So that the next deployment may name the alarm again."""
    field.define(
        worse={
            "metric": "monitor/candidate:violated", "period": "window", "expect_every": "1m",
            "threshold": 1, "comparison": ">=", "treat_missing_data": "notBreaching",
            "actions": [],
        }
    )  # fmt: skip
    field.look()
    field.record(Point("violated", field.now, 1.0), source="monitor/candidate")
    assert field.minute(None)["worse"].state is AlarmState.ALARM
    field.minute(*[None] * 6)
    assert field.moves("worse")[-1] == "ALARM → OK"
