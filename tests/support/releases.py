"""Releases under way on the seeded endpoint, as its supervisor would tell of them.

`SCENES` turn the seeded endpoint (v2 serves, v3 comes) into one in the middle of a release;
`LiveEndpoints.scene` shows one of them on every screen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from core.domain.analysis import (
    Acted,
    AlarmState,
    AlarmStatus,
    AnalysisStatus,
    Comparison,
    Disagreement,
    DisagreementSummary,
    MetricStatus,
    SampleRatio,
    SegmentCount,
    ShadowStatus,
    Verdict,
)
from core.domain.release import (
    Deployment,
    DeploymentEvent,
    DeploymentStatus,
    Endpoint,
    ReleasePlan,
)
from core.releases.presets import PRESETS
from tests.support.seed import NOW

Scene = Callable[[Endpoint], Endpoint]

ERRORS_OK = AlarmStatus(
    "errors", "error_rate", "candidate", AlarmState.OK, 0.05, Comparison.GREATER, NOW - 800,
    0.0026, (0.0, 0.004, None, 0.0, 0.01, 0.0026),
)  # fmt: skip
SLOW_OK = AlarmStatus(
    "slow", "latency_p99", "candidate", AlarmState.OK, 1000.0, Comparison.GREATER, NOW - 800,
    8.1, (7.9, 8.4, 8.0, 8.2, 8.1, 8.1),
)  # fmt: skip
CRASHES_UNKNOWN = AlarmStatus(
    "crashes", "crashes", "endpoint", AlarmState.INSUFFICIENT_DATA, 1.0, Comparison.GREATER,
    NOW - 20,
)  # fmt: skip
ERRORS_OFF = replace(
    ERRORS_OK,
    state=AlarmState.ALARM,
    since=NOW - 12,
    value=0.31,
    datapoints=(0.0, 0.004, None, 0.0, 0.22, 0.31),
    reason="2 of the last 3 datapoints are > 0.05: 0.22, 0.31",
)

METRICS = (
    MetricStatus(
        "error_rate", Verdict.NON_INFERIOR, 0.0021, 0.0026, 0.0005, -0.004, 0.0049, 0.01,
        champion_count=21_430, candidate_count=2_391, eta=0.0,
        trend=(0.004, 0.003, 0.0021, 0.0012, 0.0009, 0.0007, 0.0006, 0.0005),
    ),
    MetricStatus(
        "latency", Verdict.UNDECIDED, 0.7419, 0.8329, 0.091, -0.012, 0.194, 0.0953, relative=True,
        champion_count=21_430, candidate_count=2_391, eta=252.0,
        trend=(0.2, 0.16, 0.11, 0.12, 0.1, 0.09, 0.094, 0.091),
        note="the difference is within the margin, but not surely so",
    ),
    MetricStatus(
        "score", Verdict.UNDECIDED, 142.75, 141.9, -0.85, -9.1, 7.4, 14.275, relative=True,
        worse_when="both", champion_count=21_430, candidate_count=2_391, dry_run=True,
        trend=(3.0, 1.5, -2.0, -1.4, -1.0, -0.9, -0.8, -0.85),
    ),
)  # fmt: skip

EVENTS = (
    DeploymentEvent(NOW - 840, "engineer", "start", "v3 beside v2 by progressive, nine steps"),
    DeploymentEvent(NOW - 836, "worker", "loaded", "v3 loaded in 3.8 s, replay equal on 5 rows"),
    DeploymentEvent(NOW - 835, "worker", "armed", "alarms errors, slow, crashes"),
    DeploymentEvent(NOW - 835, "worker", "shadow", "100 % of the requests mirrored to v3"),
    DeploymentEvent(NOW - 600, "worker", "set_weight", "10 % to v3"),
    DeploymentEvent(NOW - 600, "worker", "bake", "5m without an alarm"),
    DeploymentEvent(NOW - 300, "worker", "analyse", "at most 30m"),
)

DISAGREEMENTS = DisagreementSummary(
    by="hour",
    segments=(
        SegmentCount("evening 16-20", 212, 31),
        SegmentCount("morning 6-10", 188, 9),
        SegmentCount("night 0-5", 141, 0),
    ),
    rows=tuple(
        Disagreement(
            segment,
            f"01krq{number:021d}",
            {"hour": hour, "weekday": 2, "temp": 21.4, "humidity": 0.61, "workingday": True},
            champion,
            candidate,
            NOW - 30 * number,
        )
        for number, (segment, hour, champion, candidate) in enumerate(
            (
                ("evening 16-20", 17, 389.6, 452.18),
                ("evening 16-20", 18, 402.1, 350.0),
                ("morning 6-10", 8, 231.4, 264.9),
            ),
            1,
        )
    ),
)


def _released(
    endpoint: Endpoint,
    plan: ReleasePlan,
    index: int,
    status: DeploymentStatus,
    *,
    left: float | None = None,
    weight: float = 10.0,
    message: str = "",
    ended: float | None = None,
) -> Deployment:
    deployment = endpoint.deployment
    assert deployment is not None
    return replace(
        deployment,
        strategy=plan.steps,
        plan=plan,
        step_index=index,
        status=status,
        set_weight=weight,
        created_at=NOW - 840,
        next_at=None if left is None else NOW + left,
        ended_at=ended,
        message=message,
        events=EVENTS,
    )


def _with(
    endpoint: Endpoint, deployment: Deployment, analysis: AnalysisStatus, actual: float
) -> Endpoint:
    weights = {2: 100.0 - deployment.set_weight, 3: deployment.set_weight}
    measured = {2: 100.0 - actual, 3: actual}
    revisions = tuple(
        replace(
            r,
            weight=weights.get(r.revision, 0.0),
            actual_weight=measured.get(r.revision, 0.0),
            state="rolled_back"
            if r.revision == 3 and deployment.status is DeploymentStatus.ROLLED_BACK
            else r.state,
        )
        for r in endpoint.revisions
    )
    return replace(
        endpoint,
        revisions=revisions,
        deployment=deployment,
        history=(deployment, *[d for d in endpoint.history if d.id != deployment.id]),
        analysis=analysis,
        servers=2,
    )


def _status(**more: object) -> AnalysisStatus:
    return replace(
        AnalysisStatus(
            "01kd0000000000d3",
            NOW,
            candidate=3,
            champion=2,
            metrics=METRICS,
            alarms=(ERRORS_OK, SLOW_OK, CRASHES_UNKNOWN),
            sample_ratio=SampleRatio(0.1, 0.0984, 0.8),
        ),
        **more,  # type: ignore[arg-type]
    )


def analysing(endpoint: Endpoint) -> Endpoint:
    """A canary of ten percent that is compared; the latency is open still."""
    plan = PRESETS["progressive"]
    going = _released(endpoint, plan, 3, DeploymentStatus.PROGRESSING, left=1092)
    shown = _with(endpoint, going, _status(), 9.8)
    return replace(shown, captured=23_821, dropped=14)


def shadowing(endpoint: Endpoint) -> Endpoint:
    """Requests are mirrored; nothing is answered by the new version."""
    plan = PRESETS["progressive"]
    going = _released(endpoint, plan, 0, DeploymentStatus.PROGRESSING, left=395, weight=0.0)
    status = _status(
        metrics=tuple(
            MetricStatus(
                m.metric, Verdict.UNDECIDED, margin=0.1, relative=True, dry_run=m.dry_run,
                candidate_count=62, champion_count=62, eta=38.0,
                note="62 of 100 requests of the candidate",
            )
            for m in METRICS
        ),
        sample_ratio=None,
        shadow=ShadowStatus(mirrored=330, compared=312, disagreements=40, dropped=18),
    )  # fmt: skip
    return _with(endpoint, going, status, 0.0)


def frozen(endpoint: Endpoint) -> Endpoint:
    """An alarm went off and the release was stopped where it is."""
    plan = PRESETS["canary"]
    held = _released(
        endpoint, plan, 1, DeploymentStatus.HELD, message="frozen by alarm errors", weight=10.0
    )
    worse = replace(
        METRICS[0], verdict=Verdict.WORSE, candidate=0.31, difference=0.308, low=0.21, high=0.4,
        candidate_count=180,
    )  # fmt: skip
    acted = Acted("frozen", f"alarm errors: {ERRORS_OFF.reason}", NOW - 12)
    status = _status(
        metrics=(worse, *METRICS[1:]),
        alarms=(ERRORS_OFF, SLOW_OK, CRASHES_UNKNOWN),
        sample_ratio=SampleRatio(0.1, 0.041, 0.0004, ok=False),
        acted=acted,
    )
    return _with(endpoint, held, status, 10.1)


def rolled_back(endpoint: Endpoint) -> Endpoint:
    """The supervisor went back by itself, and no worker has recorded it yet."""
    plan = PRESETS["canary"]
    going = _released(endpoint, plan, 1, DeploymentStatus.PROGRESSING, left=240)
    acted = Acted("rolled_back", f"alarm errors: {ERRORS_OFF.reason}", NOW - 12)
    status = _status(alarms=(ERRORS_OFF, SLOW_OK, CRASHES_UNKNOWN), acted=acted)
    return _with(endpoint, going, status, 0.0)


def asking(endpoint: Endpoint) -> Endpoint:
    """Two arms were compared; a person decides."""
    going = _released(endpoint, PRESETS["ab"], 2, DeploymentStatus.PAUSED, weight=50.0)
    fine = tuple(
        replace(m, verdict=Verdict.NON_INFERIOR, eta=0.0, note="", low=-0.01, high=0.01)
        for m in METRICS
    )
    return _with(endpoint, going, _status(metrics=fine, sample_ratio=None), 49.7)


def climbing(endpoint: Endpoint) -> Endpoint:
    """The tenth of nineteen rungs."""
    going = _released(
        endpoint, PRESETS["linear"], 9, DeploymentStatus.PROGRESSING, left=190, weight=50.0
    )
    return _with(endpoint, going, _status(sample_ratio=SampleRatio(0.5, 0.5002)), 50.0)


def promoted(endpoint: Endpoint) -> Endpoint:
    """It has succeeded, and is watched for the time in which it may still go back."""
    plan = PRESETS["canary"]
    done = _released(
        endpoint, plan, 2, DeploymentStatus.SUCCEEDED, weight=100.0, message="in production",
        ended=NOW - 90,
    )  # fmt: skip
    shown = _with(endpoint, done, _status(sample_ratio=None), 100.0)
    states = {3: "stable", 2: "previous"}
    return replace(
        shown,
        revisions=tuple(
            replace(r, state=states.get(r.revision, "retired")) for r in shown.revisions
        ),
    )


SCENES: Mapping[str, Scene] = {
    "analysing": analysing,
    "shadowing": shadowing,
    "frozen": frozen,
    "rolled-back": rolled_back,
    "asking": asking,
    "climbing": climbing,
    "promoted": promoted,
}
