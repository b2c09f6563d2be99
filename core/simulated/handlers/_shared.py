"""What handlers of several services need: pages, lookups that moto answers, ids."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, TypeVar

from core.simulated.faults import Fault

_T = TypeVar("_T")


def page(
    found: Sequence[_T],
    token: str | None,
    most: int | None,
    default: int = 100,
    error: str = "InvalidNextTokenException",
) -> tuple[list[_T], str | None]:
    """The page that `token` asks for, at most `most` long, and the token of the next one."""
    try:
        start = int(token.removeprefix("page-")) if token else 0
    except ValueError as wrong:
        raise Fault(error, f"the token {token!r} is not one of this operation", 400) from wrong
    end = start + (most or default)
    return list(found[start:end]), f"page-{end}" if end < len(found) else None


def with_token(
    answer: dict[str, Any], token: str | None, name: str = "nextToken"
) -> dict[str, Any]:
    """`answer` with the token of the next page, if there is one."""
    if token:
        answer[name] = token
    return answer


def uid() -> str:
    """A random id as AWS makes them."""
    return str(uuid.uuid4())
