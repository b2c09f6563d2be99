"""Doing something to a resource: fields, then what follows from it, then the question, then it.

The question names environment, account, region, target and consequence; nothing is sent before
it is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from core.aws.kind import Item, Kind, Verb
from core.aws.partial import tried
from core.aws.words import last_of
from screens.aws.form import Form
from screens.aws.offered import command_line, name_of, needs_typing, told_values
from screens.background import Change
from screens.dialogs.confirm import Question, Signed, dialog_for

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
    if not verb.fields:
        _look_up(deck, account, kind, verb, item, {})
        return

    def given(values: dict[str, str] | None) -> None:
        if values is not None:
            _look_up(deck, account, kind, verb, item, values)

    target = f" · {name_of(item)}" if item is not None else ""
    deck.push_screen(Form(f"{verb.label}{target}", verb.help, verb.fields, {}), given)


def _look_up(
    deck: Deck,
    account: Account,
    kind: Kind,
    verb: Verb,
    item: Item | None,
    values: Mapping[str, str],
) -> None:
    id_ = item.id if item is not None else ""

    def read(_account: Account) -> Prepared:
        number, why_not = tried(lambda: account.account_id, "")
        nothing: tuple[str, ...] = ()
        told, unknown = tried(lambda: verb.consequence(account, id_, values), nothing)
        return Prepared(number or why_not, account.region, (*told, *([unknown] * bool(unknown))))

    def ask(found: Prepared) -> str:
        _ask(deck, kind, verb, id_, values, found)
        return ""

    title = f"look up what {verb.label.lower()} does"
    deck.change(Change("command", title, read, ask))


def _ask(
    deck: Deck, kind: Kind, verb: Verb, id_: str, values: Mapping[str, str], found: Prepared
) -> None:
    context = deck.backend.name
    environment = deck.context.environment
    typed = needs_typing(verb, environment) and bool(id_)
    command = command_line(context, kind, verb, id_, values, typed=typed)
    told = told_values(verb, values).items()
    first, *more = found.consequence or (verb.help,)
    question = Question(
        title=f"{verb.label}{f' · {last_of(id_)}' if id_ else ''}",
        environment=environment,
        target=(
            ("account", found.account),
            ("region", found.region),
            ("context", context),
            (kind.service, f"{kind.title}: {id_}" if id_ else kind.title),
            *told,
        ),
        consequence=first,
        more=more,
        yes=verb.label,
        command=command,
        danger=verb.dangerous,
        typed=last_of(id_) if typed else "",
        typed_what="the name",
    )

    def answered(answer: Signed | None) -> None:
        if answer is not None:
            _do(deck, kind, verb, id_, values, command)

    deck.push_screen(dialog_for(question), answered)


def _do(
    deck: Deck, kind: Kind, verb: Verb, id_: str, values: Mapping[str, str], command: str
) -> None:
    from screens.aws.backend import AwsBackend

    def done(line: str) -> str:
        backend = deck.backend
        if isinstance(backend, AwsBackend):
            backend.details.forget()
        return line

    call: Callable[[Account], str] = partial(_call, verb, id_, values)
    title = f"{verb.label.lower()} {last_of(id_)}".strip()
    deck.change(Change(f"{kind.name} {id_}", title, call, done, command=command))


def _call(verb: Verb, id_: str, values: Mapping[str, str], account: Account) -> str:
    return verb.do(account, id_, values)
