"""Looking an entity up: its key is asked for, online values are shown beside offline ones."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.widgets import Input

from screens.dialogs.base import Choice, Dialog
from screens.dialogs.confirm import Field
from screens.profile_lines import moment
from screens.widgets.lines import Line, Piece, fit
from screens.widgets.page import Page
from screens.words import age, number, span

if TYPE_CHECKING:
    from core.domain.features import EntityKey, FeatureRow, FeatureView, OnlineRow
    from screens.working import WorkingScreen

STATES = {
    "fresh": ("✓ fresh", "ok"),
    "stale": ("▲ stale: older than the ttl, defaults stand in", "warn"),
    "deleted": ("⊘ deleted", "bad"),
    "missing": ("✗ no online row: defaults stand in", "bad"),
}


class KeyDialog(Dialog[dict[str, str]]):
    """Asks for every column of the key; enter goes on, and answers from the last one."""

    focus_at = "Field"

    def __init__(self, view: FeatureView) -> None:
        super().__init__()
        self.heading = f"{view.ref} by key"
        self._keys = view.spec.entity

    def lines(self, width: int) -> Sequence[Line]:
        return [[("the online row, beside the newest offline one", "dim")], []]

    def fields(self) -> ComposeResult:
        for key in self._keys:
            yield Page(partial(_label, key))
            yield Field(id=f"key-{key.name}", compact=True)

    def choices(self) -> ComposeResult:
        yield Choice("Cancel", "esc", id="cancel")
        yield Choice("Look up", "⏎", id="yes")

    def on_mount(self) -> None:
        for field in self.query(Field):
            field.cursor_blink = False

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        fields = list(self.query(Field))
        place = fields.index(event.input)  # type: ignore[arg-type]
        if place + 1 < len(fields):
            self.set_focus(fields[place + 1])
        else:
            self.action_yes()

    def action_yes(self) -> None:
        """Key: answer."""
        self.dismiss({key.name: self.query_one(f"#key-{key.name}", Field).value.strip()
                      for key in self._keys})  # fmt: skip


def _label(key: EntityKey, _width: int) -> Sequence[Line]:
    return [[(key.name, "text"), (f"  {key.type}", "faint")]]


def look_up(screen: WorkingScreen, view: FeatureView) -> None:
    """Ask for a key, then show what is known of it."""
    context = replace(screen.deck.context, features=view)

    def answered(key: dict[str, str] | None) -> None:
        if key is None:
            return
        from screens.changes import equivalent

        told = " ".join(shlex.quote(f"{name}={value}") for name, value in key.items())
        command = equivalent("features.get", context, key=told)

        def online(row: OnlineRow) -> str:
            screen.work(
                f"read offline rows of {told}", "features", "history", view.ref, key, limit=5,
                then=lambda rows: _show(screen, view, key, row, rows),
            )  # fmt: skip
            return ""

        screen.work(
            f"look up {told}", "features", "get", view.ref, key, then=online, command=command
        )

    screen.deck.push_screen(KeyDialog(view), answered)


def _show(
    screen: WorkingScreen,
    view: FeatureView,
    key: Mapping[str, str],
    row: OnlineRow,
    rows: Sequence[FeatureRow],
) -> str:
    from screens.dialogs.notice import TextDialog

    told = ", ".join(f"{name} {value}" for name, value in key.items())
    lines = entity_lines(view, row, rows)
    screen.deck.push_screen(TextDialog(f"{view.ref}: {told}", lines, width=96))
    return ""


def entity_lines(view: FeatureView, row: OnlineRow, rows: Sequence[FeatureRow]) -> list[Line]:
    """Online values beside those of the newest offline row that counts."""
    word, style = STATES[row.state]
    offline = next((each for each in rows if not each.superseded), None)
    old = "" if row.age is None else f", event {age(row.age)}"
    lines: list[Line] = [[("online   ", "dim"), (word, style), (old, "text")]]
    if row.event_at is not None:
        lines[0] = [*lines[0], (f" ({moment(row.event_at)} UTC)", "dim")]
    lines.append(_offline(offline, row))
    room = max((len(f.name) for f in view.spec.features), default=7)
    head = f"{fit('FEATURE', room)}  {'ONLINE':<18} {'OFFLINE':<18}"
    lines += [[], [(head, "head")]]
    for feature in view.spec.features:
        here = row.values.get(feature.name)
        there = offline.values.get(feature.name) if offline is not None else None
        lines.append(_value(feature.name, room, here, there, offline is not None))
    if len(rows) > 1:
        lines += [[], [("OFFLINE ROWS, NEWEST FIRST", "head")]]
        for each in rows:
            values = "  ".join(f"{name} {_text(value)}" for name, value in each.values.items())
            mark = "deleted  " if each.deleted else "superseded  " if each.superseded else ""
            lines.append([(f"{moment(each.event_at)}  ", "dim"), (mark, "warn"), (values, "text")])
    return lines


def _offline(offline: FeatureRow | None, row: OnlineRow) -> Line:
    if offline is None:
        return [("offline  ", "dim"), ("no row", "faint")]
    pieces: list[Piece] = [("offline  ", "dim"), (f"event {moment(offline.event_at)} UTC", "text")]
    if offline.deleted:
        pieces.append(("  ⊘ deleted", "bad"))
    if row.event_at is not None and offline.event_at > row.event_at:
        behind = span(offline.event_at - row.event_at)
        pieces.append((f"  ▲ online is {behind} behind: M brings it up", "warn"))
    return pieces


def _value(name: str, room: int, here: Any, there: Any, known: bool) -> Line:
    same = here == there
    line: list[Piece] = [
        (f"{fit(name, room)}  ", "text"),
        (fit(_text(here), 18), "text"),
        (f" {fit(_text(there) if known else '–', 18)}", "dim" if same else "text"),
    ]
    if known:
        line.append(("✓ same" if same else "▲ differs", "ok" if same else "warn"))
    return line


def _text(value: Any) -> str:
    return "∅" if value is None else number(value)
