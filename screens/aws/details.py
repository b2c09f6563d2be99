"""Descriptions of resources: read in threads of their own when the cursor rests, and kept."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.aws.kind import Detail, Kind

if TYPE_CHECKING:
    from core.aws.account import Account

KEPT = 64
AT_ONCE = 4
Key = tuple[str, str]
"""The kind's name and the resource's id."""


@dataclass(frozen=True, slots=True)
class Known:
    """A description, or why there is none (with the one before); `at` is of a steady clock."""

    detail: Detail | None
    error: Exception | None
    at: float


class Details:
    """Kept by the console as long as it is open. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Key, Known] = OrderedDict()
        self._loading: set[Key] = set()

    def known(self, kind: str, id_: str) -> Known | None:
        """What is known of a resource."""
        return self._known.get((kind, id_))

    def fresh(self, kind: Kind, id_: str) -> bool:
        """Whether it need not be read (again) yet, or is being read."""
        known = self._known.get((kind.name, id_))
        young = known is not None and time.monotonic() - known.at < max(kind.every, 2.0)
        return young or (kind.name, id_) in self._loading

    def forget(self) -> None:
        """Read every description again when it is next wanted; the old ones are shown till then."""
        with self._lock:
            for key, known in self._known.items():
                self._known[key] = Known(known.detail, known.error, -1e9)

    def load(self, account: Account, kind: Kind, id_: str, then: Callable[[Key], None]) -> bool:
        """Read a description off the event loop; `then` is called in that thread.

        `False` where too many are under way already: the screen asks again soon.
        """
        key = (kind.name, id_)
        with self._lock:
            if key in self._loading or len(self._loading) >= AT_ONCE:
                return False
            self._loading.add(key)
        threading.Thread(
            target=self._load, args=(account, kind, id_, then), name="opsdeck-describe", daemon=True
        ).start()
        return True

    def _load(self, account: Account, kind: Kind, id_: str, then: Callable[[Key], None]) -> None:
        detail: Detail | None = None
        error: Exception | None = None
        try:
            detail = kind.show(account, id_)
        except Exception as raised:  # noqa: BLE001 - handed on: the screen tells of it
            error = raised
        key = (kind.name, id_)
        with self._lock:
            self._loading.discard(key)
            before = self._known.pop(key, None)
            if detail is None and before is not None:
                detail = before.detail
            self._known[key] = Known(detail, error, time.monotonic())
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        then(key)
