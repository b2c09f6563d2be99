"""Names of datasets, tags and branches: what is allowed, and nothing that could be a path."""

from __future__ import annotations

import re

from core.errors import BadInput

_DATASET = re.compile(r"[a-z][a-z0-9_]{0,62}")
_REF = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,62}")


def check_name(name: str) -> str:
    """A dataset's name as it was given; raises `BadInput`."""
    if not isinstance(name, str) or not _DATASET.fullmatch(name):
        raise BadInput(
            f"dataset name {name!r}: not allowed",
            "use a-z, 0-9 and _, beginning with a letter, 63 characters at most",
        )
    return name


def is_name(name: str) -> bool:
    """Whether it could be a dataset's name."""
    return _DATASET.fullmatch(name) is not None


def check_ref(name: str) -> str:
    """A tag's or branch's name as it was given; raises `BadInput`.

    It begins with a letter, so that it is never taken for a number, an id or a time.
    """
    if not isinstance(name, str) or not _REF.fullmatch(name) or ".." in name:
        raise BadInput(
            f"tag or branch name {name!r}: not allowed",
            "use letters, digits, dot, - and _, beginning with a letter, 63 characters at most",
        )
    return name
