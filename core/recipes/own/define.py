"""How a transformation of our own is declared: its entry of the catalogue and its operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.domain.recipe import Parameter, Transformation
from core.recipes.operation import Operation


@dataclass(frozen=True, slots=True)
class Definition:
    """What a transformation is and what does it."""

    about: Transformation
    operation: Operation


class Section:
    """The transformations of one category, declared one after the other."""

    def __init__(self, category: str) -> None:
        self.category = category
        self.definitions: list[Definition] = []

    def add(
        self,
        name: str,
        summary: str,
        operation: Operation,
        *parameters: Parameter,
        takes: str = "any",
        arity: str = "each",
        fitted: bool = False,
        rows: bool = False,
        scope: str = "row",
        target: str = "",
        columns: str | Sequence[str] | None = None,
        **example: Any,
    ) -> None:
        """Declare one; `columns` and the other words are a use of it on the example frame."""
        use: dict[str, Any] = {}
        if columns is not None:
            use["columns"] = columns if isinstance(columns, str) else list(columns)
        if example:
            use["with"] = example
        about = Transformation(
            name,
            self.category,
            "opsdeck",
            summary,
            tuple(takes.split("|")),
            arity,
            fitted,
            rows,
            scope,
            target,
            parameters,
            use,
        )
        self.definitions.append(Definition(about, operation))


def flag(name: str, help: str, default: bool = False) -> Parameter:
    """A parameter that is true or false."""
    return Parameter(name, "flag", help, default)


def whole(
    name: str, help: str, default: int | None = None, least: int = 1, most: int = 1_000_000
) -> Parameter:
    """A whole number; required without a default."""
    return Parameter(name, "integer", help, default, default is None, (), least, most)


def number(
    name: str,
    help: str,
    default: float | None = None,
    least: float | None = None,
    most: float | None = None,
) -> Parameter:
    """A number; required without a default."""
    return Parameter(name, "number", help, default, default is None, (), least, most)


def choice(name: str, help: str, default: str, *others: str) -> Parameter:
    """One of several words; the first is the default."""
    return Parameter(name, "text", help, default, False, (default, *others))


def text(name: str, help: str, default: str | None = None) -> Parameter:
    """A text; required without a default."""
    return Parameter(name, "text", help, default, default is None)


def column(name: str, help: str) -> Parameter:
    """The name of a column, which must be given."""
    return Parameter(name, "column", help, None, True)


def optional(kind: str, name: str, help: str) -> Parameter:
    """A parameter of this type that may be left out."""
    return Parameter(name, f"{kind}|null", help)


def required(kind: str, name: str, help: str) -> Parameter:
    """A parameter of this type that must be given."""
    return Parameter(name, kind, help, None, True)


Learn = Callable[..., Any]
Params = Mapping[str, Any]
