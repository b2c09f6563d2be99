"""What a kind of AWS resource is to Opsdeck: how it is listed, shown, and what can be done to it.

Kinds are plain data over functions of an account; the console's screens, the command line and
the documentation all read the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.aws.calls import writes

if TYPE_CHECKING:
    from core.aws.account import Account
    from core.aws.logs import LogSource

TONES = ("ok", "run", "wait", "bad", "dim", "")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a list, as `screens.widgets.table` draws it: at least `width` wide, taking
    `grow` shares of what is left; those with the highest `drop` go first."""

    title: str
    width: int
    grow: int = 0
    align: str = "left"
    drop: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """One resource in a list. `id` is what `show` and verbs take: a name, or an ARN where the
    name is not unique. `tone` is one of `TONES`; `changed` is in epoch seconds; `raw` is the
    summary as AWS gave it. A `leaf` has nothing below it, though others of its kind have."""

    id: str
    cells: tuple[str, ...]
    tone: str = ""
    changed: float | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    leaf: bool = False


Line = str | tuple[str, str] | tuple[str, str, str]
"""Text; or label and value; or label, value and tone."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a resource's description."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over time: by name, points of (epoch seconds, value)."""

    title: str
    unit: str
    series: Mapping[str, Sequence[tuple[float, float]]]


@dataclass(frozen=True, slots=True)
class Detail:
    """A resource in full."""

    title: str
    tone: str = ""
    sections: tuple[Section, ...] = ()
    charts: tuple[Chart, ...] = ()
    item: Item | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Field:
    """What a verb asks for."""

    name: str
    label: str
    default: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    secret: bool = False


Values = Mapping[str, str]
Did = Callable[["Account", str, Values], str]
Consequence = Callable[["Account", str, Values], tuple[str, ...]]


def _never_blocked(_item: Item) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Verb:
    """Something that can be done to a resource.

    `operations` are the IAM actions of its writes. `do` does it and returns one line to tell;
    `consequence` says beforehand what will happen (it may read). `dangerous` asks in red;
    `typed` has the name typed out; `back` goes to a known good state: one key and one `y`.
    `blocked` says why it can't be done now. `asks` gives the fields that depend on the item,
    after `fields`; it may read (the parameters of a pipeline stand in its definition).
    """

    name: str
    key: str
    label: str
    help: str
    operations: tuple[str, ...]
    do: Did
    consequence: Consequence
    fields: tuple[Field, ...] = ()
    dangerous: bool = False
    typed: bool = False
    back: bool = False
    blocked: Callable[[Item], str | None] = _never_blocked
    simulated_only: bool = False
    asks: Callable[[Account, str], tuple[Field, ...]] | None = None

    @property
    def reads(self) -> bool:
        """Whether it changes nothing: it needs no question, and a read-only account may do it.
        What it tells may have many lines."""
        names = [operation.partition(":")[2] for operation in self.operations]
        return bool(names) and not any(writes(name) for name in names)

    def asked(self, account: Account, id: str) -> tuple[Field, ...]:
        """All that it asks for of this item; raises the errors of `core.aws.errors`."""
        return self.fields + (self.asks(account, id) if self.asks is not None else ())


Listing = Callable[["Account", str], Iterator[Sequence[Item]]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of resource.

    `list` takes the id of the `parent` ("" for all) and yields pages as they are fetched;
    `child` is the kind that opens below an item; `operations` are the IAM actions of all its
    reads; `create` are verbs that need no item; `notice` is said above the list.
    """

    name: str
    title: str
    service: str
    about: str
    columns: tuple[Column, ...]
    list: Listing
    show: Callable[[Account, str], Detail]
    operations: tuple[str, ...]
    parent: str = ""
    child: str = ""
    verbs: tuple[Verb, ...] = ()
    create: tuple[Verb, ...] = ()
    logs: Callable[[Account, str], LogSource] | None = None
    notice: str = ""
    every: float = 5.0

    def verb(self, name: str) -> Verb | None:
        """The verb of this name."""
        return next((each for each in (*self.verbs, *self.create) if each.name == name), None)
