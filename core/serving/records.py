"""What an endpoint says about itself: frozen records, standard library only.

Weights are percentages (0–100, summing to 100). Times named `*_at` or `started` are Unix
seconds; durations say their unit in their name. `revision` numbers the deployments of one
endpoint, upwards; one revision is one model version loaded under that number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Self


class EndpointState(StrEnum):
    """How an endpoint is, as its supervisor sees it."""

    STARTING = "starting"  # the supervisor lives; the server is not up yet
    EMPTY = "empty"  # the server answers, but no revision is routed
    SERVING = "serving"  # requests are answered by the routed revisions
    RESTARTING = "restarting"  # the server died; connections wait on the socket
    FAILED = "failed"  # crash loop, also with the last good table; waits for a person
    STOPPING = "stopping"
    STOPPED = "stopped"
    LOST = "lost"  # the file says it runs, but the supervisor is dead


class Flavour(StrEnum):
    """Which path answers a revision's requests."""

    NATIVE_ARRAY = "native-array"  # the library's own predict on a NumPy array
    NATIVE_FRAME = "native-frame"  # the library's own predict on a DataFrame
    ONNX = "onnx"  # the library's model, converted, in ONNX Runtime: float32
    PYFUNC = "pyfunc"  # MLflow's generic path: always right, slow

    @property
    def native(self) -> bool:
        """Whether the fast path is in use."""
        return self is not Flavour.PYFUNC


class Parity(StrEnum):
    """What replaying the model's input example through both paths found."""

    EQUAL = "equal"
    CLOSE = "close"  # within the tolerance that the report's detail states (ONNX)
    DIFFERS = "differs"  # the fast path was refused; requests go through pyfunc
    UNTESTED = "untested"  # no example, or no native path: requests go through pyfunc


class Record:
    """Reading a record back from the JSON that `dataclasses.asdict` gives."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The record from its JSON form; unknown keys (of a newer version) are ignored."""
        known = {item.name for item in fields(cls)}  # type: ignore[arg-type]
        return cls(**{key: value for key, value in data.items() if key in known})


def listed(kind: type[Any], rows: Any) -> tuple[Any, ...]:
    """Records of one kind, whether they are records already or still their JSON form."""
    return tuple(row if isinstance(row, kind) else kind.from_json(row) for row in rows)


@dataclass(frozen=True, slots=True)
class Variant(Record):
    """One revision behind an endpoint and its share of the requests in percent."""

    revision: int
    weight: float

    @property
    def name(self) -> str:
        """The variant's name in headers and folders: `r7`."""
        return f"r{self.revision}"


@dataclass(frozen=True, slots=True)
class LoadReport(Record):
    """One revision that is loaded: from where, by which path, how long it took."""

    revision: int
    model: str
    version: int
    model_path: str
    flavour: Flavour
    parity: Parity
    detail: str  # why this path was chosen, one line
    seconds: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "flavour", Flavour(self.flavour))
        object.__setattr__(self, "parity", Parity(self.parity))


def url_of(host: str, port: int) -> str:
    """The address of an endpoint, without a trailing slash."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@dataclass(frozen=True, slots=True)
class GaveUp(Record):
    """The end of a crash loop: the supervisor put the last good table back, or serves nothing.

    `requests_failed` counts what servers had in hand when they died, since the table that was
    given up was put in force; `milliseconds` is what it took to replace it where servers live.
    """

    at: float
    revisions: tuple[int, ...]  # that were routed
    requests_failed: int = 0
    milliseconds: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "revisions", tuple(self.revisions))


@dataclass(frozen=True, slots=True)
class EndpointInfo:
    """Where an endpoint is and which processes run it."""

    name: str
    directory: Path
    host: str
    port: int
    state: EndpointState
    alive: bool  # the supervisor process exists (pid and start time agree)
    pid: int | None  # of the supervisor
    server_pid: int | None
    variants: tuple[Variant, ...]
    updated_at: float
    loads: tuple[int, ...] = ()  # revisions that its servers hold, or get when they start
    server_pids: tuple[int, ...] = ()  # the oldest first
    gave_up: GaveUp | None = None  # the last crash loop that was ended

    @property
    def url(self) -> str:
        """The address that requests go to, without a trailing slash."""
        return url_of(self.host, self.port)


@dataclass(frozen=True, slots=True)
class SwapReport(Record):
    """A routing table put in place."""

    variants: tuple[Variant, ...]
    milliseconds: float  # from the supervisor hearing of it to the server having swapped
    changed: bool  # False when this table was in force already

    def __post_init__(self) -> None:
        object.__setattr__(self, "variants", listed(Variant, self.variants))


@dataclass(frozen=True, slots=True)
class RollbackReport(Record):
    """The receipt of a rollback: all requests to one revision, at once.

    `requests_failed` counts requests whose handling overlapped the window from the swap to
    the end of the drain and that ended in a 5xx or without an answer.
    """

    to_revision: int
    from_variants: tuple[Variant, ...]
    milliseconds_to_swap: float
    in_flight_at_swap: int
    requests_failed: int
    drained: bool  # every request of the old table was answered within the bound
    changed: bool  # False when everything went to `to_revision` already

    def __post_init__(self) -> None:
        object.__setattr__(self, "from_variants", listed(Variant, self.from_variants))


@dataclass(frozen=True, slots=True)
class CaptureStatus(Record):
    """What happened to the captured requests since the server started."""

    rate: float = 1.0  # share of requests captured, 0–1
    queued: int = 0
    written: int = 0
    dropped_full: int = 0  # the queue was at its cap
    dropped_disk: int = 0  # the disk refused
    last_error: str = ""  # of the last attempt to write
    dropped_cap: int = 0  # written, and deleted again to stay within the cap
    on_disk: int = 0  # bytes of the whole capture
    cap: int = 0  # bytes

    @classmethod
    def together(cls, statuses: Iterable[CaptureStatus]) -> CaptureStatus:
        """What several server processes of one endpoint say, as one."""
        rows = list(statuses)
        if not rows:
            return cls()
        return cls(
            rate=rows[0].rate,
            queued=sum(row.queued for row in rows),
            written=sum(row.written for row in rows),
            dropped_full=sum(row.dropped_full for row in rows),
            dropped_disk=sum(row.dropped_disk for row in rows),
            last_error=next((row.last_error for row in rows if row.last_error), ""),
            dropped_cap=sum(row.dropped_cap for row in rows),
            on_disk=max(row.on_disk for row in rows),  # all look at the same folder
            cap=max(row.cap for row in rows),
        )


@dataclass(frozen=True, slots=True)
class ServerStatus(Record):
    """One of the server processes that share an endpoint's socket."""

    pid: int
    up_seconds: float
    in_flight: int  # requests read and not answered


@dataclass(frozen=True, slots=True)
class WorkerCount(Record):
    """The workers of one variant: threads that have its model answer, in all servers together,
    and the bounds of their number in each server."""

    revision: int
    workers: int
    stuck: int  # of them, that the model keeps for longer than anybody waits
    min_workers: int
    max_workers: int


@dataclass(frozen=True, slots=True)
class EndpointStatus(Record):
    """Desired and actual state side by side."""

    name: str
    url: str
    state: EndpointState
    desired: tuple[Variant, ...]
    actual: tuple[Variant, ...]  # in force in the servers; empty while none answers
    loaded: tuple[LoadReport, ...]  # in all of them
    supervisor_pid: int
    server_pid: int | None  # of the oldest
    server_up_seconds: float  # of the oldest
    restarts: int  # of servers that died, since the supervisor started
    pinned: bool  # the desired table was left for the last good one by the crash-loop stop
    last_error: str
    reason: str  # given with the last change of the table
    warm: bool = False  # a server that dies is replaced within a fraction of a second
    capture: CaptureStatus = field(default_factory=CaptureStatus)
    servers: tuple[ServerStatus, ...] = ()  # those that answer, the oldest first
    wanted: int = 1  # servers that there are to be now
    workers: tuple[WorkerCount, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "workers", listed(WorkerCount, self.workers))
        object.__setattr__(self, "servers", listed(ServerStatus, self.servers))
        object.__setattr__(self, "state", EndpointState(self.state))
        object.__setattr__(self, "desired", listed(Variant, self.desired))
        object.__setattr__(self, "actual", listed(Variant, self.actual))
        object.__setattr__(self, "loaded", listed(LoadReport, self.loaded))
        if not isinstance(self.capture, CaptureStatus):
            object.__setattr__(self, "capture", CaptureStatus.from_json(self.capture))


@dataclass(frozen=True, slots=True)
class RevisionStats(Record):
    """One revision's traffic. Counts are since the supervisor started; rates and latencies are
    over the last minute (None without a request in it). Errors are 5xx, rejected are 4xx."""

    revision: int
    requests: int
    errors: int
    rejected: int
    in_flight: int
    rps: float
    p50_ms: float | None
    p99_ms: float | None
    recent_requests: int = 0
    recent_errors: int = 0


@dataclass(frozen=True, slots=True)
class EndpointStats(Record):
    """The traffic of an endpoint, by revision, and its capture."""

    revisions: tuple[RevisionStats, ...]
    in_flight: int
    shed: int  # answered 429 by the concurrency limit
    capture: CaptureStatus = field(default_factory=CaptureStatus)

    def __post_init__(self) -> None:
        object.__setattr__(self, "revisions", listed(RevisionStats, self.revisions))
        if not isinstance(self.capture, CaptureStatus):
            object.__setattr__(self, "capture", CaptureStatus.from_json(self.capture))


@dataclass(frozen=True, slots=True)
class InvokeReply:
    """An endpoint's answer to one request."""

    status: int
    body: bytes
    headers: Mapping[str, str]  # names in lower case
    revision: int | None  # which revision answered, from the reply's header
    milliseconds: float
