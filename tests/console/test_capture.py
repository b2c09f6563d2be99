"""`opsdeck endpoints capture`, `labels` and `logs`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from console.moments import moment, size_of, statuses
from core.errors import BadInput
from core.serving.config import EndpointConfig
from core.serving.process.capture import Captured
from core.serving.process.parts import write_part

NOON = 1_760_011_200.0
Cli = Callable[..., Any]


@pytest.fixture
def captured(seeded: Path) -> Path:
    """The seeded workspace; its endpoint has ten captured requests of two variants."""
    folder = seeded / ".opsdeck" / "endpoints" / "demand"
    for revision in (1, 2):
        write_part(
            folder / "capture" / "date=2025-10-09" / f"variant=r{revision}",
            [
                Captured(
                    inference_id=f"id-{number}",
                    at=NOON + number,
                    revision=revision,
                    status=500 if number == 3 else 200,
                    milliseconds=2.0,
                    inputs=lambda: {"dataframe_split": {"columns": ["x"], "data": [[1]]}},
                    outputs={"error": {}} if number == 3 else [float(number + revision)],
                    model="demand",
                    version=revision,
                    content_type="application/json",
                )
                for number in range(10)
                if number % 2 == revision - 1
            ],
        )
    return folder


def test_listing(captured: Path, cli: Cli) -> None:
    done = cli("endpoints", "capture", "demand", "--limit", "3", "--json")
    assert done.status == 0
    assert [row["inference_id"] for row in done.json()["requests"]] == ["id-9", "id-8", "id-7"]
    assert done.json()["requests"][0]["at"] == "2025-10-09T12:00:09.000Z"
    errors = cli("endpoints", "capture", "demand", "--status", "5xx", "--json").json()
    assert [row["inference_id"] for row in errors["requests"]] == ["id-3"]
    text = cli("endpoints", "capture", "demand", "--variant", "r1", "--since", "2025-10-09").out
    assert text.splitlines()[0].split() == [
        "TIME", "ID", "VARIANT", "VERSION", "STATUS", "TOOK", "INPUTS", "OUTPUTS",
    ]  # fmt: skip
    assert [line.split()[1] for line in text.splitlines()[1:]] == [
        f"id-{number}" for number in (8, 6, 4, 2, 0)
    ]
    none = cli("endpoints", "capture", "demand", "--id", "nobody")
    assert (none.status, "no captured requests" in none.out) == (0, True)


def test_summary_rate_and_cap(captured: Path, cli: Cli) -> None:
    found = cli("endpoints", "capture", "demand", "--summary", "--json").json()
    assert (found["rows"], found["by_variant"]) == (10, {"r1": 5, "r2": 5})
    assert (found["rate"], found["cap_bytes"], found["running"]) == (1.0, 1 << 30, False)
    done = cli("endpoints", "capture", "demand", "--rate", "0.25", "--cap", "2MiB", "--json")
    assert (done.json()["rate"], done.json()["cap_bytes"]) == (0.25, 2 << 20)
    config = EndpointConfig.read(captured)
    assert (config.capture_rate, config.capture_bytes) == (0.25, 2 << 20)
    assert "25 % of the requests" in cli("endpoints", "capture", "demand", "--summary").out
    entry = cli("audit", "list", "--json").json()["entries"][0]
    assert (entry["action"], entry["subject"]) == ("endpoint.capture", "endpoint/demand")


def test_export(captured: Path, cli: Cli, tmp_path: Path) -> None:
    target = tmp_path / "out"
    for kind, files in (("sagemaker", 2), ("jsonl", 1), ("csv", 1), ("parquet", 1)):
        done = cli("endpoints", "capture", "demand", "--export", target, "--format", kind, "--json")
        assert (done.status, done.json()["rows"], done.json()["files"]) == (0, 10, files)
    assert len(list((target / "demand" / "r2" / "2025" / "10" / "09" / "12").iterdir())) == 1
    again = cli("endpoints", "capture", "demand", "--export", target, "--format", "csv")
    assert (again.status, "E202" in again.err) == (1, True)


def test_delete(captured: Path, cli: Cli) -> None:
    before = ["--delete", "--before", "2025-10-09T12:00:04"]
    asked = cli("endpoints", "capture", "demand", *before)
    assert (asked.status, "add --yes" in asked.err) == (2, True)
    refused = cli("endpoints", "capture", "demand", *before, "-y", "--read-only")
    assert (refused.status, "E200" in refused.err) == (1, True)
    done = cli("endpoints", "capture", "demand", *before, "-y", "--json")
    assert (done.status, done.json()["rows"]) == (0, 4)
    left = cli("endpoints", "capture", "demand", "--json").json()["requests"]
    assert [row["inference_id"] for row in left] == [f"id-{n}" for n in range(9, 3, -1)]
    entry = cli("audit", "list", "--json").json()["entries"][0]
    assert (entry["action"], entry["detail"]["requests"]) == ("capture.delete", 4)
    assert "deleted" in cli("endpoints", "capture", "demand", "--summary").out


def test_labels(captured: Path, cli: Cli, tmp_path: Path) -> None:
    empty = cli("endpoints", "labels", "demand")
    assert (empty.status, "no labels yet" in empty.out) == (0, True)
    file = tmp_path / "truth.csv"
    file.write_text(
        "inference_id,y\n" + "".join(f"id-{n},{n}\n" for n in (0, 1, 2, 3, 77)) + "id-0,0\n"
    )
    dry = cli("endpoints", "labels", "demand", file, "--column", "y", "--dry-run", "--json")
    assert dry.json() | {"file": ""} == {
        "endpoint": "demand",
        "file": "",
        "rows": 6,
        "ids": 5,
        "repeated": 1,
        "matched": 4,
        "unknown": 1,
        "stored": False,
    }
    assert not (captured / "labels").exists()
    done = cli("endpoints", "labels", "demand", file, "--column", "y", "--json").json()
    assert {**dry.json(), "stored": True} == done
    again = cli("endpoints", "labels", "demand", file, "--column", "y", "--dry-run", "--json")
    assert again.json()["repeated"] == 6
    found = cli("endpoints", "labels", "demand", "--json").json()
    assert (found["labels"], found["unknown"]) == (5, 1)
    first, second = found["arms"]
    assert (first["variant"], first["captured"], first["labelled"], first["mae"]) == (
        "r1", 5, 2, 1.0,
    )  # fmt: skip
    assert (second["labelled"], second["scored"], second["bias"]) == (2, 1, 2.0)
    assert second["share"] == 0.4
    text = cli("endpoints", "labels", "demand").out
    assert text.splitlines()[0].split()[:5] == ["VARIANT", "CAPTURED", "LABELLED", "SHARE", "MAE"]


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (["capture", "nobody"], 3, "E120"),
        (["capture", "demand", "--variant", "x"], 2, "--variant 'x'"),
        (["capture", "demand", "--status", "9xx"], 2, "--status '9xx'"),
        (["capture", "demand", "--since", "soon"], 2, "--since 'soon'"),
        (["capture", "demand", "--rate", "2"], 2, "capture rate 2"),
        (["capture", "demand", "--cap", "much"], 2, "--cap 'much'"),
        (["capture", "demand", "--cap", "1kB"], 2, "less than 1 MiB"),
        (["capture", "demand", "--export", "x"], 2, "--export DIR and --format"),
        (["capture", "demand", "--delete"], 2, "--delete and --before"),
        (["capture", "demand", "--delete", "--before", "2999-01-01", "-y"], 2, "future"),
        (["capture", "demand", "--summary", "--rate", "1"], 2, "one of them"),
        (["labels", "demand", "none.csv"], 2, "none.csv"),
        (["labels", "demand", "--dry-run"], 2, "--dry-run goes with FILE"),
        (["labels", "nobody"], 3, "E120"),
        (["logs", "nobody"], 3, "E120"),
        (["logs", "demand", "--source", "other"], 2, "other"),
    ],
)
def test_bad_input(seeded: Path, cli: Cli, args: list[str], status: int, said: str) -> None:
    done = cli("endpoints", *args)
    assert (done.status, said in done.err) == (status, True), done.err
    assert len(done.err.splitlines()) == 1


def test_logs(captured: Path, cli: Cli) -> None:
    (captured / "server.log.1").write_text("one\ntwo\n")
    (captured / "server.log").write_text("three\n\x1b[31mfour\n")
    (captured / "supervisor.log").write_text("2026 INFO up\n")
    assert cli("endpoints", "logs", "demand", "--tail", "3").out.splitlines()[:2] == [
        "two",
        "three",
    ]
    found = cli("endpoints", "logs", "demand", "--source", "supervisor", "--json").json()
    assert (found["source"], found["lines"]) == ("supervisor", ["2026 INFO up"])


def test_following_a_log_over_its_rotation(captured: Path) -> None:
    log = captured / "server.log"
    log.write_text("one\n")
    command = [sys.executable, "-m", "console.main", "endpoints", "logs", "demand", "-f", "--json"]
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [*command, "-w", str(captured.parents[2])], stdout=subprocess.PIPE, text=True, cwd=root
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"source": "server", "line": "one"}
        with log.open("a") as stream:
            stream.write("two\n")
        log.rename(log.with_name("server.log.1"))
        time.sleep(0.05)
        log.write_text("three\n")
        lines = [json.loads(process.stdout.readline())["line"] for _ in range(2)]
        assert lines == ["two", "three"]
    finally:
        process.kill()
        process.wait(10)


def test_moments_sizes_and_statuses() -> None:
    assert moment("--since", "2025-10-09T12:00") == NOON
    assert moment("--since", "2025-10-09T14:00+02:00") == NOON
    assert abs((moment("--since", "2h") or 0) - (time.time() - 7200)) < 5
    assert moment("--since", None) is None
    assert [size_of("--cap", each) for each in ("500MB", "2 GiB", "10", "1.5kB")] == [
        500_000_000,
        2 << 30,
        10,
        1500,
    ]
    assert statuses("--status", "error") == (400, None)
    assert statuses("--status", "404") == (404, 404)
    assert moment("--since", "9" * 400 + "d") == moment("--since", "0001-01-01") == 0
    for text in ("", "2x", "2025-13-01", "2h3"):
        with pytest.raises(BadInput):
            moment("--since", text)
