"""What commands print: one JSON document for programs, aligned text for people."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Mapping, Set
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any

import click

from console.session import Session


def iso(at: float) -> str:
    """Epoch seconds as ISO-8601 in UTC, to the millisecond: `2026-11-21T23:51:00.000Z`."""
    moment = datetime.fromtimestamp(at, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_json(value: object) -> Any:
    """A record, or anything made of records, as what `json.dumps` takes.

    Of a dataclass all fields and properties; its fields named `at` or `…_at` are epoch
    seconds and become ISO-8601 text. Mappings keep their values as they are stored.
    Numbers that JSON has no word for (NaN, infinity) become null.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _record(value)
    if isinstance(value, Enum):
        return to_json(value.value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, Set):
        return sorted((to_json(item) for item in value), key=str)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, date | time):  # in rows of data; a datetime is a date
        return value.isoformat()
    if isinstance(value, PurePath | Decimal | timedelta):
        return str(value)
    if isinstance(value, Iterable):
        return [to_json(item) for item in value]
    raise TypeError(f"no JSON for a {type(value).__name__}")


def _record(record: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name in _names(type(record)):
        value = getattr(record, name)
        is_time = name == "at" or name.endswith("_at")
        shown[name] = iso(value) if is_time and isinstance(value, (int, float)) else to_json(value)
    return shown


def _names(kind: type) -> list[str]:
    fields = [field.name for field in dataclasses.fields(kind)]
    return fields + [
        name
        for name, member in vars(kind).items()
        if isinstance(member, property) and not name.startswith("_")
    ]


def emit(session: Session, document: object, text: Callable[[], str]) -> None:
    """Print `document` as JSON if the session asks for it, else what `text` makes."""
    if session.json:
        indent = 2 if session.terminal else None
        click.echo(json.dumps(to_json(document), ensure_ascii=False, indent=indent))
        return
    shown = text()
    if shown:
        click.echo(shown, color=session.colour)
