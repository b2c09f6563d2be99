"""`opsdeck aws`: resources of an AWS account by kind: list, show, do, logs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, islice
from typing import Any

import click

from console import aws_text
from console.asking import confirm_model, confirm_yes
from console.groups import noun
from console.output import emit
from console.session import Session, pass_session
from console.waiting import split_pairs
from core.aws.account import Account
from core.aws.kind import Item, Kind, Verb
from core.aws.kinds import KINDS
from core.aws.policies import ROLES, policy
from core.aws.registry import MODES, all_kinds, kind
from core.aws.words import pretty
from core.errors import BadInput, ReadOnly, WrongState
from screens.aws.offered import creators_of, needs_typing, values_for, verbs_of

yes_option = click.option("--yes", is_flag=True, help="Ask nothing.")
confirm_option = click.option(
    "--confirm", metavar="NAME", help="The resource's name, where it has to be typed."
)


@noun("Resources of an AWS account: kinds, list, show, do, new, logs, calls, policy.")
def command() -> None:
    """Group of the verbs on resources."""


@command.command("kinds")
@click.argument("mode", required=False, type=click.Choice(MODES))
@pass_session
def kinds(session: Session, mode: str | None) -> None:
    """List the kinds of resources there are, by the mode of the console that has them."""
    rows = [
        (place.mode, name, kind(name))
        for wanted in MODES
        for name, place in KINDS.items()
        if place.mode == wanted and mode in (None, wanted)
    ]
    document = [_kind_json(mode_, found) for mode_, _, found in rows]
    emit(session, {"kinds": document}, lambda: aws_text.kinds_text(session, rows))


def _kind_json(mode: str, found: Kind) -> dict[str, Any]:
    return {
        "name": found.name, "mode": mode, "aliases": list(KINDS[found.name].aliases),
        "title": found.title, "service": found.service, "about": found.about,
        "parent": found.parent, "child": found.child, "notice": found.notice,
        "columns": [column.title for column in found.columns],
        "verbs": [_verb_json(verb) for verb in found.verbs],
        "new": [_verb_json(verb) for verb in found.create],
        "logs": found.logs is not None, "operations": list(found.operations),
    }  # fmt: skip


def _verb_json(verb: Verb) -> dict[str, Any]:
    fields = [
        {
            "name": field.name, "label": field.label, "default": field.default,
            "required": field.required, "choices": list(field.choices), "secret": field.secret,
        }
        for field in verb.fields
    ]  # fmt: skip
    return {
        "name": verb.name, "key": verb.key, "help": verb.help, "dangerous": verb.dangerous,
        "typed": verb.typed, "operations": list(verb.operations), "fields": fields,
    }  # fmt: skip


@command.command("list")
@click.argument("kind_name", metavar="KIND")
@click.option("--parent", default="", metavar="ID", help="Only those below this resource.")
@click.option(
    "-n", "--limit", type=click.IntRange(1, 100_000), default=200, show_default=True,
    help="Stop reading after so many.",
)  # fmt: skip
@click.option("--filter", "text", default="", metavar="TEXT", help="Only those with these words.")
@pass_session
def list_(session: Session, kind_name: str, parent: str, limit: int, text: str) -> None:
    """List resources of KIND, as the account gives them (mostly newest first)."""
    found = kind(kind_name)
    words = text.lower().split()
    pages = chain.from_iterable(found.list(session.account(), parent))
    wanted = (item for item in pages if _matches(item, words))
    items = list(islice(wanted, limit + 1))
    more, items = len(items) > limit, items[:limit]
    document = {
        "kind": found.name,
        "items": [aws_text.item_json(found, item) for item in items],
        "more": more,
    }
    if found.notice:
        session.say(f"note: {found.notice}")
    emit(session, document, lambda: aws_text.items_text(session, found, items, more))


def _matches(item: Item, words: list[str]) -> bool:
    if not words:
        return True
    text = f"{item.id} {' '.join(item.cells)}".lower()
    return all(word in text for word in words)


@command.command("show")
@click.argument("kind_name", metavar="KIND")
@click.argument("id_", metavar="ID")
@click.option("--raw", is_flag=True, help="As AWS told it, as JSON.")
@pass_session
def show(session: Session, kind_name: str, id_: str, raw: bool) -> None:
    """Show one resource. ID is what `aws list` gives: a name or an ARN."""
    found = kind(kind_name)
    detail = found.show(session.account(), id_)
    document = aws_text.detail_json(found, id_, detail, raw=raw)
    if raw:
        emit(session, document, lambda: "\n".join(pretty(detail.raw)))
    else:
        emit(session, document, lambda: aws_text.detail_text(session, detail))


@command.command("do")
@click.argument("kind_name", metavar="KIND")
@click.argument("id_", metavar="ID")
@click.argument("verb_name", metavar="VERB")
@click.argument("pairs", metavar="[KEY=VALUE]...", nargs=-1)
@yes_option
@confirm_option
@pass_session
def do(
    session: Session,
    kind_name: str,
    id_: str,
    verb_name: str,
    pairs: tuple[str, ...],
    yes: bool,
    confirm: str | None,
) -> None:
    """Do VERB to a resource of KIND, after a question that says what follows.

    `opsdeck aws kinds --json` lists the verbs of each kind and what they ask for.
    """
    found, account = kind(kind_name), session.account()
    verb = _verb(found, verb_name, verbs_of(found, account))
    _may(account, verb)
    values = values_for(verb, verb.asked(account, id_), split_pairs(pairs, verb.name))
    item = found.show(account, id_).item
    why_not = verb.blocked(item) if item is not None else None
    if why_not:
        raise WrongState(f"{id_}: {why_not}", f"opsdeck aws show {found.name} {id_} tells more")
    if not verb.reads:
        _confirm(session, account, found, verb, id_, values, yes, confirm)
    _done(session, account, found, verb, id_, verb.do(account, id_, values))


@command.command("new")
@click.argument("kind_name", metavar="KIND")
@click.argument("verb_name", metavar="VERB")
@click.argument("pairs", metavar="[KEY=VALUE]...", nargs=-1)
@yes_option
@pass_session
def new(
    session: Session, kind_name: str, verb_name: str, pairs: tuple[str, ...], yes: bool
) -> None:
    """Make a resource of KIND by VERB, for example start a training job."""
    found, account = kind(kind_name), session.account()
    verb = _verb(found, verb_name, creators_of(found, account))
    _may(account, verb)
    values = values_for(verb, verb.asked(account, ""), split_pairs(pairs, verb.name))
    _confirm(session, account, found, verb, "", values, yes, None)
    _done(session, account, found, verb, "", verb.do(account, "", values))


def _verb(found: Kind, name: str, offered: tuple[Verb, ...]) -> Verb:
    import difflib

    verb = next((each for each in offered if each.name == name), None)
    if verb is None:
        names = [each.name for each in offered]
        close = difflib.get_close_matches(name, names, n=1)
        known = f"there are {', '.join(names)}" if names else "there are none"
        raise BadInput(
            f"{found.name}: no verb {name}", f"did you mean {close[0]}?" if close else known
        )
    return verb


def _may(account: Account, verb: Verb) -> None:
    if account.read_only and not verb.reads:
        raise ReadOnly(
            f"{verb.name}: {account.name} is read-only; nothing was sent",
            "leave out --read-only, or change the context",
        )


def _confirm(
    session: Session,
    account: Account,
    found: Kind,
    verb: Verb,
    id_: str,
    values: Mapping[str, str],
    yes: bool,
    confirm: str | None,
) -> None:
    from core.aws.words import last_of

    environment = account.context.environment
    where = f"{environment}, account {account.account_id}, {account.region}"
    told = verb.consequence(account, id_, values)
    consequence = "\n".join((f"{verb.label}: {id_ or found.title} ({where})", *told))
    if id_ and needs_typing(verb, environment):
        confirm_model(session, last_of(id_), confirm, consequence, what="resource")
    else:
        confirm_yes(session, yes, consequence)


def _done(session: Session, account: Account, found: Kind, verb: Verb, id_: str, said: str) -> None:
    document = {
        "kind": found.name, "id": id_, "verb": verb.name, "said": said,
        "account": account.account_id, "region": account.region,
    }  # fmt: skip
    emit(session, document, lambda: said)


@command.command("logs")
@click.argument("kind_name", metavar="KIND")
@click.argument("id_", metavar="ID")
@click.option("-f", "--follow", is_flag=True, help="Go on until interrupted.")
@click.option("--since", metavar="WHEN", help="From then on: 2h, 2026-11-21T08:30.")
@click.option("--filter", "pattern", default="", help="A filter pattern of CloudWatch Logs.")
@click.option("--times", is_flag=True, help="Put time and stream before each line.")
@click.option(
    "-n", "--limit", type=click.IntRange(1, 1_000_000), default=5_000, show_default=True,
    help="Lines at most, without --follow.",
)  # fmt: skip
@pass_session
def logs(
    session: Session,
    kind_name: str,
    id_: str,
    follow: bool,
    since: str | None,
    pattern: str,
    times: bool,
    limit: int,
) -> None:
    """Print what a resource printed. With --follow --json one document a line."""
    from console.aws_logs import print_logs

    found = kind(kind_name)
    if found.logs is None:
        raise BadInput(f"{found.name}: these have no logs", "opsdeck aws kinds --json says which")
    print_logs(
        session, found, id_, follow=follow, since=since, pattern=pattern, times=times, limit=limit
    )


@command.command("calls")
@click.argument("kind_name", metavar="[KIND]", required=False)
@pass_session
def calls(session: Session, kind_name: str | None) -> None:
    """List the IAM actions that each kind needs, for reading it and for each verb.

    The console's audit mode (key 6) lists the calls that it has made.
    """
    names = [kind(kind_name).name] if kind_name else list(KINDS)
    rows = [(name, *row) for name in names for row in aws_text.actions_of(kind(name))]
    document = [
        {"kind": name, "action": action, "does": does, "for": why}
        for name, action, does, why in rows
    ]
    emit(session, {"calls": document}, lambda: aws_text.actions_text(session, rows))


@command.command("policy")
@click.argument("role", type=click.Choice(list(ROLES)))
@click.option("--kind", "names", multiple=True, metavar="KIND", help="Of these kinds only.")
@click.option("--region", "only", default="*", metavar="REGION", help="In this region only.")
@pass_session
def policy_(session: Session, role: str, names: tuple[str, ...], only: str) -> None:
    """Print the IAM policy that ROLE needs for what the console calls."""
    chosen = tuple(kind(name) for name in names) if names else all_kinds()
    document = policy(chosen, role, only)
    emit(session, document, lambda: "\n".join(pretty(document)))
