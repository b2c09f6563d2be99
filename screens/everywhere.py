"""The actions that hold on every screen: prompt, help, palette, copy, back, quit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from screens.actions import GLOBAL, Action
from screens.background import Change
from screens.deck import Deck


class Everywhere:
    """Does the global actions on a deck: the method `do_<id>` of each."""

    def __init__(self, deck: Deck) -> None:
        self._deck = deck

    def handler(self, action: Action) -> Callable[[], None]:
        """What does a global action; raises `AttributeError` where nothing does."""
        return cast("Callable[[], None]", getattr(self, f"do_{action.id}"))

    def do_command(self) -> None:
        """Open the command line."""
        self.open_prompt(":")

    def do_filter(self) -> None:
        """Open the filter."""
        screen = self._deck.mode_screen
        self.open_prompt("/", screen.filter_text if screen else "")

    def do_help(self) -> None:
        """Show all keys of this screen."""
        from screens.dialogs.help import HelpScreen

        screen = self._deck.mode_screen
        if screen is None:
            self._deck.push_screen(HelpScreen(GLOBAL, self._deck.context))
        else:
            self._deck.push_screen(HelpScreen(screen.scope, self._deck.context, screen.fitted))

    def do_palette(self) -> None:
        """Open the palette."""
        self._deck.action_command_palette()

    def do_refresh(self) -> None:
        """Read everything again now."""
        self._deck.poke()
        self._deck.tell("reading again")

    def do_copy(self) -> None:
        """Copy what is selected by OSC 52."""
        screen = self._deck.mode_screen
        text = screen.copyable() if screen else ""
        if text:
            self._deck.copy_to_clipboard(text)
            self._deck.tell(f"copied {text}")
        else:
            self._deck.tell("▲ nothing is selected to copy", "warn")

    def do_back(self) -> None:
        """Undo the filter, or go back; the first screen of a mode stays."""
        screen = self._deck.mode_screen
        if screen is not None and not screen.back() and not self._deck.at_first_screen:
            self._deck.pop_screen()

    def do_quit(self) -> None:
        """Go back, or quit from a mode's first screen."""
        if self._deck.at_first_screen:
            self._deck.leave()
        else:
            self._deck.pop_screen()

    def do_suspend(self) -> None:
        """To the shell."""
        self._deck.action_suspend_process()

    def open_prompt(self, mark: str, text: str = "") -> None:
        """Open the command line (`:`) or the filter (`/`)."""
        from screens.prompt import Prompt

        deck, screen = self._deck, self._deck.mode_screen
        if screen is None:
            return
        if mark == "/":
            screen.prompt(Prompt("/", text))
            return
        names: Any = None
        backend, read_only = deck.backend, deck.context.read_only
        prompt = Prompt(
            ":",
            text,
            complete_with=lambda typed: backend.complete(names, typed, read_only=read_only),
        )

        def known(found: Any) -> str:
            nonlocal names
            names = found
            if prompt.is_mounted:
                prompt.suggest()
            return ""

        screen.prompt(prompt)
        deck.change(
            Change(
                "names",
                "names for completion",
                backend.read_names,
                known,
                failed=lambda _error: True,
                reads=True,
            )
        )
