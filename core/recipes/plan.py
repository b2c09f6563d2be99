"""A recipe at work: fitted on a training part, then applied to any data of that shape."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from core.domain.pipeline import Problem
from core.domain.recipe import StepTrace, Transformation
from core.errors import OpsdeckError
from core.recipes.catalogue import find
from core.recipes.errors import StepBroken
from core.recipes.operation import Call, State, condition_columns
from core.recipes.recipe import Recipe, Step
from core.recipes.registry import operation_of
from core.recipes.select import Tags, choose, kinds_of, missing
from core.recipes.sqlrows import other_rows

Columns = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class FittedStep:
    """A step with its columns chosen and what it learned; `call` is None where it was passed
    over. `needs`: the types of the columns it read when it was fitted."""

    step: Step
    call: Call | None
    state: State = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FittedRecipe:
    """A recipe with all that its steps learned. Immutable; `apply` is deterministic."""

    recipe: Recipe
    steps: tuple[FittedStep, ...]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    lineage: Mapping[str, tuple[str, ...]]
    trace: tuple[StepTrace, ...] = ()

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame changed. Raises `StepBroken` where it lacks what the steps read."""
        return self.traced(frame)[0]

    def traced(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[StepTrace, ...]]:
        """The frame changed, and what each step did."""
        traces = []
        for each in self.steps:
            frame, trace = _apply(self.recipe, each, frame)
            traces.append(trace)
        return frame, tuple(traces)

    def columns_of(self) -> Mapping[str, tuple[str, ...]]:
        """The input columns that each output column was computed from."""
        return self.lineage

    def followed(
        self, columns: Sequence[str], traces: Sequence[StepTrace]
    ) -> tuple[Mapping[str, tuple[str, ...]], tuple[str, ...]]:
        """The same for rows with these columns to which the steps did what `traces` say, which
        may be more than they did to the rows that they were fitted on; and the columns that
        decide which rows there are."""
        known: Columns = {name: (name,) for name in columns}
        deciding: list[str] = []
        for each, trace in zip(self.steps, traces, strict=True):
            if each.call and not trace.skipped and find(each.step.use).rows:
                chosen = (*each.call.references, *_named(each)) or each.call.columns
                deciding += [source for name in chosen for source in known.get(name, ())]
            after = [name for name in known if name not in trace.removed]
            known = _followed(each, trace, [*after, *trace.added], known)
        return known, tuple(dict.fromkeys(deciding))

    @property
    def learned(self) -> bool:
        """Whether any step learned from data (the choice of columns aside)."""
        return any(find(each.step.use).fitted and each.call for each in self.steps)


class Plan:
    """A recipe checked against the catalogue, ready to be fitted."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    @property
    def fitted(self) -> bool:
        """Whether a step learns from data."""
        return any(find(step.use).fitted for step in self.recipe.steps)

    @property
    def supervised(self) -> bool:
        """Whether a step learns from the target."""
        return any(find(step.use).target for step in self.recipe.steps)

    @property
    def changes_rows(self) -> bool:
        """Whether a step may remove, add or reorder rows."""
        return any(find(step.use).rows for step in self.recipe.steps)

    def problems(self) -> tuple[Problem, ...]:
        """What the file's reader cannot see: keys that a transformation does not heed,
        conditions that are no SQL, targets that are missing."""
        found: list[Problem] = []
        for index, step in enumerate(self.recipe.steps, start=1):
            about, operation = find(step.use), operation_of(step.use)
            where = f"steps[{index}]"

            def note(key: str, message: str, hint: str = "", at: Step = step) -> None:
                place = f"{where}.{key}"  # noqa: B023 - called within the loop only
                found.append(Problem(self.recipe.path, at.line, place, message, hint))

            if step.when and not operation.conditional:
                note("when", f"{step.use} cannot heed it", "filter or split it by another step")
            if step.pattern and not operation.names:
                note("as", f"{step.use} names no results", "leave it out")
            if step.keep and not operation.keeps:
                note("keep", f"{step.use} takes none away", "leave it out")
            for key, text in (("when", step.when), *_conditions(step)):
                try:
                    condition_columns(text)
                except StepBroken as error:
                    note(key, error.message, error.hint)
                    continue
                wide = other_rows(text) if text else ""
                if wide:
                    hint = "learn it: group_statistic; or look back only: rolling, so_far"
                    note(key, f"{wide} reads other rows, later ones too", hint)
            if about.target and not (step.target or self.recipe.target):
                note("target", f"{step.use} learns from a target", "add target: to the recipe")
        return tuple(found)

    def fit(self, train: pl.DataFrame, *, tags: Tags | None = None) -> FittedRecipe:
        """Learn from the training part. Raises `StepBroken`."""
        return self.fit_apply(train, tags=tags)[0]

    def fit_apply(
        self, train: pl.DataFrame, *, tags: Tags | None = None
    ) -> tuple[FittedRecipe, pl.DataFrame]:
        """Learn from the training part and change it too, out of fold where a transformation
        does so. Raises `StepBroken`."""
        frame, steps, traces = train, [], []
        lineage: Columns = {name: (name,) for name in train.columns}
        for step in self.recipe.steps:
            fitted, after, trace = self._fit_step(step, frame, tags or {})
            lineage = _followed(fitted, trace, after.columns, lineage)
            steps.append(fitted)
            traces.append(trace)
            frame = after
        made = FittedRecipe(
            self.recipe,
            tuple(steps),
            {name: str(kind) for name, kind in train.schema.items()},
            {name: str(kind) for name, kind in frame.schema.items()},
            lineage,
            tuple(traces),
        )
        return made, frame

    def _fit_step(
        self, step: Step, frame: pl.DataFrame, tags: Tags
    ) -> tuple[FittedStep, pl.DataFrame, StepTrace]:
        about = find(step.use)
        with _Told(self.recipe, step) as told:
            call = _call(self.recipe, step, about, frame, tags)
            if call is None:
                skipped = "no column fits"
                return FittedStep(step, None), frame, _trace(step, frame, frame, (), skipped)
            operation = operation_of(step.use)
            others = call.references if operation.reads_references else ()
            wanted = (*call.columns, *others, *condition_columns(call.when))
            needs = {name: str(frame.schema[name]) for name in wanted if name in frame.columns}
            if step.stage == "apply":
                state, after = operation.fit(frame, call), frame
            else:
                state, after = operation.fit_apply(frame, call)
        skipped = "not in training" if step.stage == "apply" else ""
        fitted = FittedStep(step, call, state, needs)
        return fitted, after, _trace(step, frame, after, told.warnings, skipped)


_WHOLE_ROWS = frozenset({"select", "drop_missing_rows"})
"""Beside those of the category `rows`: what looks at rows as a whole, the target included."""


def _conditions(step: Step) -> list[tuple[str, str]]:
    names = ("expression", "keep", "drop")
    own = step.use in ("add_column", "keep_rows", "drop_rows")
    return [(f"with.{n}", str(step.params[n])) for n in names if own and n in step.params]


def _named(fitted: FittedStep) -> list[str]:
    """The columns that a step's conditions name."""
    texts = [text for _, text in _conditions(fitted.step)]
    when = fitted.call.when if fitted.call else ""
    return [name for text in (*texts, when) for name in condition_columns(text)]


def _call(
    recipe: Recipe, step: Step, about: Transformation, frame: pl.DataFrame, tags: Tags
) -> Call | None:
    """The step's use with its columns chosen; None where it may be passed over."""
    target = step.target or recipe.target
    schema = frame.schema
    selectors = step.columns or (("all",) if about.arity == "frame" else ())
    try:
        spared = "" if about.category == "rows" or about.name in _WHOLE_ROWS else target
        chosen = choose(selectors, step.leave_out, schema, tags=tags, target=spared)
    except StepBroken:
        if step.optional:
            return None
        raise
    if not chosen and (step.columns or about.arity != "frame"):
        if step.optional:
            return None
        raise StepBroken(
            f"no column fits {', '.join(step.columns)}", "say optional: true to allow it"
        )
    if about.arity != "frame":
        _suited(about, chosen, schema)
    params = dict(step.params)
    if about.library == "opsdeck":
        params = {each.name: each.default for each in about.parameters} | params
    references: list[str] = []
    for each in about.parameters:
        value = params.get(each.name)
        if value is not None and {"column", "columns"} & set(each.types):
            references += [value] if isinstance(value, str) else value
    for name in references:
        if name not in schema:
            raise missing(name, schema)
    for _, text in (("when", step.when), *_conditions(step)):
        for name in condition_columns(text):
            if name not in schema:
                raise missing(name, schema)
    if about.target and target not in schema:
        raise missing(target, schema)
    return Call(
        columns=chosen,
        params=params,
        target=target if about.target else None,
        pattern=step.pattern,
        keep=step.keep,
        when=step.when,
        references=tuple(dict.fromkeys(references)),
    )


def _suited(about: Transformation, chosen: tuple[str, ...], schema: Mapping[str, Any]) -> None:
    if "any" in about.takes:
        return
    for name in chosen:
        kinds = kinds_of(schema[name])
        if not kinds & set(about.takes):
            raise StepBroken(
                f"column {name} is {schema[name]}; {about.name} takes {' or '.join(about.takes)}",
                "put a step cast, parse_number or parse_dates before, or leave the column out",
            )


def _apply(
    recipe: Recipe, fitted: FittedStep, frame: pl.DataFrame
) -> tuple[pl.DataFrame, StepTrace]:
    step, call = fitted.step, fitted.call
    if call is None:
        return frame, _trace(step, frame, frame, (), "no column fitted")
    if step.stage == "fit":
        return frame, _trace(step, frame, frame, (), "in training only")
    with _Told(recipe, step) as told:
        for name, kind in fitted.needs.items():
            if name == call.target:
                continue
            if name not in frame.columns:
                raise missing(name, frame.columns)
            now = frame.schema[name]
            if str(now) != kind and not (now.is_numeric() and _was_number(kind)):
                raise StepBroken(
                    f"column {name} is {now} here and was {kind} when the recipe was fitted",
                    "cast it, or fit the recipe again",
                )
        after = operation_of(step.use).apply(frame, call, fitted.state)
    return after, _trace(step, frame, after, told.warnings, "")


def _was_number(kind: str) -> bool:
    return kind.startswith(("Int", "UInt", "Float", "Decimal"))


def _trace(
    step: Step, before: pl.DataFrame, after: pl.DataFrame, told: tuple[str, ...], skipped: str
) -> StepTrace:
    return StepTrace(
        step.name,
        step.use,
        before.height,
        after.height,
        tuple(each for each in after.columns if each not in before.columns),
        () if before is after else _changed(before, after),
        tuple(each for each in before.columns if each not in after.columns),
        skipped,
        told,
    )


def _changed(before: pl.DataFrame, after: pl.DataFrame) -> tuple[str, ...]:
    """Columns of both with another type or, where the rows are the same, other values."""
    found = []
    for name in after.columns:
        if name not in before.columns:
            continue
        one, other = before[name], after[name]
        same_rows = before.height == after.height
        if one.dtype != other.dtype or (same_rows and not one.equals(other, null_equal=True)):
            found.append(name)
    return tuple(found)


def _followed(
    fitted: FittedStep, trace: StepTrace, after: Sequence[str], known: Columns
) -> Columns:
    """The lineage of the columns after a step, from that of the columns before it."""
    if fitted.call is None or trace.skipped:
        return known
    call, about = fitted.call, find(fitted.step.use)
    made = [*trace.added, *trace.changed]
    if about.rows:
        # Other rows: columns that the step does not touch stay what they were.
        touched = {*call.columns, *call.references}
        old = [each for each in after if each in touched and each not in trace.added]
        made = [*trace.added, *old]
    inputs = operation_of(fitted.step.use).lineage(call, made, fitted.state)
    followed: Columns = {}
    for name in after:
        if name in inputs:
            # What learned from the target says something of it, and bears its labels.
            read = (*inputs[name], *((call.target,) if call.target else ()))
            sources = [source for each in read for source in known.get(each, ())]
            followed[name] = tuple(dict.fromkeys(sources))
        else:
            followed[name] = known.get(name, ())
    return followed


class _Told:
    """Whatever a library raises within becomes a `StepBroken` that names the step; what it
    warns of is kept for the trace."""

    def __init__(self, recipe: Recipe, step: Step) -> None:
        index = recipe.steps.index(step) + 1
        self._where = f"{recipe.path or recipe.name}:{step.line or 1} steps[{index}] ({step.use})"
        self.warnings: tuple[str, ...] = ()
        self._recorder = warnings.catch_warnings(record=True)

    def __enter__(self) -> _Told:
        self._caught = self._recorder.__enter__()
        warnings.simplefilter("always")
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._recorder.__exit__(None, None, None)
        told = [" ".join(str(each.message).split())[:200] for each in self._caught or ()]
        self.warnings = tuple(dict.fromkeys(told))
        if isinstance(error, StepBroken):
            raise StepBroken(f"{self._where}: {error.message}", error.hint) from None
        if error is None or isinstance(error, (OpsdeckError, MemoryError, OSError)):
            return
        if isinstance(error, (Exception, pl.exceptions.PanicException)):
            reason = " ".join(str(error).split())[:240] or type(error).__name__
            hint = f"see: opsdeck recipes show {self._use()}"
            raise StepBroken(f"{self._where}: {reason}", hint) from error

    def _use(self) -> str:
        return self._where.rpartition("(")[2].rstrip(")")
