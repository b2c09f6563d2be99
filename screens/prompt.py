"""The line at the bottom in which one types: commands after `:`, a filter after `/`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from screens.widgets.lines import Piece, strip, width_of

if TYPE_CHECKING:
    from screens.deck import Deck


class PromptInput(Input):
    """The input; tab completes, esc leaves."""

    of_prompt = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete(1)", show=False, priority=True),
        Binding("shift+tab", "complete(-1)", show=False, priority=True),
        Binding("escape", "leave", show=False, priority=True),
        Binding("down", "keep", show=False),
    ]

    def action_complete(self, by: int) -> None:
        """Key: the next completion, or the one before."""
        self.query_ancestor(Prompt).complete(by)

    def action_leave(self) -> None:
        """Key: close; a filter is cleared."""
        self.query_ancestor(Prompt).close(cleared=True)

    def action_keep(self) -> None:
        """Key: close, keep the filter."""
        self.query_ancestor(Prompt).close(cleared=False)


class Candidates(Widget):
    """One line of completions, the chosen one marked."""

    DEFAULT_CSS = "Candidates { height: 1; width: 100%; }"

    def __init__(self) -> None:
        super().__init__()
        self.words: Sequence[str] = ()
        self.chosen = -1
        self.hint = ""

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        line: list[Piece] = [("  ", "text")]
        first = max(0, self.chosen - 3)
        for number, word in enumerate(self.words[first:], first):
            line += [(f" {word} ", "tab.on" if number == self.chosen else "dim"), (" ", "text")]
            if width_of(line) > width:
                break
        if not self.words:
            line.append((self.hint, "faint"))
        return strip(self, line, width)


class Prompt(Vertical):
    """Open from its mounting to its removal. `complete_with` completes a text."""

    DEFAULT_CSS = """
    Prompt { height: auto; width: 100%; background: $panel; }
    Prompt Horizontal { height: 1; }
    Prompt PromptMark { width: 3; height: 1; }
    Prompt Input, Prompt Input:focus { background: $panel; background-tint: $panel 0%; }
    """

    class Typed(Message):
        """The text has changed."""

        def __init__(self, mark: str, text: str) -> None:
            super().__init__()
            self.mark = mark
            self.text = text

    class Entered(Typed):
        """Enter was pressed."""

    class Closed(Message):
        """Closed without enter; `cleared`: by escape."""

        def __init__(self, mark: str, cleared: bool) -> None:
            super().__init__()
            self.mark = mark
            self.cleared = cleared

    def __init__(
        self,
        mark: str,
        text: str = "",
        *,
        complete_with: Callable[[str], Sequence[str]] | None = None,
        hint: str = "",
    ) -> None:
        super().__init__()
        self.mark = mark
        self._text = text
        self._complete_with = complete_with
        self._hint = hint
        self._stem: str | None = None

    def compose(self) -> ComposeResult:
        if self._complete_with is not None:
            yield Candidates()
        with Horizontal():
            yield PromptMark(self.mark)
            yield PromptInput(self._text, compact=True, select_on_focus=False)

    @property
    def input(self) -> PromptInput:
        """The input."""
        return self.query_one(PromptInput)

    async def on_mount(self) -> None:
        if not self.query(PromptInput):
            return  # closed before it was open
        self.input.cursor_blink = False
        self.screen.set_focus(self.input)  # now: keys may have come already
        self.input.cursor_position = len(self._text)
        self.suggest()
        await cast("Deck", self.app).let_keys_go()

    def suggest(self) -> None:
        """Show the completions of what stands there now."""
        if self._complete_with is None or not self.query(PromptInput):
            return  # nothing to complete, or not composed yet
        line = self.query_one(Candidates)
        line.words = self._complete_with(self.input.value)
        line.chosen = -1
        line.hint = self._hint
        line.refresh()

    def complete(self, by: int) -> None:
        """Put the next completion (or the one before) in place of the last word."""
        if self._complete_with is None:
            return
        line = self.query_one(Candidates)
        if not line.words:
            return
        if self._stem is None:
            self._stem = self.input.value
        line.chosen = (line.chosen + by) % len(line.words) if line.chosen >= 0 else 0
        before = self._stem.rpartition(" ")
        word = line.words[line.chosen]
        only = len(line.words) == 1 and not word.endswith("=")
        with self.prevent(Input.Changed):
            self.input.value = f"{before[0]}{before[1]}{word}{' ' * only}"
            self.input.cursor_position = len(self.input.value)
        line.refresh()
        if only:
            self._stem = None
            self.suggest()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._stem = None
        self.suggest()
        self.post_message(self.Typed(self.mark, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Entered(self.mark, event.value))

    def close(self, *, cleared: bool) -> None:
        """Say that it is closed; the screen removes it."""
        self.post_message(self.Closed(self.mark, cleared))


class PromptMark(Widget):
    """The `:` or `/` before the input."""

    def __init__(self, mark: str) -> None:
        super().__init__()
        self._mark = mark

    def render_line(self, y: int) -> Strip:
        return strip(self, [(f" {self._mark} ", "key")], self.size.width)
