"""A listing of one kind, read page by page: what is there can be shown before all of it is.

A few hundred milliseconds of pages at a time are read, by the thread that polls. Once enough has
been fetched the rest waits until somebody scrolls there or filters; of a long list only the first
page is read again, and what is new on it comes on top.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.aws.kind import Item, Kind
from core.errors import OpsdeckError

if TYPE_CHECKING:
    from core.aws.account import Account

AT_FIRST = 1_000
"""Resources that are fetched by themselves."""
STEP = 2_000
"""How many more are fetched when the end is reached."""
MOST = 50_000
"""Resources held at most; a filter over AWS's own search is better than more."""
WHOLE = 300
"""Lists up to this long are read again as a whole."""
BUDGET_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Listed:
    """What is known now. `more`: AWS has more of them; `fetching`: and they are being read.

    `error` is why the last reading failed; the items are then those of the one before.
    """

    items: tuple[Item, ...] = ()
    more: bool = False
    fetching: bool = False
    error: OpsdeckError | None = None
    read: bool = False


class Listing:
    """Used by the thread that polls (`read`) and by the screen (`want`, `again`)."""

    def __init__(self, kind: Kind, parent: str = "", *, at_first: int = AT_FIRST) -> None:
        self.kind = kind
        self.parent = parent
        self._wanted = at_first
        self._items: list[Item] = []
        self._pages: Iterator[Sequence[Item]] | None = None
        self._complete = False
        self._anew = True
        self._last = Listed()
        self._lock = threading.Lock()

    def want(self, count: int) -> bool:
        """Fetch until there are so many; whether that is more than was wanted before."""
        count = min(count, MOST)
        if count <= self._wanted or not self._last.more:
            return False
        self._wanted = count
        return True

    def again(self) -> None:
        """Read all of it anew."""
        self._anew = True

    @property
    def last(self) -> Listed:
        """What was known after the last reading."""
        return self._last

    def read(self, account: Account) -> Listed:
        """Read on for a moment, or the newest again; called off the event loop."""
        if not self._lock.acquire(blocking=False):
            return self._last  # a reading that was left to itself is not over yet
        try:
            self._last = self._read(account)
        finally:
            self._lock.release()
        return self._last

    def _read(self, account: Account) -> Listed:
        try:
            if self._anew:
                self._anew = False
                self._fetch(account, [])
            elif self._pages is not None and len(self._items) < self._wanted:
                self._go_on(self._items)
            elif self._complete and len(self._items) <= WHOLE:
                self._fetch(account, [])
            else:
                self._newest(account)
        except OpsdeckError as error:
            self._pages = None
            return Listed(tuple(self._items), False, False, error, True)
        more = self._pages is not None
        fetching = more and len(self._items) < self._wanted
        return Listed(tuple(self._items), more, fetching, None, True)

    def _fetch(self, account: Account, into: list[Item]) -> None:
        """From the first page on, in place of what is held."""
        self._complete, self._pages = False, None
        pages = iter(self.kind.list(account, self.parent))
        self._pages = pages
        self._go_on(into)
        self._items = into

    def _go_on(self, into: list[Item]) -> None:
        end = time.monotonic() + BUDGET_SECONDS
        pages = self._pages
        if pages is None:
            return
        while len(into) < self._wanted:
            page = next(pages, None)
            if page is None:
                self._pages, self._complete = None, True
                return
            into.extend(page)
            if time.monotonic() > end:
                return

    def _newest(self, account: Account) -> None:
        """The first page again: what it has comes first, what was there stays behind it."""
        pages = iter(self.kind.list(account, self.parent))
        page = next(pages, None) or ()
        here = {item.id for item in page}
        self._items = [*page, *(item for item in self._items if item.id not in here)][:MOST]
