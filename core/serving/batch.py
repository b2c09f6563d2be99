"""Micro-batching without waiting: whatever has arrived is answered by one call of the model.

While one batch is in the model the next gathers, so the batch grows with the load and a lone
request waits for nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from core.serving.servable import Engine

MAX_REQUESTS = 128
SLOW_SECONDS = 0.001  # longer in the model than this would keep `/ping` waiting: use a thread


@dataclass(slots=True)
class _Waiting:
    inputs: Any
    answer: asyncio.Future[Any]


class Batcher:
    """The queue in front of one revision's engine. Lives on the event loop."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Waiting] = []
        self._busy = False
        self._seconds = SLOW_SECONDS * 2  # a moving average; assume slow until measured
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="predict")

    async def answer(self, inputs: Any) -> Any:
        """The predictions for one request's inputs. Raises `BadRequest` or `ModelFailed`."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append(_Waiting(inputs, future))
        if not self._busy:
            self._busy = True
            # Not now but at the next turn: what arrived in this turn comes along.
            self._loop.call_soon(self._flush)
        return await future

    def close(self) -> None:
        """Let the thread go; what is in the model is finished first."""
        self._thread.shutdown(wait=False)

    def _flush(self) -> None:
        size = MAX_REQUESTS if self.engine.batches else 1
        batch, self._waiting = self._waiting[:size], self._waiting[size:]
        # Those whose client has gone need no answer.
        batch = [item for item in batch if not item.answer.done()]
        if batch and self._seconds > SLOW_SECONDS:
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
        if self._waiting:
            self._loop.call_soon(self._flush)
        else:
            self._busy = False
