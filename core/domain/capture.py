"""What an endpoint was asked and answered, and what turned out to be true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class CaptureFormat(StrEnum):
    """How captured requests are exported; `sagemaker` is the JSON Lines of its data capture."""

    SAGEMAKER = "sagemaker"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


class Task(StrEnum):
    """How a prediction is held against its label. `auto` looks at the values: both are numbers
    and the prediction has a fraction part by type (a float) → regression, else classes."""

    AUTO = "auto"
    REGRESSION = "regression"
    CLASSES = "classes"


@dataclass(frozen=True, slots=True)
class CapturedRequest:
    """One captured request. `inputs` and `outputs` are JSON text: the request's table as
    dataframe_split, and the list of predictions or the error's body.

    `content_type` is the request's; `sampling_rate` the share of requests that was captured
    then. A `shadow` answer went to nobody.
    """

    inference_id: str
    at: float
    variant: str
    revision: int
    model: str
    version: int
    status: int
    latency_ms: float
    inputs: str
    outputs: str
    content_type: str
    sampling_rate: float
    shadow: bool


@dataclass(frozen=True, slots=True)
class CaptureFilter:
    """Which captured requests: `since` ≤ time < `until` (epoch seconds), of one variant (`r7`),
    of statuses in `status_low`…`status_high`, of one inference id, shadow answers or not."""

    since: float | None = None
    until: float | None = None
    variant: str | None = None
    status_low: int | None = None
    status_high: int | None = None
    inference_id: str | None = None
    shadow: bool | None = None


@dataclass(frozen=True, slots=True)
class CaptureSummary:
    """What is captured, on disk and by the running servers since each of them started.

    `dropped_full`: the queue was full; `dropped_disk`: the disk refused; `dropped_cap`:
    deleted again, oldest first, to stay within `cap_bytes`. `oldest_day` is of the requests.
    """

    endpoint: str
    rows: int
    bytes: int
    parts: int
    by_variant: Mapping[str, int]
    cap_bytes: int
    rate: float
    oldest_day: str = ""
    running: bool = False
    queued: int = 0
    written: int = 0
    dropped_full: int = 0
    dropped_disk: int = 0
    dropped_cap: int = 0
    last_error: str = ""
    deleted_before_at: float | None = None


@dataclass(frozen=True, slots=True)
class CaptureExport:
    """What an export wrote."""

    endpoint: str
    format: CaptureFormat
    folder: str
    files: int
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class CaptureDeleted:
    """What a deletion took away: captured requests, their labels, the bytes of the files."""

    endpoint: str
    before_at: float
    rows: int
    labels: int
    bytes: int


@dataclass(frozen=True, slots=True)
class LabelsReceived:
    """What a file of labels came to.

    `matched` ids are captured already; `unknown` ones are kept until their request is; of
    `repeated` ids (in the file, or labelled before) the latest label holds.
    """

    endpoint: str
    file: str
    rows: int
    ids: int
    repeated: int
    matched: int
    unknown: int
    stored: bool


@dataclass(frozen=True, slots=True)
class ArmQuality:
    """One variant's answers held against their labels.

    `captured` requests, `labelled` of them, `scored` rows of those (a request may have several
    rows; an error or an answer of another length has none). Regression has `mae`, `rmse`,
    `bias` (mean of prediction - label); classes have `accuracy`, `precision`, `recall`, `f1`,
    of the positive class (1 or true) where the classes are two such (`average` "binary"), else
    their unweighted means over the classes ("macro").
    """

    variant: str
    revision: int
    shadow: bool
    captured: int
    labelled: int
    scored: int
    mae: float | None = None
    rmse: float | None = None
    bias: float | None = None
    accuracy: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    average: str = ""

    @property
    def share(self) -> float | None:
        """Share of the captured requests that have a label."""
        return self.labelled / self.captured if self.captured else None


@dataclass(frozen=True, slots=True)
class LabelCoverage:
    """How far an endpoint's requests are labelled, by variant; `unknown` labels wait for a
    request that is not captured (yet)."""

    endpoint: str
    labels: int
    unknown: int
    arms: tuple[ArmQuality, ...]
    merged_at: float | None = None


@dataclass(frozen=True, slots=True)
class ServerLogPage:
    """Lines of an endpoint's log, and where to go on; `gap`: older lines are gone for good."""

    source: str
    lines: tuple[str, ...]
    cursor: str
    gap: bool = False
