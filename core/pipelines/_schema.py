"""The JSON Schema of pipeline files, for editors; made from the table the reader uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.domain.analysis import (
    ALARM_METRICS,
    ANALYSIS_METRICS,
    Comparison,
    MissingData,
    OnBreach,
)
from core.pipelines import _keys as k
from core.releases.presets import CATALOGUE
from core.tuning.spec import GOALS, STOPPING, STRATEGIES
from core.units import DURATION_PATTERN, SIZE_PATTERN
from core.workerbounds import MOST_WORKERS

_SCALAR = {"type": ["string", "number", "boolean"]}
_FORMS: dict[str, dict[str, Any]] = {
    "text": {"type": "string", "minLength": 1},
    "name": {"type": "string", "pattern": f"^{k.NAME}$"},
    "reference": {"type": "string", "pattern": r"^[^.\s]+\.[^.\s]+$"},
    "references": {"type": ["array", "string"], "items": {"type": "string", "minLength": 1}},
    "flag": {"type": "boolean"},
    "duration": {
        "anyOf": [
            {"type": "string", "pattern": DURATION_PATTERN},
            {"type": "number", "minimum": 0},
        ]
    },
    "memory": {"type": "string", "pattern": SIZE_PATTERN},
    "names": {"type": ["array", "string"], "items": {"type": "string", "minLength": 1}},
    "env": {
        "type": "object",
        "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
        "additionalProperties": _SCALAR,
    },
    "scalar": _SCALAR,
    "scalars": {"type": "array", "minItems": 1, "items": _SCALAR},
    "percent": {
        "anyOf": [
            {"type": "number", "minimum": 0, "maximum": 100},
            {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*%\s*$"},
        ]
    },
    "workers": {
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": MOST_WORKERS},
            {"type": "string", "pattern": r"^\s*[0-9]+\s*([:-]\s*[0-9]+\s*)?$"},
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["min", "max"],
                "properties": {
                    "min": {"type": "integer", "minimum": 1, "maximum": MOST_WORKERS},
                    "max": {"type": "integer", "minimum": 1, "maximum": MOST_WORKERS},
                },
            },
        ]
    },
    "any": {"type": ["number", "string"]},
    "node": {},
}
_OPTION_FORMS = {"percent": "percent", "seconds": "duration", "whole": "any"}


def json_schema() -> dict[str, Any]:
    """The schema (draft-07, which editors read best) of a pipeline file."""
    top = _object(k.TOP, required=["steps"])
    top["patternProperties"] = {"^x-": {}}
    top["properties"]["params"] |= {
        "type": ["object", "null"],
        "propertyNames": {"pattern": f"^{k.IDENTIFIER}$"},
        "additionalProperties": {"anyOf": [_SCALAR, {"$ref": "#/definitions/param"}]},
    }
    top["properties"]["defaults"] |= _object(k.DEFAULTS)
    top["properties"]["sagemaker"] |= _there(k.SAGEMAKER_TOP)
    top["properties"]["steps"] |= {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": f"^{k.STEP_NAME}$"},
        "additionalProperties": {"$ref": "#/definitions/step"},
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Opsdeck pipeline",
        **top,
        "definitions": {
            "param": _param(),
            "workers": _FORMS["workers"],
            "stages": {"type": "array", "minItems": 1, "items": _stage()},
            "alarms": {
                "type": ["array", "null"],
                "maxItems": 10,
                "items": {"anyOf": [{"type": "string"}, _alarm()]},
            },
            "analysis": {"anyOf": [{"type": "null"}, _analysis()]},
            "step": {"oneOf": [_step(kind) for kind in k.KINDS]},
        },
    }


def _object(keys: Mapping[str, k.Key], required: list[str] | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _property(key) for name, key in keys.items()},
    }
    if required:
        made["required"] = required
    return made


def _property(key: k.Key) -> dict[str, Any]:
    if key.form == "whole":
        form: dict[str, Any] = {"type": "integer", "minimum": key.least, "maximum": key.most}
    else:
        form = _FORMS[key.form]
    return {"description": key.doc, **form}


def _param() -> dict[str, Any]:
    made = _object(k.PARAM)
    made["properties"]["type"]["enum"] = list(k.PARAM_TYPES)
    return made


def _step(kind: str) -> dict[str, Any]:
    keys = {name: key for name, key in k.STEP.items() if name in k.keys_of(kind)}
    made = _object(keys, required=[kind])
    properties = made["properties"]
    if kind == "function":
        properties[kind]["pattern"] = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
    elif kind == "tune":
        properties[kind] |= _tune()
    elif kind in k.BUILT_IN:
        settings = _object(k.BUILT_IN[kind], ["model"] if kind == "register" else None)
        if kind == "deploy":
            settings["properties"]["strategy"] |= _strategy()
        if kind == "gate":
            settings["properties"]["auto"] |= _auto()
        if kind != "register":
            settings["type"] = ["object", "null"]
        properties[kind] |= settings
    elif kind in k.DATA:
        properties[kind] |= _settings(k.DATA[kind])
    if "inputs" in properties:
        properties["inputs"] |= {"type": "object"}
    if "sagemaker" in properties:
        properties["sagemaker"] |= _there(k.SAGEMAKER)
    return made


def _there(keys: Mapping[str, k.Key]) -> dict[str, Any]:
    made = _object(keys)
    made["properties"]["strategy"] |= {"type": ["string", "array", "object"]}
    return made | {"type": ["object", "null"]}


def _auto() -> dict[str, Any]:
    made = _object(k.AUTO, required=["on", "margin", "segments"])
    made["properties"]["better"]["enum"] = ["lower", "higher"]
    percent = _FORMS["percent"]["anyOf"][1]
    made["properties"]["margin"]["anyOf"] = [{"type": "number", "exclusiveMinimum": 0}, percent]
    return made


def _settings(known: Mapping[str, k.Setting]) -> dict[str, Any]:
    """The settings of a data step; what they may be is checked by what does it."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name, setting in known.items() if setting.needed],
        "properties": {
            name: {"description": setting.doc, **({"type": "string"} if setting.rows else {})}
            for name, setting in known.items()
        },
    }


def _tune() -> dict[str, Any]:
    made = _object(k.TUNE, required=["metric", "ranges"])
    properties = made["properties"]
    for name in ("max_trials", "max_parallel", "max_failed", "seed"):
        parameter = {"type": "string", "pattern": r"^\$\{\s*params\.[^}\s]+\s*\}$"}
        properties[name]["anyOf"] = [{"type": "integer", "minimum": 0}, parameter]
    properties["strategy"]["enum"] = [*STRATEGIES]
    properties["early_stopping"]["enum"] = [*STOPPING]
    properties["warm_start"]["pattern"] = "^(run/[1-9][0-9]*|last)$"
    metric = _object(k.METRIC_OF_TRIALS, required=["name", "goal"])
    metric["properties"]["goal"]["enum"] = [*GOALS]
    properties["metric"] |= metric
    numbers = _object(k.RANGE, required=["min", "max"])
    for name in ("min", "max", "step"):
        numbers["properties"][name]["type"] = "number"
    numbers["properties"]["type"]["enum"] = ["int", "float"]
    numbers["properties"]["scale"]["enum"] = ["linear", "log"]
    choices = {"type": "array", "minItems": 2, "items": _SCALAR}
    properties["ranges"] |= {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": f"^{k.IDENTIFIER}$"},
        "additionalProperties": {"anyOf": [numbers, choices]},
    }
    return made | {"oneOf": [{"required": ["function"]}, {"required": ["script"]}]}


def _strategy() -> dict[str, Any]:
    """A preset's name, a list of steps, or a mapping with either and what is watched."""
    steps = {"$ref": "#/definitions/stages"}
    common = {
        "alarms": {"$ref": "#/definitions/alarms"},
        "analysis": {"$ref": "#/definitions/analysis"},
        "on_breach": {"enum": [*OnBreach]},
        "keep": _FORMS["duration"],
        "workers": {"$ref": "#/definitions/workers"},
        "rollback_alarms": {"type": "array", "maxItems": 10, "items": {"type": "string"}},
    }
    own = {"type": "object", "additionalProperties": False, "required": ["steps"]}
    mappings = [{**own, "properties": {"steps": steps, **common}}]
    for preset in CATALOGUE.values():
        options = {
            name: {"description": option.doc, **_FORMS[_OPTION_FORMS[option.form]]}
            for name, option in preset.options.items()
        }
        mappings.append(
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["preset"],
                "properties": {"preset": {"const": preset.name}, **options, **common},
            }
        )
    return {"anyOf": [{"enum": [*CATALOGUE]}, steps, *mappings]}


def _stage() -> dict[str, Any]:
    stage = _object(k.STAGE)
    for name in k.OPTIONAL_DURATIONS:
        held = stage["properties"][name]
        held["anyOf"] = [*held["anyOf"], {"type": "null"}, {"type": "object", "maxProperties": 0}]
    shadow = stage["properties"]["shadow"]
    shadow["anyOf"] = [_FORMS["duration"], _object(k.SHADOW)]
    return stage | {"minProperties": 1, "maxProperties": 1}


def _alarm() -> dict[str, Any]:
    made = _object(k.ALARM, required=["metric", "threshold"])
    properties = made["properties"]
    properties["metric"]["enum"] = [*ALARM_METRICS]
    properties["comparison"]["enum"] = [">", ">=", "<", "<=", *Comparison]
    properties["treat_missing_data"]["enum"] = [*MissingData]
    properties["variant"]["enum"] = ["candidate", "champion", "endpoint"]
    return made


def _analysis() -> dict[str, Any]:
    metric = _object(k.METRIC, required=["metric"])
    metric["properties"]["metric"]["enum"] = [*ANALYSIS_METRICS]
    metric["properties"]["worse_when"]["enum"] = ["higher", "lower", "both"]
    made = _object(k.ANALYSIS)
    either = [{"enum": [*ANALYSIS_METRICS]}, metric]
    made["properties"]["metrics"] |= {"type": "array", "items": {"anyOf": either}}
    return made
