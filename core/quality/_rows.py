"""The checks that each row meets or fails by itself, asked of one part of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandera.polars as pa
import polars as pl

from core.domain.quality import Check, CheckSeverity
from core.quality._conditions import Conditions
from core.quality.pandera_schema import frame_schema

STRICT = "strict"


@dataclass(slots=True)
class Part:
    """What one part of the data gave: failing rows by check, and faults of the whole."""

    bad: dict[str, pl.Series] = field(default_factory=dict)
    """By key of a check: a mask of the rows that fail it."""
    faults: dict[str, str] = field(default_factory=dict)
    """By key of a check: why it fails as a whole (a column is missing or of another type)."""


class RowChecks:
    """The row checks of one file of expectations against data of one schema."""

    def __init__(
        self, checks: Sequence[Check], columns: Mapping[str, pl.DataType], strict: bool
    ) -> None:
        self._checks = checks
        self._conditions = Conditions([each for each in checks if each.kind == "condition"])
        self.unsuited: dict[str, str] = {}
        self._schemas: list[tuple[pa.DataFrameSchema, dict[tuple[str, str], str]]] = []
        for severity in CheckSeverity:
            asked = [each for each in checks if each.severity is severity]
            # Of one column one check is enough for each of pandera's own words.
            of = {(each.columns[0], each.kind): each.key for each in asked if each.columns}
            schema, unsuited = frame_schema(asked, columns, unique=False)
            self.unsuited |= unsuited
            self._schemas.append((schema, of))
        if strict:
            named = {column for each in checks for column in each.columns}
            self._extra = [column for column in columns if column not in named]
        else:
            self._extra = []

    def ask(self, frame: pl.DataFrame) -> Part:
        """Every check of every row of `frame`."""
        part = Part()
        for schema, of in self._schemas:
            try:
                schema.validate(frame, lazy=True)
            except pa.errors.SchemaErrors as errors:
                for error in errors.schema_errors:
                    _note(part, error, of)
        if self._extra:
            names = ", ".join(self._extra[:10]) + (" …" if len(self._extra) > 10 else "")
            part.faults[STRICT] = f"not named in the file: {names}"
        self._conditions.ask(frame, part.bad, part.faults)
        return part


def _note(part: Part, error: pa.errors.SchemaError, of: Mapping[tuple[str, str], str]) -> None:
    """One finding of pandera under the key of the check that it is about."""
    reason = error.reason_code
    codes = pa.errors.SchemaErrorReason
    if reason is codes.COLUMN_NOT_IN_DATAFRAME:
        part.faults[of[str(error.failure_cases), "required"]] = "the column is missing"
        return
    column = str(error.schema.name)
    if reason is codes.WRONG_DATATYPE:
        part.faults[of[column, "dtype"]] = f"the column is {str(error.failure_cases).lower()}"
        return
    if reason is codes.SERIES_CONTAINS_NULLS:
        key = of[column, "nullable"]
    else:
        key = str(getattr(error.check, "name", error.check))
    output = error.check_output
    if isinstance(output, pl.DataFrame):
        part.bad[key] = ~output.to_series(0).fill_null(True)
    else:
        part.faults[key] = f"could not be asked: {_one_line(str(error))}"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:160]
