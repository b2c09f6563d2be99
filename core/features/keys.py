"""An entity's key as the online store has it, whoever writes it: a request, a CSV, DuckDB.

Standard library only: the endpoint's process uses it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from core.domain.features import EntityKey, FeatureSpec
from core.errors import BadInput

_WHOLE = re.compile(r"[-+]?[0-9]{1,19}")


class BadKey(BadInput):
    """A value that cannot be a part of the key."""


def encode(entity: Sequence[EntityKey], values: Sequence[Any]) -> str | None:
    """The key in one text; None where a part of it is null: such an entity has no row.

    Raises `BadKey`, naming the column.
    """
    parts: list[str | int | bool] = []
    for key, value in zip(entity, values, strict=True):
        if value is None:
            return None
        parts.append(value if type(value) is str and key.type == "string" else _part(key, value))
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))


def decode(entity: Sequence[EntityKey], text: str) -> dict[str, Any]:
    """The key's columns again."""
    return dict(zip((key.name for key in entity), json.loads(text), strict=True))


def key_values(spec: FeatureSpec, given: Mapping[str, Any]) -> list[Any]:
    """The key's values in the view's order and types. Raises `BadInput`."""
    missing = [name for name in spec.keys if given.get(name) is None]
    unknown = [name for name in given if name not in spec.keys]
    if missing or unknown:
        word = f"no {', '.join(missing)}" if missing else f"unknown {', '.join(unknown)}"
        raise BadInput(
            f"key of feature view {spec.name}: {word}",
            "give " + " ".join(f"{name}=…" for name in spec.keys),
        )
    text = encode(spec.entity, [given[name] for name in spec.keys])
    found: list[Any] = json.loads(text or "[]")
    return found


def digest(secret: bytes, view: str, text: str) -> str:
    """What stands for a key where it must not be told: 32 hexadecimal digits, which nobody
    finds by trying keys without the secret."""
    return hmac.new(secret, f"{view}\0{text}".encode(), hashlib.sha256).hexdigest()[:32]


def _part(key: EntityKey, value: Any) -> str | int | bool:
    found = _READ[key.type](value)
    if found is None:
        shown = repr(value) if isinstance(value, str | int | float) else type(value).__name__
        raise BadKey(f"key {key.name}: {shown[:60]} is no {key.type}")
    return found


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else None


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value.strip()) else None


def _flag(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None


def _date(value: Any) -> str | None:
    if isinstance(value, date | datetime):
        return value.isoformat()[:10]
    try:
        return date.fromisoformat(value).isoformat() if isinstance(value, str) else None
    except ValueError:
        return None


_READ = {"string": _text, "int": _whole, "bool": _flag, "date": _date}
