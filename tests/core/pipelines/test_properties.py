"""What holds for any pipeline and any text."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.domain.pipeline import Param, PipelineSpec, Source, StepSpec
from core.errors import StateVersion
from core.pipelines import load_pipeline, spec_from_json, spec_to_json, validate_file

FILE = Path("pipelines/p.yaml")
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
scalars = st.one_of(
    st.text(), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner)
)
sources = st.builds(
    Source, st.sampled_from(["output", "param", "value"]), st.text(), st.text(), values
)
steps = st.builds(
    StepSpec,
    name=names,
    kind=st.sampled_from(["function", "script", "notebook", "register", "gate", "deploy"]),
    target=st.text(),
    inputs=st.dictionaries(names, sources, max_size=3),
    outputs=st.lists(names, max_size=3).map(tuple),
    needs=st.lists(names, max_size=3).map(tuple),
    retries=st.integers(0, 100),
    backoff=st.floats(0, 1e6),
    timeout=st.floats(0, 1e6),
    cache=st.booleans(),
    memory_mb=st.none() | st.integers(1, 10**6),
    env=st.dictionaries(names, st.text(), max_size=3),
    python=st.none() | st.text(),
    options=st.dictionaries(names, values, max_size=3),
    line=st.integers(0, 10**6),
)
params = st.builds(
    Param,
    name=names,
    type=st.sampled_from(["str", "int", "float", "bool"]),
    default=scalars,
    required=st.booleans(),
    pattern=st.none() | st.text(),
    choices=st.lists(scalars, max_size=3).map(tuple),
    description=st.text(),
)
specs = st.builds(
    PipelineSpec,
    name=names,
    path=st.text(),
    steps=st.lists(steps, max_size=3).map(tuple),
    params=st.lists(params, max_size=3).map(tuple),
    description=st.text(),
    env=st.dictionaries(names, st.text(), max_size=3),
)


@given(specs)
def test_a_spec_survives_json_unchanged(spec: PipelineSpec) -> None:
    text = json.dumps(spec_to_json(spec), allow_nan=False)
    assert spec_from_json(json.loads(text)) == spec


def test_another_format_is_refused() -> None:
    with pytest.raises(StateVersion, match="format 99"):
        spec_from_json({"format": 99})


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[str, list[str]]]:
    """Steps in a random order of the file, each needing some that come before it in another."""
    found = draw(st.lists(names, min_size=1, max_size=12, unique=True))
    edges = [
        (name, draw(st.lists(st.sampled_from(found[:index]), unique=True)) if index else [])
        for index, name in enumerate(found)
    ]
    return draw(st.permutations(edges))


def _write(root: Path, graph: list[tuple[str, list[str]]]) -> None:
    made: dict[str, Any] = {
        name: {"function": "shop.steps:anything", "inputs": {n: f"{n}.{n}" for n in needs}}
        for name, needs in graph
    }
    (root / FILE).write_text(yaml.safe_dump({"steps": made}, sort_keys=False))


@SHARED
@given(graph=graphs())
def test_any_dag_is_read_in_a_topological_order(root: Path, graph: Any) -> None:
    _write(root, graph)
    spec = load_pipeline(root, "p")
    place = {step.name: index for index, step in enumerate(spec.steps)}
    assert sorted(place) == sorted(name for name, _ in graph)
    for name, needs in graph:
        assert set(spec.step(name).needs) == set(needs)
        assert all(place[need] < place[name] for need in needs)
    in_order = all(
        n in {before for before, _ in graph[:i]} for i, (_, ns) in enumerate(graph) for n in ns
    )
    if in_order:
        assert [step.name for step in spec.steps] == [name for name, _ in graph]


@SHARED
@given(graph=graphs(), data=st.data())
def test_any_cycle_is_found_and_named(root: Path, graph: Any, data: st.DataObject) -> None:
    needs_of = dict(graph)
    ring = data.draw(st.lists(st.sampled_from(sorted(needs_of)), min_size=1, unique=True))
    for index, name in enumerate(ring):  # each needs the one before it in the ring
        needs_of[name] = list({*needs_of[name], ring[index - 1]})
    after = {
        name: {"script": "scripts/train.py", "after": needs} for name, needs in needs_of.items()
    }
    (root / FILE).write_text(yaml.safe_dump({"steps": after}, sort_keys=False))
    problems = validate_file(root, FILE)
    assert problems
    for problem in problems:
        shown = problem.message.removeprefix("the steps wait for each other: ").split(" → ")
        assert shown[0] == shown[-1]
        for before, name in itertools.pairwise(shown):
            assert before in needs_of[name]


@SHARED
@given(data=st.binary(max_size=400) | st.text(max_size=400).map(lambda text: text.encode()))
def test_any_bytes_give_problems_and_no_error(root: Path, data: bytes) -> None:
    (root / FILE).write_bytes(data)
    problems = validate_file(root, FILE)
    assert problems  # no random bytes make a pipeline
    assert all(problem.line >= 1 and problem.message for problem in problems)


KEYS = st.sampled_from(
    ["name", "params", "defaults", "env", "steps", "function", "script", "inputs", "outputs",
     "after", "register", "gate", "deploy", "model", "evidence", "strategy", "set_weight", "pause",
     "retries", "timeout", "cache", "memory", "type", "default", "choices", "pattern", "value",
     "a", "b", "<<", ""]
)  # fmt: skip
WORDS = st.sampled_from(
    ["a", "b", "a.a", "b.x", "shop.steps:anything", "shop.steps:clean", "scripts/train.py",
     "${params.a}", "10m", "2GiB", "", "x-${", "[", ":", "..", "a:b", "shop.steps:CALLABLE"]
)  # fmt: skip
trees = st.recursive(
    WORDS | scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


@SHARED
@given(tree=st.dictionaries(KEYS, trees, max_size=5), steps=st.dictionaries(KEYS, trees))
def test_any_yaml_gives_problems_or_a_pipeline(root: Path, tree: Any, steps: Any) -> None:
    text = yaml.safe_dump({**tree, "steps": steps}, allow_unicode=True)
    (root / FILE).write_text(text, encoding="utf-8")
    problems = validate_file(root, FILE)
    lines = text.count("\n") + 1
    assert all(1 <= problem.line <= lines for problem in problems)
    if not problems:
        spec = load_pipeline(root, tree["name"] if isinstance(tree.get("name"), str) else "p")
        assert spec_from_json(json.loads(json.dumps(spec_to_json(spec)))) == spec
