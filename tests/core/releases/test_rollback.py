"""A rollback of a real endpoint: under traffic, and with its author killed in the middle."""

from __future__ import annotations

import errno
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.engine import deploywork
from core.engine.caretaker import Caretaker
from core.errors import EndpointUnavailable, ModelUnusable, NotFound, ReadOnly, WrongState
from core.ids import new_id
from core.ops import Ops, open_ops
from core.processes import started
from core.releases import rollback, rows
from core.releases.lock import release_lock
from core.releases.rollback import unfinished_intents
from core.releases.strategy import DEFAULT_STRATEGY, parse_plan
from core.serving.control import EndpointControl
from core.state import schema
from tests.support.opened import raw, write_workspace

NAME = "bike"
BODY = json.dumps({"dataframe_split": {"columns": ["x"], "data": [[1.0]]}}).encode()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small models, `v1` to `v3`: v2 answers 2 to a 1."""
    import mlflow.sklearn
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.linear_model import LinearRegression

    root = tmp_path_factory.mktemp("models")
    x = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})
    for version in (1, 2, 3):
        y = x["x"] * version
        mlflow.sklearn.save_model(
            LinearRegression().fit(x, y),
            root / f"v{version}",
            signature=infer_signature(x, y),
            input_example=x,
            pip_requirements=["scikit-learn"],
            serialization_format="cloudpickle",
        )
    return root


@pytest.fixture
def served(tmp_path: Path, models: Path, woken: list[Any]) -> Iterator[Ops]:
    """A workspace whose endpoint has had versions 1, 2 and 3 in production, 3 now."""
    root = write_workspace(tmp_path / "space")
    with open_ops(root, actor="author") as ops:
        run = ops.runs.start("chain", {})
        with ops.session.change("test") as tx:
            for version in (1, 2, 3):
                tx.execute(
                    schema.model_versions.insert().values(
                        name="demand",
                        version=version,
                        run_id=run.id,
                        step="register",
                        path=os.path.relpath(models / f"v{version}", ops.workspace.state_dir),
                        digest="ab" * 32,
                        created_at=tx.now,
                    )
                )
        control = ops.endpoints.control(NAME)
        control.ensure_running(NAME)
        try:
            for version in (1, 2, 3):
                deploy(ops, models, version)
                finish(ops)
            yield ops
        finally:
            control.stop()


def deploy(ops: Ops, models: Path, version: int, weight: float = 100.0) -> None:
    """Bring a version beside the others with so much of the traffic, as a worker does."""
    control = ops.endpoints.control(NAME)
    with ops.session.change("test") as tx:
        made = rows.create_deployment(
            tx,
            new_id(),
            endpoint=NAME,
            model="demand",
            version=version,
            strategy=DEFAULT_STRATEGY,
        )
    control.load(made["revision"], models / f"v{version}", "demand", version)
    table = {made["revision"]: weight}
    if weight < 100:
        table[made["from_revision"]] = 100 - weight
    control.set_table(table)
    with ops.session.change("test") as tx:
        rows.record_weight(tx, made, weight, "more")


def finish(ops: Ops) -> None:
    """End the open deployment well; what need not stay loaded is unloaded."""
    control = ops.endpoints.control(NAME)
    with ops.session.change("test") as tx:
        deployment = rows.open_deployment(tx, NAME)
        assert deployment is not None
        leaving = rows.finish_deployment(tx, deployment)
    for revision in leaving:
        control.unload(revision)


def kill(pid: int) -> None:
    """Kill a process and wait until it is gone: the signal alone is only on its way."""
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while started(pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def answer(ops: Ops) -> float:
    """What the endpoint says to a 1: the version that serves."""
    reply = ops.endpoints.invoke(NAME, BODY)
    assert reply.status == 200, reply.body
    found = json.loads(reply.body)
    return round(float((found["predictions"] if isinstance(found, dict) else found)[0]), 3)


def aliases(ops: Ops) -> dict[str, int]:
    sql = "SELECT alias, version FROM model_aliases ORDER BY alias"
    return dict(raw(ops.workspace.database_url, sql))  # type: ignore[arg-type]


def intents(ops: Ops) -> list[Path]:
    return list((ops.workspace.endpoints_dir / NAME).glob("rollback-*.json"))


def look_after(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker's caretaker does about rollbacks, once."""
    monkeypatch.setattr("core.engine.caretaker.INTENT_SECONDS", 0.0)
    engine: Any = SimpleNamespace(
        session=ops.session, store=ops.session.store(), workspace=ops.workspace
    )
    Caretaker(engine)._finish_rollbacks()


class Clients:
    """Keep sending requests until left; remembers every answer that was not a 200."""

    def __init__(self, port: int, count: int = 4) -> None:
        self.answers, self.failures = 0, list[str]()
        self._port, self._stop = port, threading.Event()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(count)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        self.more(20)
        return self

    def more(self, count: int) -> None:
        """Wait for so many more answers."""
        goal, deadline = self.answers + count, time.monotonic() + 30
        while self.answers < goal:
            assert time.monotonic() < deadline, (self.answers, self.failures)
            time.sleep(0.005)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def _send(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        while not self._stop.is_set():
            try:
                connection.request("POST", "/invocations", BODY)
                reply = connection.getresponse()
                text = reply.read()
                if reply.status != 200:
                    self.failures.append(f"{reply.status} {text!r}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
            self.answers += 1
        connection.close()


def test_back_and_further_back_under_traffic_and_not_one_request_fails(
    served: Ops, models: Path, woken: list[Any]
) -> None:
    ops = served
    assert answer(ops) == 3.0
    assert aliases(ops) == {"champion": 3, "previous": 2}
    preview = ops.endpoints.preview_rollback(NAME)
    assert (preview.from_version, preview.to_version, preview.loaded) == (3, 2, True)
    assert preview.aliases == ("champion: v3 → v2", "previous: v2 → v1")
    with pytest.raises(NotFound, match="version 9 was never good here"):
        ops.endpoints.rollback(NAME, 9)
    with open_ops(ops.workspace.root, read_only=True) as reading, pytest.raises(ReadOnly):
        reading.endpoints.rollback(NAME)

    with Clients(ops.endpoints.get(NAME).port) as clients:
        receipt = ops.endpoints.rollback(NAME, reason="worse on rainy days")
        assert answer(ops) == 2.0
        assert (receipt.from_version, receipt.to_version) == (3, 2)
        assert (receipt.actor, receipt.reason) == ("author", "worse on rainy days")
        assert receipt.requests_failed == 0
        assert 0 < receipt.milliseconds < 2000
        assert aliases(ops) == {"champion": 2, "previous": 1}
        clients.more(20)

        # The second one goes further back, to a version that has been unloaded since.
        told = ops.endpoints.preview_rollback(NAME)
        assert (told.aliases, told.loaded) == (("champion: v2 → v1", "previous: v1 → none"), False)
        further = ops.endpoints.rollback(NAME)
        assert (further.from_version, further.to_version) == (2, 1)
        assert answer(ops) == 1.0
        assert aliases(ops) == {"champion": 1}
        clients.more(20)

        with pytest.raises(WrongState, match="no earlier good version"):
            ops.endpoints.rollback(NAME)
        assert answer(ops) == 1.0

        # A canary: the rollback ends its deployment and leaves the aliases alone.
        deploy(ops, models, 3, weight=40.0)
        clients.more(40)
        third = ops.endpoints.rollback(NAME, reason="never mind")
        assert (third.from_version, third.to_version) == (3, 1)
        clients.more(40)
    assert clients.failures == []
    assert clients.answers > 100

    endpoint = ops.endpoints.get(NAME)
    assert endpoint.status == "in_service"
    states = {r.revision: (r.state, r.weight, r.actual_weight) for r in endpoint.revisions}
    assert states == {
        1: ("stable", 100.0, 100.0),
        2: ("rolled_back", 0.0, 0.0),
        3: ("rolled_back", 0.0, 0.0),
        4: ("rolled_back", 0.0, 0.0),
    }
    assert endpoint.deployment is not None
    assert endpoint.deployment.status == "rolled_back"
    assert [r.id for r in endpoint.receipts] == [third.id, further.id, receipt.id]
    entries = ops.audit.list(search="endpoint.rollback")
    assert [entry.detail["receipt"] for entry in entries] == [third.id, further.id, receipt.id]
    assert ops.audit.verify().ok
    assert not intents(ops)


def test_one_decision_never_goes_back_by_two_versions(
    served: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two people, or a person and the supervisor, take the same version away at one moment."""
    ops, real = served, rollback.prepare

    def overtaken(*args: Any) -> Any:
        monkeypatch.setattr(rollback, "prepare", real)
        other.endpoints.rollback(NAME)
        return real(*args)

    seen = ops.endpoints.preview_rollback(NAME).from_revision
    monkeypatch.setattr(rollback, "prepare", overtaken)
    said = "version 3 does not serve any more, version 2 does: nothing was done"
    with (
        open_ops(ops.workspace.root, actor="other") as other,
        pytest.raises(WrongState, match=said),
    ):
        ops.endpoints.rollback(NAME)
    with pytest.raises(WrongState, match=said):
        ops.endpoints.rollback(NAME, seen=seen)
    assert (answer(ops), aliases(ops)) == (2.0, {"champion": 2, "previous": 1})
    assert [r.actor for r in ops.endpoints.get(NAME).receipts] == ["other"]


def test_a_version_whose_time_is_up_in_that_moment_is_loaded_again(
    served: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    ops, real, calls = served, rollback.prepare, list[int]()

    def unloaded_since(session: Any, control: EndpointControl, revision: Any) -> Any:
        found = real(session, control, revision)
        calls.append(revision.revision)
        if len(calls) == 1:
            control.unload(revision.revision)  # as the caretaker does, before the lock is taken
        return found

    monkeypatch.setattr(rollback, "prepare", unloaded_since)
    receipt = ops.endpoints.rollback(NAME)
    assert (receipt.to_version, answer(ops)) == (2, 2.0)


KILLED = """
import os, signal, sys
from pathlib import Path
import core.releases.rollback as rollback
from core.ops import open_ops
rollback.record_rollback = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
with open_ops(Path(sys.argv[1]), actor="reviewer") as ops:
    ops.endpoints.rollback("bike", reason="half done")
"""


def test_what_a_killed_author_began_is_completed_once(
    served: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    ops = served
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(ops.workspace.root)], timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert answer(ops) == 2.0, "the traffic was moved at once"
    assert aliases(ops) == {"champion": 3, "previous": 2}, "nothing was recorded yet"
    (intent,) = intents(ops)
    written = intent.read_text()

    look_after(ops, monkeypatch)
    assert not intents(ops)
    assert aliases(ops) == {"champion": 2, "previous": 1}
    (receipt,) = ops.endpoints.get(NAME).receipts
    assert (receipt.actor, receipt.reason) == ("reviewer", "half done")
    assert (receipt.from_version, receipt.to_version, receipt.requests_failed) == (3, 2, 0)
    (entry,) = ops.audit.list(search="endpoint.rollback")
    assert entry.actor == "reviewer"

    # Its author may also have died behind the record; by now somebody has gone further back.
    ops.endpoints.rollback(NAME)
    intent.write_text(written)
    look_after(ops, monkeypatch)
    assert not intents(ops)
    assert (answer(ops), aliases(ops)) == (1.0, {"champion": 1})
    assert len(ops.endpoints.get(NAME).receipts) == 2

    look_after(ops, monkeypatch)
    assert answer(ops) == 1.0


def test_an_endpoint_that_falls_silent_is_rolled_back_by_a_worker(
    served: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It swapped, and the answer was lost."""
    ops = served
    real = EndpointControl.rollback

    def swap_and_fall_silent(control: EndpointControl, to: int, reason: str = "") -> None:
        real(control, to, reason)
        raise EndpointUnavailable("The endpoint did not answer `rollback` within 40 s")

    with monkeypatch.context() as patch:
        patch.setattr(EndpointControl, "rollback", swap_and_fall_silent)
        with pytest.raises(EndpointUnavailable) as caught:
            ops.endpoints.rollback(NAME)
    assert "a worker will finish the rollback" in caught.value.one_line()
    assert len(intents(ops)) == 1
    look_after(ops, monkeypatch)
    assert (answer(ops), aliases(ops)) == (2.0, {"champion": 2, "previous": 1})

    # The other way to fail: it refuses. Then nothing moved and nothing is left over.
    def refuse(*_: object) -> None:
        raise NotFound("revision 1 is not loaded")

    monkeypatch.setattr(EndpointControl, "rollback", refuse)
    with pytest.raises(NotFound):
        ops.endpoints.rollback(NAME)
    assert not intents(ops)
    assert aliases(ops) == {"champion": 2, "previous": 1}

    # An abort decides under the lock what is open: a deployment that has just ended well
    # keeps its traffic.
    with pytest.raises(WrongState, match="nothing is being deployed"):
        ops.endpoints.abort(NAME)
    assert answer(ops) == 2.0


def test_one_change_of_the_routing_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "endpoints" / "bike"
    with release_lock(folder):
        assert folder.stat().st_mode & 0o777 == 0o700
        with (
            pytest.raises(WrongState, match="somebody else is changing its routing"),
            release_lock(folder, timeout=0.05),
        ):
            pytest.fail("it may not come to this")
    with release_lock(folder, timeout=0.05):
        pass


def test_a_server_that_hangs_is_rolled_back_at_once(served: Ops) -> None:
    """What is loaded is asked of nobody who hangs, nor do those who look wait for it."""
    ops = served
    control = ops.endpoints.control(NAME)
    deadline = time.monotonic() + 30
    while not control.status().warm and time.monotonic() < deadline:
        time.sleep(0.05)
    info = control.info()
    assert info is not None and info.server_pid is not None
    with Clients(info.port) as clients:
        preview = ops.endpoints.preview_rollback(NAME)
        assert preview.consumers is not None and preview.features is not None
        assert [one.title for one in preview.consumers] == ["unnamed from 127.0.0.1"]
        called = preview.consumers[0].requests
        assert called >= 20 and preview.requests_per_second
        assert preview.features.words() == "1 input, all the same"
        os.kill(info.server_pid, signal.SIGSTOP)
        time.sleep(0.2)
        begun = time.monotonic()
        seen = ops.endpoints.get(NAME)
        assert time.monotonic() - begun < 2
        assert (seen.status, seen.supervisor_pid) == ("degraded", info.pid)
        assert "does not answer" in seen.message
        begun = time.monotonic()
        preview = ops.endpoints.preview_rollback(NAME)
        assert (preview.from_version, preview.to_version, preview.loaded) == (3, 2, True)
        assert preview.weights == ((3, 100.0),)
        assert time.monotonic() - begun < 1
        assert preview.consumers is not None, "what it said last is known"
        assert preview.consumers[0].requests >= called
        begun = time.monotonic()
        receipt = ops.endpoints.rollback(NAME, reason="it hangs")
        took = time.monotonic() - begun
        clients.more(20)
    assert answer(ops) == 2.0
    assert took < 6 and receipt.milliseconds < 6000  # about 1.5 s on an idle machine
    assert clients.failures and abs(receipt.requests_failed - len(clients.failures)) <= 1
    assert aliases(ops) == {"champion": 2, "previous": 1}
    assert not intents(ops)


def test_who_looks_at_a_supervisor_that_hangs_waits_a_moment_only(served: Ops) -> None:
    pid = served.endpoints.get(NAME).supervisor_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        (seen,) = served.endpoints.list()
        assert served.endpoints.preview_rollback(NAME).to_version == 2
        assert time.monotonic() - begun < 3
        assert (seen.status, seen.supervisor_pid) == ("degraded", pid)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_disk_that_refuses_the_intent_keeps_nobody_from_rolling_back(
    served: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.replace

    def full(path: Path, target: Path) -> Path:
        if "rollback-" in str(target):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, target)

    monkeypatch.setattr(Path, "replace", full)
    receipt = served.endpoints.rollback(NAME)
    assert (receipt.to_version, answer(served)) == (2, 2.0)
    assert not intents(served)
    assert not list((served.workspace.endpoints_dir / NAME).glob("*.tmp"))
    assert not list((served.workspace.endpoints_dir / NAME).glob(".*.tmp"))

    # Nor does a version that cannot be loaded again: what is asked for is still tried.
    def broken(*_: object, **__: object) -> None:
        raise ModelUnusable("its folder is gone")

    monkeypatch.setattr(EndpointControl, "load", broken)
    with pytest.raises(ModelUnusable, match="its folder is gone"):
        served.endpoints.rollback(NAME)
    assert answer(served) == 2.0


def test_nothing_slow_is_done_under_the_lock(served: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = served.workspace.endpoints_dir / NAME
    real, free = EndpointControl.load, list[bool]()

    def load(control: EndpointControl, *args: Any, **more: Any) -> Any:
        with release_lock(folder, timeout=0.0):
            free.append(True)
        return real(control, *args, **more)

    served.endpoints.rollback(NAME)
    monkeypatch.setattr(EndpointControl, "load", load)
    served.endpoints.rollback(NAME)  # to a version that has been unloaded since
    assert (free, answer(served)) == ([True], 1.0)


def engine_of(ops: Ops) -> Any:
    """As much of a worker as deployments and the caretaker need."""
    return SimpleNamespace(
        session=ops.session,
        store=ops.session.store(),
        workspace=ops.workspace,
        hold_if_stopping=lambda: None,
    )


@pytest.mark.parametrize("way", ["aborted", "failed"])
def test_a_first_version_that_is_withdrawn_serves_no_longer(
    served: Ops, models: Path, way: str
) -> None:
    ops, name = served, "fresh"
    control = ops.endpoints.control(name)
    control.ensure_running(name)
    try:
        with ops.session.change("test") as tx:
            made = rows.create_deployment(
                tx, new_id(), endpoint=name, model="demand", version=1, strategy=DEFAULT_STRATEGY
            )
        control.load(1, models / "v1", "demand", 1)
        control.set_table({1: 100.0})
        assert ops.endpoints.invoke(name, BODY).status == 200
        if way == "aborted":
            ops.endpoints.abort(name, "not this one")
        else:
            deploywork.fail(engine_of(ops), made["id"], "no good")
        assert ops.endpoints.invoke(name, BODY).status == 503
        assert ops.endpoints.get(name).status == "failed"
        assert control.status().actual == ()
    finally:
        control.stop()


@pytest.mark.parametrize("way", ["aborted", "deleted"])
def test_what_is_ended_while_it_loads_leaves_nothing_behind(
    served: Ops, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    ops, real = served, EndpointControl.load
    name = NAME if way == "aborted" else "fresh"
    with ops.session.change("test") as tx:
        made = rows.create_deployment(
            tx, new_id(), endpoint=name, model="demand", version=2, strategy=parse_plan("canary")
        )

    def load(control: EndpointControl, *args: Any, **more: Any) -> Any:
        report = real(control, *args, **more)
        if way == "aborted":
            ops.endpoints.abort(name, "changed my mind")
        else:
            ops.endpoints.delete(name, force=True)
            control.ensure_running(name)  # as whoever has not seen it yet does
            real(control, *args, **more)
        return report

    monkeypatch.setattr(EndpointControl, "load", load)
    control = ops.endpoints.control(name)
    try:
        assert deploywork.load_version(engine_of(ops), made["id"]) == "aborted"
        if way == "aborted":
            assert control.analysis() is None, "nobody watches it any more"
            assert answer(ops) == 3.0
        else:
            assert control.info() is None
            assert not control.folder.root.exists()
    finally:
        control.stop()


def test_a_deployment_that_cannot_have_the_lock_waits_for_it(
    served: Ops, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ops = served
    monkeypatch.setattr("core.engine.deploywork.release_lock", partial(release_lock, timeout=0.05))
    engine = engine_of(ops)
    for end, status in ((deploywork.fail, "failed"), (deploywork.finish, "succeeded")):
        deploy(ops, models, 1, weight=40.0)
        deployment = ops.endpoints.get(NAME).deployment
        assert deployment is not None
        more = ("it is bad",) if status == "failed" else ()
        ended: list[str] = []
        work = threading.Thread(
            target=lambda: ended.append(end(engine, deployment.id, *more))  # noqa: B023
        )
        with release_lock(ops.workspace.endpoints_dir / NAME):
            work.start()
            time.sleep(0.3)
            assert not ended
        work.join(30)
        assert ended == [status]
        assert ops.endpoints.get(NAME).deployment.status == status  # type: ignore[union-attr]


def test_the_supervisor_is_started_before_the_lock_is_taken(
    served: Ops, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ops = served
    folder = ops.workspace.endpoints_dir / NAME
    real, free = EndpointControl.ensure_running, list[bool]()

    def ensure_running(control: EndpointControl, *args: Any, **more: Any) -> Any:
        with release_lock(folder, timeout=0.0):
            free.append(True)
        return real(control, *args, **more)

    deploy(ops, models, 1, weight=10.0)
    deployment = ops.endpoints.get(NAME).deployment
    assert deployment is not None
    monkeypatch.setattr(EndpointControl, "ensure_running", ensure_running)
    with ops.session.change("test") as tx:
        tx.execute(schema.deployments.update().values(run_id=None))
    assert deploywork.apply_weight(engine_of(ops), deployment.id, 0, 50.0) == "progressing"
    pid = ops.endpoints.get(NAME).supervisor_pid
    assert pid is not None
    kill(pid)
    receipt = ops.endpoints.rollback(NAME)
    assert (receipt.from_version, receipt.to_version) == (1, 3)
    assert len(free) == 2
    assert answer(ops) == 3.0


def test_one_sick_endpoint_keeps_no_other_from_being_looked_after(served: Ops) -> None:
    ops = served
    with ops.session.change("test") as tx:
        tx.execute(
            schema.endpoints.insert().values(
                name="aaa",
                environment="production",
                status="in_service",
                host="127.0.0.1",
                created_at=tx.now,
                updated_at=tx.now,
            )
        )
    sick = ops.workspace.endpoints_dir / "aaa"
    sick.mkdir()
    (sick / "endpoint.json").write_text("{")
    pid = ops.endpoints.get(NAME).supervisor_pid
    assert pid is not None
    kill(pid)
    caretaker = Caretaker(engine_of(ops))
    done: list[str] = []

    def broken() -> None:
        raise ValueError("a fault")

    for job in (broken, caretaker._keep_endpoints_up, lambda: done.append("the next")):
        caretaker._do(job)
    assert done == ["the next"]
    assert answer(ops) == 3.0

    # An intent that its author takes away while it is looked for is no fault.
    folder = ops.workspace.endpoints_dir
    (folder / NAME / "rollback-gone.json").symlink_to(folder / "nowhere")
    assert list(unfinished_intents(folder)) == []


def test_an_endpoint_that_is_being_deleted_is_not_brought_up_again(
    served: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that looks between the end of its processes and the end of its folder."""
    ops, caretaker = served, Caretaker(engine_of(served))
    control, looked = ops.endpoints.control(NAME), list[bool]()
    real = EndpointControl.stop

    def stop(each: EndpointControl, *args: Any) -> None:
        real(each, *args)
        with pytest.raises(WrongState):
            caretaker._keep_up(NAME, "")
        looked.append(True)

    with monkeypatch.context() as patch:
        patch.setattr(EndpointControl, "stop", stop)
        ops.endpoints.delete(NAME, force=True)
    assert looked == [True]
    assert control.info() is None
    assert not control.folder.root.exists()


@pytest.mark.parametrize("way", ["failed", "aborted"])
def test_what_is_taken_back_leaves_one_receipt_also_where_its_author_is_killed(
    served: Ops, models: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """A worker that dies between the traffic and the rows: the next one writes the same."""
    ops = served
    deploy(ops, models, 1, weight=40.0)
    deployment = ops.endpoints.get(NAME).deployment
    assert deployment is not None
    answer(ops)
    preview = ops.endpoints.preview("abort", NAME)
    assert preview.features is not None and preview.consumers is not None
    assert preview.features.same == ("x",)
    assert [(one.name, one.requests) for one in preview.consumers] == [("opsdeck", 1)]

    def end() -> None:
        if way == "failed":
            deploywork.fail(engine_of(ops), deployment.id, "its server kept crashing")
        else:
            ops.endpoints.abort(NAME, "not this one")

    module = "core.engine.deploywork" if way == "failed" else "core.releases.abort"
    with monkeypatch.context() as patch, Clients(ops.endpoints.get(NAME).port) as clients:
        patch.setattr(f"{module}.leave_receipt", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            end()
        clients.more(50)
    assert clients.failures == []
    assert answer(ops) == 3.0
    assert ops.endpoints.get(NAME).receipts == ()
    end()
    if way == "failed":
        end()  # a durable step that is run again
    (receipt,) = ops.endpoints.get(NAME).receipts
    assert (receipt.from_name, receipt.to_name) == ("demand v1", "demand v3")
    assert (receipt.requests_failed, receipt.deployment_id) == (0, deployment.id)
    assert receipt.milliseconds > 0, "what the first attempt took is not lost"
    told = [e.message for e in ops.endpoints.deployment(deployment.id).events]
    assert any(m.startswith("40 % of the traffic back to demand v3 in") for m in told)
    (entry,) = ops.audit.list(search="endpoint.sent_back")
    assert (entry.detail["receipt"], entry.detail["weight"]) == (receipt.id, 40.0)
    alerts = [a for a in ops.alerts.list() if a.kind == "deployment_failed"]
    if way == "failed":
        assert receipt.reason == "deployment failed: its server kept crashing"
        assert (receipt.actor, entry.actor) == ("opsdeck", "opsdeck")
        assert [a.receipt_id for a in alerts] == [receipt.id]
    else:
        assert (receipt.reason, receipt.actor) == ("aborted: not this one", "author")
        assert alerts == []
    assert answer(ops) == 3.0


def test_a_failure_before_any_traffic_leaves_a_receipt_without_cost(
    served: Ops, models: Path
) -> None:
    ops = served
    ops.endpoints.rollback(NAME)  # what this one cost is not put to the account of the next
    with ops.session.change("test") as tx:
        made = rows.create_deployment(
            tx, new_id(), endpoint=NAME, model="demand", version=3, strategy=DEFAULT_STRATEGY
        )
    deploywork.fail(engine_of(ops), made["id"], "E999 it cannot be loaded")
    receipt = ops.endpoints.get(NAME).receipts[0]
    assert (receipt.from_name, receipt.to_name) == ("demand v3", "demand v2")
    assert (receipt.requests_failed, receipt.milliseconds) == (0, 0.0)
    assert answer(ops) == 2.0


def test_a_first_version_that_fails_goes_back_to_none(served: Ops, models: Path) -> None:
    ops = served
    with ops.session.change("test") as tx:
        made = rows.create_deployment(
            tx, new_id(), endpoint="fresh", model="demand", version=1, strategy=DEFAULT_STRATEGY
        )
    deploywork.fail(engine_of(ops), made["id"], "no good")
    (receipt,) = ops.endpoints.get("fresh").receipts
    assert (receipt.to_version, receipt.to_name) == (0, "no version")


def test_what_the_supervisor_took_back_before_it_failed_keeps_its_own_receipt(
    served: Ops, models: Path
) -> None:
    ops = served
    deploy(ops, models, 1, weight=40.0)
    deployment = ops.endpoints.get(NAME).deployment
    assert deployment is not None
    good = deployment.from_revision
    ops.endpoints.control(NAME).rollback(good, "alarm errors")  # type: ignore[arg-type]
    folder = ops.workspace.endpoints_dir / NAME / "events"
    folder.mkdir(exist_ok=True)
    event = {
        "kind": "rolled_back",
        "deployment": deployment.id,
        "candidate": deployment.revision,
        "champion": good,
        "reason": "verdict: error_rate is worse",
        "actor": "opsdeck (verdict)",
        "at": time.time(),
        "report": {"requests_failed": 2, "in_flight_at_swap": 3, "milliseconds_to_swap": 1.5},
    }
    (folder / "1-verdict.json").write_text(json.dumps(event))
    assert deploywork.fail(engine_of(ops), deployment.id, "it crashed") == "rolled_back"
    (receipt,) = ops.endpoints.get(NAME).receipts
    assert (receipt.reason, receipt.requests_failed) == ("verdict: error_rate is worse", 2)
    assert [a.kind for a in ops.alerts.list()] == ["rollback"]
