"""The JSON Schema of files of expectations, for editors; made of the tables that are read by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.domain.quality import CheckScope, CheckSeverity
from core.quality import _keys as k
from core.units import DURATION_PATTERN

_VALUE: dict[str, Any] = {"type": ["string", "number", "boolean"]}
_SHARE: dict[str, Any] = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*%\s*$"},
    ]
}
_FORMS: Mapping[str, dict[str, Any]] = {
    "text": {"type": "string", "minLength": 1},
    "dtype": {"enum": list(k.DTYPES)},
    "flag": {"type": "boolean"},
    "whole": {"type": "integer", "minimum": 0},
    "share": _SHARE,
    "change": _SHARE,
    "number": {"type": "number", "minimum": 0},
    "value": _VALUE,
    "values": {"type": "array", "minItems": 1, "items": _VALUE},
    "names": {"type": ["array", "string"], "items": {"type": "string"}, "minItems": 1},
    "duration": {
        "anyOf": [
            {"type": "string", "pattern": DURATION_PATTERN},
            {"type": "number", "minimum": 0},
        ]
    },
    "severity": {"enum": [each.value for each in CheckSeverity]},
    "scope": {"enum": [each.value for each in CheckScope]},
    "known": {"const": "known"},
    "node": {},
}


def json_schema() -> dict[str, Any]:
    """The schema (draft-07, which editors read best) of `expectations/NAME.yaml`."""
    warn = _object({n: key for n, key in k.COLUMN.items() if n not in ("warn", "severity")})
    column = _object(k.COLUMN)
    column["properties"]["warn"] |= warn
    column["type"] = ["object", "null"]
    top = _object(k.TOP)
    names = {"type": "array", "minItems": 1, "items": {"type": "string"}}
    sections = {
        "columns": {"type": "object", "additionalProperties": column},
        "unique": _list({"anyOf": [names, _object(k.UNIQUE, "columns")]}),
        "conditions": _list({"anyOf": [{"type": "string"}, _object(k.CONDITION, "sql")]}),
        "freshness": _one_or_more(_object(k.FRESHNESS, "max_age")),
        "volume": _one_or_more(_object(k.VOLUME)),
        "batch_volume": _one_or_more(_object(k.VOLUME)),
        "references": _list(_object(k.REFERENCE, "column", "dataset")),
        "drift": _list(_object(k.DRIFT, "column")),
    }
    for name, form in sections.items():
        top["properties"][name] |= form
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Opsdeck expectations",
        **top,
    }


def _object(keys: Mapping[str, k.Key], *required: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {n: {"description": key.doc, **_FORMS[key.form]} for n, key in keys.items()},
    }
    return made | ({"required": list(required)} if required else {})


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def _one_or_more(item: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [item, {"type": "array", "items": item}]}
