"""How an endpoint serves: limits, access, capacity, capture. Kept in `config.json` beside it."""

from __future__ import annotations

import ipaddress
import json
import math
import re
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from core.errors import BadInput, StateCorrupt
from core.serving.bounds import (
    MOST_SERVERS,
    ScheduledBounds,
    VariantWorkers,
    check_pair,
    check_variants,
    is_whole,
    named,
)
from core.serving.records import Record, listed
from core.workerbounds import MOST_WORKERS

FILE = "config.json"


@dataclass(frozen=True, slots=True)
class EndpointConfig(Record):
    """One endpoint's settings; what is not in the file has its default.

    `token_sha256` is the digest of the bearer token, "" for none: the token itself is kept
    nowhere. `max_concurrency`, `max_connections` and `max_body` (bytes) are of each server
    process. `onnx` has scikit-learn models converted at load, used where they are proven to
    answer the same (needs the extra `onnx`; it holds for loads from then on). Servers follow
    the load between `min_servers` and `max_servers`, aiming at `target_in_flight` requests
    being answered at once by each. In each server the workers of a variant follow its own load
    between `min_workers` and `max_workers`, or what `variants` says about it, aiming at
    `target_per_worker` requests in the queue and the model for each.
    """

    host: str = "127.0.0.1"
    token_sha256: str = ""
    max_body: int = 8 << 20
    max_concurrency: int = 1000
    max_connections: int = 4096
    predict_timeout: float = 30.0  # seconds in the queue and the model, then 504
    read_timeout: float = 10.0  # seconds for a client to send its body, then 408
    min_servers: int = 1
    max_servers: int = 1
    target_in_flight: float = 8.0
    min_workers: int = 1
    max_workers: int = 1
    target_per_worker: float = 2.0
    variants: tuple[VariantWorkers, ...] = ()  # those with bounds of their own
    schedule: tuple[ScheduledBounds, ...] = ()  # the first whose window is open holds
    onnx: bool = False
    features: tuple[str, ...] = ()  # NAME@VERSION of views, for models that name none themselves
    capture_rate: float = 1.0  # share of the requests, 0-1
    capture_bytes: int = 1 << 30  # on disk; the oldest days go first

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedule", listed(ScheduledBounds, self.schedule))
        object.__setattr__(self, "variants", listed(VariantWorkers, self.variants))
        object.__setattr__(self, "features", tuple(self.features))

    @classmethod
    def read(cls, folder: Path) -> EndpointConfig:
        """The settings in an endpoint's folder; the defaults where there are none.

        Raises `StateCorrupt` when the file is not what `write` makes, `BadInput` when a
        setting in it cannot hold.
        """
        try:
            config = cls.from_json(json.loads((folder / FILE).read_text()))
        except FileNotFoundError:
            return cls()
        except (ValueError, TypeError, AttributeError) as error:
            raise StateCorrupt(
                f"{folder / FILE} cannot be read ({error})", "mend it, or remove it"
            ) from None
        config.check()
        return config

    def write(self, folder: Path) -> None:
        """Put the settings there, whole or not at all, for the owner only. Raises OSError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = folder / f".{FILE}.tmp"
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps(asdict(self), indent=1))
        temporary.replace(folder / FILE)

    def bounds(self, epoch: float | None = None) -> tuple[int, int]:
        """The least and the most servers at a moment (Unix seconds; now): of the first window
        of the schedule that is open, else the endpoint's own."""
        item = self.open_window(epoch)
        return (item and item.servers) or (self.min_servers, self.max_servers)

    def worker_bounds(self, revision: int, epoch: float | None = None) -> tuple[int, int]:
        """The least and the most workers that a variant has in each server at a moment. What
        names it comes before what is for all, and the window that is open before the rest: so
        a variant that was told to have one keeps one, whatever the schedule gives the others.
        """
        item = self.open_window(epoch)
        return (
            (item and named(item.variants, revision))
            or named(self.variants, revision)
            or (item and item.workers)
            or (self.min_workers, self.max_workers)
        )

    def open_window(self, epoch: float | None = None) -> ScheduledBounds | None:
        """The first item of the schedule whose window is open at a moment (Unix seconds; now)."""
        if not self.schedule:
            return None
        from core.windows import parse_window

        at = time.time() if epoch is None else epoch
        return next((row for row in self.schedule if parse_window(row.window).contains(at)), None)

    def with_workers(self, revision: int, bounds: tuple[int, int] | None) -> EndpointConfig:
        """These settings with other bounds for one variant's workers; `None`: the endpoint's."""
        rows = [row for row in self.variants if row.revision != revision]
        if bounds is not None:
            rows.append(VariantWorkers(revision, *bounds))
        return replace(self, variants=tuple(sorted(rows, key=lambda row: row.revision)))

    def check(self) -> None:
        """Raises `BadInput`, naming the setting, when one cannot hold."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            raise BadInput(f"host {self.host!r} is no IP address", "such as 127.0.0.1") from None
        if self.token_sha256 and not re.fullmatch("[0-9a-f]{64}", self.token_sha256):
            raise BadInput("token_sha256 is not a SHA-256 in 64 small hexadecimal digits")
        for key in ("max_body", "max_concurrency", "max_connections", "capture_bytes"):
            if not is_whole(value := getattr(self, key)) or value < 1:
                raise BadInput(f"{key} is {value!r}; it must be a whole number, at least 1")
        numbers = ("predict_timeout", "read_timeout", "target_in_flight", "target_per_worker")
        for key in numbers:
            if not _is_number(value := getattr(self, key)) or value <= 0:
                raise BadInput(f"{key} is {value!r}; it must be a number above 0")
        if not _is_number(self.capture_rate) or not 0 <= self.capture_rate <= 1:
            raise BadInput(f"The capture rate {self.capture_rate!r} is not between 0 and 1")
        self._check_capacity()
        if self.features:
            from core.features.uses import parse_pinned

            parse_pinned(self.features)

    def _check_capacity(self) -> None:
        low, high = self.min_servers, self.max_servers
        check_pair("min_servers", low, "max_servers", high, MOST_SERVERS)
        low, high = self.min_workers, self.max_workers
        check_pair("min_workers", low, "max_workers", high, MOST_WORKERS)
        check_variants("", self.variants)
        for item in self.schedule:
            item.check()


def _is_number(value: Any) -> bool:
    return is_whole(value) or (isinstance(value, float) and math.isfinite(value))
