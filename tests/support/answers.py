"""What the process aside would answer, said beforehand: screens are tested without the lake.

Put in the place of `ops.aside`; a question that was not foreseen fails the test.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from core.aside import Cancelled
from core.ops import Ops


class Answers:
    """Answers questions from `said`: (service, method) to an answer, an error to raise, or a
    function of the arguments. A question whose answer is `HANGS` waits until it is cancelled."""

    HANGS = object()

    def __init__(self, said: dict[tuple[str, str], Any]) -> None:
        self._said = said
        self.asked: list[tuple[Any, ...]] = []
        self._cancelled = threading.Event()

    def ask(self, service: str, method: str, *args: Any, **named: Any) -> Any:
        """The answer that was said."""
        self.asked.append((service, method, *args))
        answer = self._said[service, method]
        if answer is self.HANGS:
            assert self._cancelled.wait(20)
            self._cancelled.clear()
            raise Cancelled(f"{service} {method}: cancelled")
        if isinstance(answer, Callable):  # type: ignore[arg-type]
            answer = answer(*args, **named)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def cancel(self) -> None:
        """End the question that hangs."""
        self._cancelled.set()

    def close(self) -> None:
        """Nothing runs."""
        self._cancelled.set()


def answering(ops: Ops, said: dict[tuple[str, str], Any]) -> Answers:
    """Let a facade's process aside answer this."""
    answers = Answers(said)
    ops.__dict__["aside"] = answers
    return answers
