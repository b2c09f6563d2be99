"""The sheet of a deployment: the strategies to choose from, each with its ladder, then the name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from screens.background import Change
from screens.dialogs.base import facts, paragraph
from screens.dialogs.confirm import Question, Sign, Signed, badge
from screens.rollouts.ladder import steps_flow
from screens.rollouts.words import watched
from screens.widgets.lines import Line, Piece, wrapped
from screens.widgets.page import Page

if TYPE_CHECKING:
    from core.domain.release import ReleasePlan


@dataclass(frozen=True, slots=True)
class Planned(Signed):
    """The answer: the strategy's name, "" for the one that it has by itself, and the reason."""

    strategy: str = ""


class DeploySheet(Sign):
    """Reads the presets; up and down choose one, whose ladder is shown before anything is done."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "choose(1)", show=False, priority=True),
        Binding("up", "choose(-1)", show=False, priority=True),
    ]

    def __init__(self, question: Question, endpoint: str, model: str, version: int) -> None:
        super().__init__(question)
        self._about = (endpoint, model, version)
        self._presets: Mapping[str, ReleasePlan] = {}
        self._default = self._chosen = ""

    def fields(self) -> ComposeResult:
        yield Page(self._strategies, id="strategies")
        yield from super().fields()

    def on_mount(self) -> None:
        self.deck.change(
            Change(
                group=f"presets/{id(self)}",
                title="read the strategies",
                call=lambda ops: (ops.endpoints.plan_for(*self._about), ops.endpoints.presets()),
                then=self._read,
            )
        )

    def _read(self, found: tuple[ReleasePlan, Mapping[str, ReleasePlan]]) -> str:
        """What happens where nothing is chosen comes first."""
        own, presets = found
        self._presets = presets if own.name in presets else {own.name: own, **presets}
        self._default = self._chosen = own.name
        self._draw()
        return ""

    def _draw(self) -> None:
        if self.is_attached:
            self.query_one("#strategies", Page).put(self._strategies)

    def action_choose(self, by: int) -> None:
        """Key: the next strategy, or the one before."""
        names = list(self._presets)
        if names:
            self._chosen = names[(names.index(self._chosen) + by) % len(names)]
            self._draw()

    def lines(self, width: int) -> Sequence[Line]:
        """The question in as few lines as leave room for the strategies."""
        asked, low = self.question, self._low
        to = " to endpoint ".join(value for _, value in asked.target)
        pairs: list[tuple[str, str | Sequence[Piece]]] = [
            ("environment", [badge(asked.environment)]),
            ("deploy", to),
        ]
        command = wrapped([("$ ", "faint"), (asked.command, "dim")], width, 2)
        gap: list[Line] = [] if low else [[]]
        warning = paragraph(asked.consequence, width, "warn")
        return [*facts(pairs, width), *gap, *warning, *gap, *command, []]

    @property
    def _low(self) -> bool:
        return self.app.size.height < 32

    def _strategies(self, width: int) -> Sequence[Line]:
        if not self._presets:
            return [[("reading the strategies…", "dim")], []]
        low = self._low
        row: list[Piece] = [("strategy ", "dim")]
        for name in self._presets:
            on = name == self._chosen
            row.append((f" ▸{name}" if on else f" {name}", "bold" if on else "dim"))
        plan = self._presets[self._chosen]
        lines: list[Line] = [*wrapped([*row, ("  ↑ ↓", "key")], width, 9)]
        for number, line in enumerate(steps_flow(plan.steps, width - 10, brief=low)):
            lines.append([("ladder    " if number == 0 else " " * 10, "dim"), *line])
        return [*lines, *paragraph(watched(plan, brief=low), width, "dim"), []]

    def answer(self) -> Planned:
        chosen = "" if self._chosen == self._default else self._chosen
        return Planned(self._comment(), chosen)
