"""What kinds of several services share: times of a resource, tokens, and values that were typed."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from core.aws.kind import Item, Line
from core.aws.words import epoch, last_of, span
from core.errors import BadInput

PAGE = 100
"""The most that SageMaker lists in a page."""


def lasted(begin: Any, end: Any, now: float | None = None) -> str:
    """How long something took, or has taken by `now`; "" where it has not begun."""
    first, last = epoch(begin), epoch(end)
    if first is None or (last is None and now is None):
        return ""
    return span(max(0.0, (last if last is not None else now or first) - first))


def who(created_by: Mapping[str, Any] | None) -> str:
    """Who did something, of SageMaker's UserContext: a Studio user, else an IAM identity."""
    if not created_by:
        return ""
    name = str(created_by.get("UserProfileName") or "")
    identity = created_by.get("IamIdentity") or {}
    source = str(identity.get("SourceIdentity") or "")
    return name or source or last_of(str(identity.get("Arn") or ""))


def token(what: str, once: str) -> str:
    """A ClientRequestToken of SageMaker's form: fresh; or the same for the same `once`, so that
    what is asked for twice is done once."""
    if not once:
        return uuid.uuid4().hex
    return hashlib.sha256(f"{what}\n{once}".encode()).hexdigest()


def needed(values: Mapping[str, str], name: str) -> str:
    """A value that must be given; raises `BadInput`."""
    value = values.get(name, "").strip()
    if not value:
        raise BadInput(f"{name}: must be given", f"{name}=…")
    return value


def whole(values: Mapping[str, str], name: str, default: int, least: int = 1) -> int:
    """A whole number; raises `BadInput`."""
    text = values.get(name, "").strip()
    if not text:
        return default
    if not text.isdecimal() or int(text) < least:
        raise BadInput(f"{name}={text}: must be a whole number of at least {least}")
    return int(text)


def yes(values: Mapping[str, str], name: str) -> bool:
    """Whether a choice of yes and no is yes; raises `BadInput`."""
    text = values.get(name, "").strip().lower()
    if text in ("yes", "true", "1", "on"):
        return True
    if text in ("", "no", "false", "0", "off"):
        return False
    raise BadInput(f"{name}={text}: must be yes or no")


def one_of(values: Mapping[str, str], name: str, choices: tuple[str, ...], default: str) -> str:
    """One of some words, in any case; raises `BadInput`."""
    text = values.get(name, "").strip() or default
    for choice in choices:
        if choice.lower() == text.lower():
            return choice
    raise BadInput(f"{name}={text}: must be one of {', '.join(choices)}")


def pairs(values: Mapping[str, str], name: str) -> dict[str, str]:
    """`a=1, b=two` as a mapping; a comma inside a value is written `\\,`. Raises `BadInput`."""
    found: dict[str, str] = {}
    text = values.get(name, "").replace("\\,", "\0")
    for part in text.replace("\n", ",").split(","):
        if not part.strip():
            continue
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise BadInput(f"{name}: {part.strip()}: must be NAME=VALUE", f"{name}=a=1,b=two")
        found[key.strip()] = value.strip().replace("\0", ",")
    return found


def s3(values: Mapping[str, str], name: str) -> str:
    """An address in S3 that must be given; raises `BadInput`."""
    return s3_address(name, needed(values, name))


def s3_address(name: str, text: str) -> str:
    """The text, where it is an address in S3; raises `BadInput`."""
    if not text.startswith("s3://") or len(text) < 8:
        raise BadInput(f"{name}={text}: must be an address in S3", "for example s3://bucket/folder")
    return text


def only_in(*states: str) -> Callable[[Item], str | None]:
    """Blocks a verb in any other state than these; an item says its state in `raw["state"]`."""

    def blocked(item: Item) -> str | None:
        state = str(item.raw.get("state", ""))
        return None if not state or state in states else f"it is {state}"

    return blocked


def found(label: str, value: Any) -> tuple[Line, ...]:
    """A line where there is a value, else none."""
    return ((label, str(value)),) if value not in (None, "", [], {}) else ()
