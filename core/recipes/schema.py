"""The JSON Schema of recipe files, for editors; made from the tables that the reader uses."""

from __future__ import annotations

from typing import Any

from core.recipes.catalogue import catalogue
from core.recipes.files import NAME, STEP_KEYS, TOP_KEYS
from core.recipes.recipe import STAGES

_COLUMNS = {"type": ["string", "array", "number"], "items": {"type": ["string", "number"]}}
_FLAG = {"type": "boolean"}
_TEXT = {"type": "string", "minLength": 1}


def json_schema() -> dict[str, Any]:
    """The schema (draft-07, which editors read best). Parameters are not in it: what a
    transformation takes is checked by `opsdeck recipes validate`."""
    forms: dict[str, dict[str, Any]] = {
        "use": {"enum": [*catalogue()]},
        "columns": _COLUMNS,
        "except": _COLUMNS,
        "with": {"type": "object"},
        "keep": _FLAG,
        "optional": _FLAG,
        "stage": {"enum": [*STAGES]},
    }
    step = {
        "type": "object",
        "required": ["use"],
        "additionalProperties": False,
        "patternProperties": {"^x-": {}},
        "properties": {
            key: {"description": doc, **forms.get(key, _TEXT)} for key, doc in STEP_KEYS.items()
        },
    }
    top: dict[str, dict[str, Any]] = {
        "name": {"type": "string", "pattern": f"^{NAME.pattern}$"},
        "description": {"type": "string"},
        "steps": {
            "type": "array",
            "minItems": 1,
            "items": {"anyOf": [{"enum": [*catalogue()]}, step]},
        },
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Opsdeck recipe",
        "type": "object",
        "required": ["steps"],
        "additionalProperties": False,
        "patternProperties": {"^x-": {}},
        "properties": {
            key: {"description": doc, **top.get(key, _TEXT)} for key, doc in TOP_KEYS.items()
        },
    }
