"""The sheet on which a weight is set: the number, what follows from it, a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.widgets import Input

from screens.dialogs.confirm import Field, Question, Sign, Signed
from screens.widgets.bars import gauge
from screens.widgets.lines import Line
from screens.widgets.page import Page
from screens.words import percent

if TYPE_CHECKING:
    from core.domain.release import Deployment, Endpoint


@dataclass(frozen=True, slots=True)
class Weighed(Signed):
    """The answer: the share of the traffic, percent, and the reason given."""

    percent: float = 0.0


class WeightSheet(Sign):
    """Asks how much of the traffic the new version gets; shows what that means as it is typed."""

    def __init__(self, endpoint: Endpoint, deployment: Deployment) -> None:
        consequence = "The release is held there until somebody promotes it."
        if endpoint.environment == "production":
            consequence += " More traffic than now needs a reason."
        now = percent(deployment.set_weight)
        super().__init__(
            Question(
                title=f"Set the weight of v{deployment.version}",
                environment=endpoint.environment,
                target=[
                    ("endpoint", endpoint.name),
                    ("version", f"{deployment.model} v{deployment.version}, {now} now"),
                ],
                consequence=consequence,
                yes="Set weight",
                command=f"opsdeck endpoints weight {endpoint.name} …",
                danger=True,
                comment="reason",
            )
        )
        self._production = endpoint.environment == "production"
        self._now = deployment.set_weight
        self._new = deployment.version
        stable = next((r for r in endpoint.revisions if r.state == "stable"), None)
        self._old = f"v{stable.version}" if stable is not None else "the version before"

    def fields(self) -> ComposeResult:
        yield Page(
            lambda _w: [[("percent of the traffic", "dim"), ("  0 to 99", "faint")]],
        )
        yield Field(id="typed", compact=True)
        yield Page(self._means, id="means")
        yield from super().fields()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "typed":
            self.query_one("#means", Page).put(self._means)

    def weight(self) -> float | None:
        """What is typed, percent; `None` where it is no number from 0 to 99."""
        typed = self.query_one("#typed", Field).value.strip().rstrip("% ").replace(",", ".")
        try:
            share = float(typed)
        except ValueError:
            return None
        return share if 0 <= share < 100 else None

    def _means(self, width: int) -> Sequence[Line]:
        share = self.weight() if self.query("#typed") else None
        if share is None:
            bar = gauge(self._now / 100, 24, "groove")
            return [[*bar, (f"  v{self._new} has {percent(self._now)} now", "faint")], []]
        said = f"  v{self._new} {percent(share)}, {self._old} {percent(100 - share)}"
        style = "warn" if share > self._now else "ok"
        way = " more than now" if share > self._now else " less than now"
        return [
            [*gauge(share / 100, 24, style), (said, "bold"), (way * (share != self._now), "dim")],
            [],
        ]

    def missing(self) -> str:
        share = self.weight()
        if share is None:
            typed = self.query_one("#typed", Field).value.strip().rstrip("% ")
            if typed in ("100", "100.0"):
                return "type less than 100: all of the traffic is a full promotion, key P"
            return "type a number from 0 to 99"
        if self._production and share > self._now and not self._comment():
            return "reason: say why it may have more traffic, in a few words"
        return ""

    def answer(self) -> Weighed:
        return Weighed(self._comment(), self.weight() or 0.0)
