"""Screens that have something computed aside: what is under way is seen, and escape ends it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from screens.background import Change
from screens.base import ModeScreen
from screens.widgets.lines import Piece

GROUP = "aside"


@dataclass(frozen=True, slots=True)
class Work:
    """What is computed aside for a screen. `began` is on the monotonic clock."""

    title: str
    began: float


class WorkingScreen(ModeScreen):
    """A screen whose questions go to the process aside (`ops.aside`), one at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way: Work | None = None

    def work(
        self,
        title: str,
        service: str,
        method: str,
        *args: Any,
        then: Callable[[Any], str],
        command: str = "",
        failed: Callable[[Exception], bool] | None = None,
        **named: Any,
    ) -> None:
        """Ask `ops.SERVICE.METHOD` aside; `then` gets the answer and returns what to tell.

        `title` is what is being done (`profile rentals #3`). `failed` may take an error in
        place of the usual dialog.
        """
        if self.under_way is not None:
            self.deck.tell(f"▲ wait: {self.under_way.title} is still under way", "warn")
            return

        def ended(result: Any) -> str:
            self.under_way = None
            said = then(result)
            self.chrome()
            if said:
                self.deck.tell(f"✓ {said}", "ok", command)
            return ""

        def refused(error: Exception) -> bool:
            from core.aside import Cancelled

            self.under_way = None
            self.chrome()
            if isinstance(error, Cancelled):
                self.deck.tell(f"⊗ cancelled: {title}", "warn")
                return True
            return failed is not None and failed(error)

        started = self.deck.change(
            Change(
                group=GROUP,
                title=title,
                call=lambda ops: ops.aside.ask(service, method, *args, **named),
                then=ended,
                failed=refused,
            )
        )
        if started:
            self.under_way = Work(title, time.monotonic())
            self.chrome()

    def work_status(self) -> list[Piece]:
        """What is under way, for the message line; nothing where nothing is."""
        if self.under_way is None:
            return []
        seconds = int(time.monotonic() - self.under_way.began)
        return [
            ("▶ ", "run"),
            (f"working: {self.under_way.title}", "text"),
            (f" {seconds}s" if seconds else "", "dim"),
            ("   esc cancels", "faint"),
        ]

    def back(self) -> bool:
        if self.under_way is not None:
            self.deck.ops.aside.cancel()
            return True
        return super().back()
