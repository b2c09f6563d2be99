"""Work off the event loop: the poller that reads for the screen in view, and changes.

Both use daemon threads of their own, not the event loop's pool: the pool is waited for at
the end of the program, and quitting must take less than a second whatever a backend does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.message import Message

if TYPE_CHECKING:
    from textual.message_pump import MessagePump

    from core.domain.worker import Worker
    from screens.backend import Backend


@dataclass(frozen=True, slots=True)
class Head:
    """What the header tells beside the time: workers, and what waits for a person."""

    workers: tuple[Worker, ...] = ()
    approvals: int = 0
    running: int = 0
    alerts: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """What the screen in view wants read.

    `live`: read also while the state's version stays the same, because the answer holds
    what the state doesn't (an endpoint's traffic, a log). `every` is in seconds. `read` is
    given the backend's facade.
    """

    owner: Any
    read: Callable[[Any], Any]
    live: bool = False
    every: float = 1.0


class Polled(Message):
    """A reading has ended. `data` is `None` where nothing has changed since the last."""

    def __init__(self, ask: Ask, data: Any, head: Head | None, at: float) -> None:
        super().__init__()
        self.ask = ask
        self.data = data
        self.head = head
        self.at = at


class PollFailed(Message):
    """A reading has failed; the next try comes later."""

    def __init__(self, ask: Ask, error: Exception) -> None:
        super().__init__()
        self.ask = ask
        self.error = error


class Poller:
    """Reads what the screen in view asks for, in one thread, and posts what it found.

    At most one reading is on its way to the screen: a slow backend or a busy screen makes
    readings rarer, it never queues them. Where the backend allows it, a reading that takes
    long and that no screen waits for any more is left to itself: its answer is dropped.
    """

    def __init__(self, backend: Backend, target: MessagePump, clock: Callable[[], float]) -> None:
        self._backend = backend
        self._target = target
        self._clock = clock
        self._ask: Ask | None = None
        self._wake = threading.Event()
        self._taken = threading.Event()
        self._taken.set()
        self._resumed = threading.Event()
        self._resumed.set()
        self._stopped = False
        self._head_at = -1e9
        self._turn = 0
        self._reading: tuple[Ask, float] | None = None
        self._thread = self._new_thread()

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(
            target=self._loop, args=(self._turn,), name="opsdeck-poller", daemon=True
        )

    def start(self) -> None:
        """Start reading."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading; waits a moment, no longer, for a reading under way."""
        self._stopped = True
        self._resumed.set()
        self._taken.set()
        self._wake.set()
        self._ask = None
        if self._thread.is_alive():
            self._thread.join(0.2)

    def ask(self, ask: Ask | None) -> None:
        """Read this from now on, the first time at once."""
        self._ask = ask
        reading = self._reading
        if self._backend.abandons and reading is not None and reading[0] is not ask:
            self._turn += 1
            self._reading = None
            self._thread = self._new_thread()
            self._wake.set()
            self._thread.start()
            return
        self._wake.set()

    def poke(self) -> None:
        """Read again at once, changed or not."""
        self._wake.set()

    def taken(self) -> None:
        """The screen has shown the last reading: the next may come."""
        self._taken.set()

    def pause(self) -> None:
        """Read nothing until `resume`."""
        self._resumed.clear()

    def resume(self) -> None:
        """Read again."""
        self._resumed.set()
        self._wake.set()

    def _loop(self, turn: int) -> None:
        last: tuple[Ask, Any] | None = None
        wait = 0.0
        while not self._stopped:
            forced = self._wake.wait(wait)
            self._resumed.wait()
            self._taken.wait()
            self._wake.clear()
            ask = self._ask
            if self._stopped or turn != self._turn:
                return
            if ask is None:
                wait = 1.0
                continue
            started = time.monotonic()
            self._reading = (ask, started)
            try:
                version = self._backend.version()
                same = last is not None and last[0] is ask and last[1] == version
                head = self._head(version, last)
                data = (
                    None if same and not ask.live and not forced else ask.read(self._backend.facade)
                )
                last = (ask, version)
                self._backend.after_reading(head)
            except Exception as error:  # noqa: BLE001 - handed on: the app shows it
                if turn != self._turn:
                    return
                self._reading, last = None, None
                self._target.post_message(PollFailed(ask, error))
                wait = max(3.0, ask.every)
                continue
            if self._stopped or turn != self._turn:
                return  # nobody waits for it any more
            self._reading = None
            self._taken.clear()
            self._target.post_message(Polled(ask, data, head, self._clock()))
            wait = max(ask.every, 2 * (time.monotonic() - started))

    def _head(self, version: Any, last: tuple[Ask, Any] | None) -> Head | None:
        """What the header shows, read when the state has changed or 2 s have passed."""
        now = time.monotonic()
        if last is not None and last[1] == version and now - self._head_at < 2.0:
            return None
        self._head_at = now
        return self._backend.head()


class ChangeEnded(Message):
    """A change has ended, well (`error` is `None`) or not."""

    def __init__(self, change: Change, result: Any, error: Exception | None) -> None:
        super().__init__()
        self.change = change
        self.result = result
        self.error = error


@dataclass(frozen=True, slots=True)
class Change:
    """A change to be made off the event loop.

    `group`: only one change of a group at a time. `call` does it; `then` is called with
    its result on the event loop and returns what to tell (or "" to stay silent).
    `failed` may take an error instead of the usual dialog. `reads`: it only looks something up,
    so that one may leave meanwhile.
    """

    group: str
    title: str
    call: Callable[[Any], Any]
    then: Callable[[Any], str]
    command: str = ""
    failed: Callable[[Exception], bool] | None = None
    reads: bool = False


class Changes:
    """Runs changes, each in a daemon thread, one at a time in each group."""

    def __init__(self, backend: Backend, target: MessagePump) -> None:
        self._backend = backend
        self._target = target
        self._under_way: dict[str, Change] = {}

    @property
    def under_way(self) -> list[str]:
        """Titles of the changes that have not ended."""
        return [change.title for change in self._under_way.values()]

    @property
    def unfinished(self) -> list[str]:
        """Titles of those that change something, so that one should not leave."""
        return [change.title for change in self._under_way.values() if not change.reads]

    def start(self, change: Change) -> bool:
        """Start it; `False` where one of its group is still under way."""
        if change.group in self._under_way:
            return False
        self._under_way[change.group] = change
        threading.Thread(
            target=self._run, args=(change,), name=f"opsdeck-{change.group}", daemon=True
        ).start()
        return True

    def ended(self, change: Change) -> None:
        """Its group is free again."""
        self._under_way.pop(change.group, None)

    def _run(self, change: Change) -> None:
        try:
            result, error = change.call(self._backend.facade), None
        except Exception as raised:  # noqa: BLE001 - handed on: the app shows it
            result, error = None, raised
        self._target.post_message(ChangeEnded(change, result, error))
