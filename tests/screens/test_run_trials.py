"""The trials of a tune step among the details of a run."""

from __future__ import annotations

from core.domain.run import Run, RunDetail, RunStatus, StepRun, StepStatus
from core.domain.tuning import Trial, TrialStatus
from screens.rundetails import detail_lines

RUN = Run(
    id="r1", number=1, pipeline="p", status=RunStatus.RUNNING, params={}, created_at=0.0,
    requested_by="ana",
)  # fmt: skip
STEPS = tuple(
    StepRun("r1", name, n, kind, (), StepStatus.RUNNING)
    for n, (name, kind) in enumerate([("data", "function"), ("tune", "tune")])
)
TRIALS = (
    Trial("r1", "tune", 0, TrialStatus.SUCCEEDED, {"rate": 0.1, "loss": "a"}, "mae", 3.25, True),
    Trial("r1", "tune", 1, TrialStatus.FAILED, {"rate": 0.9, "loss": "b"}, "mae", message="steep"),
    Trial("r1", "tune", 2, TrialStatus.RUNNING, {"rate": 0.2, "loss": "b"}, "mae"),
)


def text(step: str) -> list[str]:
    lines = detail_lines(RunDetail(RUN, STEPS), {}, step, 100, TRIALS)
    return ["".join(piece[0] for piece in line).rstrip() for line in lines]


def test_the_trials_of_the_step_that_is_chosen() -> None:
    lines = text("tune")
    start = lines.index(" TRIALS by mae")
    shown = [" ".join(line.split()) for line in lines[start + 1 : start + 4]]
    assert shown == [
        "0 ✓ succeeded 3.250 best rate=0.1 loss=a",
        "1 ✗ failed – rate=0.9 loss=b steep",
        "2 ▶ running – rate=0.2 loss=b",
    ]


def test_another_step_has_none() -> None:
    assert not any("TRIALS" in line for line in text("data"))
