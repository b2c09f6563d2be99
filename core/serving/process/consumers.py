"""Who calls an endpoint: a bounded table, counted by one addition a request.

A connection finds its row with its first request for predictions and keeps it; what is beyond
the bound is counted together. Every few seconds the table looks which counts have risen: that,
and no clock of the request's, says when somebody was last seen.

A consumer is named by its `X-Opsdeck-Consumer`, or else by the first word of its `User-Agent`;
one that names itself has one row, whatever addresses it calls from (the last is shown). Behind
a proxy that gathers many clients in one connection, whoever opened that connection stands for
all of them. Neither tokens nor session ids are kept.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from core.domain.touched import CONSUMER_SECONDS, Consumer

HEADER = b"x-opsdeck-consumer"
MOST = 64
OTHERS = "others"
LOOK_SECONDS = 5.0
MAX_NAME = 48

_MINUTE = 60.0
_REST = (OTHERS, "")
_PREDICTS = (b"/invocations", b"/infer")
_SECRET = re.compile(
    # What is given to a name that says secret, who logs in to a URL, a JWT, and long words of
    # letters and digits without a break, as keys, digests and UUIDs are.
    r"(?i:bearer|basic|token|secret|passw(?:or)?d|pwd|credentials?|api[_-]?key|access[_-]?key)"
    r"\s*[:=/ ]\s*\S+"
    r"|://[^\s/@]+@|\beyJ[\w-]+\.\S*"
    r"|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    r"|(?=[A-Za-z+=]*[0-9])(?=[0-9+=]*[A-Za-z])[A-Za-z0-9+=]{20,}"
)


@dataclass(slots=True)
class Row:
    """One consumer in this process. Whoever answers it adds to `requests`."""

    name: str
    address: str
    named: bool = False  # by itself: then its address does not tell it from others
    requests: int = 0
    last: float = 0.0
    minutes: dict[int, int] = field(default_factory=dict)  # requests by the minute they came in
    connections: int = 0  # open ones that count here
    _seen: int = 0

    def look(self, now: float) -> None:
        """Note what has come since the last look; forget what is too old to count."""
        if new := self.requests - self._seen:
            self._seen = self.requests
            self.last = now
            minute = int(now // _MINUTE)
            self.minutes[minute] = self.minutes.get(minute, 0) + new
        oldest = int((now - CONSUMER_SECONDS) // _MINUTE)
        for minute in [minute for minute in self.minutes if minute <= oldest]:
            del self.minutes[minute]

    def absorb(self, other: Row) -> None:
        """Add what came long ago."""
        self.requests += other.requests
        self._seen += other.requests
        self.last = max(self.last, other.last)


class Consumers:
    """The consumers of one server process. Lives on its event loop."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Row] = {}
        self._others = Row(OTHERS, "")
        self._timer: asyncio.TimerHandle | None = None

    def meet(self, address: str, headers: Iterable[tuple[bytes, bytes]], path: bytes) -> Row | None:
        """The row that a connection's requests count in, by a request's headers (names in lower
        case); None where it asks for no prediction. To be given back with `part`."""
        if not path.partition(b"?")[0].endswith(_PREDICTS):
            return None
        given = dict(headers)
        own = clean(given.get(HEADER, b""))
        agent = clean(given.get(b"user-agent", b"").split(b" ", 1)[0])
        key = (own, "") if own else (agent, address)
        row = self._rows.get(key) or self._make(key, own or agent or "unnamed", bool(own))
        if row is not self._others:
            row.address = address
        row.connections += 1
        self._watch()
        return row

    @staticmethod
    def part(row: Row) -> None:
        """A connection that counted there has ended."""
        row.connections -= 1

    def _make(self, key: tuple[str, str], name: str, named: bool) -> Row:
        if len(self._rows) >= MOST:
            self._make_room()
        if len(self._rows) >= MOST:
            return self._others
        row = self._rows[key] = Row(name, "", named, last=time.time())
        return row

    def _make_room(self) -> None:
        """Let those go that have not called for long and have no connection."""
        now = time.time()
        for key, row in list(self._rows.items()):
            row.look(now)
            if not row.connections and now - row.last > CONSUMER_SECONDS:
                self._others.absorb(row)
                del self._rows[key]

    def _watch(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        now = time.time()
        for row in (*self._rows.values(), self._others):
            row.look(now)
        self._timer = None
        self._watch()

    def rows(self) -> list[dict[str, Any]]:
        """The table as JSON, for the supervisor to add up."""
        now = time.time()
        found = []
        for row in (*self._rows.values(), self._others):
            row.look(now)
            if row.requests:
                found.append(
                    {
                        "name": row.name,
                        "address": row.address,
                        "named": row.named,
                        "total": row.requests,
                        "last": row.last,
                        "minutes": row.minutes,
                    }
                )
        return found


@dataclass(frozen=True, slots=True)
class Tally:
    """The consumers of several servers together."""

    rows: dict[tuple[str, str], Row] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Iterable[dict[str, Any]]) -> Tally:
        """What a server says (`Consumers.rows`)."""
        rows: dict[tuple[str, str], Row] = {}
        for each in data:
            minutes = {int(minute): count for minute, count in each["minutes"].items()}
            name, address, named = each["name"], each["address"], each["named"]
            key = (name, "") if named else (name, address)
            rows[key] = Row(name, address, named, each["total"], each["last"], minutes)
        return cls(rows)

    def __add__(self, other: Tally) -> Tally:
        """Both together, within the bound."""
        if not other.rows:
            return self
        merged = {key: _copy(row) for key, row in self.rows.items()}
        for key, row in other.rows.items():
            if key in merged:
                _add(merged[key], row)
            else:
                merged[key] = _copy(row)
        rest = merged.pop(_REST, None) or Row(OTHERS, "")
        for key in sorted(merged, key=lambda key: -merged[key].last)[MOST:]:
            _add(rest, merged.pop(key))
        return Tally(merged | ({_REST: rest} if rest.requests else {}))

    def consumers(self, now: float) -> tuple[Consumer, ...]:
        """Those of the last quarter of an hour and before, the busiest first."""
        oldest = int((now - CONSUMER_SECONDS) // _MINUTE)
        found = [
            Consumer(
                row.name,
                row.address,
                sum(count for minute, count in row.minutes.items() if minute > oldest),
                row.requests,
                row.last,
            )
            for row in self.rows.values()
        ]
        return tuple(sorted(found, key=lambda one: (-one.requests, -one.last_at, one.title)))


def _copy(row: Row) -> Row:
    return replace(row, minutes=dict(row.minutes))


def _add(to: Row, row: Row) -> None:
    to.requests += row.requests
    if row.last > to.last:
        to.last = row.last
        to.address = row.address if to.named else to.address
    for minute, count in row.minutes.items():
        to.minutes[minute] = to.minutes.get(minute, 0) + count


def clean(given: bytes) -> str:
    """A header as it may be kept and shown: bounded, printable, nothing that looks secret."""
    text = given[:512].decode("ascii", "replace")
    text = _SECRET.sub("[redacted]", text)
    text = "".join(c if c.isprintable() and c != "\ufffd" else "?" for c in text).strip()
    return text if len(text) <= MAX_NAME else f"{text[: MAX_NAME - 1]}…"
