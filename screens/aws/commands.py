"""What can be typed after `:` on an AWS account, and how it is completed."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.aws.kinds import KINDS
from core.errors import BadInput
from screens.registry import MODES
from screens.switching import WORKSPACE, choose_context, context_names

if TYPE_CHECKING:
    from screens.deck import Deck

WORDS = ("context", "help", "q", "quit", "region")


def read_names() -> Sequence[str]:
    """The contexts there are."""
    return context_names()


def kind_names() -> dict[str, str]:
    """Every name and alias of a kind, with its own name."""
    names = {name: name for name in KINDS}
    for name, place in KINDS.items():
        names.update({alias: name for alias in place.aliases if alias not in names})
    return names


def run_command(deck: Deck, text: str) -> None:
    """Do what was typed; raises `BadInput` for what is no command."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadInput(f"{text}: {error}", "close the quotes") from error
    if not words:
        return
    name, args = words[0], words[1:]
    if name in ("q", "quit"):
        deck.leave()
    elif name == "help":
        deck.perform("help")
    elif name == "context":
        choose_context(deck, args[0] if args else "")
    elif name == "region":
        _region(deck, args)
    else:
        _go(deck, name, args)


def _region(deck: Deck, args: Sequence[str]) -> None:
    from core.aws.context import PREFIX, find_context

    if not args:
        raise BadInput(":region needs a name", "for example: :region eu-west-1")
    find_context(f"{PREFIX}any", args[0])  # says so where that is no region's name
    deck.open_context(deck.backend.name, args[0])


def _go(deck: Deck, name: str, args: Sequence[str]) -> None:
    names = kind_names()
    kind, slash, id_ = name.partition("/")
    if kind in names:
        full = names[kind]
        if slash:
            _open(deck, full, id_)
        else:
            deck.go(_mode(full), "\t".join((full, " ".join(args), "")))
        return
    modes = [mode for mode in MODES if mode.startswith(name)]
    if name in MODES or (len(modes) == 1 and len(name) > 1):
        deck.go(name if name in MODES else modes[0])
        return
    starting = {full for alias, full in names.items() if alias.startswith(name)}
    if len(starting) == 1 and len(name) > 1:
        full = starting.pop()
        deck.go(_mode(full), "\t".join((full, " ".join(args), "")))
        return
    close = difflib.get_close_matches(name, [*MODES, *names, *WORDS], n=1)
    hint = f"did you mean :{close[0]}?" if close else "tab shows what there is; ? helps"
    raise BadInput(f":{name} is no command and no kind of resource", hint)


def _mode(kind: str) -> str:
    mode = KINDS[kind].mode
    return "audit" if mode == "pulse" else mode


def _open(deck: Deck, name: str, id_: str) -> None:
    from core.aws.kind import Item
    from core.aws.registry import kind
    from screens.aws.detail import DetailScreen

    found = kind(name)
    deck.push_screen(DetailScreen(found, Item(id_, (id_,))))


def complete(names: Sequence[str] | None, text: str) -> list[str]:
    """Words that may stand in place of the last word of `text`."""
    words = text.split(" ")
    stem = words[-1]
    if len(words) == 1:
        known = [*MODES, *(kind for kind in KINDS if kind not in MODES), *WORDS]
        return [word for word in known if word.startswith(stem)]
    if words[0] == "context" and len(words) == 2:
        return [name for name in (*(names or ()), WORKSPACE) if name.startswith(stem)]
    return []
