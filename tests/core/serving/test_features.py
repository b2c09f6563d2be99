"""A request may carry only an entity's key: the rest is looked up online."""

from __future__ import annotations

import json
import shutil
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.domain.features import EntityKey, Feature, FeatureSpec
from core.errors import BadInput, ModelUnusable
from core.features.online import file_of
from core.features.onlinewriter import OnlineWriter, locked, remove
from core.serving import EndpointControl
from core.serving.config import EndpointConfig
from core.serving.http import bodies
from core.serving.http.shapes import BadRequest
from core.serving.model.engines import ModelFailed, NativeEngine
from core.serving.model.featured import FeaturedEngine, with_features
from core.serving.model.schema import Column, ModelSchema, Signature
from core.serving.records import Flavour, LoadReport, Parity

JSON = "application/json"
SIGNATURE = Signature(
    ModelSchema((Column("hour", "long"), Column("temp", "double"), Column("sky", "string"),
                 Column("level", "long")))
)  # fmt: skip


def spec(**changes: Any) -> FeatureSpec:
    values: dict[str, Any] = {
        "name": "weather",
        "source": "weather",
        "entity": (EntityKey("city", "string"),),
        "event_time": "at",
        "features": (
            Feature("temp", "float"),
            Feature("sky", "string", default="clear"),
            Feature("level", "int"),
        ),
        "ttl": 3600.0,
        "online": True,
    }
    return FeatureSpec(**values | changes)


def fill(folder: Path, rows: list[tuple[Any, ...]], of: FeatureSpec | None = None) -> Path:
    """Rows of a key, an age in seconds and features, in version 1 of a view."""
    of = of or spec()
    file = file_of(folder, of.name, 1)
    now = time.time()
    with locked(file):
        store = OnlineWriter(file, of, 1)
        put = [(row[0], round((now - row[1]) * 1e6), None, False, 0, *row[2:]) for row in rows]
        store.apply(put, [], now=round(now * 1e6), cursor="1")
        store.close()
    return file


def engine(folder: Path, *names: str, predict: Any = None) -> FeaturedEngine:
    inner = NativeEngine(predict or (lambda frame: frame["temp"]), SIGNATURE, Flavour.NATIVE_FRAME)
    model = folder / "model"
    model.mkdir(exist_ok=True)
    (model / "MLmodel").write_text("flavors: {}\n")
    report = LoadReport(1, "m", 1, str(model), inner.flavour, Parity.EQUAL, "proven", 0.1)
    found, said = with_features(inner, report, names or ("weather@1",), folder)
    assert isinstance(found, FeaturedEngine)
    assert "features from weather@1" in said.detail
    return found


def records(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"dataframe_records": rows}).encode()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    fill(tmp_path, [("oslo", 10, 3.5, "snow", 2), ("rome", 60, 21.0, None, 1)])
    return tmp_path


def test_what_a_request_lacks_is_looked_up_and_what_it_has_stays(store: Path) -> None:
    model = engine(store)
    found = model.prepare(records({"hour": 8, "city": "oslo"}, {"hour": 9, "city": "rome"}), JSON)
    assert found["temp"].tolist() == [3.5, 21.0]
    assert found["sky"] == ["snow", "clear"]
    assert found["level"].tolist() == [2, 1]
    assert model.answer([found]) == [[3.5, 21.0]]
    mixed = model.prepare(
        records({"hour": 8, "city": "oslo", "temp": 9.0}, {"hour": 9, "city": "rome"}), JSON
    )
    assert mixed["temp"].tolist() == [9.0, 21.0]
    whole = model.prepare(records({"hour": 8, "temp": 1.0, "sky": "x", "level": 3}), JSON)
    assert whole["level"].tolist() == [3]
    assert model.lookups[0].meter.states["fresh"] == 4
    assert model.describe(found)["dataframe_split"]["data"][0] == [8, 3.5, "snow", 2]


def test_csv_and_columns_are_completed_too(store: Path) -> None:
    model = engine(store)
    text = model.prepare(b"hour,city\n8,oslo\n9,rome\n", "text/csv")
    assert text["temp"].tolist() == [3.5, 21.0] and text["hour"].tolist() == [8, 9]
    split = {"inputs": {"hour": [8], "city": ["rome"]}}
    assert model.prepare(json.dumps(split).encode(), JSON)["temp"].tolist() == [21.0]


def test_stale_and_missing_rows_give_defaults_and_nothing_where_the_model_takes_none(
    tmp_path: Path,
) -> None:
    fill(tmp_path, [("oslo", 4000, 3.5, "snow", 2)], spec(ttl=None))
    file = fill(tmp_path, [], spec(ttl=3600.0))
    assert file.is_file()
    fill(tmp_path, [("rome", 10, 21.0, "sun", 1)])
    model = engine(tmp_path)
    for city, state in (("oslo", "missing"), ("bern", "missing")):
        with pytest.raises(BadRequest) as caught:
            model.prepare(records({"hour": 8, "city": city}), JSON)
        assert caught.value.code == "no_features"
        assert f"weather@1 has no level for city='{city}' ({state})" in caught.value.message
    found = model.prepare(records({"hour": 8, "city": "bern", "level": 1}), JSON)
    assert np.isnan(found["temp"][0]) and found["sky"] == ["clear"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"hour": 8}, "lacks column temp: send it, or city"),
        ({"hour": 8, "city": 5.5}, "key city"),
        ({"hour": 8, "city": ["oslo"]}, "no value"),
        ({"city": "oslo"}, "lacks column hour"),
    ],
)
def test_what_cannot_be_completed_is_refused(store: Path, row: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        engine(store).prepare(records(row), JSON)
    assert words in caught.value.message


def test_new_rows_are_seen_at_once_and_a_deleted_store_is_told_of(store: Path) -> None:
    model = engine(store)
    fill(store, [("oslo", 1, 4.5, "sun", 3)])
    assert model.prepare(records({"hour": 8, "city": "oslo"}), JSON)["temp"].tolist() == [4.5]
    remove(file_of(store, "weather", 1))
    model.lookups[0]._checked = 0.0
    with pytest.raises(ModelFailed):
        model.prepare(records({"hour": 8, "city": "oslo"}), JSON)
    fill(store, [("oslo", 1, 5.5, "sun", 3)])
    assert model.prepare(records({"hour": 8, "city": "oslo"}), JSON)["temp"].tolist() == [5.5]


def test_the_description_asks_for_the_key_and_not_for_the_features(store: Path) -> None:
    schema = bodies.scoring(engine(store).signature)
    split = schema["oneOf"][0]["properties"]["dataframe_split"]["properties"]["columns"]
    assert [item["const"] for item in split["prefixItems"]] == ["hour", "city"]


@pytest.mark.parametrize("names", [("weather@2",), ("wind@1",)])
def test_a_model_whose_features_are_not_online_is_unusable(
    store: Path, names: tuple[str, ...]
) -> None:
    with pytest.raises(ModelUnusable) as caught:
        engine(store, *names)
    assert "materialize" in caught.value.hint


def test_settings_name_versions() -> None:
    EndpointConfig(features=("weather@1",)).check()
    for wrong in ("weather", "Weather@1", "../x@1"):
        with pytest.raises(BadInput):
            EndpointConfig(features=(wrong,)).check()


def test_an_endpoint_answers_by_key(
    models: dict[str, Path], start: Callable[..., EndpointControl], tmp_path: Path
) -> None:
    """By the model's metadata, and by the endpoint's setting, over HTTP with its metrics."""
    folder = tmp_path / "endpoints" / "bike"
    view = spec(features=(Feature("temp", "float"), Feature("hum", "float")), ttl=None)
    fill(folder / "features", [("oslo", 10, 0.5, 0.25)], view)
    named = tmp_path / "named"
    shutil.copytree(models["one"], named)
    text = (named / "MLmodel").read_text()
    (named / "MLmodel").write_text(text + "metadata:\n  opsdeck.features: [weather@1]\n")
    control = start("bike", folder)
    assert "features from weather@1" in control.load(1, named, "one", 1).detail
    control.load(2, models["one"], "one", 2)
    control.set_table({1: 100})
    by_key = json.dumps({"dataframe_records": [{"hour": 8, "city": "oslo"}]}).encode()
    whole = records({"hour": 8, "temp": 0.5, "hum": 0.25})
    assert control.invoke(by_key).body == control.invoke(whole).body
    tensors = [
        {"name": "hour", "shape": [1], "datatype": "INT64", "data": [8]},
        {"name": "city", "shape": [1], "datatype": "BYTES", "data": ["oslo"]},
    ]
    info = control.info()
    assert info is not None
    base = f"http://127.0.0.1:{info.port}"
    request = urllib.request.Request(
        f"{base}/v2/models/bike/infer",
        json.dumps({"inputs": tensors}).encode(),
        {"content-type": JSON},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        said = json.load(answer)["outputs"][0]["data"]
    assert said == json.loads(control.invoke(whole).body)["predictions"]
    with urllib.request.urlopen(f"{base}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    looked = next(line for line in text.splitlines() if 'state="fresh"' in line)
    assert 'view="weather@1"' in looked and looked.endswith(" 2")
    assert "opsdeck_feature_lookup_seconds_bucket" in text
    control.set_table({2: 100})
    assert control.invoke(by_key).status == 400
    control.reconfigure(lambda before: EndpointConfig(features=("weather@1",)))
    control.load(3, models["one"], "one", 3)
    control.set_table({3: 100})
    assert control.invoke(by_key).body == control.invoke(whole).body
