"""Which step runs a repeated run keeps."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from core.domain.pipeline import PipelineSpec
from core.domain.run import RunDetail, StepStatus
from core.errors import NotFound, WrongState


def kept_steps(
    spec: PipelineSpec, parent: RunDetail, from_step: str
) -> Mapping[str, Mapping[str, Any]]:
    """Values of the step runs that keep their outputs when `parent` is repeated from a step.

    Everything that does not depend on `from_step` is kept. Raises `NotFound` for an unknown
    step, `WrongState` where a step that `from_step` stands on has nothing to keep.
    """
    names = [step.name for step in spec.steps]
    if from_step not in names:
        close = difflib.get_close_matches(from_step, names, n=1)
        raise NotFound(
            f"pipeline {spec.name}: no step {from_step}",
            f"did you mean {close[0]}?" if close else "steps: " + ", ".join(names),
        )
    again = spec.downstream(from_step)
    before = {step.step: step for step in parent.steps}
    kept: dict[str, Mapping[str, Any]] = {}
    for name in names:
        if name in again:
            continue
        old = before.get(name)
        if old is None or not old.status.ended_well:
            if name in _upstream(spec, from_step):
                raise WrongState(
                    f"run #{parent.run.number}: step {name} has no outputs to keep",
                    f"repeat from {name} or an earlier step",
                )
            continue
        kept[name] = {
            "status": StepStatus.REUSED,
            "cached_from": old.cached_from or parent.run.id,
            "cache_key": old.cache_key,
            "outputs": json.dumps([asdict(output) for output in old.outputs]),
        }
    return kept


def _upstream(spec: PipelineSpec, name: str) -> frozenset[str]:
    found: set[str] = set()
    todo = list(spec.step(name).needs)
    while todo:
        need = todo.pop()
        if need not in found:
            found.add(need)
            todo.extend(spec.step(need).needs)
    return frozenset(found)
