"""What kinds have in common that look at an endpoint's series and not at rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from core.monitors.kind import (
    Findings,
    Kind,
    KindContext,
    MonitorDefinition,
    State,
    StoredBaseline,
    Window,
)

if TYPE_CHECKING:
    from core.state.reading import Reader


class MeasuredKind(Kind):
    """A kind that reads what an endpoint's supervisor has counted (series `endpoint/NAME`): a
    window is only its time, and nothing is kept to compare it with."""

    needs_baseline: ClassVar[bool] = False
    needs_rows: ClassVar[bool] = False

    def baseline(
        self, definition: MonitorDefinition, reference: Window, context: KindContext
    ) -> StoredBaseline:
        """None is needed: what it is held against stands in the settings, or in the past."""
        return StoredBaseline()

    def evaluate(
        self,
        definition: MonitorDefinition,
        baseline: StoredBaseline | None,
        window: Window,
        memory: Mapping[str, Any],
        context: KindContext,
    ) -> Findings:
        if context.session is None or definition.target_kind != "endpoint":
            return Findings(State.INSUFFICIENT, headline="only an endpoint has these metrics")
        return self.judge(context.session.reader, definition, window, memory)

    @abstractmethod
    def judge(
        self,
        reader: Reader,
        definition: MonitorDefinition,
        window: Window,
        memory: Mapping[str, Any],
    ) -> Findings:
        """What was counted within the window's time comes to; `memory` as for `evaluate`."""
