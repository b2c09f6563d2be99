"""What stands on an account now: the newest of each main kind, read side by side.

Each kind is read in a thread of its own, so that one which is slow, denied or not in the region
keeps nothing else from being shown.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.aws.kind import Item, Kind
from core.aws.registry import MODES
from screens.aws.kindsof import kinds_shown

if TYPE_CHECKING:
    from core.aws.account import Account

AT_ONCE = 6
EACH = 200
"""Resources of a kind that are counted at most; of more it is said that there are more."""
EVERY = 10.0
WAIT_SECONDS = 0.25
NEEDING = ("bad", "wait", "run")
_ELSEWHERE = ("pulse", "audit", "query")
_HARDLY_STATES = frozenset({
    "pipelines", "state-machines", "model-groups", "endpoint-configs", "sm-models",
})  # fmt: skip
"""What is only there, and neither runs nor waits nor goes wrong."""
PER_MODE = 4


@dataclass(frozen=True, slots=True)
class Count:
    """A kind's newest resources; `read` is false until they have been read once."""

    kind: Kind
    items: tuple[Item, ...] = ()
    more: bool = False
    error: Exception | None = None
    read: bool = False

    def of(self, tone: str) -> int:
        """How many have this tone."""
        return sum(item.tone == tone for item in self.items)


@dataclass(frozen=True, slots=True)
class Overview:
    """All kinds, in the order of the modes; `waiting`: some have not been read yet."""

    counts: tuple[Count, ...]
    waiting: bool


def main_kinds() -> list[Kind]:
    """The first kinds of each mode that are listed as a whole and whose resources have states."""
    found: list[Kind] = []
    for mode in MODES:
        if mode not in _ELSEWHERE:
            shown = [one for one in kinds_shown(mode) if one.name not in _HARDLY_STATES]
            found += shown[:PER_MODE]
    return found


class Overviewer:
    """Reads what is due, and says what is known; used by the thread that polls."""

    def __init__(self) -> None:
        self._counts: dict[str, Count] = {}
        self._at: dict[str, float] = {}
        self._under_way: set[str] = set()
        self._changed = threading.Condition()

    def __call__(self, account: Account) -> Overview:
        """What is known after a short while; what is not read yet comes with the next."""
        kinds = main_kinds()
        now = time.monotonic()
        for one in kinds:
            every = max(EVERY, one.every)
            with self._changed:
                due = now - self._at.get(one.name, -1e9) >= every
                if not due or one.name in self._under_way or len(self._under_way) >= AT_ONCE:
                    continue
                self._under_way.add(one.name)
            threading.Thread(
                target=self._read, args=(account, one), name=f"opsdeck-{one.name}", daemon=True
            ).start()
        with self._changed:
            if self._under_way:
                self._changed.wait_for(lambda: not self._under_way, WAIT_SECONDS)
            counts = tuple(self._counts.get(one.name, Count(one)) for one in kinds)
        return Overview(counts, any(not count.read for count in counts))

    def again(self) -> None:
        """Read all of it anew."""
        with self._changed:
            self._at.clear()

    def _read(self, account: Account, one: Kind) -> None:
        before = self._counts.get(one.name, Count(one))
        found: list[Item] = []
        more, error = False, None  # type: bool, Exception | None
        try:
            for page in one.list(account, ""):
                found.extend(page)
                if len(found) >= EACH:
                    more = True
                    break
        except Exception as raised:  # noqa: BLE001 - told in the kind's own line
            error = raised
        items = before.items if error is not None else tuple(found[:EACH])
        with self._changed:
            self._counts[one.name] = Count(one, items, more, error, True)
            self._at[one.name] = time.monotonic()
            self._under_way.discard(one.name)
            self._changed.notify_all()
