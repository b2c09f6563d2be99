"""All that can be done to a resource, or without one, to pick from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.aws.kind import Item, Kind, Verb
from screens.aws.offered import creators_of, name_of, verbs_of
from screens.aws.verbs import run_verb
from screens.dialogs.pick import Pick

if TYPE_CHECKING:
    from core.aws.account import Account
    from screens.deck import Deck


def open_menu(deck: Deck, account: Account, kind: Kind, item: Item) -> None:
    """The verbs on a resource."""
    verbs = verbs_of(kind, account)
    if not verbs:
        deck.tell(f"▲ {kind.title}: there is nothing to be done to one, they are looked at", "warn")
        return
    name = name_of(item)
    _pick(deck, account, kind, verbs, f"{kind.title} · {name}", item)


def open_new(deck: Deck, account: Account, kind: Kind) -> None:
    """The verbs that need no resource; a single one begins at once."""
    verbs = creators_of(kind, account)
    if len(verbs) == 1:
        run_verb(deck, account, kind, verbs[0], None)
    elif verbs:
        _pick(deck, account, kind, verbs, f"New · {kind.title}", None)


def _pick(
    deck: Deck,
    account: Account,
    kind: Kind,
    verbs: Sequence[Verb],
    heading: str,
    item: Item | None,
) -> None:
    def said(verb: Verb) -> str:
        why_not = verb.blocked(item) if item is not None else None
        return f"not now: {why_not}" if why_not else verb.help

    def picked(label: str | None) -> None:
        verb = next((each for each in verbs if _named(each) == label), None)
        if verb is None:
            return
        why_not = verb.blocked(item) if item is not None else None
        if deck.context.read_only and not verb.reads:
            why_not = f"{verb.label}: this session is read-only"
        if why_not:
            deck.tell(f"▲ {why_not}", "warn")
        else:
            run_verb(deck, account, kind, verb, item)

    deck.push_screen(Pick(heading, [(_named(verb), said(verb)) for verb in verbs]), picked)


def _named(verb: Verb) -> str:
    return f"{verb.key}  {verb.label}" if verb.key else f"   {verb.label}"
