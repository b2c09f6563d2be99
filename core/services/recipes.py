"""Recipes: the transformations there are, the files, trying them and applying them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.domain.pipeline import Problem
from core.domain.recipe import RecipeFileInfo, RecipePreview, RecipeRun, Transformation
from core.errors import BadInput, WrongState
from core.recipes import catalogue as _catalogue
from core.session import Session

if TYPE_CHECKING:
    from core.recipes.plan import FittedRecipe, Plan
    from core.services.derived import Source

SAMPLE = 5_000
NEW = """\
# What happens to a dataset's rows, one step after the other.
# All transformations: opsdeck recipes list     One of them: opsdeck recipes show NAME
name: {name}
description: ""
{target}steps:
  - use: drop_duplicates
    columns: all
  - use: impute
    columns: [type:number]
    optional: true
    with: {{strategy: median}}
"""


class RecipesService:
    """The catalogue of transformations and the workspace's recipe files."""

    def __init__(self, session: Session) -> None:
        self._session = session

    # -- the catalogue, which loads no library

    def transformations(
        self, category: str | None = None, search: str | None = None
    ) -> tuple[Transformation, ...]:
        """Those of a category whose words match. Raises `BadInput` for an unknown category."""
        known = _catalogue.categories()
        if category is not None and category not in known:
            raise BadInput(f"category {category!r}: no such one", "known: " + ", ".join(known))
        return _catalogue.search(category, search)

    def transformation(self, name: str) -> Transformation:
        """One of them; raises `NotFound` with the nearest name."""
        return _catalogue.find(name)

    def categories(self) -> tuple[tuple[str, int], ...]:
        """The categories with how many transformations each has."""
        found = _catalogue.catalogue().values()
        names = _catalogue.categories()
        return tuple((each, sum(entry.category == each for entry in found)) for each in names)

    # -- the files

    def files(self) -> tuple[RecipeFileInfo, ...]:
        """The recipe files of the workspace, by name."""
        from core.recipes.files import find_recipes

        return tuple(
            RecipeFileInfo(
                each.name,
                each.path,
                len(each.recipe.steps) if each.recipe else 0,
                len(each.problems),
                each.recipe.description if each.recipe else "",
            )
            for each in find_recipes(self._session.workspace.root)
        )

    def validate(self, ref: str) -> tuple[Problem, ...]:
        """Everything that is wrong with a recipe file; raises `NotFound`."""
        from core.recipes.errors import RecipeInvalid
        from core.recipes.files import load_recipe
        from core.recipes.plan import Plan

        try:
            recipe = load_recipe(self._session.workspace.root, ref)
        except RecipeInvalid as error:
            return tuple(each for each in error.problems if isinstance(each, Problem))
        return Plan(recipe).problems()

    def new(self, name: str, target: str = "") -> Path:
        """Write a recipe file to begin with. Raises `BadInput`, `WrongState`, `ReadOnly`."""
        from core.recipes.files import FOLDER, NAME

        self._session.refuse_when_read_only(f"recipes new {name}")
        if not NAME.fullmatch(name):
            raise BadInput(f"recipe {name!r:.60}: no name", "a-z, 0-9, _ and -, a letter first")
        path = self._session.workspace.root / FOLDER / f"{name}.yaml"
        if path.exists():
            raise WrongState(f"{FOLDER}/{name}.yaml is there already", "give another name")
        path.parent.mkdir(exist_ok=True)
        line = f"target: {target}\n" if target else ""
        path.write_text(NEW.format(name=name, target=line), encoding="utf-8")
        with self._session.change("recipes new") as tx:
            tx.journal("recipe.new", f"recipe/{name}", path=f"{FOLDER}/{name}.yaml")
        return path

    # -- trying and applying

    def preview(
        self, ref: str, dataset: str, *, at: str | None = None, rows: int = 5, sample: int = SAMPLE
    ) -> RecipePreview:
        """Fit and apply a recipe to the first `sample` rows of a dataset, changing nothing.

        Raises `NotFound`, `RecipeInvalid`, `StepBroken`, and `Refused` for who may not read.
        """
        from core.recipes.preview import preview
        from core.services.derived import Source

        plan = self._plan(ref)
        source = Source.open(self._session, dataset, at, purpose=f"preview of recipe {ref}")
        frame = source.frame(limit=sample)
        return preview(
            plan, frame, dataset=dataset, shown=rows, total=source.rows, tags=source.tags
        )

    def run(
        self,
        ref: str,
        dataset: str,
        to: str,
        *,
        at: str | None = None,
        fit_on: str | None = None,
        fit_at: str | None = None,
        message: str = "",
    ) -> RecipeRun:
        """Apply a recipe to a dataset and write the rows to another, as its newest version.

        `fit_on` is a condition on rows, `all`, or with `fit_at` a version of the dataset: what
        the recipe may learn from. Raises what `preview` does, and `FitRefused` where the recipe
        learns and neither says from what.
        """
        from core.recipes.steps import keep
        from core.services.derived import Source, write_derived

        self._session.refuse_when_read_only(f"recipes run {ref}")
        if to == dataset:
            raise BadInput(f"--to {to}: is the dataset itself", "name another one")
        plan = self._plan(ref)
        source = Source.open(self._session, dataset, at, purpose=f"recipe {ref}")
        frame = source.frame()
        fitted, after, trace, said = self._fitted(plan, source, frame, fit_on, fit_at)
        digest, folder = keep(self._session, fitted)
        written = write_derived(
            self._session,
            to,
            after.to_arrow(),
            sources=(source,),
            lineage=fitted.columns_of(),
            via="recipe",
            detail=plan.recipe.name,
            message=message or f"recipe {plan.recipe.name} on {dataset} #{source.number}",
            action="recipe.run",
            facts={"recipe": plan.recipe.name, "fitted": digest, "fitted_on": said},
        )
        return RecipeRun(
            recipe=plan.recipe.name,
            dataset=dataset,
            snapshot=str(source.number),
            fitted_on=said,
            rows_before=frame.height,
            rows_after=after.height,
            target=to,
            target_snapshot=str(written.number),
            fitted=digest,
            folder=str(folder),
            steps=trace,
            notes=_notes(plan, fit_on, fit_at),
        )

    def _fitted(
        self, plan: Plan, source: Source, frame: Any, fit_on: str | None, fit_at: str | None
    ) -> tuple[FittedRecipe, Any, Any, str]:
        """The fitted recipe, the rows changed, what the steps did, and on what it was fitted."""
        from core.recipes.errors import FitRefused
        from core.services.derived import Source as Opened

        if fit_on is None and fit_at is None and plan.fitted:
            raise FitRefused(
                f"recipe {plan.recipe.name} learns from data, and nothing says from which part",
                "say --fit-on 'CONDITION', --fit-at VERSION, or --fit-on all",
            )
        if fit_at is None and fit_on in (None, "all"):
            fitted, after = plan.fit_apply(frame, tags=source.tags)
            return fitted, after, fitted.trace, "all rows" if plan.fitted else "nothing"
        trained = source
        if fit_at is not None:
            purpose = f"recipe {plan.recipe.name}"
            trained = Opened.open(self._session, source.name, fit_at, purpose=purpose)
        where = None if fit_on in (None, "all") else fit_on
        train = trained.frame(where=where)
        if not train.height:
            raise FitRefused(f"no row of {source.name} meets {where!r}", "give another condition")
        fitted = plan.fit(train, tags=source.tags)
        after, trace = fitted.traced(frame)
        said = f"{source.name} #{trained.number}" + (f" where {where}" if where else "")
        return fitted, after, trace, f"{train.height:,} rows of {said}"

    def _plan(self, ref: str) -> Plan:
        from core.recipes.files import load_recipe
        from core.recipes.plan import Plan
        from core.recipes.steps import refuse_problems

        plan = Plan(load_recipe(self._session.workspace.root, ref))
        refuse_problems(plan)
        return plan


def _notes(plan: Plan, fit_on: str | None, fit_at: str | None) -> tuple[str, ...]:
    """What somebody should know who trains on the rows."""
    if fit_on in (None, "all") and fit_at is None:
        return ()
    names = [each.use for each in plan.recipe.steps if _catalogue.find(each.use).target]
    if not names:
        return ()
    return (
        f"rows that it was fitted on see their own target in {', '.join(dict.fromkeys(names))}: "
        "to train on them, split first and apply it in a pipeline's transform step",
    )
