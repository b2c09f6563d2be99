"""What the screens use of the app, as a protocol: screens import nothing of the console."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from screens.actions import Context
from screens.background import Ask, Change, Head

if TYPE_CHECKING:
    from core.ops import Ops
    from screens.backend import Backend
    from screens.base import ModeScreen


@dataclass(frozen=True, slots=True)
class HeaderState:
    """What the header shows. `read_at` is when the data were read; `None` before that.

    `badges` stand before the actor; `has_workers`: whether processes of ours do the work.
    """

    workspace: str
    environment: str
    actor: str
    read_only: bool
    mode: str
    now: float
    read_at: float | None
    head: Head = field(default_factory=Head)
    trouble: str = ""
    badges: Sequence[tuple[str, str]] = ()
    has_workers: bool = True


class Deck(Protocol):
    """The app, as screens and dialogs see it."""

    @property
    def ops(self) -> Ops:
        """The facade of the workspace; only screens of a workspace use it."""

    @property
    def backend(self) -> Backend:
        """What the console stands on: a workspace, or an account."""

    @property
    def context(self) -> Context:
        """The session, and what is selected on the screen in view."""

    @property
    def message(self) -> Sequence[tuple[str, str]]:
        """What the message line says now; empty when there is nothing to say."""

    @property
    def mode_screen(self) -> ModeScreen | None:
        """The screen below all dialogs."""

    @property
    def at_first_screen(self) -> bool:
        """Whether nothing lies below the screen in view."""

    def action_command_palette(self) -> None:
        """Open the palette."""

    def action_suspend_process(self) -> None:
        """To the shell."""

    def header(self) -> HeaderState:
        """What the header shows."""

    def now(self) -> float:
        """The time, epoch seconds; frozen in tests."""

    def tell(self, text: str, style: str = "dim", command: str = "") -> None:
        """Say something on the message line, with the equivalent command."""

    def change(self, change: Change) -> bool:
        """Make a change off the event loop; `False` where one of its group is under way."""

    def read(self, ask: Ask) -> None:
        """Read this for the screen in view from now on."""

    def poke(self) -> None:
        """Read again at once."""

    def perform(self, action_id: str) -> None:
        """Do an action, or say why not."""

    def open_context(self, name: str, region: str = "") -> None:
        """Leave this console and open the one of another context; "" is the workspace."""

    def go(self, mode: str, ref: str = "") -> None:
        """Show a mode; `ref` says what it is to select there."""

    def wish(self, mode: str) -> str:
        """What the mode was asked to select, told once."""

    def open_run(self, ref: str, *, pane: str = "") -> None:
        """Show a run."""

    def leave(self) -> None:
        """Quit, unless a change is under way."""

    def command(self, text: str) -> None:
        """Do what was typed after `:`."""

    def open_prompt(self, mark: str, text: str = "") -> None:
        """Open the command line (`:`) or the filter (`/`)."""

    async def let_keys_go(self) -> None:
        """Hand on the keys that were held while the prompt opened or closed."""

    def push_screen(self, screen: Any, callback: Callable[[Any], None] | None = None) -> Any:
        """Put a dialog on top; `callback` gets its answer."""

    def pop_screen(self) -> Any:
        """Take the screen on top away."""

    def copy_to_clipboard(self, text: str) -> None:
        """Copy by OSC 52."""
