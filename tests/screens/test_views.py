"""What the screens say about evidence, health and releases, without a terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.approval_text import outdated as on_command_line
from core.domain.pulse import Pulse
from core.domain.release import DeploymentStatus, Endpoint
from core.domain.run import Run, RunStatus
from core.ops import Ops
from core.tracking import MetricSeries
from screens.commands import Names, complete
from screens.deck import HeaderState
from screens.evidence import (
    approval_lines,
    direction,
    metric_lines,
    outdated,
    segment_lines,
    verdict,
)
from screens.health import WAITS, WRONG, concerns
from screens.health import verdict as health
from screens.models import version_lines
from screens.rollouts.ladder import next_action
from screens.rollouts.overview import endpoint_lines
from screens.rundetails import even
from screens.runs import parsed
from screens.runview import RunReader
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
    for name in ("rows", "naive_mae", "mae_change_percent"):
        assert verdict(name, 4.0, 5.0)[0] == ""  # of the data, or of a comparison


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
        "expires in 14d",
        "champion v2",
        "forecast",
        "9f1c2ab47de0",
        "changed on top of the commit",
        ops.approvals.get("4kq7").evidence_hash,
    ):
        assert part in said


def test_evidence_that_compares_with_a_former_champion_says_so(ops: Ops) -> None:
    approval = ops.approvals.get("4kq7")
    assert outdated(approval, 2) == ""
    said = "champion is v1 now: this evidence compares with v2"
    assert outdated(approval, 1) == said
    assert said in text(approval_lines(approval, NOW, 80, said))
    assert on_command_line(approval, 2) == ""
    assert on_command_line(approval, 1).startswith("champion is version 1 now")


def test_versions_are_compared_on_the_same_rows_or_not_at_all(ops: Ops) -> None:
    new, champion = ops.models.get("bike-demand", "4"), ops.models.get("bike-demand", "champion")
    alone = replace(new, metrics={"mae": 30.44})
    said = text(version_lines(alone, champion, NOW, 100))
    assert "better" not in said
    assert "not measured beside the champion v2 on the same rows" in said
    beside = replace(new, metrics={"mae": 30.44, "rows": 744.0, "champion_mae": 36.02})
    said = text(version_lines(beside, champion, NOW, 100))
    assert "36.02" in said
    assert said.count("better") == 1


def test_the_last_value_of_a_metric_without_steps_is_shown(ops: Ops) -> None:
    values = iter([0.5, 0.25])

    def metrics(_ref: str, after: dict[str, int]) -> list[MetricSeries]:
        assert after in ({}, {"mae": -1})
        return [MetricSeries("mae", (0,), (next(values),), (1,), False)]

    ops.runs.metrics = metrics  # type: ignore[method-assign,assignment]
    reader = RunReader("40")
    assert reader(ops).scores == {"mae": 0.5}
    assert reader(ops).scores == {"mae": 0.25}


def test_values_stand_in_one_column_whatever_the_longest_key() -> None:
    lines = even(
        [
            [("  a ", "dim"), ("1", "text")],
            [("  environment.python.version ", "dim"), ("2", "text")],
        ]
    )
    assert len({len(line[0][0]) for line in lines}) == 1


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
        "1 run stands still: no worker lives",
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
    for part in ("10 %   9.8 %", "90 %  90.2 %", "candidate", "champion", "previous", "37.1",
                 "8.1 ms", "pause 2m", "42s left",
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
    assert "unknown" in text(endpoint_lines(quiet, NOW, 120))


def test_revisions_whose_time_is_over_collapse_beyond_the_newest_two(ops: Ops) -> None:
    shown = endpoint(ops)
    old = shown.revisions[-1]
    over = tuple(
        replace(old, revision=20 + n, version=20 + n, state=state, weight=0.0)
        for n, state in enumerate(("retired", "failed", "aborted", "rolled_back", "rolled_back"))
    )
    said = text(endpoint_lines(replace(shown, revisions=(*shown.revisions, *over)), NOW, 120))
    assert "3 earlier revisions" in said
    assert "v24" in said and "v23" in said
    assert "v22" not in said


def test_a_deployment_that_was_rolled_back_is_not_called_in_production(ops: Ops) -> None:
    shown = endpoint(ops)
    assert shown.deployment is not None
    done = replace(
        shown.deployment,
        status=DeploymentStatus.SUCCEEDED,
        message="in production",
        ended_at=NOW - 60,
    )
    over = tuple(
        replace(r, state="rolled_back") if r.revision == done.revision else r
        for r in shown.revisions
    )
    said = text(endpoint_lines(replace(shown, deployment=done, revisions=over), NOW, 100))
    assert "was in production, rolled back" in said
    assert "succeeded" not in said


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
