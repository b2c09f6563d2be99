"""Which rows are meant: those of some values of a column, or above a threshold. Standard library
only, so that files that name facets are read quickly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from core.bias.errors import BiasInvalid

Value: TypeAlias = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Condition:
    """A column that has one of `values`, or is greater than `above`; with neither, any value is
    meant (a facet is then looked at value by value)."""

    column: str
    values: tuple[Value, ...] = ()
    above: float | None = None

    @property
    def fixed(self) -> bool:
        """Whether it says which rows."""
        return bool(self.values) or self.above is not None

    def text(self) -> str:
        """As one writes it: `COLUMN=A,B`, `COLUMN>X`, or `COLUMN`."""
        if self.above is not None:
            return f"{self.column}>{self.above:g}"
        values = ",".join(str(value) for value in self.values)
        return f"{self.column}={values}" if values else self.column


def parse(text: str) -> Condition:
    """`COLUMN`, `COLUMN=VALUE[,VALUE]` or `COLUMN>X`. Raises `BiasInvalid`."""
    at = min((i for i in (text.find("="), text.find(">")) if i >= 0), default=-1)
    if at < 0:
        column, sign, tail = text.strip(), "", ""
    else:
        column, sign, tail = text[:at].strip(), text[at], text[at + 1 :].strip()
        if sign == "=" and tail.startswith(">"):  # COLUMN=>X, as somebody will write it
            sign, tail = ">", tail[1:].strip()
    if not column or (sign and not tail):
        raise BiasInvalid(
            f"{text!r} is not a facet", "write COLUMN, COLUMN=VALUE, COLUMN=A,B or COLUMN>X"
        )
    if not sign:
        return Condition(column)
    if sign == ">":
        return Condition(column, above=threshold(tail, text))
    return Condition(column, tuple(part.strip() for part in tail.split(",") if part.strip()))


def threshold(text: str, where: str) -> float:
    """A finite number. Raises `BiasInvalid`."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not math.isfinite(value):
        raise BiasInvalid(f"{where}: {text!r} is not a number to be above")
    return value
