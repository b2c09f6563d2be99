"""The dialog that all others are made of.

It focuses what does no harm, and ignores every key for its first 400 ms: key repeat has
confirmed things before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import ClassVar, Generic, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Click
from textual.message import Message
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget

from screens.deck import Deck
from screens.widgets.lines import Line, Piece, strip, wrap
from screens.widgets.page import Page

DEAF_SECONDS = 0.4

Answer = TypeVar("Answer")


class Choice(Widget, can_focus=True):
    """A button: its word, and the key that presses it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "press", show=False),
        Binding("right,down", "app.focus_next", show=False),
        Binding("left,up", "app.focus_previous", show=False),
    ]
    DEFAULT_CSS = "Choice { height: 1; margin-right: 2; }"

    class Pressed(Message):
        """It was pressed."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

    def __init__(self, word: str, key: str, *, danger: bool = False, id: str) -> None:
        super().__init__(id=id)
        self._word = word
        self._key = key
        self._danger = danger
        self.styles.width = len(word) + len(key) + 7

    def rename(self, word: str) -> None:
        """Say something else."""
        self._word = word
        self.refresh()

    def render_line(self, y: int) -> Strip:
        on = self.has_focus
        colour = "bad" if self._danger else "text"
        pieces: list[Piece] = [
            ("▐ " if on else "  ", "mark"),
            (self._word, "bold" if on else colour),
            (f"  {self._key}" if self._key else "", "key"),
            (" ▌" if on else "  ", "mark"),
        ]
        over = "cursor" if on else ""
        return strip(self, pieces, self.size.width, over=over)

    def action_press(self) -> None:
        """Key: press it."""
        self.post_message(self.Pressed(self))

    def on_click(self, _event: Click) -> None:
        self.action_press()


class Dialog(ModalScreen[Answer], Generic[Answer]):
    """A box in the middle of the screen: a title, what `lines` writes, and choices."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel", show=False)]
    AUTO_FOCUS = ""
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]  # noqa: RUF012 - as Textual has it
    heading: str = ""
    danger: bool = False
    box_width: int = 72
    focus_at: str = "#cancel"

    def __init__(self) -> None:
        super().__init__()
        self._opened: float | None = None
        self.monotonic: Callable[[], float] = time.monotonic

    @property
    def deck(self) -> Deck:
        """The app."""
        return cast("Deck", self.app)

    def deaf(self) -> bool:
        """Whether keys are ignored still."""
        return self._opened is None or self.monotonic() - self._opened < DEAF_SECONDS

    def compose(self) -> ComposeResult:
        box = Vertical(id="box")
        box.border_title = self.heading
        box.set_class(self.danger, "danger")
        with box:
            yield Page(self.lines, id="page")
            yield from self.fields()
            with Horizontal(id="choices"):
                yield from self.choices()

    def lines(self, width: int) -> Sequence[Line]:
        """What the box says, above its fields."""
        return ()

    def fields(self) -> ComposeResult:
        """What can be filled in."""
        yield from ()

    def choices(self) -> ComposeResult:
        """The buttons; the id of each is the dialog's action that it does.

        The first that does no harm is `cancel`.
        """
        yield Choice("Close", "esc", id="cancel")

    def on_mount(self) -> None:
        self.query_one("#box").styles.max_width = self.box_width
        self.set_focus(self.query_one(self.focus_at))
        self._opened = self.monotonic()

    def action_cancel(self) -> None:
        """Key: close without an answer."""
        self.dismiss(None)

    async def on_choice_pressed(self, event: Choice.Pressed) -> None:
        event.stop()
        await self.run_action(str(event.choice.id))


def facts(pairs: Sequence[tuple[str, str | Sequence[Piece]]], width: int) -> list[Line]:
    """Keys and values in two columns; long text values are wrapped."""
    indent = max((len(key) for key, _ in pairs), default=0) + 2
    lines: list[Line] = []
    for key, value in pairs:
        label = (key.ljust(indent), "dim")
        if not isinstance(value, str):
            padded = bool(value) and value[0][0].startswith(" ")  # a badge brings its own blank
            lines.append([(key.ljust(indent - padded), "dim"), *value])
            continue
        parts = wrap(value, max(width - indent, 10))
        for number, part in enumerate(parts):
            lines.append([label if number == 0 else (" " * indent, "dim"), (part, "text")])
    return lines


def paragraph(text: str, width: int, style: str = "text") -> list[Line]:
    """Text wrapped to the width."""
    return [[(part, style)] for part in wrap(text, width)]
