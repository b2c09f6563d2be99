"""Transformations, recipes and what they do to columns, as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a transformation.

    `type` is one or several of flag, integer, number, text, list, mapping, column, columns,
    any, null, joined by `|`. A text must be one of `choices` where there are any; numbers lie
    within `least` and `most`.
    """

    name: str
    type: str
    help: str = ""
    default: Any = None
    required: bool = False
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None

    @property
    def types(self) -> tuple[str, ...]:
        """The types one by one."""
        return tuple(self.type.split("|"))


@dataclass(frozen=True, slots=True)
class Transformation:
    """One entry of the catalogue of transformations.

    `takes`: the types of columns it works on (number, text, flag, time, list, any).
    `arity`: `each` (column by column), `together` (the chosen columns at once) or `frame`.
    `fitted`: it learns from data. `rows`: it may remove, add or reorder rows.
    `scope`: what a value is computed from: its `row`, a `window` of neighbours (the order
    counts), or the whole `frame`. `target`: "", "any", "number" or "class": what kind of
    target it needs for fitting. `path` is where the library keeps it, `example` a use of it.
    """

    name: str
    category: str
    library: str
    summary: str
    takes: tuple[str, ...] = ("any",)
    arity: str = "each"
    fitted: bool = False
    rows: bool = False
    scope: str = "row"
    target: str = ""
    parameters: tuple[Parameter, ...] = ()
    example: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""

    def parameter(self, name: str) -> Parameter | None:
        """The parameter called `name`, or None."""
        return next((each for each in self.parameters if each.name == name), None)


@dataclass(frozen=True, slots=True)
class StepTrace:
    """What one step of a recipe did: rows, and columns that came, went or have new values."""

    step: str
    transformation: str
    rows_before: int
    rows_after: int
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    skipped: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """One column before and after: its types ("" where it is not there) and missing values."""

    name: str
    kind: str
    type_before: str
    type_after: str
    missing_before: int
    missing_after: int
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecipePreview:
    """What a recipe would do, tried on a sample.

    `before` and `after` are the first rows as mappings; `columns` tells of every column whose
    `kind` is added, changed, removed or same; `sampled` says of how many rows it was a sample
    (None: unknown).
    """

    recipe: str
    dataset: str
    rows_before: int
    rows_after: int
    steps: tuple[StepTrace, ...]
    columns: tuple[ColumnChange, ...]
    before: tuple[Mapping[str, Any], ...]
    after: tuple[Mapping[str, Any], ...]
    sampled: int | None = None


@dataclass(frozen=True, slots=True)
class RecipeRun:
    """A recipe applied to a dataset: where the rows went and what the fitted state is.

    `fitted` is the content hash of the fitted recipe, `folder` where it is kept.
    """

    recipe: str
    dataset: str
    snapshot: str
    fitted_on: str
    rows_before: int
    rows_after: int
    target: str
    target_snapshot: str
    fitted: str
    folder: str
    steps: tuple[StepTrace, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecipeFileInfo:
    """A recipe file of the workspace: how many steps it has, or how many problems."""

    name: str
    path: str
    steps: int
    problems: int
    description: str = ""
