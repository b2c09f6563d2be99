"""What frames every screen: the header above, message line and footer below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from textual.events import Click
from textual.strip import Strip
from textual.widget import Widget

from screens.deck import Deck, HeaderState
from screens.registry import MODE_KEYS, MODES, REGISTRY, SHOWN_KEYS
from screens.widgets.lines import Piece, crop, strip, width_of
from screens.words import age, plural, span

if TYPE_CHECKING:
    from screens.base import ModeScreen

STALE_SECONDS = 6.0
"""Data older than this are called stale: six readings have failed or are late."""

SHORTEST_TAB = 4
"""Letters that are left at least of a mode's name where the header is narrow."""


def joined(left: Sequence[Piece], right: Sequence[Piece], width: int) -> list[Piece]:
    """Left and right on one line; the left gives way."""
    room = width - width_of(right)
    kept = crop(left, max(room - 1, 0))
    return [*kept, (" " * max(room - width_of(kept), 0), "text"), *right]


class TopBar(Widget):
    """Two lines: where one is, as whom, with which data; and the modes."""

    DEFAULT_CSS = "TopBar { dock: top; height: 2; width: 100%; background: $surface; }"

    def render_line(self, y: int) -> Strip:
        state = cast("Deck", self.app).header()
        width = self.size.width
        return strip(self, identity(state, width) if y == 0 else tabs(state, width), width)

    def on_click(self, event: Click) -> None:
        if event.y != 1:
            return
        at = 0
        for mode, pieces in _tab_pieces(cast("Deck", self.app).header(), self.size.width):
            at += width_of(pieces)
            if event.x < at:
                cast("Deck", self.app).go(mode)
                return


def identity(state: HeaderState, width: int) -> list[Piece]:
    """The header's first line."""
    env = state.environment
    badge = f"badge.{env}" if env in ("local", "staging", "production") else "badge"
    left: list[Piece] = [
        (" OPSDECK ", "brand"),
        (f" {state.workspace} ", "bold"),
        (f" {env.upper()} ", badge),
        *state.badges,
        (f" {state.actor}" if state.actor else "", "dim"),
    ]
    if state.read_only and not any("READ-ONLY" in text for text, _ in state.badges):
        left += [(" ", "text"), (" READ-ONLY ", "badge.read")]
    alive = [worker for worker in state.head.workers if worker.alive]
    right: list[Piece] = []
    if state.read_at is None:
        right.append(("reading… ", "dim"))
        return joined(left, right, width)
    if not state.has_workers:
        pass  # what is done here is done elsewhere
    elif alive:
        slots = sum(worker.slots for worker in alive)
        words = (
            f"● worker {len(alive)}×{slots // len(alive)} "
            if width < 100
            else (f"● {plural(len(alive), 'worker')}, {plural(slots, 'slot')} ")
        )
        right.append((words, "ok"))
    else:
        right.append(("○ no worker ", "warn"))
    old = max(0.0, state.now - state.read_at)
    if state.trouble:
        right.append((f" ▲ {state.trouble}, data {span(old)} old ", "bad"))
    elif old >= STALE_SECONDS:
        right.append((f" ▲ stale, {age(old)} ", "warn"))
    else:
        right.append((f" {age(old):>6} ", "dim"))
    return joined(left, right, width)


def _tab_pieces(state: HeaderState, width: int) -> list[tuple[str, list[Piece]]]:
    """The modes as pieces: in full where there is room, else closer, else names cut short."""
    room = max(width, 40)
    names = {mode: mode.capitalize() for mode in MODES}
    shown = _tabs_of(state, names, " ", " ")
    if _width_of(shown) > room:
        shown = _tabs_of(state, names, "", " ")
    if _width_of(shown) > room:
        shown = _tabs_of(state, names, "", "")
    while _width_of(shown) > room:
        longest = max((m for m in names if m != state.mode), key=lambda m: len(names[m]))
        if len(names[longest]) < SHORTEST_TAB:
            break
        names[longest] = names[longest].removesuffix("…")[:-1] + "…"
        shown = _tabs_of(state, names, "", "")
    return shown


def _width_of(shown: list[tuple[str, list[Piece]]]) -> int:
    return sum(width_of(pieces) for _, pieces in shown)


def _tabs_of(
    state: HeaderState, names: dict[str, str], gap: str, pad: str
) -> list[tuple[str, list[Piece]]]:
    counts = {
        "approvals": state.head.approvals,
        "runs": state.head.running,
        "alerts": state.head.alerts,
    }
    marks = {"approvals": ("◆", "wait"), "alerts": ("▲", "bad")}
    shown = []
    for mode, key in MODE_KEYS.items():
        on = mode == state.mode
        style = "tab.on" if on else "tab"
        count = counts.get(mode, 0)
        pieces: list[Piece] = [
            (f"{pad}{SHOWN_KEYS.get(key, key)} ", "tab.on" if on else "key"),
            (names[mode], style),
        ]
        if count:
            mark, styled = marks.get(mode, ("▶", "run"))
            pieces.append((f"{pad}{mark}{count}", "tab.on" if on else styled))
        pieces.append((" ", style if pad else "text"))
        if gap:
            pieces.append((gap, "text"))
        shown.append((mode, pieces))
    return shown


def tabs(state: HeaderState, width: int) -> list[Piece]:
    """The header's second line: the modes with their keys, and what waits in them."""
    return [piece for _, pieces in _tab_pieces(state, width) for piece in pieces]


class BottomBar(Widget):
    """Two lines: what happened last (or the state of the view), and the keys."""

    DEFAULT_CSS = "BottomBar { dock: bottom; height: 2; width: 100%; background: $surface; }"

    def __init__(self, scope: str) -> None:
        super().__init__()
        self.scope = scope

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        deck = cast("Deck", self.app)
        if y == 0:
            shown = deck.message or cast("ModeScreen", self.screen).status()
            return strip(self, [(" ", "text"), *shown], width)
        return strip(self, self.keys(width), width)

    def keys(self, width: int) -> list[Piece]:
        """The footer: keys of this screen; one that can't be used now is dimmed."""
        deck = cast("Deck", self.app)
        context = deck.context
        line: list[Piece] = [(" ", "text")]
        right: list[Piece] = []
        screen = cast("ModeScreen", self.screen)
        typing = getattr(screen.focused, "takes_text", False)
        known = REGISTRY.footer(self.scope, context.read_only, screen.keys_first())
        for action in filter(None, map(screen.fitted, known)):
            if typing and not action.key.startswith(("ctrl+", "f5")):
                continue  # that key types
            off = action.blocked(context) is not None
            pieces: list[Piece] = [
                (action.keys, "faint" if off else "key"),
                (f" {action.label}  ", "faint" if off else "dim"),
            ]
            (right if action.scope == "global" else line).extend(pieces)
        while width_of(line) + width_of(right) > width and len(right) > 4:
            right = right[:-2]
        while width_of(line) + width_of(right) > width and len(line) > 3:
            line = line[:-2]
        return joined(line, right, width)
