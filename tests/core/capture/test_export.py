"""Exported captures, in every format."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.capture.export import FIELDS, export
from core.capture.labelfile import Label
from core.capture.labels import store_labels
from core.capture.merge import merge_new
from core.domain.capture import CaptureFilter, CaptureFormat
from core.errors import BadInput, WrongState
from core.serving.folder import EndpointFolder
from core.serving.process.capture import Captured

NOON = 1_760_011_200.0
Request = Callable[..., Captured]
Put = Callable[..., list[Path]]


@pytest.fixture
def endpoint(tmp_path: Path, request_of: Request, put: Put) -> Path:
    folder = tmp_path / "demand"
    put(
        EndpointFolder(folder).capture,
        request_of(1),
        request_of(2, content_type="text/csv; charset=utf-8"),
        request_of(3, at=NOON + 3600, status=500, outputs={"error": {"code": "model_error"}}),
        request_of(4, revision=2),
        request_of(5, revision=2, shadow=True),
    )
    store_labels(folder, [Label("id-1", 1.5)])
    merge_new(folder)
    return folder


def test_sagemakers_data_capture(endpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    done = export(endpoint, "demand", target, CaptureFormat.SAGEMAKER, CaptureFilter())
    files = sorted(str(path.relative_to(target)) for path in target.rglob("*.jsonl"))
    assert (done.files, done.rows) == (len(files), 5)
    folders = [name.rpartition("/")[0] for name in files]
    assert folders == [
        "demand/r1/2025/10/09/12",
        "demand/r1/2025/10/09/13",
        "demand/r2-shadow/2025/10/09/12",
        "demand/r2/2025/10/09/12",
    ]
    assert all(re.fullmatch(r"\d\d-\d\d-\d{3}-[0-9a-f-]{36}\.jsonl", Path(f).name) for f in files)
    records = {}
    for file in files:
        for line in (target / file).read_text().splitlines():
            record = json.loads(line)
            records[record["eventMetadata"]["inferenceId"]] = record
    for record in records.values():
        assert set(record) == {"captureData", "eventMetadata", "eventVersion"}
        assert record["eventVersion"] == "0"
        assert set(record["captureData"]) == {"endpointInput", "endpointOutput"}
        for side, mode in (("endpointInput", "INPUT"), ("endpointOutput", "OUTPUT")):
            found = record["captureData"][side]
            assert set(found) == {"observedContentType", "mode", "data", "encoding"}
            assert (found["mode"], type(found["data"])) == (mode, str)
            assert found["encoding"] in ("CSV", "JSON")
        metadata = record["eventMetadata"]
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", metadata["eventId"])
        datetime.strptime(metadata["inferenceTime"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert len({record["eventMetadata"]["eventId"] for record in records.values()}) == 5
    first = records["id-1"]["captureData"]
    assert json.loads(first["endpointInput"]["data"])["dataframe_split"]["data"] == [[1]]
    assert json.loads(first["endpointOutput"]["data"]) == {"predictions": [1.0]}
    second = records["id-2"]["captureData"]["endpointInput"]
    assert (second["data"], second["encoding"], second["observedContentType"]) == (
        "2",
        "CSV",
        "text/csv",
    )
    failed = records["id-3"]["captureData"]["endpointOutput"]
    assert json.loads(failed["data"]) == {"error": {"code": "model_error"}}
    assert not list(target.glob(".export-*"))


def test_json_lines_and_csv_and_parquet(endpoint: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    target = tmp_path / "out"
    wanted = CaptureFilter(variant="r1")
    for kind in (CaptureFormat.JSONL, CaptureFormat.CSV, CaptureFormat.PARQUET):
        done = export(endpoint, "demand", target, kind, wanted)
        assert (done.rows, done.files) == (3, 1)
    lines = [json.loads(line) for line in (target / "demand.jsonl").read_text().splitlines()]
    assert list(lines[0]) == list(FIELDS)
    assert lines[0]["inputs"] == {"dataframe_split": {"columns": ["x"], "data": [[1]]}}
    assert [line["label"] for line in lines] == [1.5, None, None]
    assert lines[0]["time"] == "2025-10-09T12:00:01.000000Z"
    with (target / "demand.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["inference_id"] for row in rows] == ["id-1", "id-2", "id-3"]
    assert json.loads(rows[0]["outputs"]) == [1.0]
    table = pq.ParquetFile(target / "demand.parquet").read().to_pylist()
    assert table[0]["time"] == datetime(2025, 10, 9, 12, 0, 1, tzinfo=UTC)
    assert (table[2]["status"], table[0]["label"], table[0]["shadow"]) == (500, "1.5", False)


def test_an_export_overwrites_nothing(endpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    export(endpoint, "demand", target, CaptureFormat.CSV, CaptureFilter())
    with pytest.raises(WrongState, match=r"demand\.csv exists"):
        export(endpoint, "demand", target, CaptureFormat.CSV, CaptureFilter())
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(BadInput, match="not a folder"):
        export(endpoint, "demand", file, CaptureFormat.CSV, CaptureFilter())
    nothing = export(
        endpoint, "demand", tmp_path / "new", CaptureFormat.PARQUET, CaptureFilter(variant="r9")
    )
    assert (nothing.rows, nothing.files) == (0, 1)
