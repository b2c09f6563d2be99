"""A resource's description as one text, for tests that look for words in it."""

from __future__ import annotations

from core.aws.account import Account
from core.aws.kind import Detail, Item, Verb
from core.aws.registry import kind


def text(detail: Detail) -> str:
    """All sections of a detail, a line a line."""
    return "\n".join(
        line
        for section in detail.sections
        for line in (
            section.title,
            *(each if isinstance(each, str) else " ".join(each[:2]) for each in section.lines),
        )
    )


def shown(account: Account, of: str, id: str) -> str:
    """What a resource of a kind is shown as."""
    return text(kind(of).show(account, id))


def listed(account: Account, of: str, parent: str = "") -> list[Item]:
    """All items of a kind."""
    return [item for page in kind(of).list(account, parent) for item in page]


def verb(of: str, name: str) -> Verb:
    """A verb of a kind."""
    found = kind(of).verb(name)
    assert found is not None, f"{of} has no verb {name}"
    return found
