"""What pipeline steps without code call: apply a recipe, split rows. Arrow in, Arrow out.

Both are deterministic: the same rows, file and settings give the same results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from core.domain.recipe import StepTrace
from core.domain.split import Leak, LeakReport, SplitReport, SplitSpec
from core.errors import BadInput
from core.recipes.errors import FitRefused, SplitInvalid

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from core.recipes.plan import FittedRecipe
    from core.session import Session

    Rows: TypeAlias = pa.Table | pa.RecordBatchReader | Path


@dataclass(frozen=True, slots=True)
class Transformed:
    """What a recipe made: the outputs by the inputs' names, the fitted recipe, where it is kept
    and under which content hash, and what each step did to each input."""

    outputs: Mapping[str, pa.Table]
    fitted: FittedRecipe
    hash: str
    folder: Path
    traces: Mapping[str, tuple[StepTrace, ...]]


@dataclass(frozen=True, slots=True)
class Divided:
    """What a split made: the parts by their names, its report, and the checks for leakage
    (None where no target was named)."""

    parts: Mapping[str, pa.Table]
    report: SplitReport
    leaks: LeakReport | None


def run_transform(
    session: Session,
    recipe_file: str,
    inputs: Mapping[str, Rows],
    *,
    fit_on: Rows | str | None = None,
    target: str = "",
    tags: Mapping[str, frozenset[str]] | None = None,
) -> Transformed:
    """Fit a recipe on one part and apply it to every input.

    `recipe_file` is a path in the workspace or a name in `recipes/`. `fit_on` is the name of
    an input or rows of its own; left out, it is the input `train`, or the only input. The part
    that it is fitted on gets what fitting gives it (target encodings out of fold), the others
    what was learned. `target` stands in for the recipe's. Raises `NotFound`, `RecipeInvalid`,
    `FitRefused`, `StepBroken`.
    """
    from dataclasses import replace

    from core.recipes.files import load_recipe
    from core.recipes.plan import Plan

    recipe = load_recipe(session.workspace.root, recipe_file)
    plan = Plan(replace(recipe, target=target) if target else recipe)
    refuse_problems(plan)
    trained, rows = _training(plan, inputs, fit_on)
    fitted, changed = plan.fit_apply(rows, tags=tags)
    outputs, traces = {}, {}
    for name, given in inputs.items():
        if name in trained:
            outputs[name], traces[name] = changed.to_arrow(), fitted.trace
        else:
            after, traces[name] = fitted.traced(frame_of(given))
            outputs[name] = after.to_arrow()
    digest, folder = keep(session, fitted)
    return Transformed(outputs, fitted, digest, folder, traces)


def run_split(
    rows: Rows,
    *,
    by: str,
    column: str | Sequence[str] = (),
    parts: Mapping[str, float | str] | None = None,
    gap: str = "",
    seed: int = 0,
    target: str = "",
    time: str = "",
    group: Sequence[str] = (),
    key: Sequence[str] = (),
) -> Divided:
    """Split rows into parts and, where a target is named, look for leaks.

    `parts` maps a part to its share or (by time) to the moment at which it starts; the first
    part's moment may be empty. Raises `SplitInvalid`.
    """
    from core.recipes.leaks.check import check
    from core.recipes.splits.assign import assign
    from core.recipes.splits.report import report

    frame = frame_of(rows)
    columns = (column,) if isinstance(column, str) and column else tuple(column)
    spec = spec_of(by, columns, parts, gap, seed)
    member = assign(frame, spec)
    time = time or (columns[0] if by == "time" else "")
    group = group or (columns if by == "group" else ())
    told = report(frame, member, spec, target=target, time=time)
    leaks = None
    if target:
        leaks = check(frame, target, parts=member, time=time, group=group, key=key)
    names = [each.name for each in told.parts]
    made = {name: frame.filter((member == name).fill_null(False)).to_arrow() for name in names}
    return Divided(made, told, leaks)


def spec_of(
    by: str,
    columns: Sequence[str],
    parts: Mapping[str, float | str] | None,
    gap: str = "",
    seed: int = 0,
) -> SplitSpec:
    """The checked description of a split. Raises `SplitInvalid`."""
    from core.recipes.splits.spec import checked

    given = {name: _number(value) for name, value in (parts or {}).items()}
    numbers = {n: float(v) for n, v in given.items() if isinstance(v, (int, float))}
    moments = {n: str(v) for n, v in given.items() if not isinstance(v, (int, float))}
    if numbers and moments:
        raise SplitInvalid("parts: some are shares, some are moments", "give one kind of them")
    return checked(SplitSpec(by, tuple(columns), numbers, moments, gap, seed))


def _number(value: float | str) -> float | str:
    """A share that came as text, such as `0.7` or `70`; a year is none."""
    try:
        found = float(value)
    except ValueError:
        return value
    return found if found <= 100 else value


def surely(leaks: LeakReport | None) -> tuple[Leak, ...]:
    """Those findings that are leaks, not only suspects."""
    return tuple(each for each in (leaks.leaks if leaks else ()) if each.severity == "leak")


def refuse_problems(plan: Any) -> None:
    """Raise `RecipeInvalid` for what only the transformations themselves can tell."""
    from core.recipes.files import RecipeFile, invalid

    problems = plan.problems()
    if problems:
        raise invalid(RecipeFile(plan.recipe.name, plan.recipe.path, problems))


def keep(session: Session, fitted: FittedRecipe) -> tuple[str, Path]:
    """Save a fitted recipe under the workspace's state: its content hash and its folder."""
    from core.recipes.fitted import content_hash, save_fitted

    digest = content_hash(fitted)
    folder = session.workspace.state_dir / "recipes" / fitted.recipe.name / digest[:16]
    save_fitted(fitted, folder)
    return digest, folder


def frame_of(rows: Any) -> pl.DataFrame:
    """Rows as a Polars frame: a table, a stream of batches, or a file of Parquet or Arrow."""
    import polars as pl
    import pyarrow as pa

    if isinstance(rows, pl.DataFrame):
        return rows
    if isinstance(rows, Path):
        return pl.read_ipc(rows) if rows.suffix in (".arrow", ".feather") else pl.read_parquet(rows)
    table = rows.read_all() if isinstance(rows, pa.RecordBatchReader) else rows
    made = pl.from_arrow(table)
    assert isinstance(made, pl.DataFrame)
    return made


def _training(
    plan: Any, inputs: Mapping[str, Rows], fit_on: Any
) -> tuple[frozenset[str], pl.DataFrame]:
    """The inputs that are the training part, and its rows."""
    if not inputs:
        raise BadInput("a transform step needs rows to apply the recipe to")
    if fit_on is None:
        if "train" in inputs:
            fit_on = "train"
        elif len(inputs) == 1:
            fit_on = next(iter(inputs))
        elif plan.fitted:
            raise FitRefused(
                f"recipe {plan.recipe.name} learns from data, and nothing says from which input",
                "name the training part: fit",
            )
        else:
            fit_on = next(iter(inputs))
    if isinstance(fit_on, str):
        if fit_on not in inputs:
            raise BadInput(f"fit: there is no input {fit_on}", "known: " + ", ".join(inputs))
        return frozenset({fit_on}), frame_of(inputs[fit_on])
    frame = frame_of(fit_on)
    same = {n for n, given in inputs.items() if given is fit_on or _equal(given, fit_on)}
    return frozenset(same), frame


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Path) or isinstance(other, Path):
        return isinstance(one, Path) and isinstance(other, Path) and one == other
    return hasattr(one, "equals") and hasattr(other, "equals") and bool(one.equals(other))
