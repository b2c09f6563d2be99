"""Addresses with what the environment keeps for them, and texts without it."""

from __future__ import annotations

import os
import re
import urllib.parse
from collections.abc import Mapping

from core.alerting.errors import SecretMissing
from core.alerting.settings import Target
from core.lineage import redact_secrets

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ADDRESS = re.compile(r"\b([a-z][a-z0-9+.-]{0,20})://[^\s'\"]+", re.IGNORECASE)
_LEAST = 4
"""Letters: shorter values would take away parts of any text."""


def open_address(target: Target, environment: Mapping[str, str] | None = None) -> str:
    """The target's address for Apprise, variables put in. Raises `SecretMissing`.

    A variable that is only a part of the address stands for text in it, and is quoted; slashes
    stay, since several tokens are often kept as one.
    """
    known = os.environ if environment is None else environment
    whole = _VARIABLE.fullmatch(target.url)

    def value(match: re.Match[str]) -> str:
        found = known.get(match[1], "").strip()
        if not found:
            raise SecretMissing(
                f"alerts.targets.{target.name}.url: the variable {match[1]} is not set here",
                f"set {match[1]} where the worker is started, then: opsdeck stop, opsdeck worker",
            )
        return found if whole else urllib.parse.quote(found, safe="/")

    return _VARIABLE.sub(value, target.url)


def scrub(text: str, target: Target, environment: Mapping[str, str] | None = None) -> str:
    """A text without addresses and without the values that the target's address has in it."""
    known = os.environ if environment is None else environment
    hidden: set[str] = set()
    for name in _VARIABLE.findall(target.url):
        value = known.get(name, "").strip()
        hidden |= {value, urllib.parse.quote(value, safe="/"), *re.split(r"[/:@?&=]+", value)}
    for secret in sorted(hidden, key=len, reverse=True):
        if len(secret) >= _LEAST:
            text = text.replace(secret, "…")
    return redact_secrets(_ADDRESS.sub(r"\1://…", text))
