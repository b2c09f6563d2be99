"""Alarms take releases back: a real endpoint, real samples, and workers killed in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.alarms.errors import AlarmInAlarm, NoSuchAlarm
from core.alarms.keeper import Keeper
from core.alarms.rollbacks import RETRY_SECONDS
from core.domain.analysis import AlarmState, OnBreach
from core.domain.plans import plan_json
from core.domain.release import DeploymentStatus
from core.domain.series import Point
from core.errors import BadInput
from core.ids import new_id
from core.ops import Ops, open_ops
from core.releases import rows
from core.releases.strategy import DEFAULT_PLAN, DEFAULT_STRATEGY
from core.series import latest, list_series, record
from core.series.sampling import EndpointSamples
from core.state import schema
from tests.core.releases.test_rollback import BODY, NAME, deploy, finish, models, served
from tests.support.opened import woken, write_workspace

__all__ = ["models", "served", "woken"]


@pytest.fixture
def recorded(tmp_path: Path, woken: list[Any]) -> Iterator[Ops]:
    """What rows say of an endpoint that has had versions 1, 2 and 3; there is no process."""
    root = write_workspace(tmp_path / "space")
    with open_ops(root, actor="author") as ops:
        run = ops.runs.start("chain", {})
        for version in (1, 2, 3):
            (root / f"v{version}").mkdir()
            with ops.session.change("test") as tx:
                tx.execute(
                    schema.model_versions.insert().values(
                        name="demand", version=version, run_id=run.id, step="register",
                        path=f"../v{version}", digest="ab" * 32, created_at=tx.now,
                    )
                )  # fmt: skip
                made = rows.create_deployment(
                    tx, new_id(), endpoint=NAME, model="demand", version=version,
                    strategy=DEFAULT_STRATEGY,
                )  # fmt: skip
                rows.finish_deployment(tx, made)
        yield ops


HIGH = "{metric: 'endpoint/bike:load', threshold: 10}"


def define(ops: Ops, **alarms: str) -> None:
    folder = ops.workspace.root / "monitors"
    folder.mkdir(exist_ok=True)
    lines = [f"  {name}: {text}" for name, text in alarms.items()]
    (folder / "alarms.yaml").write_text("\n".join(["alarms:", *lines]))
    ops.alarms.sync()


def load(ops: Ops, value: float, minutes: int = 1) -> float:
    """Write so much load into the last minutes before now; returns the time of the look."""
    now = time.time()
    begin = now // 60 * 60
    points = [Point("load", begin - 60 * back, value) for back in range(minutes + 1)]
    with ops.session.change("measure") as tx:
        record(tx, "endpoint/bike", points)
    return now


def look(ops: Ops, ahead: float = 80.0) -> None:
    """What a worker does, when the present minute is over."""
    assert Keeper(ops.session, "worker").look(time.time() + ahead)


def receipts(ops: Ops) -> list[dict[str, Any]]:
    return ops.session.reader.rows("SELECT * FROM receipts ORDER BY at")


def serves(ops: Ops) -> set[int]:
    info = ops.endpoints.control(NAME).info()
    assert info is not None
    return {variant.revision for variant in info.variants}


def begin(ops: Ops, models: Path, *alarms: str) -> str:
    """Version 1 again, at a tenth of the traffic, in a deployment that names these alarms."""
    deploy(ops, models, 1, weight=10.0)
    open_one = ops.endpoints.get(NAME).deployment
    assert open_one is not None
    plan = replace(DEFAULT_PLAN, rollback_alarms=alarms, alarms=())
    table = schema.deployments
    with ops.session.change("test") as tx:
        tx.execute(table.update().where(table.c.id == open_one.id).values(strategy=plan_json(plan)))
    return open_one.id


def test_a_deployments_alarm_takes_it_back_by_what_the_supervisor_has_counted(
    served: Ops, models: Path
) -> None:
    """From a request to the receipt: the supervisor's slots, the series, the alarm, the swap."""
    define(
        served,
        busy="{metric: 'endpoint/bike:requests{variant=candidate}', stat: Sum, period: 10,"
        " threshold: 0}",
    )
    deployment = begin(served, models, "busy")
    samples = EndpointSamples(served.session, served.workspace.endpoints_dir)
    keeper = Keeper(served.session, "worker")
    deadline = time.monotonic() + 60
    while not receipts(served):
        assert time.monotonic() < deadline
        for _ in range(20):
            assert served.endpoints.invoke(NAME, BODY).status == 200
        samples.take()
        keeper.look()
        decided = served.session.reader.rows("SELECT id FROM alarm_actions")
        assert len(decided) == len(receipts(served)), "done in the look that decides it"
        time.sleep(0.5)
    (receipt,) = receipts(served)
    assert (receipt["from_version"], receipt["to_version"]) == (1, 3)
    assert receipt["requests_failed"] == 0
    assert receipt["actor"] == "opsdeck (alarm busy)"
    assert receipt["reason"].startswith("alarm busy: 1 of the last 1 datapoints")
    assert receipt["deployment_id"] == deployment
    assert serves(served) == {3}
    ended = served.endpoints.get(NAME).deployment
    assert ended is not None
    assert ended.status is DeploymentStatus.ROLLED_BACK
    (alert,) = [each for each in served.alerts.list() if each.kind == "rollback"]
    assert (alert.severity, alert.state) == ("critical", "open")
    said = [each.reason for each in served.alarms.history("busy", kind="action")]
    assert said == ["rolled back: demand v1 → demand v3", "rolls back bike from revision 4"]
    keeper.look()
    assert len(receipts(served)) == 1
    names = {each.words() for each in list_series(served.session.reader, "endpoint/bike")}
    for words in ("latency", "errors{variant=r4}", "requests{variant=champion}", "saturation"):
        assert f"endpoint/bike:{words}" in names
    p99 = latest(served.session.reader, "endpoint/bike", "latency", count=9, stat="p99")
    assert any(point.value is not None and 0 < point.value < 5000 for point in p99)


@pytest.mark.parametrize("moment", ["before", "swapped"])
def test_a_worker_killed_between_decision_and_receipt_rolls_back_once(
    served: Ops, models: Path, moment: str
) -> None:
    define(served, high=HIGH)
    begin(served, models, "high")
    load(served, 20)
    program = (
        "import os, signal, sys, time\n"
        "from pathlib import Path\n"
        "from core.ops import open_ops\n"
        "from core.releases import rollback\n"
        "from core.alarms.keeper import Keeper\n"
        "def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)\n"
        f"setattr(rollback, {'roll_back' if moment == 'before' else 'record_rollback'!r}, die)\n"
        "with open_ops(Path(sys.argv[1]), actor='opsdeck') as ops:\n"
        "    Keeper(ops.session, 'first').look(time.time() + 80)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(served.workspace.root)],
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.returncode == -signal.SIGKILL
    assert receipts(served) == []
    (action,) = served.session.reader.rows("SELECT * FROM alarm_actions")
    assert (action["state"], action["attempts"]) == ("pending", 1)
    assert serves(served) == ({3, 4} if moment == "before" else {3})
    look(served, 80 + RETRY_SECONDS + 1)
    look(served, 80 + 2 * RETRY_SECONDS + 2)
    (receipt,) = receipts(served)
    assert receipt["id"] == action["id"]
    assert serves(served) == {3}
    (action,) = served.session.reader.rows("SELECT * FROM alarm_actions")
    assert action["state"] == "done"
    kinds = [each.kind for each in served.alerts.list(state=None)]
    assert kinds.count("rollback") == 1


def test_an_alarm_in_alarm_refuses_a_deployment_unless_it_is_forced(recorded: Ops) -> None:
    define(recorded, high=HIGH)
    load(recorded, 20)
    look(recorded)
    assert recorded.alarms.get("high").state is AlarmState.ALARM
    strategy = {"preset": "canary", "alarms": ["high"]}
    with pytest.raises(NoSuchAlarm, match="alarm hgih") as unknown:
        recorded.endpoints.deploy(NAME, "demand", "1", strategy={**strategy, "alarms": ["hgih"]})
    assert "did you mean high?" in unknown.value.hint
    with pytest.raises(AlarmInAlarm, match="alarm high is in ALARM: 1 of the last 1"):
        recorded.endpoints.deploy(NAME, "demand", "1", strategy=strategy)
    with pytest.raises(BadInput, match="no reason"):
        recorded.endpoints.deploy(NAME, "demand", "1", strategy=strategy, force_alarms=True)
    made = recorded.endpoints.deploy(
        NAME, "demand", "1", strategy=strategy, force_alarms=True, reason="it mends the load"
    )
    assert made.plan is not None
    assert made.plan.rollback_alarms == ("high",)
    assert made.plan.alarms, "the default ones stay beside them"
    look(recorded, 90)
    assert recorded.session.reader.rows("SELECT * FROM alarm_actions") == []
    assert "although it is in ALARM" in recorded.alarms.history("high")[0].reason


def test_a_freezing_deployment_is_held_by_its_alarm(recorded: Ops) -> None:
    define(recorded, high=HIGH)
    plan = replace(DEFAULT_PLAN, rollback_alarms=("high",), on_breach=OnBreach.FREEZE)
    with recorded.session.change("test") as tx:
        made = rows.create_deployment(
            tx, new_id(), endpoint=NAME, model="demand", version=1, strategy=plan
        )
        rows.record_weight(tx, made, 10.0, "more")
    load(recorded, 20)
    look(recorded)
    look(recorded, 90)
    held = recorded.endpoints.get(NAME).deployment
    assert held is not None
    assert held.status is DeploymentStatus.HELD
    assert receipts(recorded) == []
    frozen = [each for each in recorded.alerts.list() if each.kind == "frozen"]
    assert len(frozen) == 1


def test_an_alarms_own_rollback_takes_back_what_was_released_lately(served: Ops) -> None:
    define(served, high="{metric: 'endpoint/bike:load', threshold: 10, actions: [rollback]}")
    load(served, 20)
    look(served)
    (receipt,) = receipts(served)
    assert (receipt["from_version"], receipt["to_version"]) == (3, 2)
    load(served, 1, minutes=5)
    look(served)
    load(served, 20)
    look(served, 140)
    assert [each["to_version"] for each in receipts(served)] == [2, 1], "it went off once more"


def test_an_alarms_own_rollback_leaves_what_was_released_long_ago(recorded: Ops) -> None:
    define(
        recorded,
        high="{metric: 'endpoint/bike:load', threshold: 10, actions: [rollback],"
        " rollback_within: 1s}",
    )
    time.sleep(1.1)
    load(recorded, 20)
    look(recorded)
    assert receipts(recorded) == []
    (told,) = recorded.alarms.history("high", kind="action")
    assert "nothing was rolled back: v3 was released" in told.reason
    assert [each.severity for each in recorded.alerts.list()] == ["critical"]


def test_an_alarm_watches_while_the_version_before_is_kept(served: Ops, models: Path) -> None:
    define(served, high=HIGH)
    deployment = begin(served, models, "high")
    served.endpoints.control(NAME).set_table({4: 100.0})
    finish(served)
    load(served, 20)
    look(served)
    (receipt,) = receipts(served)
    assert receipt["deployment_id"] == deployment
    assert serves(served) == {3}


def test_a_test_rolls_nothing_back_unless_it_is_asked_to(recorded: Ops) -> None:
    define(recorded, high="{metric: 'endpoint/bike:load', threshold: 10, actions: [rollback]}")
    load(recorded, 1)
    look(recorded)
    recorded.alarms.test("high", seconds=3600)
    look(recorded)
    assert receipts(recorded) == []
    assert "would have rolled back bike from revision 3" in (
        recorded.alarms.history("high", kind="action")[0].reason
    )
    look(recorded, 4000)
    with pytest.raises(BadInput, match="no reason"):
        recorded.alarms.test("high", act=True)
