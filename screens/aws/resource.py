"""What can be done to the resource in view, wherever it is in view: its verbs, what is below it,
its logs, its JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

from core.aws.kind import Item, Kind, Verb
from core.aws.registry import kind as kind_of
from screens.actions import Action, Context
from screens.aws.actions import VERB
from screens.aws.offered import creators_of, name_of, verbs_of
from screens.aws.verbs import run_verb
from screens.base import ModeScreen

if TYPE_CHECKING:
    from core.aws.account import Account
    from screens.aws.backend import AwsBackend

_OF_ONE = frozenset({"aws.open", "aws.full", "aws.raw", "aws.logs", "aws.menu"})


class ResourceScreen(ModeScreen):
    """Subclasses say which resource is in view (`kind_now`, `item_now`) and the way to it."""

    scope = "aws"

    @property
    def backend(self) -> AwsBackend:
        """The account, and what has been read of it."""
        return cast("AwsBackend", self.deck.backend)

    @property
    def account(self) -> Account:
        """The account."""
        return self.backend.account

    def kind_now(self) -> Kind | None:
        """The kind in view."""
        raise NotImplementedError

    def item_now(self) -> Item | None:
        """The resource in view."""
        raise NotImplementedError

    def way(self) -> Sequence[str]:
        """The way to the resource in view, without itself."""
        raise NotImplementedError

    # which actions there are

    def _verb_of(self, key: str) -> Verb | None:
        kind = self.kind_now()
        if kind is None:
            return None
        verbs = verbs_of(kind, self.account)
        return next((verb for verb in verbs if verb.key == key), None)

    def _why_not(self, verb: Verb, _context: Context) -> str | None:
        item = self.item_now()
        return "nothing is selected" if item is None else verb.blocked(item)

    def _some(self, _context: Context) -> str | None:
        return None if self.item_now() is not None else "nothing is selected"

    def fitted(self, action: Action) -> Action | None:
        kind = self.kind_now()
        if action.id.startswith(VERB):
            verb = self._verb_of(action.id.removeprefix(VERB))
            if verb is None:
                return None
            return replace(
                action, label=verb.label, help=verb.help, dangerous=verb.dangerous,
                changes=not verb.reads, enabled=partial(self._why_not, verb),
            )  # fmt: skip
        if action.id == "aws.new":
            made = creators_of(kind, self.account) if kind is not None else ()
            return replace(action, help="; ".join(verb.help for verb in made)) if made else None
        if action.id == "aws.logs" and (kind is None or kind.logs is None):
            return None
        return replace(action, enabled=self._some) if action.id in _OF_ONE else action

    def handler(self, action: Action) -> Callable[[], None] | None:
        if action.id.startswith(VERB):
            verb = self._verb_of(action.id.removeprefix(VERB))
            return partial(self.do_verb, verb) if verb is not None else None
        return super().handler(action)

    # the actions

    def do_verb(self, verb: Verb) -> None:
        """A verb on the resource in view."""
        kind, item = self.kind_now(), self.item_now()
        if kind is not None and item is not None:
            run_verb(self.deck, self.account, kind, verb, item)

    def do_aws_open(self) -> None:
        """What is below the resource in view, or all that is known of it."""
        from screens.aws.screen import KindsScreen

        kind, item = self.kind_now(), self.item_now()
        if kind is None or item is None:
            return
        if not kind.child or item.leaf:
            self.do_aws_full()
            return
        trail = (*self.way(), name_of(item))
        below = KindsScreen(kinds=[kind_of(kind.child)], parent=item.id, trail=trail)
        self.deck.push_screen(below)

    def do_aws_full(self) -> None:
        """The description on a screen of its own."""
        from screens.aws.detail import DetailScreen

        kind, item = self.kind_now(), self.item_now()
        if kind is not None and item is not None:
            self.deck.push_screen(DetailScreen(kind, item, tuple(self.way())))

    def do_aws_raw(self) -> None:
        """As AWS told it: the description where it has been read, else the row."""
        from screens.aws.raw import RawDialog

        kind, item = self.kind_now(), self.item_now()
        if kind is None or item is None:
            return
        known = self.backend.details.known(kind.name, item.id)
        detail = known.detail if known is not None else None
        raw = detail.raw if detail is not None and detail.raw else item.raw
        self.deck.push_screen(RawDialog(item.id, raw))

    def do_aws_logs(self) -> None:
        """What it printed."""
        from screens.aws.logs import LogScreen

        kind, item = self.kind_now(), self.item_now()
        if kind is not None and item is not None:
            self.deck.push_screen(LogScreen(kind, item))

    def do_aws_new(self) -> None:
        """A verb that needs no resource."""
        from screens.aws.menu import open_new

        kind = self.kind_now()
        if kind is not None:
            open_new(self.deck, self.account, kind)

    def do_aws_menu(self) -> None:
        """All verbs."""
        from screens.aws.menu import open_menu

        kind, item = self.kind_now(), self.item_now()
        if kind is not None and item is not None:
            open_menu(self.deck, self.account, kind, item)
