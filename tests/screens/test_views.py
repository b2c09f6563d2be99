"""What the screens say about evidence, health and releases, without a terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.domain.pulse import Pulse
from core.domain.release import Endpoint
from core.domain.run import Run, RunStatus
from core.ops import Ops
from screens.commands import Names, complete
from screens.deck import HeaderState
from screens.evidence import approval_lines, direction, metric_lines, segment_lines, verdict
from screens.health import WAITS, WRONG, concerns
from screens.health import verdict as health
from screens.rollout import endpoint_lines, next_action
from screens.runs import parsed
from screens.shell import identity
from screens.widgets.lines import Line
from tests.support.seed import NOW, evidence_of


def text(lines: list[Line]) -> str:
    return "\n".join("".join(piece for piece, _ in line) for line in lines)


@pytest.mark.parametrize(
    ("name", "way"),
    [("mae", "lower"), ("holdout_rmse", "lower"), ("r2", "higher"), ("roc_auc", "higher"),
     ("bias", "nearer"), ("rows", ""), ("valid-loss", "lower")],
)  # fmt: skip
def test_direction_of_a_metric(name: str, way: str) -> None:
    assert direction(name) == way


def test_verdicts_are_arrow_and_word() -> None:
    assert verdict("mae", 3.0, 4.0)[0] == "▼ better"
    assert verdict("mae", 5.0, 4.0)[0] == "▲ worse"
    assert verdict("r2", 0.9, 0.8)[0] == "▲ better"
    assert verdict("bias", 2.35, -2.7)[0] == "▲ better"
    assert verdict("mae", 4.0, 4.0)[0] == "= equal"
    assert verdict("rows", 4.0, 5.0)[0] == "▼ differs"


def test_first_candidate_has_no_champion_to_compare_with() -> None:
    said = text(metric_lines({"metrics": {"mae": 3.0}, "champion": None}, 1))
    assert "there is no champion" in said
    assert "better" not in said


@pytest.mark.parametrize("evidence", [{}, {"metrics": None}, {"metrics": {"note": "text"}}])
def test_evidence_without_metrics_says_so(evidence: dict[str, object]) -> None:
    assert "no metrics" in text(metric_lines(evidence, 1))


def test_segments_name_the_worse_one() -> None:
    said = text(segment_lines(evidence_of(1)["documents"]["evaluate.comparison"], 100)).splitlines()
    assert len([line for line in said if "worse" in line]) == 1
    assert "late 21-23" in next(line for line in said if "worse" in line)


def test_approval_shows_what_a_reviewer_needs(ops: Ops) -> None:
    said = text(approval_lines(ops.approvals.get("4kq7"), NOW, 100))
    for part in (
        "PRODUCTION",
        "asked by engineer 24m ago",
        "expires in 13d",
        "champion v2",
        "forecast",
        "9f1c2ab47de0",
        "changed on top of the commit",
        ops.approvals.get("4kq7").evidence_hash,
    ):
        assert part in said


def pulse(ops: Ops) -> Pulse:
    return ops.pulse.snapshot()


def test_a_calm_pulse_waits_for_a_person_only(ops: Ops) -> None:
    found = concerns(pulse(ops))
    assert [concern.kind for concern in found] == [WAITS]
    assert "nothing is wrong" in text([health(pulse(ops))])


def test_what_is_wrong_comes_first(ops: Ops) -> None:
    calm = pulse(ops)
    down = replace(calm.endpoints[0], status="down")
    failed = Run(
        id="x", number=41, pipeline="bike-demand", status=RunStatus.FAILED, params={},
        created_at=NOW - 60, ended_at=NOW - 30, requested_by="engineer", 
        message="step train failed",
    )  # fmt: skip
    bad = replace(calm, endpoints=(down,), recent=(failed, *calm.recent), workers=())
    found = concerns(bad)
    assert [c.kind for c in found] == [WRONG, WRONG, WRONG, WAITS]
    assert {c.text for c in found[:3]} == {
        "endpoint bike-demand is down",
        "bike-demand #41 failed",
        "no worker is alive",
    }
    assert "3 things are wrong" in text([health(bad)])


def test_a_failure_made_good_by_a_later_run_is_no_concern(ops: Ops) -> None:
    calm = pulse(ops)
    assert any(run.status == "failed" for run in calm.recent)
    assert not any(concern.opens == "run" for concern in concerns(calm))


def endpoint(ops: Ops) -> Endpoint:
    return ops.endpoints.get("bike-demand")


def test_rollout_shows_set_and_actual_weight_and_what_comes_next(ops: Ops) -> None:
    said = text(endpoint_lines(endpoint(ops), NOW, 120))
    for part in ("set  10 %", "is  9.8 %", "canary", "stable", "previous", "37.1 rps",
                 "p99 8.1 ms", "pause 120 s", "42s left",
                 "next: set weight 50 % in 42s"):  # fmt: skip
        assert part in said


def test_a_pause_without_end_says_who_is_waited_for(ops: Ops) -> None:
    deployment = endpoint(ops).deployment
    assert deployment is not None
    held = replace(deployment, step_index=3, next_at=None)
    assert "waits for a person: p promotes, then set weight 100 %" in text([next_action(held, NOW)])


def test_unknown_actual_weight_is_said(ops: Ops) -> None:
    quiet = endpoint(ops)
    quiet = replace(
        quiet, revisions=tuple(replace(r, actual_weight=None) for r in quiet.revisions), stats={}
    )
    assert "is unknown" in text(endpoint_lines(quiet, NOW, 120))


def test_filter_words() -> None:
    query = parsed("status:failed 2012-03 pipeline:bike-demand x")
    assert (query.status, query.pipeline, query.search) == ("failed", "bike-demand", "2012-03 x")


NAMES = Names(
    pipelines=(("bike-demand", ("month", "seed")),),
    endpoints=("bike-demand",),
    models=(("bike-demand", ("champion", "2", "1")),),
    runs=("40", "39"),
    approvals=("4kq7m2xw",),
)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("ro", ["rollback"]),
        ("run b", ["bike-demand"]),
        ("run bike-demand month=2012-01 ", ["seed="]),
        ("cancel 4", ["40"]),
        ("deploy bike-demand c", ["champion"]),
        ("deploy bike-demand 2 ", ["bike-demand"]),
        ("approve ", ["4kq7m2xw"]),
        ("nonsense x", []),
    ],
)
def test_completion(typed: str, words: list[str]) -> None:
    assert complete(NAMES, typed) == words


def test_completion_offers_no_change_when_read_only() -> None:
    assert "rollback" not in complete(NAMES, "", read_only=True)
    assert "open" in complete(NAMES, "", read_only=True)


def test_header_warns_when_data_are_stale_or_broken() -> None:
    state = HeaderState("w", "production", "engineer", True, "runs", NOW, NOW - 90)
    said = text([identity(state, 120)])
    for part in ("PRODUCTION", "engineer", "READ-ONLY", "no worker", "▲ stale, 1m ago"):
        assert part in said
    assert "E300, data 1m old" in text([identity(replace(state, trouble="E300"), 120)])
