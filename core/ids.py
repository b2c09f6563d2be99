"""Identifiers: short, unique, sorted by time."""

from __future__ import annotations

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id() -> str:
    """A new identifier of 16 characters: 9 of milliseconds since 1970, 7 random.

    Crockford's base 32 in lower case: no letter that reads as another one.
    """
    value = (int(time.time() * 1000) << 35) | secrets.randbits(35)
    digits = []
    for _ in range(16):
        value, digit = divmod(value, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def short_id() -> str:
    """A new identifier of 8 random characters, for what people type."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(8))
