"""The calls of this session as a kind of its own: what was asked, and what was changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.aws.account import Account
from core.aws.calls import Call
from core.aws.kind import Column, Detail, Item, Kind, Section
from core.aws.words import clock


def _item(place: int, call: Call) -> Item:
    tone = "bad" if call.error else "wait" if call.writes else "dim"
    return Item(
        id=str(place),
        cells=(
            f"{call.service}:{call.operation}",
            "change" if call.writes else "read",
            call.target,
            call.error or "ok",
            f"{call.seconds * 1000:.0f}ms",
        ),
        tone=tone,
        changed=call.at,
        raw={
            "at": clock(call.at), "service": call.service, "operation": call.operation,
            "target": call.target, "seconds": call.seconds, "error": call.error,
            "writes": call.writes,
        },
    )  # fmt: skip


def _list(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    calls = account.calls.list()
    first = account.calls.total - len(calls) + 1
    yield [_item(place, call) for place, call in enumerate(calls, first)][::-1]


def _show(account: Account, id_: str) -> Detail:
    calls = account.calls.list()
    place = int(id_) - (account.calls.total - len(calls) + 1)
    if not 0 <= place < len(calls):
        return Detail(f"call {id_}", "dim", (Section("", ("it is not kept any more",)),))
    item = _item(int(id_), calls[place])
    call = calls[place]
    did = ("does", "changes something", "wait") if call.writes else ("does", "reads")
    lines = (
        ("when (UTC)", clock(call.at)), did, ("of", call.target), ("took", item.cells[4]),
        ("AWS said", call.error or "ok", "bad" if call.error else "ok"),
    )  # fmt: skip
    about = "what is kept is in this process only; CloudTrail has all of it, for everybody"
    sections = (Section("Call", lines), Section("", (about,)))
    return Detail(item.cells[0], item.tone, sections, item=item, raw=item.raw)


CALLS = Kind(
    name="calls",
    title="Calls",
    service="opsdeck",
    about="what this console has asked AWS, and what it has changed",
    columns=(
        Column("call", 28, 2),
        Column("does", 6),
        Column("of", 14, 3, drop=1),
        Column("answer", 8, 1),
        Column("took", 7, align="right", drop=2),
    ),
    list=_list,
    show=_show,
    operations=(),
    every=1.0,
)
"""Every call of this session, newest first."""
