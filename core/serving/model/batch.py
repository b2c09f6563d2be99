"""Micro-batching without waiting: whatever has arrived is answered by one call of the model.

While one batch is in the model the next gathers, so the batch grows with the load and a lone
request waits for nobody. A request that is not answered in time is given up on: it leaves the
queue, or, when it is in the model, what the model says to it goes nowhere.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from core.serving.model.engines import Engine, ModelFailed

MAX_REQUESTS = 128
SLOW_SECONDS = 0.001  # longer in the model than this would keep `/ping` waiting: use a thread


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


class Batcher:
    """The queue in front of one revision's engine. Lives on the event loop.

    `timeout` is in seconds, in the queue and the model together. It is looked at by one timer
    for all requests, so that it costs a request next to nothing.
    """

    def __init__(self, engine: Engine, timeout: float = 30.0) -> None:
        self.engine = engine
        self.timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Waiting] = []
        self._inside: list[_Waiting] = []  # in the thread
        self._busy = False
        self._begun: float | None = None  # when the batch in the model went there
        self._seconds = SLOW_SECONDS * 2  # a moving average; assume slow until measured
        self._timer: asyncio.TimerHandle | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="predict")

    async def answer(self, inputs: Any) -> Any:
        """The predictions for one request's inputs. Raises `BadRequest`, `ModelFailed`, of
        which `TimedOut` is one."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append(_Waiting(inputs, future, self._loop.time()))
        if not self._busy:
            self._busy = True
            # Not now but at the next turn: what arrived in this turn comes along.
            self._loop.call_soon(self._flush)
        if self._timer is None:
            self._timer = self._loop.call_later(self.timeout, self._give_up)
        return await future

    @property
    def busy_seconds(self) -> float:
        """How long the model has been at the batch that it has; 0 while it has none."""
        return 0.0 if self._begun is None else self._loop.time() - self._begun

    def set_timeout(self, seconds: float) -> None:
        """Change it, for what waits already too."""
        self.timeout = seconds
        if self._timer is not None:
            self._timer.cancel()
            self._give_up()

    def close(self) -> None:
        """Let the thread go; what is in the model is finished first."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._thread.shutdown(wait=False)

    def _give_up(self) -> None:
        """End what has waited for too long; look again when the next one might have."""
        self._timer = None
        open_ = [item for item in (*self._inside, *self._waiting) if not item.answer.done()]
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
        size = MAX_REQUESTS if self.engine.batches else 1
        batch, self._waiting = self._waiting[:size], self._waiting[size:]
        # Those whose client has gone need no answer.
        batch = [item for item in batch if not item.answer.done()]
        if batch and self._seconds > SLOW_SECONDS:
            self._inside, self._begun = batch, self._loop.time()
            work = self._loop.run_in_executor(self._thread, self._run, batch)
            work.add_done_callback(lambda done: self._deliver(batch, done.result()))
        else:
            self._deliver(batch, self._run(batch))

    def _run(self, batch: Sequence[_Waiting]) -> list[Any]:
        """Each request's predictions, or the exception it ends with."""
        begun = time.perf_counter()
        try:
            results: list[Any] = (
                self.engine.answer([item.inputs for item in batch]) if batch else []
            )
        except Exception as error:  # noqa: BLE001 - handed to the request, which answers with it
            results = [error] if len(batch) == 1 else [self._alone(item) for item in batch]
        if batch:
            self._seconds += 0.2 * (time.perf_counter() - begun - self._seconds)
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
        self._inside, self._begun = [], None
        for item, result in zip(batch, results, strict=True):
            if item.answer.done():
                continue
            if isinstance(result, Exception):
                item.answer.set_exception(result)
            else:
                item.answer.set_result(result)
        if self._waiting:
            self._loop.call_soon(self._flush)
        else:
            self._busy = False
