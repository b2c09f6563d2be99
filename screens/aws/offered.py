"""Which verbs are offered, what they need before they are done, and the command of each.

Shared by the screens and the command line; imports no drawing library.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from core.aws.kind import Field, Item, Kind, Verb
from core.aws.words import last_of
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

PRODUCTION = "production"


def needs_typing(verb: Verb, environment: str) -> bool:
    """Whether the name has to be typed out: deleting, or anything dangerous in production."""
    return verb.typed or (verb.dangerous and not verb.back and environment == PRODUCTION)


def verbs_of(kind: Kind, account: Account) -> tuple[Verb, ...]:
    """The verbs on a resource that are offered on this account."""
    return tuple(verb for verb in kind.verbs if account.simulated or not verb.simulated_only)


def creators_of(kind: Kind, account: Account) -> tuple[Verb, ...]:
    """The verbs that need no resource."""
    return tuple(verb for verb in kind.create if account.simulated or not verb.simulated_only)


def name_of(item: Item) -> str:
    """What a resource is called in its row."""
    return item.cells[0] if item.cells and item.cells[0] else last_of(item.id)


def told_values(fields: Sequence[Field], values: Mapping[str, str]) -> dict[str, str]:
    """The values that are given, a secret as `…`."""
    secret = {field.name for field in fields if field.secret}
    return {name: "…" if name in secret else text for name, text in values.items() if text}


def command_line(
    context: str, kind: Kind, verb: Verb, id_: str, told: Mapping[str, str], *, typed: bool
) -> str:
    """The command that does the same; `told` is what `told_values` gives."""
    words = ["opsdeck", "--context", context, "aws"]
    words += ["do", kind.name, id_, verb.name] if id_ else ["new", kind.name, verb.name]
    words += [f"{name}={value}" for name, value in told.items()]
    line = shlex.join(words)
    if verb.reads:
        return line
    return f"{line} --confirm {shlex.quote(last_of(id_))}" if typed and id_ else f"{line} --yes"


def values_for(verb: Verb, asked: Sequence[Field], given: Mapping[str, str]) -> dict[str, str]:
    """What was given with the defaults of the rest; raises `BadInput` for what does not fit."""
    fields = {field.name: field for field in asked}
    for name in given:
        if name not in fields:
            close = difflib.get_close_matches(name, fields, n=1)
            takes = f"it takes {', '.join(fields)}" if fields else "it takes nothing"
            hint = f"did you mean {close[0]}=?" if close else takes
            raise BadInput(f"{verb.name}: {name}= is nothing it asks for", hint)
    values = {name: given.get(name, field.default) for name, field in fields.items()}
    for name, field in fields.items():
        if field.required and not values[name]:
            raise BadInput(f"{verb.name}: {name}= is needed: {field.label}", f"add {name}=…")
        if field.choices and values[name] and values[name] not in field.choices:
            raise BadInput(
                f"{verb.name}: {name}={values[name]} is none of its values",
                f"one of {', '.join(field.choices)}",
            )
    return values
