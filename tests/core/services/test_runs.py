"""Runs, over a real workspace on either database; the worker's part is played by the tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from core.domain.run import OutputRef, RunStatus, StepStatus
from core.engine import runstate
from core.errors import BadInput, NotFound, OpsdeckError, WrongState
from core.ops import Ops
from tests.support.opened import OpenAs, raw

STEPS = ["first", "second", "third", "aside"]
OUT = OutputRef("n", "json", "d" * 64, "artifacts/dd/d.json", 8)


def end(ops: Ops, ref: str, states: Mapping[str, StepStatus]) -> RunStatus:
    """Play the worker: these steps end so, the others are skipped, and the run is closed."""
    detail = ops.runs.get(ref)
    run = detail.run
    before = {s.step: s.status for s in detail.steps if s.status.ended_well}
    every = {**dict.fromkeys(STEPS, StepStatus.SKIPPED), **before, **states}
    with ops.session.store().transaction("opsdeck") as tx:
        runstate.begin_run(tx, run.id, run.generation)
        for name, status in states.items():
            outputs = [OUT] if status.ended_well else []
            runstate.end_step(
                tx, run.id, name, status, outputs=outputs, message="why" * (not outputs)
            )
        return runstate.finish_run(tx, run.id, run.generation, every)


def failed(ops: Ops) -> str:
    """A run that failed in `second`, with `first` and `aside` done."""
    ref = str(ops.runs.start("chain", {}).number)
    good = StepStatus.SUCCEEDED
    assert end(ops, ref, {"first": good, "second": StepStatus.FAILED, "aside": good}) == "failed"
    return ref


def messages(ops: Ops) -> list[tuple[str, str, Any]]:
    """The outbox: kind, target, payload."""
    rows = raw(ops.workspace.database_url, "SELECT kind, target, payload FROM outbox ORDER BY id")
    return [(kind, target, json.loads(payload)) for kind, target, payload in rows]


def test_start(ops: Ops, woken: list[Any]) -> None:
    run = ops.runs.start("chain", {"count": "7", "note": "Grüße 漢字"}, reason="to see")
    assert (run.number, run.pipeline, run.status) == (1, "chain", "queued")
    assert run.params == {"count": 7, "note": "Grüße 漢字", "fast": False, "rate": 0.1}
    assert (run.requested_by, run.reason, run.label) == ("author", "to see", "chain #1")
    detail = ops.runs.get("1")
    assert [step.step for step in detail.steps] == STEPS
    assert {step.status for step in detail.steps} == {StepStatus.PENDING}
    assert [step.max_attempts for step in detail.steps] == [1, 1, 3, 1]
    assert detail.steps[1].needs == ("first",)
    assert [step["name"] for step in detail.spec["steps"]] == STEPS
    assert messages(ops) == [("run.start", run.id, {"generation": 1})]
    (entry,) = ops.audit.list()
    assert (entry.action, entry.subject, entry.actor) == ("run.request", "run/1", "author")
    assert entry.detail["params"]["count"] == 7
    assert bool(woken) == ops.workspace.embedded, "embedded, a worker is started; else one runs"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"count": "many"}, "count"),
        ({"cuont": "1"}, "did you mean count"),
        ({"fast": "maybe"}, "fast"),
        ({"rate": "1,5"}, "rate"),
        ({"count": "1.5"}, "count"),
    ],
)
def test_a_wrong_parameter_starts_nothing(
    ops: Ops, woken: list[Any], params: dict[str, str], said: str
) -> None:
    with pytest.raises(BadInput) as caught:
        ops.runs.start("chain", params)
    assert said in caught.value.one_line()
    assert (ops.runs.count(), ops.audit.count(), woken) == (0, 0, [])


def test_what_is_not_there_is_said(ops: Ops) -> None:
    ops.runs.start("chain", {})
    for ref in ("2", "#2", "chain #2", "zzz", "", " ", "#", "0", "99999999999", "%", "'", "٣"):
        for call in (ops.runs.get, ops.runs.cancel, ops.runs.resume, ops.runs.rerun, ops.runs.logs):
            with pytest.raises(NotFound, match="no such run"):
                call(ref)
    with pytest.raises(NotFound):
        ops.runs.start("chian", {})
    with pytest.raises(NotFound, match="no step nope"):
        ops.runs.logs("1", "nope")
    assert ops.audit.count() == 1


def test_find_by_number_id_and_beginning(ops: Ops) -> None:
    runs = [ops.runs.start("chain", {}) for _ in range(3)]
    url = ops.workspace.database_url
    for run, new in zip(runs, ("abc", "abcd", "abd-x"), strict=True):
        raw(url, "DELETE FROM step_runs WHERE run_id = ?", (run.id,))
        raw(url, "UPDATE runs SET id = ? WHERE id = ?", (new, run.id))
    found = {ref: ops.runs.get(ref).run.number for ref in ("2", "#2", " 2 ", "chain #2")}
    assert set(found.values()) == {2}
    assert ops.runs.get("abc").run.number == 1, "a whole id is itself, others begin so too"
    assert ops.runs.get("abcd").run.number == 2
    assert ops.runs.get("abd").run.number == 3
    for ref in ("a", "ab"):
        with pytest.raises(NotFound, match="more than one run begins so"):
            ops.runs.get(ref)


def test_a_beginning_is_found_in_a_language_s_collation(
    postgres_url: str, tmp_path: Any, woken: list[Any]
) -> None:
    """PostgreSQL usually sorts as a language does, where `~` comes before any letter."""
    from core.ops import open_ops
    from tests.support.opened import write_workspace

    with open_ops(write_workspace(tmp_path / "german", postgres_url), actor="author") as ops:
        run = ops.runs.start("chain", {})
        raw(postgres_url, 'ALTER TABLE step_runs DROP CONSTRAINT "step_runs_run_id_fkey"')
        raw(postgres_url, 'ALTER TABLE approvals DROP CONSTRAINT "approvals_run_id_fkey"')
        raw(postgres_url, 'ALTER TABLE runs ALTER COLUMN id TYPE text COLLATE "de-x-icu"')
        assert ops.runs.get(run.id[:12]).run.number == 1


def test_list_count_and_search(ops: Ops, open_as: OpenAs) -> None:
    ops.runs.start("chain", {"note": "winter_tyres 100%"})
    open_as("Reviewer").runs.start("chain", {"note": "WinterXtyres"})
    ops.runs.start("chain", {"note": "Grüße"})
    for number in range(4, 8):
        ops.runs.start("chain", {"count": str(number)})
    end(ops, "7", dict.fromkeys(STEPS, StepStatus.SUCCEEDED))

    def search(text: str, **filters: Any) -> list[int]:
        found = ops.runs.list(search=text, **filters)
        assert ops.runs.count(search=text, **filters) == len(found)
        return [run.number for run in found]

    assert search("") == [7, 6, 5, 4, 3, 2, 1], "newest first"
    assert [run.number for run in ops.runs.list(limit=2, offset=1)] == [6, 5]
    assert ops.runs.list(offset=99) == ()
    assert search("winter_tyres") == [1], "_ is a letter, not any letter"
    assert search("100%") == [1]
    assert search("%") == [1]
    assert search("wintertyres") == []
    assert search("WINTER") == [2, 1]
    assert search("reviewer winter") == [2], "every word, anywhere"
    assert search("reviewer 100%") == []
    assert search("grüße") == [3]
    assert search("#6") == [6]
    assert search("succeeded") == [7]
    assert search("", status="succeeded") == [7]
    assert search("", status="queued", pipeline="chain") == [6, 5, 4, 3, 2, 1]
    assert search("", pipeline="other") == []
    assert search("'; DROP TABLE runs; --") == []
    assert search(":low %s %(x)s ? {}") == []
    assert len(search(" ".join(["chain"] * 40))) == 7
    with pytest.raises(BadInput, match="search"):
        ops.runs.list(search="word " * 500)
    ended = ops.runs.get("7").run
    assert (ended.status, ended.steps_done, ended.steps_total) == ("succeeded", 4, 4)


def test_cancel_and_cancel_again(ops: Ops) -> None:
    run = ops.runs.start("chain", {})
    assert ops.runs.cancel("1", "wrong month").cancel_requested
    assert ops.runs.cancel("#1").cancel_requested, "twice is no error"
    assert [kind for kind, *_ in messages(ops)] == ["run.start", "run.cancel"], "asked for once"
    (entry,) = ops.audit.list(search="run.cancel")
    assert entry.detail == {"reason": "wrong month"}
    assert end(ops, run.id, dict.fromkeys(STEPS, StepStatus.CANCELLED)) == "cancelled"
    with pytest.raises(WrongState, match="already ended"):
        ops.runs.cancel("1")


def test_resume_keeps_what_ended_well(ops: Ops) -> None:
    ref = failed(ops)
    assert ops.runs.get(ref).run.message == "second: why"
    run = ops.runs.resume(ref)
    assert (run.status, run.generation, run.ended_at, run.message) == ("queued", 2, None, "")
    states = {step.step: step for step in ops.runs.get(ref).steps}
    assert {name: str(step.status) for name, step in states.items()} == {
        "first": "succeeded",
        "second": "pending",
        "third": "pending",
        "aside": "succeeded",
    }
    assert states["first"].outputs == (OUT,)
    assert (states["second"].message, states["second"].ended_at) == ("", None)
    assert messages(ops)[-1] == ("run.start", run.id, {"generation": 2})


@pytest.mark.parametrize("status", RunStatus)
def test_resume_only_a_failed_or_cancelled_run(ops: Ops, status: RunStatus) -> None:
    run = ops.runs.start("chain", {})
    raw(ops.workspace.database_url, "UPDATE runs SET status = ?", (str(status),))
    before = ops.audit.count()
    if status in (RunStatus.FAILED, RunStatus.CANCELLED):
        assert ops.runs.resume(run.id).status is RunStatus.QUEUED
        with pytest.raises(WrongState):
            ops.runs.resume(run.id)
    else:
        with pytest.raises(WrongState, match=f"run #1 is {status}"):
            ops.runs.resume(run.id)
        assert ops.audit.count() == before


def test_a_resumed_run_is_no_longer_cancelled(ops: Ops) -> None:
    run = ops.runs.start("chain", {})
    ops.runs.cancel("1")
    end(ops, run.id, dict.fromkeys(STEPS, StepStatus.CANCELLED))
    assert not ops.runs.resume("1").cancel_requested


def test_rerun_whole(ops: Ops) -> None:
    ops.runs.start("chain", {"count": "5", "fast": "true", "rate": "1e-7", "note": "a=b"})
    end(ops, "1", dict.fromkeys(STEPS, StepStatus.SUCCEEDED))
    run = ops.runs.rerun("1", use_cache=False)
    assert (run.number, run.status, run.use_cache) == (2, "queued", False)
    assert run.params == ops.runs.get("1").run.params
    assert run.parent_run_id == ops.runs.get("1").run.id
    assert {str(step.status) for step in ops.runs.get("2").steps} == {"pending"}


def test_rerun_from_a_step_keeps_what_does_not_stand_on_it(ops: Ops) -> None:
    ref = failed(ops)
    run = ops.runs.rerun(ref, "second")
    steps = {step.step: step for step in ops.runs.get(str(run.number)).steps}
    assert {name: str(step.status) for name, step in steps.items()} == {
        "first": "reused",
        "second": "pending",
        "third": "pending",
        "aside": "reused",
    }
    parent = ops.runs.get(ref).run.id
    assert (steps["first"].cached_from, steps["first"].outputs) == (parent, (OUT,))
    assert run.from_step == "second"
    # Of a repeat of a repeat: what it kept comes from where it was made.
    end(ops, run.id, dict.fromkeys(("second", "third"), StepStatus.SUCCEEDED))
    again = ops.runs.rerun(run.id, "third")
    kept = {step.step: step for step in ops.runs.get(again.id).steps}
    assert kept["first"].cached_from == parent
    assert kept["second"].cached_from == run.id


def test_rerun_from_where_nothing_can_be_kept(ops: Ops) -> None:
    ref = failed(ops)
    before = ops.audit.count()
    with pytest.raises(WrongState, match="step second has no outputs to keep"):
        ops.runs.rerun(ref, "third")
    with pytest.raises(NotFound) as caught:
        ops.runs.rerun(ref, "secnd")
    assert "did you mean second?" in caught.value.one_line()
    assert (ops.runs.count(), ops.audit.count()) == (1, before)


def test_rerun_after_the_pipeline_has_changed(ops: Ops) -> None:
    ref = failed(ops)
    file = ops.workspace.root / "pipelines" / "chain.yaml"
    file.write_text(file.read_text().replace("  count: 3\n", "  cuont: 3\n"))
    (ops.workspace.root / "work.py").write_text(
        (ops.workspace.root / "work.py").read_text().replace("count", "cuont")
    )
    with pytest.raises(BadInput, match="count"):
        ops.runs.rerun(ref)
    file.unlink()
    with pytest.raises(NotFound, match="chain"):
        ops.runs.rerun(ref)


def test_wait_returns_the_run_as_it_is(ops: Ops) -> None:
    ops.runs.start("chain", {})
    assert ops.runs.wait("1", timeout=0.01).status is RunStatus.QUEUED
    raw(ops.workspace.database_url, "UPDATE runs SET status = 'running'")
    assert ops.runs.wait("1", through_gates=True, timeout=0.01).status is RunStatus.RUNNING
    end(ops, "1", {"first": StepStatus.FAILED})
    assert ops.runs.wait("1").status is RunStatus.FAILED


def test_runs_started_at_once_have_numbers_of_their_own(open_as: OpenAs) -> None:
    opened = [open_as(f"person-{n}") for n in range(4)]
    faults: list[OpsdeckError] = []

    def start(ops: Ops) -> None:
        try:
            for _ in range(5):
                ops.runs.start("chain", {})
        except OpsdeckError as error:
            faults.append(error)

    threads = [threading.Thread(target=start, args=(ops,)) for ops in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not faults
    assert sorted(run.number for run in opened[0].runs.list()) == list(range(1, 21))
    assert opened[0].audit.verify().ok


def test_the_version_tells_of_every_change(ops: Ops) -> None:
    seen = {ops.version()}
    ops.runs.start("chain", {})
    seen.add(ops.version())
    ops.runs.cancel("1")
    seen.add(ops.version())
    assert len(seen) == 3
    if ops.workspace.embedded:
        assert ops.version() == ops.version()


def test_pulse_counts_what_runs(ops: Ops) -> None:
    failed(ops)
    ops.runs.start("chain", {})
    pulse = ops.pulse.snapshot()
    assert pulse.counts == {"failed": 1, "queued": 1}
    assert [run.number for run in pulse.running] == [2]
    assert [run.number for run in pulse.recent] == [2, 1]
    assert pulse.events[0].action == "run.request"
