"""Rows that wait for a person's label: why they were picked, who has them, what was said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class PickReason(StrEnum):
    """Why a row was picked: the model is unsure of it, candidate and champion differ on it, it
    is unlike what the model learned from, or by lot."""

    UNCERTAIN = "uncertain"
    DISAGREEING = "disagreeing"
    DRIFTED = "drifted"
    RANDOM = "random"


class TaskState(StrEnum):
    """How a row stands. `disputed`: people do not agree on it; `skipped`: nobody could say;
    `dropped`: taken out of the queue."""

    OPEN = "open"
    DONE = "done"
    DISPUTED = "disputed"
    SKIPPED = "skipped"
    DROPPED = "dropped"


class LabelKind(StrEnum):
    """What labels of an endpoint are: numbers, or one of some classes."""

    NUMBER = "number"
    CLASS = "class"


@dataclass(frozen=True, slots=True)
class PickPolicy:
    """How rows are picked: at most `rows`, by `shares` of the reasons (what one reason cannot
    fill, the lot does), from the last `since` seconds (None: all that is captured); a `twice`
    share is asked of two people. Rows that are picked together are unlike each other."""

    rows: int = 100
    shares: Mapping[str, float] = field(
        default_factory=lambda: {
            "uncertain": 0.4, "disagreeing": 0.2, "drifted": 0.2, "random": 0.2,
        }
    )  # fmt: skip
    since: float | None = None
    twice: float = 0.1
    seed: int = 0


@dataclass(frozen=True, slots=True)
class LabelAnswer:
    """What one person said: a `value` (None: they passed it over), with a comment."""

    actor: str
    at: float
    value: Any = None
    comment: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class LabelTask:
    """One captured request of one row that wants a label from `wanted` people.

    `score` orders rows of one reason, `why` says it in words. `label` is what was agreed on;
    `handed_at` when that became the endpoint's label. `claimed_by` looks at it until
    `claimed_until`. Times are epoch seconds.
    """

    endpoint: str
    inference_id: str
    batch: str
    position: int
    picked_at: float
    captured_at: float
    variant: str
    reason: PickReason
    score: float
    why: str
    inputs: Mapping[str, Any]
    prediction: Any
    wanted: int
    state: TaskState
    assigned_to: str | None = None
    label: Any = None
    done_at: float | None = None
    handed_at: float | None = None
    answers: tuple[LabelAnswer, ...] = ()
    claimed_by: tuple[str, ...] = ()
    claimed_until: float | None = None


@dataclass(frozen=True, slots=True)
class LabelBatch:
    """One picking: how many rows for which reason, of how many that could have been picked."""

    id: str
    endpoint: str
    at: float
    by: str
    rows: int
    policy: Mapping[str, Any]
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far people agree where two have labelled the same row: `share` of the `rows`; of
    classes also Cohen's `kappa` (1 is perfect, 0 what chance would do), of numbers the mean
    absolute `difference`."""

    rows: int = 0
    share: float | None = None
    kappa: float | None = None
    difference: float | None = None


@dataclass(frozen=True, slots=True)
class LabelQueue:
    """An endpoint's queue in numbers; `people` maps who has labelled to how many rows."""

    endpoint: str
    open: int = 0
    claimed: int = 0
    assigned: int = 0
    done: int = 0
    waiting: int = 0
    handed: int = 0
    disputed: int = 0
    skipped: int = 0
    dropped: int = 0
    by_reason: Mapping[str, int] = field(default_factory=dict)
    people: Mapping[str, int] = field(default_factory=dict)
    kind: LabelKind = LabelKind.NUMBER
    classes: tuple[str, ...] = ()
    agreement: Agreement = Agreement()
    last_batch: LabelBatch | None = None


@dataclass(frozen=True, slots=True)
class LabelFileProblem:
    """One line of a file of labels that cannot be taken."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class LabelsImported:
    """What a file came to: `labelled` rows, `blank` ones left in the queue; where there are
    `problems`, nothing was taken."""

    endpoint: str
    file: str
    rows: int
    labelled: int
    blank: int
    problems: tuple[LabelFileProblem, ...] = ()
    stored: bool = False


@dataclass(frozen=True, slots=True)
class LabelsHanded:
    """Labels that became the endpoint's, and the datasets that have a new version by them."""

    endpoint: str
    labels: int
    datasets: tuple[str, ...] = ()
