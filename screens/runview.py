"""What the screen of a run reads: the run, its metrics as they grow, its log as it grows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.domain.run import LogLine, RunDetail
from core.errors import OpsdeckError
from screens.widgets.chart import Series

if TYPE_CHECKING:
    from core.domain.debugger import DebugReport
    from core.domain.tuning import Trial
    from core.ops import Ops

PAGES_A_READING = 20
"""Pages of a thousand log lines read at once; the next reading goes on from there."""
LOOK_SECONDS = 5.0
"""So often, or less where it takes long, the debugger looks at a run that goes on."""


@dataclass(frozen=True, slots=True)
class RunView:
    """A run, its metrics, and the lines of its log that came since the last reading."""

    reader: RunReader
    detail: RunDetail
    series: tuple[Series, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    lines: tuple[LogLine, ...] = ()
    more: bool = False
    trouble: str = ""
    trials: tuple[Trial, ...] = ()
    debugged: DebugReport | None = None


class RunReader:
    """Reads one run again and again, from where it was; used by the polling thread alone.

    `step`: the log of this step only.
    """

    def __init__(self, ref: str, step: str | None = None) -> None:
        self.ref = ref
        self.step = step
        self._cursor = ""
        self._seen: dict[str, tuple[list[float], list[float]]] = {}
        self._debugged: DebugReport | None = None
        self._look_after = 0.0

    def __call__(self, ops: Ops) -> RunView:
        """Read what is new. Metrics that can't be read don't hide the run."""
        detail = ops.runs.get(self.ref)
        trouble = ""
        try:
            self._metrics(ops)
            self._look(ops, detail)
        except OpsdeckError as error:
            trouble = error.one_line()
        lines, more = self._log(ops)
        tuned = any(step.kind == "tune" for step in detail.steps)
        return RunView(
            reader=self,
            detail=detail,
            series=tuple(
                Series(key, tuple(steps), tuple(values))
                for key, (steps, values) in sorted(self._seen.items())
                if len(steps) > 1
            ),
            scores={
                key: values[-1] for key, (steps, values) in self._seen.items() if len(steps) == 1
            },
            lines=lines,
            more=more,
            trouble=trouble,
            trials=ops.runs.trials(self.ref) if tuned else (),
            debugged=self._debugged,
        )

    def _look(self, ops: Ops, detail: RunDetail) -> None:
        """The debugger's rules over metrics and steps: now and then, and when it has ended."""
        before = self._debugged
        due = before is None or (not before.ended and time.monotonic() > self._look_after)
        ended = before is not None and detail.run.status.ended and not before.ended
        if due or ended:
            began = time.monotonic()
            self._debugged = ops.runs.debug(self.ref, outputs=False)
            took = time.monotonic() - began
            self._look_after = time.monotonic() + max(LOOK_SECONDS, 20 * took)

    def _metrics(self, ops: Ops) -> None:
        # The last step is read again: without a step everything is logged at step 0.
        after = {key: int(steps[-1]) - 1 for key, (steps, _) in self._seen.items() if steps}
        for one in ops.runs.metrics(self.ref, after):
            steps, values = self._seen.setdefault(one.key, ([], []))
            for step, value in zip(one.steps, one.values, strict=True):
                if steps and step == steps[-1]:
                    values[-1] = value
                elif not steps or step > steps[-1]:
                    steps.append(float(step))
                    values.append(value)

    def _log(self, ops: Ops) -> tuple[tuple[LogLine, ...], bool]:
        lines: list[LogLine] = []
        for _ in range(PAGES_A_READING):
            page = ops.runs.logs(self.ref, self.step, cursor=self._cursor)
            lines.extend(page.lines)
            self._cursor = page.cursor
            if page.complete or len(page.lines) < 1000:
                return tuple(lines), False
        return tuple(lines), True


def grouped(series: Sequence[Series]) -> list[tuple[str, list[Series]]]:
    """Series that belong on one chart: those whose names end in the same word.

    `train_loss` and `valid_loss` make the chart `loss`; the largest group comes first.
    """
    groups: dict[str, list[Series]] = {}
    for one in series:
        groups.setdefault(one.name.replace("/", "_").rpartition("_")[2], []).append(one)
    return sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
