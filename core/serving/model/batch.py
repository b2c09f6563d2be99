"""Micro-batching without waiting: whatever has arrived is answered by one call of the model.

While one batch is in the model the next gathers, so the batch grows with the load and a lone
request waits for nobody. A revision has one worker, or several where it may be called from more
than one thread: each takes the next batch when it has none. A request that is not answered in
time is given up on: it leaves the queue, or, when it is in the model, what the model says to it
goes nowhere.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from core.serving.model.engines import Engine, ModelFailed

MAX_REQUESTS = 128
SLOW_SECONDS = 0.001  # longer in the model than this would keep `/ping` waiting: use a thread
TRIALS = 8  # batches by which it is known whether a thread is needed, each by itself ...
TRIAL_SECONDS = 0.01  # ... unless it takes longer than this: then it is


class TimedOut(ModelFailed):
    """The model did not answer in time; becomes a 504."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The model did not answer within {seconds:g} s")
        self.code = "timeout"
        self.status = 504


@dataclass(slots=True)
class _Waiting:
    inputs: Any
    answer: asyncio.Future[Any]
    since: float  # by the loop's clock


@dataclass(slots=True, eq=False)
class _Worker:
    """A thread, and the batch that it has in the model."""

    inside: list[_Waiting] = field(default_factory=list)
    begun: float | None = None  # when that went there
    thread: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="predict")
    )

    def held(self, now: float) -> float:
        """For how many seconds it has been at its batch; 0 while it has none."""
        return 0.0 if self.begun is None else now - self.begun


class Batcher:
    """The queue in front of one revision's engine. Lives on the event loop.

    `timeout` is in seconds, in the queue and the model together. It is looked at by one timer
    for all requests, so that it costs a request next to nothing. A model that takes less than
    `SLOW_SECONDS` is called on the loop itself, however many workers there are: handing over to
    a thread would take longer than the model.
    """

    def __init__(self, engine: Engine, timeout: float = 30.0) -> None:
        self.engine = engine
        self.timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Waiting] = []
        self._workers = [_Worker()]
        self._free = list(self._workers)  # the last one is taken first
        self._wanted = 1
        self._called = False  # `_flush` is on the loop's list
        self._busy = False  # it is, or a worker that comes back will see to what waits
        self._seconds = SLOW_SECONDS * 2  # a moving average; assume slow until measured
        self._trials = 0
        self._timer: asyncio.TimerHandle | None = None

    async def answer(self, inputs: Any) -> Any:
        """The predictions for one request's inputs. Raises `BadRequest`, `ModelFailed`, of
        which `TimedOut` is one."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append(_Waiting(inputs, future, self._loop.time()))
        if not self._busy:
            self._busy = self._called = True
            # Not now but at the next turn: what arrived in this turn comes along.
            self._loop.call_soon(self._flush)
        if self._timer is None:
            self._timer = self._loop.call_later(self.timeout, self._give_up)
        return await future

    @property
    def workers(self) -> int:
        """How many there are, those that the model keeps among them."""
        return len(self._workers)

    @property
    def stuck(self) -> int:
        """Workers that the model has kept for longer than anybody waits."""
        now = self._loop.time()
        return sum(worker.held(now) > self.timeout for worker in self._workers)

    @property
    def load(self) -> int:
        """Requests in the queue and the model; 0 while the model is so quick that it needs no
        thread."""
        if self._seconds <= SLOW_SECONDS:
            return 0
        return sum(not item.answer.done() for item in self._open())

    @property
    def busy_seconds(self) -> float:
        """How long the model has been at the batch that it has; 0 while it has none. With
        several workers, of the one that got its batch last: 0 while any of them is free."""
        now = self._loop.time()
        return min(worker.held(now) for worker in self._workers)

    def resize(self, workers: int) -> None:
        """Have so many workers, at least one. One that is too many goes once it is free."""
        self._wanted = max(1, workers)
        while len(self._workers) < self._wanted:
            worker = _Worker()
            self._workers.append(worker)
            self._free.insert(0, worker)
        while self._free and len(self._workers) > self._wanted:
            self._dismiss(self._free.pop(0))
        self._go_on()

    def set_timeout(self, seconds: float) -> None:
        """Change it, for what waits already too."""
        self.timeout = seconds
        if self._timer is not None:
            self._timer.cancel()
            self._give_up()

    def close(self) -> None:
        """Let the threads go; what is in the model is finished first."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for worker in self._workers:
            worker.thread.shutdown(wait=False)

    def _open(self) -> list[_Waiting]:
        """All that waits or is in the model."""
        return [*(item for each in self._workers for item in each.inside), *self._waiting]

    def _dismiss(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.thread.shutdown(wait=False)

    def _give_up(self) -> None:
        """End what has waited for too long; look again when the next one might have."""
        self._timer = None
        open_ = [item for item in self._open() if not item.answer.done()]
        latest = self._loop.time() - self.timeout + 0.001  # timers ring a little early
        for item in open_:
            if item.since <= latest:
                item.answer.set_exception(TimedOut(self.timeout))
        self._waiting = [item for item in self._waiting if not item.answer.done()]
        left = [item.since for item in open_ if not item.answer.done()]
        if left:
            wait = min(left) - latest
            self._timer = self._loop.call_later(wait, self._give_up)

    def _flush(self) -> None:
        self._called = False
        if not self._free:  # they have become fewer meanwhile
            return
        size = MAX_REQUESTS if self.engine.batches else 1
        batch, self._waiting = self._waiting[:size], self._waiting[size:]
        # Those whose client has gone need no answer.
        batch = [item for item in batch if not item.answer.done()]
        if batch and self._seconds > SLOW_SECONDS:
            self._hand_over(batch)
            self._go_on()
            return
        self._deliver(batch, self._run(batch))
        if self._waiting:
            self._called = True
            self._loop.call_soon(self._flush)
        else:
            self._busy = False

    def _hand_over(self, batch: list[_Waiting]) -> None:
        """Give a batch to a worker that is free."""
        alone = len(self._free) == len(self._workers)
        worker = self._free.pop()
        worker.inside, worker.begun = batch, self._loop.time()
        work = self._loop.run_in_executor(worker.thread, self._run, batch, alone)
        work.add_done_callback(partial(self._come_back, worker))
        if self._free and self._trials < TRIALS:
            self._loop.call_later(TRIAL_SECONDS, self._go_on)

    def _come_back(self, worker: _Worker, work: asyncio.Future[list[Any]]) -> None:
        """A worker has its batch's answers, and can have the next."""
        batch, worker.inside, worker.begun = worker.inside, [], None
        self._trials += 1
        if len(self._workers) > self._wanted:
            self._dismiss(worker)
        else:
            self._free.append(worker)
        self._deliver(batch, work.result())
        self._go_on()

    def _go_on(self) -> None:
        """Have what waits taken, if there is anything and anybody to take it."""
        if self._called:
            return
        free = self._may_take()
        self._called = free and bool(self._waiting)
        self._busy = self._called or not free
        if self._called:
            self._loop.call_soon(self._flush)

    def _may_take(self) -> bool:
        """Whether a worker is free. While it is not known how long the model takes, only one is
        sent there: beside others each seems to take longer than it does."""
        if not self._free or self._trials >= TRIALS:
            return bool(self._free)
        now = self._loop.time()
        held = max(worker.held(now) for worker in self._workers)
        return len(self._free) == len(self._workers) or held >= TRIAL_SECONDS

    def _run(self, batch: Sequence[_Waiting], alone: bool = True) -> list[Any]:
        """Each request's predictions, or the exception it ends with. How long that took counts
        where nobody else was in the model, or where it took less all the same."""
        begun = time.perf_counter()
        try:
            results: list[Any] = (
                self.engine.answer([item.inputs for item in batch]) if batch else []
            )
        except Exception as error:  # noqa: BLE001 - handed to the request, which answers with it
            results = [error] if len(batch) == 1 else [self._alone(item) for item in batch]
        taken = time.perf_counter() - begun
        if batch and (alone or taken < self._seconds):
            self._seconds += 0.2 * (taken - self._seconds)
        return results

    def _alone(self, item: _Waiting) -> Any:
        """Again by itself, so that one bad request fails alone."""
        if item.answer.done():  # given up on meanwhile: those behind it shall not wait for it
            return TimedOut(self.timeout)
        try:
            return self.engine.answer([item.inputs])[0]
        except Exception as error:  # noqa: BLE001 - handed to the request, which answers with it
            return error

    def _deliver(self, batch: Sequence[_Waiting], results: Sequence[Any]) -> None:
        for item, result in zip(batch, results, strict=True):
            if item.answer.done():
                continue
            if isinstance(result, Exception):
                item.answer.set_exception(result)
            else:
                item.answer.set_result(result)
