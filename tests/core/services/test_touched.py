"""What a preview says of a model's inputs and of who calls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.touched_text import touched_facts
from core.domain.touched import Consumer, FeatureChange
from core.errors import ModelUnusable
from core.reads.signatures import read_inputs
from tests.support.mlmodel import BIKE, write_mlmodel


def test_inputs_as_mlflow_writes_them(tmp_path: Path) -> None:
    """Against the library's own file: columns, optional ones, tensors, arrays."""
    import numpy as np
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec
    from mlflow.types.schema import Array, DataType

    columns = Schema(
        [
            ColSpec("long", "hour"),
            ColSpec("double", "temp", required=False),
            ColSpec(Array(DataType.string), "tags"),
        ]
    )
    Model(signature=ModelSignature(inputs=columns)).save(str(tmp_path / "MLmodel"))
    assert list(read_inputs(tmp_path).items()) == [
        ("hour", "long"),
        ("temp", "double?"),
        ("tags", "array of string"),
    ]
    image = Schema([TensorSpec(np.dtype("float32"), (-1, 28))])
    Model(signature=ModelSignature(inputs=image)).save(str(tmp_path / "MLmodel"))
    assert read_inputs(tmp_path) == {"input 1": "float32 [-1, 28]"}
    Model().save(str(tmp_path / "MLmodel"))
    with pytest.raises(ModelUnusable, match="no signature"):
        read_inputs(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "[]", "signature: 3", "signature: {inputs: '['}", "a: [", "\x00", "signature: {}",
             "signature: {inputs: '[{\"name\": \"x\"}]'}", "signature: {inputs: '[3]'}"],
)  # fmt: skip
def test_a_file_that_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(ModelUnusable):
        read_inputs(tmp_path)


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match="cannot be read"):
        read_inputs(tmp_path / "nowhere")


def test_reading_it_needs_no_mlflow(tmp_path: Path) -> None:
    write_mlmodel(tmp_path, BIKE)
    code = (
        "import sys, pathlib\nfrom core.reads.signatures import read_inputs\n"
        "import core.services.touched\n"
        f"assert len(read_inputs(pathlib.Path({str(tmp_path)!r}))) == {len(BIKE)}\n"
        "assert not {'mlflow', 'pandas', 'sqlalchemy', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_what_differs_in_words() -> None:
    after = {"hour": "double", "temp": "double", "wind": "double", "note": "string?"}
    change = FeatureChange.between({"hour": "long", "temp": "double", "sky": "string"}, after)
    assert change.words() == "1 input the same; new: wind, note; gone: sky; hour: long → double"
    assert change.needed == ("wind",), "an optional one is no reason to refuse"
    facts = touched_facts(change, (Consumer("checkout", "10.0.0.1", 5, 9, 0.0),))
    assert facts[1:] == [
        ("refused", "requests without wind"),
        ("consumers", "1 in the last 15 min: checkout from 10.0.0.1 (5)"),
    ]
    assert FeatureChange.between(after, after).words() == "4 inputs, all the same"
    assert FeatureChange(unknown="the model has no signature").words() == (
        "not known: the model has no signature"
    )


SIGNATURES = st.dictionaries(
    st.sampled_from("abcdef"), st.sampled_from(["long", "double", "string", "string?"])
)


@given(SIGNATURES, SIGNATURES)
def test_there_and_back_again(before: dict[str, str], after: dict[str, str]) -> None:
    there, back = FeatureChange.between(before, after), FeatureChange.between(after, before)
    assert there.added == back.gone
    assert set(there.same) == set(back.same)
    assert len(there.retyped) == len(back.retyped)
    parts = len(there.same) + len(there.added) + len(there.retyped)
    assert parts == len(after)
    assert there.changes == (before != after)
