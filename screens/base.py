"""What every screen of a mode is: header, body, bottom bar; what it reads; its actions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.widget import Widget

from screens.actions import GLOBAL, Action, Context
from screens.background import Ask
from screens.deck import Deck
from screens.registry import REGISTRY
from screens.shell import BottomBar, TopBar
from screens.widgets.table import RowTable

if TYPE_CHECKING:
    from screens.prompt import Prompt

Row = TypeVar("Row")


class Body(Container):
    """What is between header and bottom bar."""

    DEFAULT_CSS = "Body { height: 1fr; width: 100%; }"


def bindings_of(scope: str) -> list[BindingType]:
    """Textual's bindings for the actions of a scope."""
    return [
        Binding(action.key, f"act('{action.id}')", action.label, show=False, id=action.id)
        for action in REGISTRY.of(scope)
        if action.key
    ]


class ModeScreen(Screen[None]):
    """A screen of a mode. Subclasses say `scope`, `body`, `ask` and `show`.

    `ask()` gives what to read off the event loop; `show(data)` is given what was read.
    """

    scope: ClassVar[str] = GLOBAL
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - as Textual has it
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]  # noqa: RUF012
    AUTO_FOCUS = ""

    def __init__(self) -> None:
        super().__init__()
        self.filter_text = ""
        self._before_prompt: Widget | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        cls.BINDINGS = bindings_of(cls.scope)
        super().__init_subclass__(**kwargs)

    @property
    def deck(self) -> Deck:
        """The app."""
        return cast("Deck", self.app)

    def compose(self) -> ComposeResult:
        yield TopBar()
        with Body():
            yield from self.body()
        yield BottomBar(self.scope)

    # for subclasses

    @abstractmethod
    def body(self) -> ComposeResult:
        """The widgets between header and bottom bar."""

    @abstractmethod
    def ask(self) -> Ask:
        """What this screen wants read now."""

    @abstractmethod
    def show(self, data: Any) -> None:
        """Show what was read."""

    def keys_first(self) -> Sequence[str]:
        """Ids of the actions that the footer shows first, for what is in view now."""
        return ()

    def first_focus(self) -> Widget | None:
        """The widget that keys go to at first."""
        return None

    def selection(self, session: Context) -> Context:
        """The session's context with what is selected here."""
        return session

    def filtered(self, text: str) -> None:
        """The filter is this now (live, as it is typed)."""
        self.filter_text = text
        self.refilter()
        self.chrome()

    def refilter(self) -> None:
        """The filter has changed: read by it. Screens that hold all rows look through these."""
        self.deck.read(self.ask())

    def matching(self, rows: Iterable[Row], text: Callable[[Row], str]) -> list[Row]:
        """The rows in whose text every word of the filter is, in any case."""
        words = self.filter_text.lower().split()
        return [row for row in rows if all(word in text(row).lower() for word in words)]

    def fitted(self, action: Action) -> Action | None:
        """An action as it is called for what is in view; `None` where there is none such."""
        return action

    def answers(self, mode: str) -> bool:
        """Whether this screen is the first of that mode."""
        return self.scope == mode

    @property
    def trouble(self) -> str:
        """The code of what went wrong with what is in view, where the rest goes on."""
        return ""

    def copyable(self) -> str:
        """What `y` copies."""
        return ""

    def back(self) -> bool:
        """Key escape: undo one thing here; `False` where there is nothing to undo."""
        if self.filter_text:
            self.filtered("")
            return True
        return False

    def refocus(self, widget: Widget) -> bool:
        """Give the focus back to a widget; `False` where it has it already."""
        if self.focused is widget:
            return False
        self.set_focus(widget)
        return True

    def status(self) -> Sequence[tuple[str, str]]:
        """What the message line says when there is no message."""
        return self.filter_status()

    def filter_status(self) -> list[tuple[str, str]]:
        """The filter in force, for the message line."""
        if not self.filter_text:
            return []
        return [("filter ", "dim"), (f"/{self.filter_text}", "warn"), ("   esc clears  ", "faint")]

    # wiring

    def reread(self) -> None:
        """Read again what is asked for now."""
        self.deck.read(self.ask())
        self.chrome()

    def chrome(self) -> None:
        """Draw header, message line and footer again."""
        for widget in self.query("TopBar, BottomBar"):
            widget.refresh()

    def tick(self) -> None:
        """A second has passed: durations and ages have changed."""
        for table in self.query(RowTable):
            table.tick()
        self.chrome()

    def foot(self) -> None:
        """Draw message line and footer again (the selection has changed)."""
        for bar in self.query(BottomBar):
            bar.refresh()

    def on_mount(self) -> None:
        focus = self.first_focus()
        if focus is not None:
            self.set_focus(focus)

    def on_screen_resume(self) -> None:
        self.deck.read(self.ask())

    def action_act(self, action_id: str) -> None:
        """A key of this screen."""
        self.deck.perform(action_id)

    def handler(self, action: Action) -> Callable[[], None] | None:
        """What does an action on this screen: the method `do_<id with underscores>`."""
        found = getattr(self, "do_" + action.id.replace(".", "_"), None)
        return cast("Callable[[], None] | None", found)

    # the prompt

    def prompt(self, prompt: Prompt) -> None:
        """Open a prompt above the bottom bar."""
        self.close_prompt()
        self._before_prompt = self.focused
        self.mount(prompt, before=self.query_one(BottomBar))

    @property
    def in_prompt(self) -> bool:
        """Whether keys go to a prompt now."""
        return getattr(self.focused, "of_prompt", False)

    @property
    def opening_prompt(self) -> bool:
        """Whether a prompt is being mounted that can't be typed in yet."""
        return bool(self.query("Prompt")) and not self.in_prompt

    def close_prompt(self) -> None:
        """Close the prompt, if one is open; the focus goes back to where it was."""
        for widget in self.query("Prompt"):
            widget.remove()
            if self._before_prompt is not None and self._before_prompt.is_attached:
                self.set_focus(self._before_prompt)

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        if event.mark == "/":
            self.filtered(event.text)

    async def on_prompt_entered(self, event: Prompt.Entered) -> None:
        self.close_prompt()
        if event.mark == ":":
            self.deck.command(event.text)
        await self.deck.let_keys_go()

    async def on_prompt_closed(self, event: Prompt.Closed) -> None:
        self.close_prompt()
        if event.mark == "/" and event.cleared:
            self.filtered("")
        await self.deck.let_keys_go()
