"""The JSON Schema that editors use says what the reader says."""

from __future__ import annotations

import json
from pathlib import Path

from core.pipelines import _keys as keys
from core.pipelines import json_schema

REPOSITORY = Path(__file__).resolve().parents[3]


def test_the_published_copy_is_the_generated_one() -> None:
    published = json.loads((REPOSITORY / "assets/pipeline.schema.json").read_text())
    assert published == json_schema(), (
        "write it anew: python -c 'import json; from core.pipelines import json_schema; "
        "print(json.dumps(json_schema(), indent=2))' > assets/pipeline.schema.json"
    )


def test_every_key_is_described_for_each_kind_of_step() -> None:
    schema = json_schema()
    assert set(schema["properties"]) == set(keys.TOP)
    kinds = schema["definitions"]["step"]["oneOf"]
    assert [kind["required"][0] for kind in kinds] == list(keys.KINDS)
    for kind in kinds:
        name = kind["required"][0]
        assert set(kind["properties"]) == keys.keys_of(name)
        assert kind["additionalProperties"] is False
        assert all(each["description"] for each in kind["properties"].values())
        if name in keys.BUILT_IN:
            assert set(kind["properties"][name]["properties"]) == set(keys.BUILT_IN[name])
