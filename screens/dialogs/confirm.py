"""Questions before a change: plain, or signed with a typed name and a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from screens.dialogs.base import Choice, Dialog, facts, paragraph
from screens.widgets.lines import Line, Piece, wrap, wrapped
from screens.widgets.page import Page


@dataclass(frozen=True, slots=True)
class Question:
    """What is about to be done: where, to what, and what follows.

    `more` are further lines of the consequence. `typed` must be typed out word for word;
    `comment` names the field for a reason or a comment (`""`: none), which is demanded where
    `comment_needed`.
    """

    title: str
    environment: str
    target: Sequence[tuple[str, str]]
    consequence: str
    yes: str
    no: str = "Cancel"
    command: str = ""
    danger: bool = False
    typed: str = ""
    typed_what: str = "the model's name"
    comment: str = ""
    comment_needed: bool = False
    more: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Signed:
    """The answer yes, with the comment given."""

    comment: str = ""


def badge(environment: str) -> Piece:
    """The badge of an environment."""
    known = environment in ("local", "staging", "production")
    return (f" {environment.upper()} ", f"badge.{environment}" if known else "badge")


def question_lines(question: Question, width: int) -> list[Line]:
    """A question as lines: environment, target, consequence, equivalent command."""
    pairs: list[tuple[str, str | Sequence[Piece]]] = [
        ("environment", [badge(question.environment)]),
        *question.target,
    ]
    lines = facts(pairs, width)
    lines += [[], *paragraph(question.consequence, width, "warn" if question.danger else "text")]
    for line in question.more:
        lines += paragraph(line, width)
    if question.command:
        parts = wrap(question.command, width - 2)
        marks = ["$ ", *("  " for _ in parts[1:])]
        lines.append([])
        lines += [[(mark, "faint"), (part, "dim")] for mark, part in zip(marks, parts, strict=True)]
    return lines


class Confirm(Dialog[Signed]):
    """Asks; `y` says yes, Cancel has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", show=False),
        Binding("n", "cancel", show=False),
    ]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.question = question
        self.heading = question.title
        self.danger = question.danger

    def lines(self, width: int) -> Sequence[Line]:
        return question_lines(self.question, width)

    def choices(self) -> ComposeResult:
        yield Choice(self.question.no, "esc", id="cancel")
        yield Choice(self.question.yes, "y", danger=self.question.danger, id="yes")

    def action_yes(self) -> None:
        """Key: do it."""
        self.dismiss(Signed())


class Field(Input):
    """A one-line input of a dialog."""

    DEFAULT_CSS = "Field { margin-bottom: 0; }"


class Sign(Dialog[Signed]):
    """Asks for what has to be typed; yes is refused, with the reason, until it is there.

    What is typed lands in the first field; enter only goes on to the next one.
    """

    focus_at = "Field"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "yes", show=False),
        Binding("tab", "next", show=False),
    ]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.question = question
        self.heading = question.title
        self.danger = question.danger
        self._wrong = ""
        self._hint = "enter goes on, ^s signs, esc cancels"

    def lines(self, width: int) -> Sequence[Line]:
        return [*question_lines(self.question, width), []]

    def fields(self) -> ComposeResult:
        asked = self.question
        if asked.typed:
            label: Line = [
                (f"type {asked.typed_what} ", "dim"), (asked.typed, "bold"), (" to confirm", "dim"),
            ]  # fmt: skip
            yield Page(lambda _w: [label])
            yield Field(id="typed", compact=True)
        if asked.comment:
            needed = "" if asked.comment_needed else "  (may stay empty)"
            yield Page(lambda _w: [[(asked.comment, "dim"), (needed, "faint")]])
            yield Field(id="comment", compact=True)
        yield Page(self._told, id="wrong")

    def choices(self) -> ComposeResult:
        yield Choice(self.question.no, "esc", id="cancel")
        yield Choice(self.question.yes, "^s", danger=self.question.danger, id="yes")

    def on_mount(self) -> None:
        for field in self.query(Field):
            field.cursor_blink = False

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        fields = list(self.query(Field))
        place = next(i for i, field in enumerate(fields) if field is event.input)
        if place + 1 < len(fields):
            self.set_focus(fields[place + 1])
        else:
            self.set_focus(self.query_one("#yes"))

    def _told(self, width: int) -> Sequence[Line]:
        line = [(f"▲ {self._wrong}", "bad") if self._wrong else (self._hint, "faint")]
        return wrapped(line, width)

    def action_next(self) -> None:
        """Key: from Cancel to the first field, else to what comes next."""
        first = self.query(Field).first()
        if self.focused is self.query_one("#cancel"):
            self.set_focus(first)
        else:
            self.focus_next()

    def missing(self) -> str:
        """What is missing or wrong; "" where nothing is."""
        asked = self.question
        if asked.typed and self.query_one("#typed", Field).value.strip() != asked.typed:
            return f"type {asked.typed_what} exactly: {asked.typed}"
        if asked.comment and asked.comment_needed and not self._comment():
            return f"{asked.comment}: say why, in a few words"
        return ""

    def _comment(self) -> str:
        return self.query_one("#comment", Field).value.strip() if self.question.comment else ""

    def answer(self) -> Signed:
        """The answer yes."""
        return Signed(self._comment())

    def action_yes(self) -> None:
        """Key: do it, if all has been typed."""
        self._wrong = self.missing()
        self.query_one("#wrong", Page).put(self._told)
        if self._wrong:
            field = "#typed" if self._wrong.startswith("type ") else "#comment"
            self.set_focus(self.query_one(field))
        else:
            self.dismiss(self.answer())


def dialog_for(question: Question) -> Dialog[Signed]:
    """A sheet to sign where something has to be typed, else a plain question."""
    return Sign(question) if question.typed or question.comment else Confirm(question)


__all__ = ["Confirm", "Question", "Sign", "Signed", "dialog_for"]
