"""The OpenAPI document holds: schemathesis sends what it allows and what it forbids."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.serving import EndpointControl
from core.serving.config import EndpointConfig
from core.serving.http.bodies import scoring, table
from core.serving.model.schema import Column, ModelSchema, Signature

TOKEN = "let-me-in"
_HERE = Path(__file__).parent / "schemathesis"


def attack(control: EndpointControl, examples: int, *options: str) -> str:
    """What schemathesis prints, when it finds something."""
    info = control.info()
    assert info is not None
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "--config-file", str(_HERE / "schemathesis.toml"),
        "run", f"{info.url}/openapi.json", "--max-examples", str(examples),
        "--phases", "examples,coverage,fuzzing", "--generation-deterministic",
        "--continue-on-failure", "--no-color", *options,
    ]  # fmt: skip
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "csv_hook",
        "PYTHONPATH": str(_HERE),
        "NO_PROXY": "127.0.0.1",
    }
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=150, env=environment, check=False
    )
    tested = "Tested: 15" in done.stdout
    return "" if done.returncode == 0 and tested else done.stdout + done.stderr


def read(control: EndpointControl, path: str = "/openapi.json", **headers: str) -> Any:
    info = control.info()
    assert info is not None
    connection = http.client.HTTPConnection(info.host, info.port, timeout=20)
    connection.request("GET", path, headers=headers)
    found = json.loads(connection.getresponse().read())
    connection.close()
    return found


def test_two_variants_are_as_described(endpoint: EndpointControl) -> None:
    endpoint.set_table({1: 50, 2: 50})
    found = attack(endpoint, 8)
    assert not found, found


def test_texts_and_a_token_are_as_described(
    start: Callable[..., EndpointControl], models: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "guarded"
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    EndpointConfig(token_sha256=digest).write(folder)
    control = start("guarded", folder)
    control.load(1, models["words"], "words", 1)
    control.set_table({1: 100})
    found = attack(control, 8, "--header", f"Authorization: Bearer {TOKEN}")
    assert not found, found
    logs = "".join(file.read_text() for file in folder.glob("*.log"))
    assert TOKEN not in logs and TOKEN not in (folder / "config.json").read_text()
    document = read(control, Authorization=f"Bearer {TOKEN}")
    assert document["security"] == [{"token": []}]
    assert document["paths"]["/ping"]["get"]["security"] == [{}]


def test_it_tells_the_columns_of_what_is_routed(endpoint: EndpointControl) -> None:
    endpoint.set_table({3: 100})
    schemas = read(endpoint)["components"]["schemas"]
    (records,) = [
        shape["properties"]["dataframe_records"]
        for shape in schemas["Scoring"]["oneOf"]
        if shape["title"] == "dataframe_records"
    ]
    columns = records["items"]["properties"]
    assert list(columns) == ["hour", "temp", "hum", "sky"]
    assert columns["hour"]["type"] == "integer"
    assert columns["temp"]["type"] == "number", "a linear model takes no null"
    endpoint.set_table({1: 100})
    schemas = read(endpoint)["components"]["schemas"]
    columns = schemas["Scoring"]["oneOf"][1]["properties"]["dataframe_records"]["items"]
    assert columns["properties"]["temp"]["type"] == ["number", "null"], "boosting does"
    assert columns["required"] == ["hour", "temp", "hum"]


def test_the_routes_are_those_that_there_are(endpoint: EndpointControl) -> None:
    endpoint.set_table({1: 99, 2: 1})
    document = read(endpoint)
    assert "/endpoints/bike/invocations" in document["paths"]
    parameters = document["paths"]["/v2/models/{name}/versions/{version}"]["parameters"]
    assert [item["schema"]["enum"] for item in parameters] == [["bike", "two", "one"], ["1", "2"]]
    targets = document["paths"]["/invocations"]["post"]["parameters"][-1]
    assert targets["schema"]["enum"] == ["r2", "r1"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method != "parameters":
                assert "200" in operation["responses"], path


@pytest.mark.parametrize("name", ["plain", 'with "quotes", commas', "a.b*c"])
def test_odd_names_of_columns_are_quoted(name: str) -> None:
    import csv
    import io
    import re

    signature = Signature(ModelSchema((Column(name, "long"), Column("other", "string"))))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[name, "other"], [3, "abc"]])
    assert re.search(table(signature)["pattern"], text.getvalue())
    assert (
        name
        in json.loads(json.dumps(scoring(signature)))["oneOf"][1]["properties"][
            "dataframe_records"
        ]["items"]["properties"]
    )
