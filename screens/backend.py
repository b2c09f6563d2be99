"""What a console stands on: a workspace, or an AWS account. The app asks it, and nothing else,
what there is to show, to read and to type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.screen import Screen

    from screens.background import Head
    from screens.deck import Deck
    from screens.widgets.lines import Piece


class Backend(ABC):
    """`facade` is handed to every reading and every change, in threads of their own.

    `abandons`: a reading that no screen waits for any more is left to itself, and the next
    begins beside it; only where the facade may be used by several threads.
    """

    abandons = False
    facade: Any
    screens: Mapping[str, Callable[[], Screen[Any]]]
    log_path: Path

    # in the header

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called."""

    @property
    @abstractmethod
    def environment(self) -> str:
        """The badge beside the name."""

    @property
    @abstractmethod
    def actor(self) -> str:
        """As whom one is here; "" where that is not known (yet)."""

    @property
    @abstractmethod
    def read_only(self) -> bool:
        """Whether every change is refused."""

    @property
    def has_workers(self) -> bool:
        """Whether processes of ours do the work, so that the header tells of them."""
        return True

    def badges(self) -> Sequence[Piece]:
        """What else the header says, before as whom one is here."""
        return ()

    # read off the event loop

    @abstractmethod
    def version(self) -> Any:
        """Something that differs once anything has changed; `None` where nobody can know."""

    @abstractmethod
    def head(self) -> Head:
        """What the header counts."""

    def after_reading(self, _head: Head | None) -> None:  # noqa: B027 - mostly there is nothing
        """What is to be looked after between two readings."""

    # what is typed after ":"

    @abstractmethod
    def command(self, deck: Deck, text: str) -> None:
        """Do what was typed; raises `BadInput` for what is no command."""

    @abstractmethod
    def read_names(self, facade: Any) -> Any:
        """The names that commands take now; read off the event loop."""

    @abstractmethod
    def complete(self, names: Any, text: str, *, read_only: bool) -> Sequence[str]:
        """Words that may stand in place of the last; `names` is `None` until they are read."""
