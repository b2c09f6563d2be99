"""What a transformation does, as an object: learn from a frame, change a frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from core.recipes.errors import StepBroken

State = dict[str, Any]
"""What was learned: anything that `core.recipes.statefile` can write."""


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a transformation: the columns chosen, its parameters, where results go.

    `params` holds the given ones and, for transformations of our own, the defaults of the
    others. `pattern` names results: `{column}` stands for the input, `{name}` for what the
    transformation calls the result; "" leaves it to the transformation. `keep` leaves the
    inputs of a result with other names in place; `when` is an SQL condition on rows.
    `references` are the columns that parameters name.
    """

    columns: tuple[str, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    target: str | None = None
    pattern: str = ""
    keep: bool = False
    when: str = ""
    references: tuple[str, ...] = ()

    def result_name(self, column: str, default: str = "{column}") -> str:
        """The name of the result for one column."""
        pattern = self.pattern or default
        return pattern.replace("{column}", column).replace("{name}", column)


Lineage = Mapping[str, tuple[str, ...]]


class Operation(ABC):
    """A transformation at work. Stateless: what it learns is returned and handed in again.

    `apply` must not look at the target, and gives the same for the same frame and state.
    `conditional`: it heeds `when`; `names`: it heeds `as`; `keeps`: it heeds `keep`;
    `reads_references`: it needs the columns that parameters name when applied, too.
    """

    conditional = False
    names = False
    keeps = False
    reads_references = True

    def fit(self, frame: pl.DataFrame, call: Call) -> State:
        """What is learned from `frame`; nothing unless a subclass says otherwise."""
        return {}

    @abstractmethod
    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        """The changed frame."""

    def fit_apply(self, frame: pl.DataFrame, call: Call) -> tuple[State, pl.DataFrame]:
        """Learn from a frame and change that same frame, which some do out of fold."""
        state = self.fit(frame, call)
        return state, self.apply(frame, call, state)

    def lineage(self, call: Call, made: Sequence[str], state: State) -> Lineage:
        """The inputs of each column in `made`, which this call made or changed.

        A column that bears the name of an input comes from that one; others from all.
        """
        others = (*call.references, *condition_columns(call.when))
        return {
            name: _unique((*((name,) if name in call.columns else call.columns), *others))
            for name in made
        }


class EachColumn(Operation):
    """An expression over one column, for every chosen column."""

    conditional = True
    names = True

    def __init__(self, make: Callable[..., pl.Expr], default: str = "{column}") -> None:
        self._make, self._default = make, default

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        made = {}
        for column in call.columns:
            name = call.result_name(column, self._default)
            value = self._of(pl.col(column), frame.schema[column], call)
            made[name] = guarded(value, call, column, name)
        return frame.with_columns(**made)

    def _of(self, column: pl.Expr, dtype: Any, call: Call) -> pl.Expr:
        return self._make(column, **call.params)

    def lineage(self, call: Call, made: Sequence[str], state: State) -> Lineage:
        others = (*call.references, *condition_columns(call.when))
        back = {call.result_name(each, self._default): each for each in call.columns}
        return {name: _unique((back.get(name, name), *others)) for name in made}


class TypedColumn(EachColumn):
    """As `EachColumn`, and the expression is told the column's type: `make(column, dtype, …)`."""

    def _of(self, column: pl.Expr, dtype: Any, call: Call) -> pl.Expr:
        return self._make(column, dtype, **call.params)


class LearnedColumn(Operation):
    """An expression over one column with something learned of that column.

    `learn(series, params)` returns it as JSON-able values; `make(expr, learned, params)`.
    """

    conditional = True
    names = True

    def __init__(
        self,
        learn: Callable[[pl.Series, Mapping[str, Any]], Any],
        make: Callable[[pl.Expr, Any, Mapping[str, Any]], pl.Expr],
        default: str = "{column}",
    ) -> None:
        self._learn, self._make, self._default = learn, make, default

    def fit(self, frame: pl.DataFrame, call: Call) -> State:
        return {each: self._learn(frame[each], call.params) for each in call.columns}

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        made = {}
        for column in call.columns:
            name = call.result_name(column, self._default)
            value = self._make(pl.col(column), state[column], call.params)
            made[name] = guarded(value, call, column, name)
        return frame.with_columns(**made)

    def lineage(self, call: Call, made: Sequence[str], state: State) -> Lineage:
        others = (*call.references, *condition_columns(call.when))
        back = {call.result_name(each, self._default): each for each in call.columns}
        return {name: _unique((back.get(name, name), *others)) for name in made}


class Combined(Operation):
    """One new column from all the chosen ones; the step's `as` names it."""

    conditional = True
    names = True

    def __init__(self, make: Callable[..., pl.Expr], default: str) -> None:
        self._make, self._default = make, default

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        name = call.pattern.replace("{name}", self._default) or self._default
        value = self._make(list(call.columns), **call.params)
        return frame.with_columns(guarded(value, call, name, name).alias(name))

    def lineage(self, call: Call, made: Sequence[str], state: State) -> Lineage:
        inputs = _unique((*call.columns, *call.references, *condition_columns(call.when)))
        return dict.fromkeys(made, inputs)


class Constant(Combined):
    """One new column that comes from no other."""

    def lineage(self, call: Call, made: Sequence[str], state: State) -> Lineage:
        return dict.fromkeys(made, condition_columns(call.when))


class WholeFrame(Operation):
    """A function of the whole frame that learns nothing."""

    def __init__(self, change: Callable[[pl.DataFrame, Call], pl.DataFrame]) -> None:
        self._change = change

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        return self._change(frame, call)


class LearnedFrame(Operation):
    """Learns from the frame, then changes it: two functions."""

    def __init__(
        self,
        learn: Callable[[pl.DataFrame, Call], State],
        change: Callable[[pl.DataFrame, Call, State], pl.DataFrame],
    ) -> None:
        self._learn, self._change = learn, change

    def fit(self, frame: pl.DataFrame, call: Call) -> State:
        return self._learn(frame, call)

    def apply(self, frame: pl.DataFrame, call: Call, state: State) -> pl.DataFrame:
        return self._change(frame, call, state)


def guarded(value: pl.Expr, call: Call, column: str, name: str) -> pl.Expr:
    """The value, or where the row does not meet the step's condition what was there before."""
    if not call.when:
        return value
    otherwise = pl.col(column) if name == column else pl.lit(None)
    return pl.when(condition(call.when)).then(value).otherwise(otherwise)


def condition(text: str) -> pl.Expr:
    """An SQL expression over columns. Raises `StepBroken` where it is none."""
    try:
        made = pl.sql_expr(text)
    except (pl.exceptions.PolarsError, ValueError) as error:
        reason = str(error).splitlines()[0][:160]
        raise StepBroken(
            f"{text!r} is no condition: {reason}", "such as: hum = 0 AND hr > 6"
        ) from None
    return made


def condition_columns(text: str) -> tuple[str, ...]:
    """The columns that an SQL expression reads, in the order it names them."""
    return tuple(dict.fromkeys(condition(text).meta.root_names())) if text else ()


def spread(frame: pl.DataFrame, call: Call, made: Mapping[str, pl.Series]) -> pl.DataFrame:
    """Put several results in place of their inputs (beside them where the step keeps them).

    Raises `StepBroken` where a result has the name of another column.
    """
    named = {(call.pattern or "{name}").replace("{name}", name): s for name, s in made.items()}
    if len(named) != len(made):
        raise StepBroken(f"as: {call.pattern!r} names several results alike", "put {name} into it")
    for name in named:
        if name in frame.columns and (call.keep or name not in call.columns):
            raise StepBroken(
                f"a result is called {name} like a column that is there already",
                "name the results with as: prefix_{name}",
            )
    gone = () if call.keep else [each for each in call.columns if each not in named]
    return frame.with_columns(**named).drop(gone)


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
