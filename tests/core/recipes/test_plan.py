"""Recipes at work: fitted on a part, applied to others, followed by column."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from core.recipes.errors import FittedInvalid, StepBroken
from core.recipes.files import parse
from core.recipes.fitted import ARRAYS_NAME, JSON_NAME, load_fitted, save_fitted
from core.recipes.plan import Plan
from core.recipes.preview import preview


def plan_of(steps: str, target: str = "y") -> Plan:
    first = f"target: {target}" if target else "name: r"
    recipe, problems = parse(f"{first}\nsteps:\n{steps}", "recipes/r.yaml", "r")
    assert recipe is not None, [each.one_line() for each in problems]
    return Plan(recipe)


def frame(rows: int = 20) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "at": [datetime(2026, 1, 1) + timedelta(hours=each) for each in range(rows)],
            "a": [float(each) for each in range(rows)],
            "b": [each % 4 for each in range(rows)],
            "word": [("x", "y", "z")[each % 3] for each in range(rows)],
            "y": [float(each % 5) for each in range(rows)],
        }
    )


def test_what_is_learned_comes_from_the_training_part_only() -> None:
    plan = plan_of("- {use: standardize, columns: a}")
    train, later = frame()[:10], frame()[10:]
    fitted = plan.fit(train)
    mean, std = float(train["a"].mean()), float(train["a"].std(ddof=0))  # type: ignore[arg-type]
    assert fitted.apply(later)["a"].to_list() == pytest.approx(
        ((later["a"] - mean) / std).to_list()
    )
    assert fitted.steps[0].state == {"a": pytest.approx([mean, std])}


def test_selectors_are_settled_when_it_is_fitted_and_leave_the_target_out() -> None:
    plan = plan_of("- {use: center, columns: 'type:number', except: b}")
    fitted = plan.fit(frame())
    assert fitted.steps[0].call is not None
    assert fitted.steps[0].call.columns == ("a",)
    more = frame().with_columns(new=pl.lit(5.0))
    assert fitted.apply(more)["new"].to_list() == [5.0] * 20
    tagged = plan_of("- {use: drop, columns: 'tag:pii'}").fit(
        frame(), tags={"word": frozenset({"pii"})}
    )
    assert "word" not in tagged.apply(frame()).columns
    by_name = plan_of("- {use: drop, columns: ['/^[ab]$/', y]}").fit(frame())
    assert by_name.apply(frame()).columns == ["at", "word"]


def test_what_looks_at_whole_rows_looks_at_the_target_too() -> None:
    data = pl.DataFrame({"a": [1, 1, 1], "y": [1.0, 1.0, 2.0]})
    assert plan_of("- {use: drop_duplicates, columns: all}").fit(data).apply(data).height == 2
    assert plan_of("- {use: select, columns: all}").fit(data).apply(data).columns == ["a", "y"]
    assert plan_of("- {use: drop, columns: all}").fit(data).apply(data).columns == ["y"]


def test_a_condition_changes_some_rows_only() -> None:
    fitted = plan_of("- {use: math.neg, columns: a, when: b = 1 AND a > 4}").fit(frame())
    after = fitted.apply(frame())
    assert after.filter(pl.col("b") != 1)["a"].to_list() == [
        each for each in range(20) if each % 4 != 1
    ]
    assert after["a"].to_list()[1] == 1.0
    assert after["a"].to_list()[5] == -5.0
    assert fitted.columns_of()["a"] == ("a", "b")


def test_stages_and_optional_steps() -> None:
    plan = plan_of(
        "- {use: sample_rows, stage: fit, with: {share: 0.5}}\n"
        "- {use: math.neg, columns: a, stage: apply}\n"
        "- {use: math.abs, columns: [nope], optional: true}"
    )
    fitted, trained = plan.fit_apply(frame())
    assert trained.height == 10
    assert trained["a"].min() >= 0.0  # type: ignore[operator]
    after, trace = fitted.traced(frame())
    assert after.height == 20
    assert after["a"].to_list() == [-float(each) for each in range(20)]
    assert [each.skipped for each in trace] == ["in training only", "", "no column fitted"]


def test_lineage_is_followed_through_the_steps() -> None:
    fitted = plan_of(
        "- {use: row_sum, columns: [a, b], as: total}\n"
        "- {use: rename, with: {names: {total: t}}}\n"
        "- {use: lag, columns: t, with: {n: 1, time: at}}\n"
        "- {use: one_hot, columns: word}\n"
        "- {use: set_constant, with: {value: 1}, as: one}\n"
        "- {use: add_column, with: {expression: 't * 2 + y'}, as: twice}\n"
        "- {use: drop, columns: [t, a]}"
    ).fit(frame())
    assert fitted.columns_of() == {
        "at": ("at",),
        "b": ("b",),
        "y": ("y",),
        "t_lag1": ("a", "b", "at"),
        "word_x": ("word",),
        "word_y": ("word",),
        "word_z": ("word",),
        "one": (),
        "twice": ("a", "b", "y"),
    }


def test_what_learned_from_the_target_comes_from_it_too() -> None:
    fitted = plan_of("- {use: target_encode, columns: word, with: {time: at}}").fit(frame())
    assert fitted.columns_of()["word"] == ("word", "at", "y")
    assert fitted.apply(frame().drop("y", "at")).height == 20


def test_groups_and_gaps_in_the_lineage_of_other_rows() -> None:
    fitted = plan_of(
        "- {use: fill_gaps, columns: [a], with: {time: at, every: 1h, mark: new}}\n"
        "- {use: aggregate, columns: a, with: {by: [word], what: [sum]}}"
    ).fit(frame())
    assert fitted.columns_of() == {"word": ("word",), "a": ("a", "at", "word")}


@pytest.mark.parametrize(
    ("step", "words", "hint"),
    [
        ("{use: math.neg, columns: aa}", "there is no column aa", "did you mean a?"),
        ("{use: str.to_lowercase, columns: b}", "b is Int64; str.to_lowercase takes text", "cast"),
        ("{use: math.neg, columns: /^q/}", "no column fits /^q/", "optional"),
        ("{use: lag, columns: a, with: {n: 1, time: when}}", "there is no column when", ""),
        ("{use: keep_rows, with: {keep: 'nope > 1'}}", "there is no column nope", ""),
        ("{use: parse_dates, columns: word}", "recipes/r.yaml:3 steps[1] (parse_dates)", ""),
        ("{use: rolling, columns: a, with: {window: soon, time: at}}", "steps[1] (rolling)", ""),
        ("{use: fill_gaps, with: {time: word, every: 1h}}", "not a time", "parse_dates"),
        ("{use: one_hot, columns: word, as: b}", "names several results alike", "{name}"),
    ],
)
def test_a_step_that_cannot_be_done_says_which_and_why(step: str, words: str, hint: str) -> None:
    with pytest.raises(StepBroken) as caught:
        plan_of(f"- {step}").fit(frame())
    assert words in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.message.startswith("recipes/r.yaml:3 steps[1]")
    assert "\n" not in caught.value.one_line()


def test_data_of_another_shape_is_refused() -> None:
    fitted = plan_of("- {use: standardize, columns: a}").fit(frame())
    with pytest.raises(StepBroken, match="there is no column a"):
        fitted.apply(frame().drop("a"))
    with pytest.raises(StepBroken, match="a is String here and was Float64"):
        fitted.apply(frame().with_columns(pl.col("a").cast(pl.String)))
    assert fitted.apply(frame().with_columns(pl.col("a").cast(pl.Int64))).height == 20
    assert fitted.apply(frame().drop("y")).height == 20


def test_what_a_transformation_does_not_heed_is_a_problem() -> None:
    plan = plan_of("- {use: drop, columns: a, when: b = 1, as: q, keep: true}\n"
                   "- {use: target_encode, columns: word}\n"
                   "- {use: keep_rows, with: {keep: 'a >'}}", target="")  # fmt: skip
    said = {each.key: each.message for each in plan.problems()}
    assert set(said) == {
        "steps[1].when", "steps[1].as", "steps[1].keep", "steps[2].target", "steps[3].with.keep",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "wide"),
    [
        ("sum(a)", True),
        ("a - avg(a)", True),
        ("avg(a) OVER (PARTITION BY b)", True),
        ("lag(a) OVER (ORDER BY at)", True),
        ("a + 1", False),
        ("CASE WHEN a > 1 THEN upper(word) ELSE coalesce(word, 'x') END", False),
        ("cast(a AS double) / nullif(b, 0)", False),
        ("a BETWEEN 1 AND 2 OR word LIKE 'x%' AND b IN (1, 2)", False),
        ("least(a, b) + greatest(a, b) + round(a, 1) + abs(b)", False),
    ],
)
def test_an_expression_over_other_rows_is_a_problem(expression: str, wide: bool) -> None:
    step = f"- {{use: add_column, as: x, with: {{expression: {json.dumps(expression)}}}}}"
    problems = plan_of(step).problems()
    assert bool(problems) == wide, problems
    if wide:
        assert "reads other rows" in problems[0].message
    else:
        assert plan_of(step).fit(frame()).apply(frame()).height == 20


def test_damaged_and_forged_files_are_refused(tmp_path: Path) -> None:
    fitted = plan_of("- {use: sklearn.PCA, columns: [a, b], with: {n_components: 1}}").fit(frame())
    folder = tmp_path / "kept"
    digest = save_fitted(fitted, folder)
    assert save_fitted(fitted, folder) == digest
    body = json.loads((folder / JSON_NAME).read_text())
    (folder / JSON_NAME).write_text(json.dumps({**body, "inputs": {}}))
    with pytest.raises(FittedInvalid, match="not what its hash says"):
        load_fitted(folder)
    (folder / JSON_NAME).write_text("{")
    with pytest.raises(FittedInvalid, match="no fitted recipe"):
        load_fitted(folder)
    (folder / JSON_NAME).write_text(json.dumps(body))
    (folder / ARRAYS_NAME).write_bytes(b"PK\x05\x06" + b"\0" * 18)
    with pytest.raises(FittedInvalid):
        load_fitted(folder)


@pytest.mark.parametrize(
    "value",
    [
        {"$": "object", "c": "os:system", "i": 0, "s": None},
        {"$": "object", "c": "subprocess:Popen", "a": [["true"]], "i": 0, "s": None},
        {"$": "function", "v": "os:system"},
        {"$": "function", "v": "sklearn.utils._testing:assert_run_python_script_without_output"},
        {"$": "type", "v": "os:DirEntry"},
        {"$": "object", "c": "sklearn.utils._mocking:os", "i": 0, "s": None},
        {"$": "__init__"},
    ],
)
def test_a_file_can_make_nothing_but_what_was_learned(value: object) -> None:
    from core.recipes.statefile import Reader

    with pytest.raises(FittedInvalid):
        Reader({}).read(value)


def test_a_preview_tells_of_rows_columns_and_missing_values() -> None:
    data = frame().with_columns(a=pl.when(pl.col("b") == 0).then(None).otherwise(pl.col("a")))
    told = preview(
        plan_of(
            "- {use: impute, columns: a}\n- {use: drop_rows, with: {drop: b = 1}}\n"
            "- {use: missing_flag, columns: b}\n- {use: drop, columns: word}"
        ),
        data,
        dataset="d",
        shown=2,
    )
    assert (told.rows_before, told.rows_after) == (20, 15)
    kinds = {each.name: each.kind for each in told.columns}
    assert kinds == {"at": "same", "a": "changed", "b": "same", "y": "same",
                     "b_missing": "added", "word": "removed"}  # fmt: skip
    filled = next(each for each in told.columns if each.name == "a")
    assert (filled.missing_before, filled.missing_after) == (5, 0)
    assert told.before[0]["a"] is None
    assert len(told.after) == 2
