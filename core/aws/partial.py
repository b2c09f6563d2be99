"""One refused part doesn't lose the rest: what could not be read is said in its place."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from core.aws.errors import AccessDenied, AwsError
from core.aws.kind import Section

T = TypeVar("T")
SIDE_BY_SIDE = 8


def tried(read: Callable[[], T], default: T) -> tuple[T, str]:
    """What `read` gives; or the default, and why it could not be read in a few words."""
    try:
        return read(), ""
    except AwsError as error:
        return default, why(error)


def why(error: AwsError) -> str:
    """An error in brackets, for the place where the value would stand."""
    if isinstance(error, AccessDenied):
        return f"(denied: {error.message})"
    return f"({error.code} {error.message})"


def section(title: str, read: Callable[[], Section]) -> Section:
    """A section; where it could not be read, one that says why."""
    try:
        return read()
    except AwsError as error:
        return Section(title, ((("", why(error), "bad")),))


def side_by_side(reads: list[Callable[[], T]]) -> list[T]:
    """Several reads at once, in their order; the first error is raised once all have ended."""
    if len(reads) <= 1:
        return [read() for read in reads]
    with ThreadPoolExecutor(min(SIDE_BY_SIDE, len(reads)), "opsdeck-aws") as pool:
        futures = [pool.submit(read) for read in reads]
    return [future.result() for future in futures]
