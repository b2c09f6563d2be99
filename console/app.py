"""The Textual app: modes, polling, actions, messages. What is seen is in `screens`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.events import Event, Key, Paste
from textual.screen import Screen

from console.held_keys import HeldKeys
from core.errors import OpsdeckError
from screens.actions import GLOBAL, Context
from screens.backend import Backend
from screens.background import Ask, Change, ChangeEnded, Changes, Head, Polled, Poller, PollFailed
from screens.base import ModeScreen, bindings_of
from screens.deck import HeaderState
from screens.everywhere import Everywhere
from screens.look import LOOK
from screens.registry import REGISTRY
from screens.styles import CSS, THEME
from screens.workspace import SCREENS, WorkspaceBackend

if TYPE_CHECKING:
    from core.ops import Ops

MESSAGE_SECONDS = 12.0
FAULT_STATUS = 70


class OpsdeckApp(App[None]):
    """The console on one workspace, or on what another backend stands for.

    `clock` tells the time in epoch seconds. When it has ended, `switch_to` says which context
    is wanted next, and in which region ("" the workspace; `None`: none).
    """

    TITLE = "Opsdeck"
    CSS = CSS
    MODES: ClassVar = dict(SCREENS)
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(GLOBAL)
    ENABLE_COMMAND_PALETTE = True
    NOTIFICATION_TIMEOUT = 1
    ESCAPE_TO_MINIMIZE = False
    CLOSE_TIMEOUT = 0.5

    def __init__(
        self,
        on: Ops | Backend,
        *,
        start_mode: str = "pulse",
        clock: Callable[[], float] = time.time,
    ) -> None:
        mono = "NO_COLOR" in os.environ
        LOOK.use(mono=mono)
        super().__init__(ansi_color=True if mono else None)
        if mono or "SSH_CONNECTION" in os.environ or "SSH_TTY" in os.environ:
            self.animation_level = "none"
        self._backend = on if isinstance(on, Backend) else WorkspaceBackend(on)
        self._modes = dict(self._backend.screens)
        self._start_mode = start_mode
        self._clock = clock
        self._poller = Poller(self._backend, self, clock)
        self._changes = Changes(self._backend, self)
        self._everywhere = Everywhere(self)
        self._head = Head()
        self._read_at: float | None = None
        self._trouble = ""
        self._message: tuple[tuple[str, str], ...] = ()
        self._message_at = 0.0
        self._message_on: ModeScreen | None = None
        self._bugs_told: set[str] = set()
        self._wishes: dict[str, str] = {}
        self.readings = 0
        self._stopped = False
        self._keys = HeldKeys(self, self._on_heard)
        self.fault: Exception | None = None
        self._first_words = ""
        self.switch_to: tuple[str, str] | None = None
        self.log_path = self._backend.log_path

    # life

    def on_mount(self) -> None:
        self.register_theme(THEME)
        if not LOOK.mono:
            self.theme = THEME.name
        self._poller.start()
        self.app_suspend_signal.subscribe(self, lambda _app: self._poller.pause())
        self.app_resume_signal.subscribe(self, lambda _app: self._poller.resume())
        self.switch_mode(self._start_mode)
        self.set_interval(1.0, self._tick)
        if self._first_words:
            self.call_later(self.tell, f"✗ {self._first_words}", "bad")

    def on_unmount(self) -> None:
        self.stop_reading()

    def _handle_exception(self, error: Exception) -> None:
        """A fault ends the console; `fault` has it, and the log its trace.

        In place of Textual's own way, which shows the trace to the person.
        """
        if self.fault is None:
            from screens.dialogs.notice import write_trace

            self.fault = error
            write_trace(self.log_path, "The console", error, datetime.now(UTC))
        self._return_code = FAULT_STATUS
        if self._exception is None:
            self._exception = error
            self._exception_event.set()  # a test's pilot raises it
        self._close_messages_no_wait()

    def stop_reading(self) -> None:
        """Read nothing more: the screens are about to go."""
        self._poller.stop()
        self._stopped = True

    def _tick(self) -> None:
        """Once a second: the age of the data, and a message that has been read."""
        if not self.message or self._clock() - self._message_at > MESSAGE_SECONDS:
            self._message = ()
        mode = self.mode_screen
        if mode is not None and not self._stopped:  # then its widgets are being taken down
            mode.tick()

    async def on_event(self, event: Event) -> None:
        if isinstance(event, (Key, Paste)) and not event.is_forwarded:
            await self._keys.take(event)
        else:
            await self._on_heard(event)

    async def _on_heard(self, event: Event) -> None:
        if isinstance(event, Key) and getattr(self.screen, "deaf", _never)():
            event.stop()  # a dialog ignores keys at first: key repeat has confirmed things
            return
        await super().on_event(event)

    async def let_keys_go(self) -> None:
        """Hand on the keys that were held: the prompt is open, or it is closed."""
        await self._keys.let_go()

    # what the screens use (screens.deck.Deck)

    @property
    def ops(self) -> Ops:
        """The facade of the workspace."""
        return cast("Ops", self._backend.facade)

    @property
    def backend(self) -> Backend:
        """What this console stands on."""
        return self._backend

    @property
    def mode_screen(self) -> ModeScreen | None:
        """The screen below all dialogs."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, ModeScreen):
                return screen
        return None

    @property
    def context(self) -> Context:
        """The session, and what is selected on the screen in view."""
        on = self._backend
        session = Context(on.read_only, on.environment, on.actor)
        screen = self.mode_screen
        if screen is None or not screen.is_mounted or self._exit or self._stopped:
            return session
        return screen.selection(session)

    @property
    def message(self) -> Sequence[tuple[str, str]]:
        """What the message line says now; a message ends when the screen changes."""
        return self._message if self._message_on is self.mode_screen else ()

    @property
    def at_first_screen(self) -> bool:
        """Whether nothing lies below the screen in view."""
        return len(self.screen_stack) <= 1

    def header(self) -> HeaderState:
        """What the header shows."""
        on, screen = self._backend, self.mode_screen
        return HeaderState(
            workspace=on.name,
            environment=on.environment,
            actor=on.actor,
            read_only=on.read_only,
            mode=self.current_mode,
            now=self._clock(),
            read_at=self._read_at,
            head=self._head,
            trouble=self._trouble or (screen.trouble if screen is not None else ""),
            badges=on.badges(),
            has_workers=on.has_workers,
        )

    @property
    def busy(self) -> bool:
        """Whether a change is under way."""
        return bool(self._changes.under_way)

    def now(self) -> float:
        """The time, epoch seconds."""
        return self._clock()

    def say_first(self, text: str) -> None:
        """Say this once the first screen is there: why another context could not be opened."""
        self._first_words = text

    def tell(self, text: str, style: str = "dim", command: str = "") -> None:
        """Say something on the message line, with the equivalent command."""
        said = [(text, style)]
        if command:
            said += [("   $ ", "faint"), (command, "dim")]
        self._message, self._message_at = tuple(said), self._clock()
        mode = self._message_on = self.mode_screen
        if mode is not None:
            mode.chrome()

    def read(self, ask: Ask) -> None:
        """Read this for the screen in view from now on."""
        self._poller.ask(ask)

    def poke(self) -> None:
        """Read again at once."""
        self._poller.poke()

    def go(self, mode: str, ref: str = "") -> None:
        """Show a mode, at its first screen; `ref` says what it is to select there."""
        if ref:
            self._wishes[mode] = ref
        if mode == self.current_mode:
            while len(self.screen_stack) > 1:
                self.pop_screen()
        else:
            self.switch_mode(mode)
        if ref:
            screen = self.mode_screen
            if screen is not None and screen.answers(mode) and screen.is_mounted:
                screen.reread()

    def wish(self, mode: str) -> str:
        """What the mode was asked to select, told once."""
        return self._wishes.pop(mode, "")

    def open_run(self, ref: str, *, pane: str = "") -> None:
        """Show a run above what is in view."""
        from screens.run import RunScreen

        self.push_screen(RunScreen(ref, pane=pane))

    # actions

    def action_act(self, action_id: str) -> None:
        """A key that holds everywhere."""
        self.perform(action_id)

    def perform(self, action_id: str) -> None:
        """Do an action, or say why it can't be done."""
        known, screen = REGISTRY[action_id], self.mode_screen
        action = screen.fitted(known) if screen is not None else known
        if action is None:
            self.tell(f"▲ {known.label}: nothing here can do this", "warn")
            return
        why_not = action.blocked(self.context)
        if why_not is not None:
            self.tell(f"▲ {why_not}", "warn")
            return
        handler = screen.handler(action) if screen is not None else None
        if handler is None and action_id.startswith("go."):
            self.go(action_id.removeprefix("go."))
            return
        if handler is None:
            handler = self._everywhere.handler(action)
        handler()

    def action_help_quit(self) -> None:
        """Ctrl+c: nothing is stopped by it; say how to leave."""
        self.tell("press q to go back or quit, ctrl+q to quit at once")

    def leave(self) -> None:
        """Quit; while a change is under way only on the second asking."""
        busy = self._changes.unfinished
        if busy and self._message[:1] != ((_still(busy), "warn"),):
            self.tell(_still(busy), "warn")
            return
        self.exit()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: every action that can be done on this screen now."""
        mode = self.mode_screen
        scope, context = (mode.scope if mode else GLOBAL), self.context
        known = [action for action in REGISTRY if action.scope in (scope, GLOBAL)]
        fitted = known if mode is None else [each for each in map(mode.fitted, known) if each]
        for action in fitted:
            if action.blocked(context) is None:
                yield SystemCommand(
                    f"{action.label}  ({action.keys})",
                    action.help,
                    lambda chosen=action.id: self.perform(chosen),
                )

    # typed

    def open_prompt(self, mark: str, text: str = "") -> None:
        """Open the command line (`:`) or the filter (`/`)."""
        self._everywhere.open_prompt(mark, text)

    def command(self, text: str) -> None:
        """Do what was typed after `:`."""
        try:
            self._backend.command(self, text)
        except OpsdeckError as error:
            self.tell(f"▲ {error.one_line()}", "warn")

    def open_context(self, name: str, region: str = "") -> None:
        """End, so that the console of this context is opened next."""
        self.leave()
        if self._exit:  # else a change is under way: on the second asking
            self.switch_to = (name, region)

    # off the event loop

    def change(self, change: Change) -> bool:
        """Make a change off the event loop, one at a time of each group; whether it began."""
        if not self._changes.start(change):
            self.tell(f"▲ wait: {change.title} is still under way", "warn")
            return False
        if change.command:
            self.tell(f"▶ {change.title}…", "run", change.command)
        return True

    def on_change_ended(self, event: ChangeEnded) -> None:
        change = event.change
        self._changes.ended(change)
        if self._exit:
            return
        if event.error is None:
            said = change.then(event.result)
            if said:
                self.tell(f"✓ {said}", "ok", change.command)
            self._poller.poke()
        elif change.failed is None or not change.failed(event.error):
            self._trouble_with(change.title, event.error)
        elif change.command:
            self.tell(f"✗ {change.title} was refused", "bad", change.command)

    def on_polled(self, event: Polled) -> None:
        self._poller.taken()
        self.readings += 1
        self._read_at, self._trouble = event.at, ""
        if event.head is not None:
            self._head = event.head
        owner = event.ask.owner
        if self._stopped:
            return
        if event.data is not None and owner in self.screen_stack and not self._exit:
            owner.show(event.data)  # else it was closed while its data were being read
        mode = self.mode_screen
        if mode is not None:
            mode.chrome()

    def on_poll_failed(self, event: PollFailed) -> None:
        if isinstance(event.error, OpsdeckError):
            self._trouble = event.error.code
            self.tell(f"✗ {event.error.one_line()}", "bad")
            return
        kind = f"{type(event.error).__name__}: {event.error}"
        self._trouble = "a bug"
        if kind not in self._bugs_told:
            self._bugs_told.add(kind)
            self._trouble_with("Reading", event.error)

    def _trouble_with(self, title: str, error: Exception) -> None:
        from screens.dialogs.notice import BugDialog, ErrorDialog, write_trace

        if isinstance(error, OpsdeckError):
            self.tell(f"✗ {title}: {error.one_line()}", "bad")
            self.push_screen(ErrorDialog(title.capitalize(), error))
            return
        write_trace(self.log_path, title, error, datetime.now(UTC))
        self.push_screen(BugDialog(title.capitalize(), error, self.log_path))


def _still(busy: Sequence[str]) -> str:
    return f"▲ still under way: {', '.join(busy)}; q again quits all the same"


def _never() -> bool:
    return False
