"""Pipelines to compile: the examples', and any that hypothesis thinks of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

from core.domain.pipeline import Param, PipelineSpec, Source, StepSpec

_NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,12}", fullmatch=True)
_OUTPUTS = ("model", "rows", "report")
_PARAMS = (
    Param("month", "str", "2012-01"),
    Param("seed", "int", 7),
    Param("rate", "float", 0.5),
    Param("quick", "bool", required=True),
    Param("note", "str"),
)
_TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12
)


@st.composite
def pipelines(draw: st.DrawFn) -> PipelineSpec:
    """A pipeline that can be compiled: work that hangs together anyhow, perhaps released."""
    names = draw(st.lists(_NAMES, min_size=1, max_size=6, unique_by=str.lower))
    steps: list[StepSpec] = []
    for name in names:
        steps.append(draw(_work(name, steps)))
    if draw(st.booleans()):
        steps += _release(steps[-1], gated=draw(st.booleans()))
    return PipelineSpec("any-pipeline", "pipelines/any.yaml", tuple(steps), _PARAMS, draw(_TEXTS))


@st.composite
def _work(draw: st.DrawFn, name: str, before: list[StepSpec]) -> StepSpec:
    kind = draw(st.sampled_from(["function", "script", "notebook"]))
    inputs: dict[str, Source] = {}
    for number in range(draw(st.integers(0, 3))):
        inputs[f"in{number}"] = draw(_source(before))
    needs = {source.step for source in inputs.values() if source.kind == "output"}
    after = draw(st.lists(st.sampled_from([s.name for s in before]), max_size=2)) if before else []
    return StepSpec(
        name,
        kind,
        {"function": "a.b:c", "script": "s.py", "notebook": "n.ipynb"}[kind],
        inputs,
        _OUTPUTS,
        tuple(sorted(needs | set(after))),
        retries=draw(st.integers(0, 3)),
        cache=draw(st.booleans()),
    )


@st.composite
def _source(draw: st.DrawFn, before: list[StepSpec]) -> Source:
    kind = draw(st.sampled_from(["output", "param", "value", "dataset"] if before else ["param"]))
    if kind == "output":
        return Source("output", draw(st.sampled_from(_OUTPUTS)), draw(_of(before)).name)
    if kind == "param":
        return Source("param", draw(st.sampled_from(_PARAMS)).name)
    if kind == "dataset":
        return Source("dataset", "hours", value=draw(st.sampled_from([None, "12", "v1.0"])))
    return Source("value", value=draw(st.one_of(_TEXTS, st.integers(), st.lists(st.integers()))))


def _of(steps: list[StepSpec]) -> st.SearchStrategy[StepSpec]:
    return st.sampled_from(steps)


def _release(trained: StepSpec, *, gated: bool) -> Iterator[StepSpec]:
    model = {"model": Source("output", "model", trained.name)}
    yield StepSpec(
        "x-register", "register", inputs=model, needs=(trained.name,), options={"name": "any"}
    )
    gate: Mapping[str, Any] = {"environment": "production", "register": "x-register"}
    if gated:
        evidence = {f"{trained.name}.report": Source("output", "report", trained.name)}
        yield StepSpec(
            "x-gate",
            "gate",
            inputs=evidence,
            needs=("x-register", trained.name),
            options={**gate, "expires": 3600.0, "auto": None},
        )
    yield StepSpec(
        "x-deploy",
        "deploy",
        needs=("x-register", *(("x-gate",) if gated else ())),
        options={
            "register": "x-register",
            "endpoint": "any",
            "strategy": [{"set_weight": 10}, {"bake": 600}, {"set_weight": 100}],
        },
    )
