"""Doing something to a resource: fields, then what follows from it, then the question, then it.

The question names environment, account, region, target and consequence; nothing is sent before
it is answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.aws.kind import Field, Item, Kind, Verb
from core.aws.partial import tried
from core.aws.words import last_of
from screens.aws.form import Form
from screens.aws.offered import command_line, name_of, needs_typing, told_values
from screens.background import Change
from screens.dialogs.confirm import Question, Signed, dialog_for
from screens.dialogs.notice import TextDialog
from screens.widgets.lines import Line

if TYPE_CHECKING:
    from core.aws.account import Account
    from screens.deck import Deck


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the question says that AWS had to be asked for."""

    account: str
    region: str
    consequence: tuple[str, ...]


def run_verb(deck: Deck, account: Account, kind: Kind, verb: Verb, item: Item | None) -> None:
    """Ask for what it needs, then for a yes, then do it."""
    doing = Doing(deck, account, kind, verb, item)
    if verb.asks is None:
        doing.fill(verb.fields)
        return

    def read(_account: Account) -> tuple[Field, ...]:
        return verb.asked(account, doing.id_)

    def found(fields: tuple[Field, ...]) -> str:
        doing.fill(fields)
        return ""

    deck.change(
        Change("command", f"look up what {verb.label.lower()} asks for", read, found, reads=True)
    )


class Doing:
    """A verb on a resource (or on none), step by step."""

    def __init__(
        self, deck: Deck, account: Account, kind: Kind, verb: Verb, item: Item | None
    ) -> None:
        self._deck = deck
        self._account = account
        self._kind = kind
        self._verb = verb
        self._name = name_of(item) if item is not None else ""
        self.id_ = item.id if item is not None else ""

    def _titled(self) -> str:
        return f"{self._verb.label} · {self._name}" if self._name else self._verb.label

    def fill(self, fields: Sequence[Field]) -> None:
        """Have the fields filled in, if there are any."""
        if not fields:
            self._look_up((), {})
            return

        def given(values: dict[str, str] | None) -> None:
            if values is not None:
                self._look_up(fields, values)

        self._deck.push_screen(Form(self._titled(), self._verb.help, fields, {}), given)

    def _look_up(self, fields: Sequence[Field], values: Mapping[str, str]) -> None:
        account, verb = self._account, self._verb
        if verb.reads:  # nothing follows from it: there is nothing to ask
            told = told_values(fields, values)
            context = self._deck.backend.name
            command = command_line(context, self._kind, verb, self.id_, told, typed=False)
            self._do(values, command)
            return

        def read(_account: Account) -> Prepared:
            number, why_not = tried(lambda: account.account_id, "")
            nothing: tuple[str, ...] = ()
            told, unknown = tried(lambda: verb.consequence(account, self.id_, values), nothing)
            consequence = (*told, *([unknown] * bool(unknown)))
            return Prepared(number or why_not, account.region, consequence)

        def ask(found: Prepared) -> str:
            self._ask(told_values(fields, values), values, found)
            return ""

        title = f"look up what {verb.label.lower()} does"
        self._deck.change(Change("command", title, read, ask, reads=True))

    def _ask(self, told: Mapping[str, str], values: Mapping[str, str], found: Prepared) -> None:
        kind, verb, context = self._kind, self._verb, self._deck.backend.name
        environment = self._deck.context.environment
        typed = needs_typing(verb, environment) and bool(self.id_)
        command = command_line(context, kind, verb, self.id_, told, typed=typed)
        first, *more = found.consequence or (verb.help,)
        question = Question(
            title=self._titled(),
            environment=environment,
            target=(
                ("account", found.account),
                ("region", found.region),
                ("context", context),
                (kind.service, f"{kind.title}: {self.id_}" if self.id_ else kind.title),
                *told.items(),
            ),
            consequence=first,
            more=more,
            yes=verb.label,
            command=command,
            danger=verb.dangerous,
            typed=last_of(self.id_) if typed else "",
            typed_what="the name",
        )

        def answered(answer: Signed | None) -> None:
            if answer is not None:
                self._do(values, command)

        self._deck.push_screen(dialog_for(question), answered)

    def _do(self, values: Mapping[str, str], command: str) -> None:
        from screens.aws.backend import AwsBackend

        deck, verb = self._deck, self._verb

        def done(told: str) -> str:
            if isinstance(deck.backend, AwsBackend):
                deck.backend.details.forget()
            first, *rest = told.splitlines() or [""]
            if rest:  # an answer, not just a word: it is to be read
                lines: list[Line] = [[(line, "text")] for line in told.splitlines()]
                deck.push_screen(TextDialog(self._titled(), lines))
            return first

        def do(account: Account) -> str:
            return verb.do(account, self.id_, values)

        title = f"{verb.label.lower()} {self._name}".strip()
        deck.change(Change(f"{self._kind.name} {self.id_}", title, do, done, command=command))
