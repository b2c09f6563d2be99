"""Every key that a file of expectations may hold, once: reader and JSON Schema share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Form = Literal[
    "text",
    "dtype",  # a word of `DTYPES`
    "flag",  # true or false
    "whole",  # an integer from 0
    "share",  # `1%` or 0.01 → 0.01
    "change",  # `50%` or 0.5 → 0.5; may exceed 1
    "number",  # a number from 0
    "value",  # a number, or text (dates are written as text)
    "values",  # a list of values, texts or flags
    "names",  # one column or a list of them
    "duration",  # 90, 10m, 2d → seconds
    "severity",  # error or warn
    "scope",  # batch, snapshot or both
    "known",  # the word `known`
    "node",  # read by somebody who knows its shape
]


@dataclass(frozen=True, slots=True)
class Key:
    """One key: the form of its value and what it is for."""

    form: Form
    doc: str


FAMILIES: Mapping[str, tuple[str, ...]] = {
    "integer": (
        "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    ),
    "float": ("float32", "float64"),
    "number": (
        "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float32", "float64", "decimal",
    ),
    "string": ("string",),
    "boolean": ("boolean",),
    "date": ("date",),
    "timestamp": ("timestamp",),
    "time": ("time",),
    "binary": ("binary",),
    "decimal": ("decimal",),
}  # fmt: skip
"""Words for types that several exact ones meet; the exact ones can be written too."""

DTYPES = tuple(dict.fromkeys((*FAMILIES, *(each for all_ in FAMILIES.values() for each in all_))))

TOP: Mapping[str, Key] = {
    "dataset": Key("text", "The dataset; the file's name without its ending by default."),
    "description": Key("text", "What the dataset is to be like, in a sentence."),
    "strict": Key("flag", "Whether columns that are not named here are refused."),
    "columns": Key("node", "Column name to what is expected of its values."),
    "unique": Key("node", "Lists of columns whose values occur together at most once."),
    "conditions": Key("node", "SQL conditions that every row must satisfy."),
    "freshness": Key("node", "How old the newest row, or the newest snapshot, may be."),
    "volume": Key("node", "How many rows a snapshot may have."),
    "batch_volume": Key("node", "How many rows a batch may have."),
    "references": Key("node", "Columns whose values must exist in another dataset."),
    "drift": Key("node", "How far a column may move from a baseline snapshot."),
}

ROW_CHECKS: Mapping[str, Key] = {
    "eq": Key("value", "Equal to this."),
    "ne": Key("value", "Not equal to this."),
    "gt": Key("value", "Greater than this."),
    "ge": Key("value", "At least this."),
    "lt": Key("value", "Less than this."),
    "le": Key("value", "At most this."),
    "isin": Key("values", "One of these."),
    "notin": Key("values", "None of these."),
    "matches": Key("text", "The whole text matches this regular expression."),
    "contains": Key("text", "Some of the text matches this regular expression."),
    "starts_with": Key("text", "The text begins so."),
    "ends_with": Key("text", "The text ends so."),
    "min_length": Key("whole", "At least so many characters."),
    "max_length": Key("whole", "At most so many characters."),
    "finite": Key("flag", "Neither NaN nor infinite."),
}
"""Checks that each row meets or fails by itself; a missing value meets them all."""

COLUMN: Mapping[str, Key] = {
    "dtype": Key("dtype", "The type: " + ", ".join(FAMILIES) + ", or an exact one."),
    "required": Key("flag", "Whether the column must be there; true when left out."),
    "nullable": Key("flag", "Whether values may be missing; true when left out."),
    "max_missing": Key("share", "The share of values that may be missing, such as 1%."),
    "unique": Key("flag", "Whether each value occurs once."),
    **ROW_CHECKS,
    "allow": Key("share", "The share of rows that may fail the checks of this column."),
    "severity": Key("severity", "error (held back, stops what follows) or warn (told)."),
    "warn": Key("node", "The same checks with severity warn."),
    "description": Key("text", "What the column holds."),
}

_SEVERITY = Key("severity", "error or warn.")
_SCOPE = Key("scope", "Whether a batch, a snapshot or both are asked.")

UNIQUE: Mapping[str, Key] = {
    "columns": Key("names", "The columns."),
    "within": Key("scope", "`batch`: rows that are in the dataset already are not looked at."),
    "severity": _SEVERITY,
}
CONDITION: Mapping[str, Key] = {
    "sql": Key("text", "An SQL expression over the columns; a row where it is null passes."),
    "name": Key("text", "What to call it in reports."),
    "allow": Key("share", "The share of rows that may fail it."),
    "severity": _SEVERITY,
    "on": _SCOPE,
}
FRESHNESS: Mapping[str, Key] = {
    "max_age": Key("duration", "The age allowed, such as 2d."),
    "column": Key("text", "Column of times; without it the snapshot's own time counts."),
    "severity": _SEVERITY,
    "on": _SCOPE,
}
VOLUME: Mapping[str, Key] = {
    "min_rows": Key("whole", "At least so many rows."),
    "max_rows": Key("whole", "At most so many rows."),
    "change": Key("change", "How far it may be from the mean of the last ones, such as 50%."),
    "last": Key("whole", "How many earlier ones that mean is of; 5 when left out."),
    "severity": _SEVERITY,
}
REFERENCE: Mapping[str, Key] = {
    "column": Key("text", "The column whose values must exist elsewhere."),
    "dataset": Key("text", "The other dataset."),
    "key": Key("text", "Its column; the same name when left out."),
    "allow": Key("share", "The share of rows that may fail it."),
    "severity": _SEVERITY,
    "on": _SCOPE,
}
DRIFT: Mapping[str, Key] = {
    "column": Key("text", "The column."),
    "mean": Key("change", "How far its mean may move, as a share of the baseline's."),
    "missing": Key("share", "How far the share of missing values may move."),
    "psi": Key("number", "The population stability index allowed; 0.2 is a usual limit."),
    "categories": Key("known", "`known`: no value that the baseline does not have."),
    "baseline": Key("text", "A tag, a snapshot, or `previous` (when left out)."),
    "severity": _SEVERITY,
    "on": _SCOPE,
}
