"""Recipe files: what is wrong is said with file, line, key and the nearest name."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import NotFound
from core.recipes.catalogue import catalogue
from core.recipes.errors import RecipeInvalid
from core.recipes.files import STEP_KEYS, load_recipe, parse
from core.recipes.recipe import recipe_from

GOOD = """\
name: tidy
description: What the model gets.
target: cnt
steps:
  - use: drop
    columns: [a, /^b_/, "type:text", "tag:pii"]
    except: c
  - name: scaled
    use: standardize
    columns: all
    when: d > 3
    stage: fit
    optional: true
  - use: lag
    columns: x
    as: "{column}_before"
    with: {n: 2, time: at, by: city}
  - snake_case
"""


def test_a_file_is_read() -> None:
    recipe, problems = parse(GOOD, "recipes/tidy.yaml", "tidy")
    assert problems == ()
    assert recipe is not None
    assert [step.use for step in recipe.steps] == ["drop", "standardize", "lag", "snake_case"]
    assert recipe.steps[0].columns == ("a", "/^b_/", "type:text", "tag:pii")
    assert recipe.steps[1].stage == "fit"
    assert recipe.steps[2].params == {"n": 2, "time": "at", "by": ["city"]}
    assert recipe_from(recipe.canonical()).hash == recipe.hash


def test_comments_and_the_order_of_keys_do_not_change_the_hash() -> None:
    one, _ = parse("name: x\nsteps: [{use: lag, columns: a, with: {n: 1, time: t}}]", "x", "x")
    other, _ = parse(
        "# said otherwise\nsteps:\n- columns: [a]\n  with:\n    time: t\n    n: 1\n  use: lag\n",
        "elsewhere",
        "x",
    )
    assert one is not None
    assert other is not None
    assert one.hash == other.hash


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ("steps:\n- use: standardise\n  columns: a", 2, "use", "did you mean standardize?"),
        ("steps:\n- use: StandardScaler\n  columns: a", 2, "use", "did you mean sklearn.Standard"),
        ("steps:\n- use: lower\n  columns: a", 2, "use", "no transformation 'lower'"),
        ("steps:\n- use: drop\n  colums: a", 3, "colums", "did you mean columns?"),
        ("stepz: []", 1, "stepz", "did you mean steps?"),
        ("name: x", 1, "steps", "no steps"),
        ("steps: []", 1, "steps", "no steps"),
        ("steps:\n- use: drop", 2, "steps[1]", "drop needs columns"),
        ("steps:\n- columns: a", 2, "steps[1]", "says no transformation"),
        ("steps:\n- 7", 2, "steps[1]", "expected a mapping"),
        ("steps:\n- use: lag\n  columns: a\n  with: {tme: at}", 4, "tme", "did you mean time?"),
        ("steps:\n- use: lag\n  columns: a\n  with: {n: 1}", 4, "with", "lag needs time"),
        ("steps:\n- use: lag\n  columns: a\n  with:\n    n: two\n    time: at", 5, "n", "whole"),
        ("steps:\n- use: lag\n  columns: a\n  with: {n: '2', time: t}", 4, "n", "without quotes"),
        ("steps:\n- use: lag\n  columns: a\n  with: {n: 0, time: t}", 4, "n", "out of bounds"),
        ("steps:\n- use: impute\n  columns: a\n  with: {strategy: meen}", 4, "strategy", "mean?"),
        ("steps:\n- use: drop\n  columns: /[/", 3, "columns", "no regular expression"),
        ("steps:\n- use: drop\n  columns: type:nmber", 3, "columns", "did you mean number?"),
        ("steps:\n- use: drop\n  columns: a\n  stage: always", 4, "stage", "both, fit, apply"),
        ("steps:\n- use: drop\n  columns: a\n  keep: maybe", 4, "keep", "true or false"),
        ("name: Über\nsteps: [snake_case]", 1, "name", "is no name"),
        ("- a\n- b", 1, "", "expected a mapping"),
        ("steps:\n\t- use: drop", 2, "", "a tab in the indentation"),
        ("steps: !!python/object:os.system {}", 1, "", "is not read"),
        ("", 1, "", "empty"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(text: str, line: int, key: str, words: str) -> None:
    recipe, problems = parse(text, "recipes/x.yaml", "x")
    assert recipe is None
    said = [each for each in problems if words in each.one_line()]
    assert said, [each.one_line() for each in problems]
    assert said[0].line == line
    assert said[0].key.endswith(key)
    assert re.match(rf"recipes/x\.yaml:{line}(: | )", said[0].one_line())


def test_a_file_of_laughs_is_refused_at_once() -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    began = time.process_time()
    recipe, problems = parse("\n".join(lines), "recipes/x.yaml", "x")
    assert time.process_time() - began < 0.5
    assert recipe is None
    assert "aliases counted as copies" in problems[0].message


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    file = tmp_path / "recipes" / "bad.yaml"
    file.write_text("steps:\n- use: nothing_like_it\n- use: drop\n- use: lag\n  columns: a\n")
    with pytest.raises(RecipeInvalid) as caught:
        load_recipe(tmp_path, "bad")
    assert len(caught.value.problems) == 3
    assert caught.value.message.startswith("recipes/bad.yaml:2 steps[1].use: ")
    file.write_bytes(b"name: \xff")
    with pytest.raises(RecipeInvalid, match="UTF-8"):
        load_recipe(tmp_path, "recipes/bad.yaml")
    with pytest.raises(NotFound) as missing:
        load_recipe(tmp_path, "bat")
    assert missing.value.hint == "did you mean bad?"


words = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=12))
trees = st.recursive(
    words, lambda part: st.lists(part, max_size=3) | st.dictionaries(words, part, max_size=3)
)
steps = st.fixed_dictionaries(
    {"use": st.sampled_from([*list(catalogue())[::25], "nonsense"])},
    optional={key: trees for key in STEP_KEYS if key != "use"},
)


@settings(max_examples=120, deadline=None)
@given(st.one_of(trees, st.fixed_dictionaries({"steps": st.lists(steps, max_size=3)})))
def test_whatever_is_in_a_file_reading_it_ends_in_a_recipe_or_in_problems(document: object) -> None:
    recipe, problems = parse(yaml.safe_dump(document, allow_unicode=True), "x.yaml", "x")
    assert (recipe is None) == bool(problems)
    assert all(each.line >= 1 and "\n" not in each.one_line() for each in problems)


@settings(max_examples=120, deadline=None)
@given(st.text(max_size=80))
def test_whatever_text_a_file_holds_it_is_read_or_refused(text: str) -> None:
    recipe, problems = parse(text, "x.yaml", "x")
    assert (recipe is None) == bool(problems)
