"""A form for what a verb needs to know: texts, secrets, and one of several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from core.aws.kind import Field
from screens.dialogs.base import Choice, Dialog
from screens.widgets.lines import Line, Piece, strip, wrapped
from screens.widgets.page import Page


class OneOf(Widget, can_focus=True):
    """One of several words; left and right change it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space", "turn(1)", show=False),
        Binding("left", "turn(-1)", show=False),
    ]
    DEFAULT_CSS = "OneOf { height: 1; width: 100%; }"

    def __init__(self, choices: Sequence[str], value: str, *, id: str) -> None:
        super().__init__(id=id)
        self._choices = tuple(choices)
        self._at = self._choices.index(value) if value in self._choices else 0

    @property
    def value(self) -> str:
        """The word chosen."""
        return self._choices[self._at]

    def action_turn(self, by: int) -> None:
        """Key: the next one, or the one before."""
        self._at = (self._at + by) % len(self._choices)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        pieces: list[Piece] = [("◂ ", "key" if self.has_focus else "faint")]
        pieces += [(self.value, "bold"), (" ▸", "key" if self.has_focus else "faint")]
        pieces.append((f"   {self._at + 1} of {len(self._choices)}", "faint"))
        return strip(self, pieces, width, over="cursor" if self.has_focus else "")


class Form(Dialog[dict[str, str]]):
    """Answers with the values by the fields' names, or `None`; what is required is demanded."""

    CSS = """
    Form #fields { height: auto; max-height: 14; width: 100%; }
    Form.-low #fields { max-height: 10; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "yes", show=False)]
    focus_at = "#field-0"

    def __init__(
        self, heading: str, about: str, fields: Sequence[Field], given: Mapping[str, str]
    ) -> None:
        super().__init__()
        self.heading = heading
        self._about = about
        self._fields = tuple(fields)
        self._given = given
        self._wrong = ""

    def lines(self, width: int) -> Sequence[Line]:
        return [*wrapped([(self._about, "dim")], width, indent=0), []] if self._about else []

    def fields(self) -> ComposeResult:
        with VerticalScroll(id="fields"):
            for place, field in enumerate(self._fields):
                yield Page(self._label(field))
                value = self._given.get(field.name, field.default)
                if field.choices:
                    yield OneOf(field.choices, value, id=f"field-{place}")
                else:
                    yield Input(
                        value,
                        password=field.secret,
                        compact=True,
                        select_on_focus=False,
                        id=f"field-{place}",
                    )
        yield Page(self._told, id="wrong")

    @staticmethod
    def _label(field: Field) -> Callable[[int], Sequence[Line]]:
        needed = "" if field.required else "  (may stay empty)" if not field.choices else ""
        line: list[Piece] = [(field.label, "text"), (needed, "faint")]
        return lambda width: wrapped(line, width)

    def _told(self, width: int) -> Sequence[Line]:
        hint = "tab goes on, ^s or enter in the last field goes to the confirmation"
        return wrapped([(f"▲ {self._wrong}", "bad") if self._wrong else (hint, "faint")], width)

    def choices(self) -> ComposeResult:
        yield Choice("Cancel", "esc", id="cancel")
        yield Choice("Go on", "^s", id="yes")

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False
            field.cursor_position = len(field.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        place = int(str(event.input.id).rpartition("-")[2])
        if place + 1 < len(self._fields):
            self.set_focus(self.query_one(f"#field-{place + 1}"))
        else:
            self.action_yes()

    def _value(self, place: int) -> str:
        widget = self.query_one(f"#field-{place}")
        value = widget.value if isinstance(widget, (Input, OneOf)) else ""
        return str(value).strip()

    def action_yes(self) -> None:
        """Key: answer, if all is there that has to be."""
        for place, field in enumerate(self._fields):
            if field.required and not self._value(place):
                self._wrong = f"{field.label}: is needed"
                self.query_one("#wrong", Page).put(self._told)
                self.set_focus(self.query_one(f"#field-{place}"))
                return
        self.dismiss({field.name: self._value(i) for i, field in enumerate(self._fields)})
