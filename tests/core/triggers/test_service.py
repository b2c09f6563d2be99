"""Triggers as a workspace has them: fired, decided on, started once, switched off, told."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from core.domain.trigger import Cause, CauseKind, FiringDecision
from core.errors import NotFound
from core.ops import Ops
from core.series import Point, record
from core.triggers import fire, starting
from core.triggers.errors import TriggerRefused
from tests.core.triggers.conftest import Write
from tests.support.opened import raw


def ask(ops: Ops, name: str = "retrain", kind: CauseKind = CauseKind.ALARM, key: str = "a") -> str:
    """Have a trigger fire as an alarm's transition does."""
    with ops.session.change("test") as tx:
        return fire(tx, name, Cause(kind, "alarm/mae", "mae above 60", key=key))


def decisions(ops: Ops) -> list[str]:
    """All firings' decisions, oldest first."""
    return [each.decision.value for each in reversed(ops.triggers.firings())]


def end_run(ops: Ops, number: int, status: str = "succeeded", at: float | None = None) -> None:
    """As a worker would have it."""
    raw(
        ops.workspace.database_url,
        "UPDATE runs SET status = ?, ended_at = ? WHERE number = ?",
        (status, time.time() if at is None else at, number),
    )


def test_an_alarm_gets_one_run(ops: Ops, write: Write, woken: list[Any]) -> None:
    write(retrain={"params": {"count": 5, "note": "${cause.kind} ${now:%Y}"}})
    firing = ask(ops)
    assert ops.triggers.look() == 1
    run = ops.triggers.start(firing)
    assert run is not None
    found = ops.triggers.firing(firing)
    assert (found.decision, found.run, found.model) == (FiringDecision.STARTED, 1, "demand")
    detail = ops.runs.get("1")
    assert detail.run.params["count"] == 5
    assert detail.run.params["note"] == f"alarm {time.strftime('%Y')}"
    assert detail.run.requested_by == "trigger/retrain"
    assert detail.run.reason == "trigger retrain: mae above 60"
    actions = [entry.action for entry in ops.audit.list(limit=10)]
    assert {"trigger.fire", "trigger.accepted", "trigger.started", "run.request"} <= set(actions)


def test_the_same_cause_is_a_duplicate_and_another_one_finds_the_model_busy(
    ops: Ops, write: Write
) -> None:
    write(retrain={})
    ops.triggers.start(_accepted(ops, "a"))
    ask(ops, key="a")
    ops.triggers.look()
    ask(ops, key="b")
    ops.triggers.look()
    assert decisions(ops) == ["started", "deduplicated", "busy"]
    assert "run 1" in ops.triggers.firings()[0].reason


def _accepted(ops: Ops, key: str) -> str:
    firing = ask(ops, key=key)
    assert ops.triggers.look() == 1
    return firing


def test_two_triggers_of_one_model_run_one_after_the_other_the_important_one_first(
    ops: Ops, write: Write
) -> None:
    write(low={"priority": 1}, high={"priority": 9})
    ask(ops, "low")
    ask(ops, "high")
    ops.triggers.look()
    assert {f.trigger: f.decision.value for f in ops.triggers.firings()} == {
        "high": "accepted",
        "low": "busy",
    }


def test_it_cools_down_and_goes_on_by_force(ops: Ops, write: Write) -> None:
    write(retrain={"cool_down": "6h"})
    ops.triggers.start(_accepted(ops, "a"))
    end_run(ops, 1)
    firing = ops.triggers.fire("retrain")
    assert firing.decision is FiringDecision.COOLING_DOWN
    assert "free in 5h" in firing.reason or "free in 6h" in firing.reason
    assert ops.triggers.fire("retrain", force=True).decision is FiringDecision.ACCEPTED


def test_a_budget_of_runs_and_of_processor_time(ops: Ops, write: Write) -> None:
    write(retrain={"budget": {"runs": 2, "per": "day"}})
    for number in (1, 2):
        ops.triggers.start(_accepted_hand(ops))
        end_run(ops, number)
    firing = ops.triggers.fire("retrain")
    assert firing.decision is FiringDecision.OVER_BUDGET
    assert firing.reason == "2 of 2 runs a day are used"
    write(retrain={"budget": {"cost": 1, "cost_per_cpu_hour": 0.5}})
    assert ops.triggers.fire("retrain").decision is FiringDecision.ACCEPTED
    raw(
        ops.workspace.database_url,
        "UPDATE trigger_firings SET decision='refused' WHERE run_id IS NULL",
    )
    raw(ops.workspace.database_url, "UPDATE step_runs SET cpu_seconds = 2000")
    assert ops.triggers.fire("retrain").reason == "2.22 of 1 a week are spent"


def _accepted_hand(ops: Ops) -> str:
    firing = ops.triggers.fire("retrain")
    assert firing.decision is FiringDecision.ACCEPTED
    return firing.id


def test_worse_again_after_a_retraining_is_an_alert_and_no_loop(ops: Ops, write: Write) -> None:
    write(retrain={"relapse": {"retrainings": 1, "within": "2d"}})
    ops.triggers.start(_accepted(ops, "a"))
    end_run(ops, 1)
    for key in ("b", "c"):
        ask(ops, key=key)
        assert ops.triggers.look() == 0
    assert decisions(ops) == ["started", "relapsed", "relapsed"]
    (alert,) = ops.alerts.list()
    assert alert.kind == "relapse"
    assert alert.target == "model/demand"
    assert "worse again after retraining within 2d (the last: run 1)" in alert.title
    # What is no degradation goes on, and after its time so does a degradation.
    assert ops.triggers.fire("retrain").decision is FiringDecision.ACCEPTED
    raw(
        ops.workspace.database_url,
        "UPDATE trigger_firings SET at = at - 200000 WHERE decision = 'started'",
    )
    raw(ops.workspace.database_url, "DELETE FROM trigger_firings WHERE decision = 'accepted'")
    ask(ops, key="d")
    assert ops.triggers.look() == 1


def test_switched_off_by_somebody_or_by_its_file(ops: Ops, write: Write) -> None:
    write(retrain={}, quiet={"enabled": False})
    ops.triggers.disable("retrain", "the data are being mended")
    assert ops.triggers.get("retrain").state == "paused"
    firing = ops.triggers.fire("retrain")
    assert firing.reason == "switched off by author: the data are being mended"
    assert ops.triggers.fire("quiet").reason == "its file says enabled: false"
    ops.triggers.enable("retrain")
    assert ops.triggers.fire("retrain").decision is FiringDecision.ACCEPTED


def test_a_trigger_that_nobody_defines_is_refused_on_record_and_told(ops: Ops) -> None:
    ask(ops, "ghost")
    ops.triggers.look()
    assert decisions(ops) == ["refused"]
    assert ops.triggers.firings()[0].reason == "no trigger ghost is defined"
    assert [alert.kind for alert in ops.alerts.list()] == ["trigger"]
    assert ops.triggers.get("ghost").state == "gone"
    with pytest.raises(NotFound, match="no trigger gost"):
        ops.triggers.get("gost")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"pipeline": "chian"}, "pipeline: no pipeline chian (did you mean chain?)"),
        (
            {"params": {"cuont": 1}},
            "params.cuont: chain has no such parameter (did you mean count?)",
        ),
        ({"params": {"count": "many"}}, "params.count: expected a whole number, found 'many'"),
        ({"on": [{"alarm": "mae"}]}, "on[0].alarm: no alarm mae"),
        ({"on": [{"monitor": "x"}]}, "on[0].monitor: no monitor x"),
        ({"on": [{"new_data": "rentals"}]}, "no dataset rentals, and no pipeline or view"),
        ({"params": {"note": "${newest.rentals.ts:%Y}"}}, "params.note: no dataset rentals"),
        (
            {"on": [{"new_data": "captured_x"}], "augment": {"dataset": "captured_x"}},
            "it would make itself fire: retrain → captured_x → retrain",
        ),
        ({"budget": {"runs": 0}}, "a budget of 0 lets nothing run"),
    ],
)
def test_what_a_trigger_names_has_to_be_there(
    ops: Ops, write: Write, data: dict[str, Any], said: str
) -> None:
    write(retrain=data)
    told = [problem.one_line() for problem in ops.triggers.problems()]
    assert any(said in line for line in told), told
    assert all(line.startswith("monitors/watch.yaml:") for line in told)
    trigger = ops.triggers.get("retrain")
    assert trigger.state == "broken"
    if "on" not in data:
        assert ops.triggers.outlook("retrain").decision is FiringDecision.REFUSED


def test_what_would_happen_now(ops: Ops, write: Write) -> None:
    write(retrain={"on": [{"schedule": "1h"}], "params": {"note": "${now:%Y}", "count": 2}})
    outlook = ops.triggers.outlook("retrain")
    assert outlook.decision is FiringDecision.ACCEPTED
    assert outlook.params == {"note": time.strftime("%Y"), "count": "2"}
    ((words, met, _),) = outlook.conditions
    assert (words, met) == ("every 1h", False)
    assert not ops.triggers.firings()


def test_what_would_happen_for_an_alarm_that_is_on(ops: Ops, write: Write) -> None:
    write(retrain={"on": [{"metric": "run/1:mae", "above": 1}]})
    with ops.session.change("test") as tx:
        record(tx, "run/1", [Point("mae", 1.0, 2.0)])
    assert ops.triggers.outlook("retrain").decision is FiringDecision.ACCEPTED
    assert ops.triggers.look() == 1
    ops.triggers.start(ops.triggers.firings()[0].id)
    end_run(ops, 1)
    outlook = ops.triggers.outlook("retrain")
    assert outlook.decision is FiringDecision.RELAPSED
    assert outlook.conditions[0][1]


def test_a_run_that_cannot_be_made_is_refused_with_an_alert(ops: Ops, write: Write) -> None:
    write(retrain={"params": {"note": "${champion.version}"}})
    firing = ops.triggers.fire("retrain")
    with pytest.raises(TriggerRefused, match="demand has no champion"):
        ops.triggers.start(firing.id)
    found = ops.triggers.firing(firing.id)
    assert found.decision is FiringDecision.REFUSED
    assert "demand has no champion" in found.reason
    assert ops.triggers.start(firing.id) is None
    assert ops.runs.list() == ()


def test_two_workers_make_one_run(
    ops: Ops, again: Ops, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where both believe that nobody else is at it."""
    write(retrain={})
    firing = ops.triggers.fire("retrain").id
    monkeypatch.setattr(starting, "LEASE_SECONDS", -1.0)
    barrier = threading.Barrier(2)
    found: list[str | None] = []

    def work(worker: Ops) -> None:
        barrier.wait()
        found.append(worker.triggers.start(firing))

    threads = [threading.Thread(target=work, args=(each,)) for each in (ops, again)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each is not None for each in found) == [False, True]
    assert len(ops.runs.list()) == 1


def test_a_worker_that_dies_in_between_loses_nothing_and_doubles_nothing(
    ops: Ops, again: Ops, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(retrain={})
    firing = ops.triggers.fire("retrain").id

    class Killed(BaseException):
        """The process ends here."""

    def die(*_: Any, **__: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(starting, "_write", die)
        with pytest.raises(Killed):
            ops.triggers.start(firing)
    assert again.triggers.start(firing) is None, "it may still be at it"
    raw(ops.workspace.database_url, "UPDATE trigger_firings SET taken_at = taken_at - 1000")
    assert again.triggers.start(firing) is not None
    with monkeypatch.context() as patched:  # it died after the commit: done again, nothing more
        patched.setattr(starting, "take", lambda session, ref: again.triggers.firing(ref))
        assert ops.triggers.start(firing) is None
    assert len(ops.runs.list()) == 1


def test_after_several_crashes_it_is_given_up(ops: Ops, write: Write) -> None:
    write(retrain={})
    firing = ops.triggers.fire("retrain").id
    raw(ops.workspace.database_url, "UPDATE trigger_firings SET attempts = 5")
    assert ops.triggers.start(firing) is None
    assert "could not be prepared in 5 attempts" in ops.triggers.firing(firing).reason


def test_read_only_looks_and_does_nothing(ops: Ops, open_as: Any, write: Write) -> None:
    write(retrain={})
    eve = open_as("eve", read_only=True)
    assert eve.triggers.get("retrain").state == "ready"
    assert eve.triggers.outlook("retrain").decision is FiringDecision.ACCEPTED
    assert eve.triggers.firings() == ()


KILLED = """
import os, signal, sys
from pathlib import Path
from core.ops import open_ops
from core.triggers import starting

write = starting._write

def killed(*args):
    if sys.argv[3] == "after":
        write(*args)
    os.kill(os.getpid(), signal.SIGKILL)

starting._write = killed
with open_ops(Path(sys.argv[1]), actor="opsdeck") as ops:
    ops.triggers.start(sys.argv[2])
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_that_is_killed_around_the_commit(ops: Ops, write: Write, when: str) -> None:
    """A process of its own, and SIGKILL."""
    write(retrain={})
    firing = ops.triggers.fire("retrain").id
    command = [sys.executable, "-c", KILLED, str(ops.workspace.root), firing, when]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert len(ops.runs.list()) == (when == "after")
    raw(ops.workspace.database_url, "UPDATE trigger_firings SET taken_at = taken_at - 1000")
    assert (ops.triggers.start(firing) is not None) == (when == "before")
    assert ops.triggers.firing(firing).run == 1
    assert len(ops.runs.list()) == 1
    rows = "SELECT count(*) FROM outbox WHERE kind = 'run.start'"
    assert raw(ops.workspace.database_url, rows) == [(1,)]


def test_a_firing_that_became_nothing_is_forgotten_one_day(ops: Ops, write: Write) -> None:
    from core.engine.forgetting import forget_data

    write(retrain={})
    ops.triggers.start(ops.triggers.fire("retrain").id)
    ops.triggers.fire("retrain")
    raw(ops.workspace.database_url, "UPDATE trigger_firings SET at = at - 20000000")
    with ops.session.change("test") as tx:
        forget_data(tx)
    assert decisions(ops) == ["started"]
