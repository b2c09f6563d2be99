"""What the examples become, letter by letter; `OPSDECK_GOLDEN=write` writes the files anew."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from core.aws.compile import (
    lower,
    pipeline_definition,
    state_machine,
    target_of,
    template,
)
from core.pipelines import load_pipeline

EXAMPLE = Path(__file__).resolve().parents[4] / "assets/examples/bike-demand"
GOLDEN = Path(__file__).parent / "golden"
FORMS = {
    "sagemaker": pipeline_definition,
    "asl": state_machine,
    "cloudformation": template,
}


def compiled(name: str, form: str) -> dict[str, Any]:
    spec = load_pipeline(EXAMPLE, name)
    target = target_of(spec)
    return FORMS[form](lower(spec, target), target)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["checks", "bike-demand"])
def test_an_example_compiles_to_the_golden_file(name: str, form: str) -> None:
    text = json.dumps(compiled(name, form), indent=2, ensure_ascii=False) + "\n"
    file = GOLDEN / f"{name}.{form}.json"
    if os.environ.get("OPSDECK_GOLDEN") == "write":
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_it_is_the_same_every_time() -> None:
    assert json.dumps(compiled("bike-demand", "asl")) == json.dumps(compiled("bike-demand", "asl"))
