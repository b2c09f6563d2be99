"""Windows over captured traffic: which rows are in which, and what a run leaves on record."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from core.domain.monitor import MonitorState, RunStatus
from core.monitors import looking
from core.monitors.captured import CapturedSource
from core.monitors.errors import MonitorBusy, NoBaseline
from core.monitors.served import champion_revision
from core.reads.monitors import list_runs
from core.series import read
from core.state import schema
from core.state.monitor_tables import monitor_runs, monitors
from tests.support.opened import OpenAs
from tests.support.watched import ENDPOINT, NOON, Watched, deploy

LATER = NOON + 1e6


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits before a window is computed again."""
    monkeypatch.setattr(looking, "AGAIN_SECONDS", 0.0)


def measured(watched: Watched, ref: str = "watch") -> dict[str, Any]:
    return {each.metric: each.value for each in watched.ops.monitors.find(ref).measurements}


def test_windows_by_count_take_each_request_once(watched: Watched) -> None:
    watched.define()
    watched.ask(25)
    watched.ops.monitors.run("watch")
    assert watched.runs() == [("ok", 10, 1), ("ok", 10, 1)]
    watched.ask(4, first=25, at=NOON + 25)
    assert watched.ops.monitors.run("watch").why == "no window is full: 9 of 10 rows"
    watched.ask(3, first=29, at=NOON + 40)
    watched.ops.monitors.run("watch")
    assert len(watched.runs()) == 3
    assert measured(watched)["mean"] == pytest.approx(24.5), "rows 20 to 29"


def test_a_clock_that_goes_back_loses_no_request(watched: Watched) -> None:
    watched.define()
    watched.ask(10)
    watched.ops.monitors.run("watch")
    watched.ask(10, first=10, at=NOON - 86_400)
    watched.ops.monitors.run("watch")
    assert watched.runs("watch") == [("ok", 10, 1)] * 2
    means = {r.start: watched.ops.monitors.find(r.id).measurements[0].value
             for r in watched.ops.monitors.runs("watch")}  # fmt: skip
    assert sorted(means.values()) == [4.5, 14.5]  # type: ignore[type-var]


def test_the_first_of_repeated_ids_counts_and_the_others_are_counted(watched: Watched) -> None:
    watched.define()
    watched.ask(5)
    watched.ask(5, at=NOON + 100)  # the same ids again
    watched.ask(5, first=5, at=NOON + 200)
    watched.ops.monitors.run("watch")
    run = watched.ops.monitors.find("watch").run
    assert (run.rows, run.duplicates) == (10, 5)
    assert measured(watched)["mean"] == 4.5


def test_shadow_answers_and_other_variants_are_left_out(watched: Watched) -> None:
    watched.define()
    watched.ask(5)
    watched.ask(50, first=500, revision=2, at=NOON + 1)
    watched.ask(50, first=5, shadow=True, at=NOON + 2)
    watched.ask(5, first=700, at=NOON + 3)
    watched.ops.monitors.run("watch")
    assert watched.runs() == [("ok", 10, 1)]
    assert measured(watched)["mean"] == pytest.approx((10 + 3510) / 10)
    watched.define("all", variant="all")
    watched.ops.monitors.run("all")
    assert len(watched.runs("all")) == 6


def test_requests_of_several_rows_count_by_their_rows(watched: Watched) -> None:
    watched.define()
    watched.ask(
        4, inputs=lambda: {"columns": ["x"], "data": [[1], [2], [3]]}, outputs=[1.0, 2.0, 3.0]
    )
    watched.ops.monitors.run("watch")
    assert watched.runs() == [("ok", 12, 1)], "a request is never cut"


def test_windows_of_time_are_looked_at_when_they_are_over(watched: Watched) -> None:
    watched.define(window={"time": "1m", "minimum_rows": 1})
    watched.ask(150)  # two minutes and a half
    service = watched.ops
    look = looking.look(service.session, "watch", now=NOON + 150)
    assert [each.headline for each in look.outcomes] == ["mean 29.5", "mean 89.5"]
    again = looking.look(service.session, "watch", now=NOON + 160)
    assert not again.outcomes
    third = looking.look(service.session, "watch", now=NOON + 200)
    assert [each.headline for each in third.outcomes] == ["mean 134.5"]
    empty = looking.look(service.session, "watch", now=NOON + 260)
    assert [str(each.state) for each in empty.outcomes] == ["insufficient"], "never ok without rows"


def test_windows_slide(watched: Watched) -> None:
    watched.define(window={"time": "1m", "slide": "30s", "minimum_rows": 1})
    watched.ask(120)
    look = looking.look(watched.ops.session, "watch", now=NOON + 140)
    assert [each.headline for each in look.outcomes] == [
        "mean 14.5", "mean 29.5", "mean 59.5", "mean 89.5",
    ]  # fmt: skip


def test_windows_by_event_time_close_by_the_events(watched: Watched) -> None:
    watched.define(window={"time": "1h", "minimum_rows": 1}, time="ts")

    def events(numbers: range, at: float) -> None:
        watched.ask(
            len(numbers), first=numbers[0], at=at, columns=["x", "ts"],
            row=lambda n: [n, f"2012-03-01T{n // 60:02d}:{n % 60:02d}:00"],
        )  # fmt: skip

    events(range(130), NOON)
    look = looking.look(watched.ops.session, "watch", now=LATER)
    assert [each.headline for each in look.outcomes] == ["mean 29.5", "mean 89.5"]
    events(range(130, 190), NOON + 5000)
    look = looking.look(watched.ops.session, "watch", now=LATER)
    assert [each.headline for each in look.outcomes] == ["mean 149.5"]
    run = watched.ops.monitors.find("watch").run
    assert run.window == "2012-03-01T02:00:00Z"
    points = read(watched.ops.session.reader, "monitor/watch", "rows", since=0, until=4e9)
    assert len(points) == 3
    assert all(point.at > LATER for point in points), "alarms look at what was learned lately"


@pytest.mark.usefixtures("at_once")
def test_rows_that_come_late_have_their_window_computed_again(watched: Watched) -> None:
    watched.define(window={"time": "1h", "minimum_rows": 1}, time="ts")
    row = lambda n: [n, 1_330_000_000 + 60 * n]  # noqa: E731
    watched.ask(200, columns=["x", "ts"], row=row)
    looking.look(watched.ops.session, "watch", now=LATER)
    before = watched.ops.monitors.runs("watch")[0]
    late = lambda n: [n, before.start + 5]  # noqa: E731
    watched.ask(1, first=900, at=NOON + 900, columns=["x", "ts"], row=late)
    looking.look(watched.ops.session, "watch", now=LATER + 1e4)
    after = watched.ops.monitors.find(before.id)
    assert (after.run.rows, after.run.generation) == (before.rows + 1, 2)
    assert after.history[0]["rows"] == before.rows
    assert after.run.late == 1


@pytest.mark.usefixtures("at_once")
def test_late_labels_have_their_windows_computed_again(watched: Watched) -> None:
    watched.define()
    watched.ask(30)
    watched.ops.monitors.run("watch")
    assert measured(watched)["labelled"] == 0
    watched.label([*range(10, 15), 99_999])
    watched.ops.monitors.run("watch")
    runs = list(reversed(watched.ops.monitors.runs("watch")))
    assert [(r.generation, r.label_coverage) for r in runs] == [(1, None), (2, 0.5), (1, None)]
    assert watched.ops.monitors.find(runs[1].id).history[0]["label_coverage"] is None
    watched.label(range(30))
    watched.ops.monitors.run("watch")
    runs = list(reversed(watched.ops.monitors.runs("watch")))
    assert [(r.generation, r.label_coverage) for r in runs] == [(2, 1.0), (3, 1.0), (2, 1.0)]
    memory = watched.ops.session.reader.rows("SELECT memory FROM monitors")[0]["memory"]
    assert json.loads(memory)["windows"] == 3, "computing again hands nobody a further window"


@pytest.mark.usefixtures("at_once")
def test_how_often_windows_are_computed_again_is_bounded(watched: Watched) -> None:
    watched.define(recompute=2)
    watched.ask(50)
    watched.ops.monitors.run("watch")
    watched.label(range(50))
    now = LATER + 1e9
    looking.look(watched.ops.session, "watch", now=now)
    assert sum(generation == 2 for _, _, generation in watched.runs()) == 2
    looking.look(watched.ops.session, "watch", now=now)
    looking.look(watched.ops.session, "watch", now=now)
    assert sum(generation == 2 for _, _, generation in watched.runs()) == 5, "the rest follows"


def test_missed_windows_are_caught_up_with_and_the_rest_is_stated(watched: Watched) -> None:
    watched.define(catch_up=3)
    watched.ask(10)
    watched.ops.monitors.run("watch")
    watched.ask(80, first=10, at=NOON + 100)
    looked = watched.ops.monitors.run("watch")
    assert (len(looked.outcomes), looked.skipped) == (3, 5)
    skipped = watched.ops.monitors.runs("watch", state="skipped")[0]
    assert skipped.status is RunStatus.SKIPPED
    assert "5 windows were missed" in skipped.reason
    assert "opsdeck monitors run watch --from" in skipped.reason
    assert watched.ops.monitors.get("watch").skipped == 5


def test_a_replay_leaves_how_the_monitor_stands(watched: Watched) -> None:
    watched.define(above=1000)
    watched.ask(40)
    watched.ops.monitors.run("watch")
    watched.define(above=20)
    watched.ops.monitors.run("watch", since=NOON, until=NOON + 40)
    assert [state for state, _, _ in watched.runs()] == ["ok", "ok", "violated", "violated"]
    assert watched.ops.monitors.get("watch").state is MonitorState.OK
    assert not watched.ops.alerts.list()


def test_a_monitor_that_raises_fails_alone_waits_and_recovers(watched: Watched) -> None:
    watched.define(fail="boom")
    watched.define("other")
    watched.ask(20)
    watched.ops.monitors.run("watch")
    watched.ops.monitors.run("other")
    found = watched.ops.monitors.get("watch")
    assert found.state is MonitorState.FAILED
    assert found.reason == "ZeroDivisionError: boom"
    assert found.backoff_until is not None
    assert "watch" not in watched.ops.monitors.due(found.backoff_until - 1)
    assert "watch" in watched.ops.monitors.due(found.backoff_until + 1)
    assert watched.runs("other") == [("ok", 10, 1)] * 2
    alerts = watched.ops.alerts.list()
    assert [(each.kind, each.severity.value) for each in alerts] == [("monitor_failed", "warning")]
    watched.define()
    watched.ops.monitors.run("watch")
    assert watched.ops.monitors.get("watch").state is MonitorState.OK
    assert not [each for each in watched.ops.alerts.list() if each.state.value != "resolved"]


def test_a_window_that_keeps_failing_is_left_behind(watched: Watched) -> None:
    watched.define(fail="boom")
    watched.ask(20)
    for _ in range(3):
        watched.ops.monitors.run("watch")
    watched.define()
    watched.ops.monitors.run("watch")
    assert [state for state, _, _ in watched.runs()] == ["failed", "ok"]


def test_a_violation_is_one_alert_and_ends_by_itself(watched: Watched) -> None:
    watched.define(above=12)
    watched.ask(30)
    watched.ops.monitors.run("watch")
    alerts = watched.ops.alerts.list()
    assert [(a.target, a.severity.value) for a in alerts] == [(f"endpoint/{ENDPOINT}", "warning")]
    assert "watch: mean 14.5" in alerts[0].title
    watched.ask(10, first=1000, at=NOON + 500, row=lambda n: [1.0])
    watched.ops.monitors.run("watch")
    assert watched.ops.monitors.get("watch").state is MonitorState.OK
    assert not watched.ops.alerts.list(), "none is open"


def test_a_monitors_own_runbook_is_beside_its_alert(watched: Watched) -> None:
    (watched.root / "mine.md").write_text("# Mine\n\nAsk the riders.\n")
    watched.define(above=0, runbook="mine.md")
    watched.ask(10)
    watched.ops.monitors.run("watch")
    (alert,) = watched.ops.alerts.list()
    shown = watched.ops.alerts.detail(alert.id).runbook
    assert (shown.source, shown.text) == ("mine.md", "Ask the riders.")


def test_the_alert_can_be_left_out(watched: Watched) -> None:
    watched.define(above=0, alert="off")
    watched.ask(10)
    watched.ops.monitors.run("watch")
    assert watched.ops.monitors.get("watch").state is MonitorState.VIOLATED
    assert not watched.ops.alerts.list()


def test_a_run_leaves_rows_points_and_files(watched: Watched) -> None:
    watched.define(above=3)
    watched.ask(10)
    watched.ops.monitors.run("watch")
    run = watched.ops.monitors.find("watch").run
    files = watched.state / run.folder
    statistics = json.loads((files / "statistics.json").read_text())
    assert statistics == {"version": 0.0, "rows": 10, "worst": "inf"}
    told = json.loads((files / "constraint_violations.json").read_text())["violations"]
    assert told[0]["constraint_check_type"] == "baseline_drift_check"
    reader = watched.ops.session.reader
    points = read(reader, "monitor/watch", "mean", {"feature": "x"}, since=0, until=LATER)
    assert [(point.at, point.value) for point in points] == [(NOON + 9, 4.5)]
    violated = read(reader, "monitor/watch", "violated", since=0, until=LATER)
    assert [point.value for point in violated] == [1.0]
    assert not list((watched.state / "monitors" / ".work").glob("*"))


def test_the_baseline_follows_the_champion(watched: Watched) -> None:
    watched.define()
    watched.ask(10)
    watched.ops.monitors.run("watch")
    assert measured(watched)["then"] == 49.5, "the mean of what version 1 learned from"
    deploy(watched, 2, range(1000, 1100), at=NOON + 50)
    watched.ask(10, first=100, at=NOON + 100, revision=2)
    watched.ops.monitors.run("watch")
    assert measured(watched)["then"] == 1049.5
    assert {each.version for each in watched.ops.monitors.baselines("watch")} == {1, 2}
    run = watched.ops.monitors.find("watch").run
    assert (run.model, run.version) == ("demand", 2)


def test_paused_monitors_are_not_due(watched: Watched) -> None:
    watched.define()
    watched.ask(10)
    assert watched.ops.monitors.due(LATER) == ("watch",)
    watched.ops.monitors.pause("watch", "holidays")
    assert watched.ops.monitors.due(LATER) == ()
    found = watched.ops.monitors.get("watch")
    assert (found.state, found.pause_reason) == (MonitorState.PAUSED, "holidays")
    watched.ops.monitors.resume("watch")
    assert watched.ops.monitors.due(LATER) == ("watch",)
    watched.ops.monitors.run("watch")
    assert watched.ops.monitors.due(LATER) == (), "there is nothing new"
    watched.ask(1, first=10, at=NOON + 30)
    assert watched.ops.monitors.due(LATER) == ("watch",)


def test_schedules_say_when_to_look(watched: Watched) -> None:
    watched.define(every="5m")
    looking.look(watched.ops.session, "watch", now=NOON)
    assert watched.ops.monitors.due(NOON + 299) == ()
    assert watched.ops.monitors.due(NOON + 301) == ("watch",)
    watched.define(every="0 6 * * *")
    looking.look(watched.ops.session, "watch", now=NOON)
    assert watched.ops.monitors.get("watch").next_at == NOON + 18 * 3600


def test_one_process_at_a_time_has_a_monitor(watched: Watched, open_as: OpenAs) -> None:
    from core.monitors.claims import claimed

    watched.define()
    watched.ask(10)
    with claimed(watched.ops.session, "watch", 60):
        with pytest.raises(MonitorBusy):
            open_as("other").monitors.run("watch")
        assert watched.ops.monitors.due(NOON) == ()
    open_as("other").monitors.run("watch")
    assert watched.runs() == [("ok", 10, 1)]


def claim_of_the_dead(watched: Watched) -> None:
    """A process that is no more had begun a window."""
    claim = f"{socket.gethostname()}:999999:1:abc"
    with watched.ops.session.change("test") as tx:
        tx.execute(monitors.update().values(claim=claim, claimed_until=LATER + 1e9))
        tx.execute(
            monitor_runs.insert().values(
                id="a" * 16, monitor="watch", kind="counting", window_key="half", window_start=NOON,
                window_end=NOON, status="running", cause="schedule", started_at=NOON,
            )
        )  # fmt: skip


def test_who_died_in_the_middle_leaves_nothing_half(watched: Watched) -> None:
    watched.define()
    watched.ask(10)
    claim_of_the_dead(watched)
    work = watched.state / "monitors" / ".work" / f"watch-{'a' * 16}"
    work.mkdir(parents=True)
    assert watched.ops.monitors.due(NOON) == ("watch",), "a dead process holds nothing"
    watched.ops.monitors.run("watch")
    assert watched.runs() == [("ok", 10, 1)]
    assert not work.exists()


def test_too_few_rows_are_insufficient(watched: Watched) -> None:
    watched.define(window={"rows": 10, "minimum_rows": 10})
    watched.ask(10)
    watched.ask(10, first=10, at=NOON + 20)
    watched.ops.monitors.run("watch")
    watched.define(window={"time": "1h", "minimum_rows": 500})
    looking.look(watched.ops.session, "watch", now=NOON + 7200)
    found = watched.ops.monitors.get("watch")
    assert found.state is MonitorState.INSUFFICIENT
    assert found.headline == "20 rows, 500 are needed"


@pytest.mark.parametrize("watch", ["endpoint/other", "dataset/other"])
def test_what_is_not_there_yet_is_waited_for_and_wakes_nobody(watched: Watched, watch: str) -> None:
    if watch.startswith("dataset"):
        watched.define(watch=watch, baseline="dataset:other@1", window={"snapshot": "whole"})
    else:
        watched.define(watch=watch)
    looked = watched.ops.monitors.run("watch")
    assert "other" in looked.why
    found = watched.ops.monitors.get("watch")
    assert (found.state, found.failures) == (MonitorState.PENDING, 0)
    assert "other" in found.reason
    assert watched.ops.alerts.list(state=None) == ()
    watched.define()  # now of what is there, with no window full yet
    watched.ask(3)
    watched.ops.monitors.run("watch")
    found = watched.ops.monitors.get("watch")
    assert (found.state, found.reason) == (MonitorState.PENDING, "")


def test_a_look_that_goes_well_again_ends_the_failure_before_a_window_is_full(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.define()
    watched.ask(10)
    watched.ask(3, first=10, at=NOON + 20)
    watched.ops.monitors.run("watch")
    with monkeypatch.context() as patched:
        patched.setattr(CapturedSource, "due", _away)
        watched.ops.monitors.run("watch")
    found = watched.ops.monitors.get("watch")
    assert (found.state, found.failures) == (MonitorState.FAILED, 1)
    assert "the disk is away" in found.reason
    watched.ops.monitors.run("watch")
    found = watched.ops.monitors.get("watch")
    assert (found.state, found.failures, found.reason) == (MonitorState.OK, 0, "")
    assert [alert.state for alert in watched.ops.alerts.list(state=None)] == ["resolved"]


def _away(*_: object) -> None:
    raise OSError("the disk is away")


def test_where_rows_cannot_be_told_the_error_says_what_to_name(watched: Watched) -> None:
    watched.define(baseline="evaluation:split.nothing")
    with pytest.raises(NoBaseline, match=r"run #1 put out no split\.nothing"):
        watched.ops.monitors.baseline("watch")


def test_old_runs_and_files_go(watched: Watched, monkeypatch: Any) -> None:
    monkeypatch.setattr("core.monitors.tidying.KEEP_RUNS", 3)
    monkeypatch.setattr("core.monitors.tidying.KEEP_FILES", 1)
    watched.define()
    watched.ask(50)
    watched.ops.monitors.run("watch")
    assert watched.ops.monitors.tidy(NOON + 100) == 2
    assert len(list_runs(watched.ops.session.reader, "watch")) == 3
    folders = [p for p in (watched.state / "monitors" / "watch").iterdir() if p.is_dir()]
    assert [p.name for p in folders] == [watched.ops.monitors.find("watch").run.id]


@pytest.mark.usefixtures("at_once")
def test_a_window_that_failed_is_made_good_by_hand_or_by_labels(watched: Watched) -> None:
    watched.define(fail="boom")
    watched.ask(30)
    for _ in range(3):
        watched.ops.monitors.run("watch")
    watched.define()
    looking.look(watched.ops.session, "watch", now=LATER)
    assert [state for state, _, _ in watched.runs()] == ["failed", "ok", "ok"]
    watched.label([3])
    looking.look(watched.ops.session, "watch", now=LATER)
    assert [state for state, _, _ in watched.runs()] == ["ok", "ok", "ok"]
    watched.define(fail="boom")
    watched.ask(10, first=30, at=NOON + 60)
    for _ in range(3):
        watched.ops.monitors.run("watch")
    watched.define()
    watched.ops.monitors.run("watch")
    assert [state for state, _, _ in watched.runs()] == ["ok"] * 4


def test_a_run_has_a_time_limit(watched: Watched) -> None:
    watched.define(sleep=20, timeout=1)
    watched.define("other")
    watched.ask(10)
    watched.ops.monitors.run("watch")
    found = watched.ops.monitors.get("watch")
    assert found.state is MonitorState.FAILED
    assert found.reason.startswith("E604 monitor watch: took longer than 1 s")
    watched.ops.monitors.run("other")
    assert watched.runs("other") == [("ok", 10, 1)]


def test_a_run_whose_process_was_ended_from_outside_says_so(watched: Watched) -> None:
    watched.define()
    watched.ask(10)
    claim_of_the_dead(watched)
    watched.ops.monitors.abandon("watch", "its process was ended: no answer after 60 s")
    run = watched.ops.monitors.runs("watch")[0]
    assert (run.status, run.reason) == (
        RunStatus.FAILED,
        "its process was ended: no answer after 60 s",
    )
    found = watched.ops.monitors.get("watch")
    assert found.state is MonitorState.FAILED
    assert found.backoff_until is not None
    watched.ops.monitors.run("watch")
    assert watched.ops.monitors.get("watch").state is MonitorState.OK


def test_a_candidate_has_windows_of_its_own(watched: Watched) -> None:
    watched.define(variant="candidate")
    deploy(watched, 2, range(5), at=NOON - 50)
    with watched.ops.session.change("test") as tx:
        table = schema.deployments
        tx.execute(
            table.update().where(table.c.id == "d2").values(status="progressing", ended_at=None)
        )
    watched.ask(10)
    watched.ask(10, first=100, revision=2, at=NOON + 1)
    watched.ops.monitors.run("watch")
    run = watched.ops.monitors.find("watch").run
    assert (run.rows, run.version) == (10, 2)
    assert measured(watched)["then"] == 2.0, "the mean of what the candidate learned from"


def test_a_monitor_that_is_no_more_leaves_no_open_alert(watched: Watched) -> None:
    watched.define(above=0)
    watched.define("broken", fail="boom")
    watched.ask(10)
    watched.ops.monitors.run("watch")
    watched.ops.monitors.run("broken")
    assert len(watched.ops.alerts.list()) == 2
    watched.ops.monitors.delete("watch")
    (watched.root / "monitors" / "broken.yaml").unlink()
    watched.ops.monitors.sync()
    assert not watched.ops.alerts.list()


def test_another_machines_requests_are_looked_at_there(watched: Watched) -> None:
    watched.define()
    with watched.ops.session.change("test") as tx:
        tx.execute(schema.endpoints.update().values(host="elsewhere"))
    assert watched.ops.monitors.due(NOON) == (), "nothing of it is here"
    watched.ask(1)
    assert watched.ops.monitors.due(NOON) == ("watch",)


def test_the_champion_of_a_moment_is_told_by_deployments_and_rollbacks(watched: Watched) -> None:
    deploy(watched, 2, range(5), at=NOON)
    reader = watched.ops.session.reader
    with watched.ops.session.change("test") as tx:
        tx.execute(
            schema.receipts.insert().values(
                id="r", endpoint=ENDPOINT, actor="author", reason="", from_model="demand",
                from_version=2, to_model="demand", to_version=1, requests_failed=0, in_flight=0,
                milliseconds=1.0, at=NOON + 100,
            )
        )  # fmt: skip
    told = [champion_revision(reader, ENDPOINT, NOON + at) for at in (-99_999, -1, 0, 99, 100, 1e9)]
    assert told == [1, 1, 2, 2, 1, 1]
