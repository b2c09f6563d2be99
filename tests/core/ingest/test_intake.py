"""Intakes: what is taken, what is refused, and how it is told."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import BadInput, DiskFull, NotFound, WrongState
from core.ingest.convert import values_to
from core.ingest.errors import BadRows, IntakeRunning
from core.ingest.intake import IntakeProcess, IntakeSettings, held, intake_folder
from core.ingest.intakehttp import Door, Limits
from core.ingest.records import Shape, lines_of
from core.ingest.spool import Frame, Spool, frames_of
from core.ops import Ops
from tests.core.ingest.conftest import RowsOf

GOOD = {"ts": "2012-01-01T00:00:00", "temp": 1.5, "cnt": 2}


class Client:
    """Asks an intake's application without a socket."""

    def __init__(self, door: Door) -> None:
        self.door = door

    def post(
        self, body: bytes, headers: dict[str, str] | None = None, method: str = "POST",
        path: str = "/records",
    ) -> tuple[int, Any, dict[str, str]]:  # fmt: skip
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [
                (name.lower().encode(), value.encode()) for name, value in (headers or {}).items()
            ],
        }
        asyncio.run(self.door(scope, receive, send))
        text = sent[1]["body"]
        kind = dict(sent[0]["headers"])[b"content-type"]
        answer = json.loads(text) if kind == b"application/json" else text.decode()
        told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], answer, told


@pytest.fixture
def dataset(ops: Ops, files: Path) -> str:
    ops.ingest.ingest("bike", [str(files)], create=True)
    return "bike"


@pytest.fixture
def client(ops: Ops, dataset: str) -> Iterator[Client]:
    process = IntakeProcess(ops.session, "door", dataset, IntakeSettings())
    door = Door(
        "door", dataset, process.spool, process.writer, process.shape, process.keys,
        process.flusher, Limits(body=4096, spool=20_000), 10.0,
    )  # fmt: skip
    yield Client(door)
    assert process.close()


def test_records_are_taken_in_each_form(client: Client, rows_of: RowsOf) -> None:
    one = json.dumps(GOOD).encode()
    assert client.post(one)[:2][0] == 202
    assert client.post(b"[" + one + b"," + one + b"]")[1]["accepted"] == 2
    assert client.post(one + b"\n" + one + b"\n\n")[1]["accepted"] == 2
    lines = {"Content-Type": "application/x-ndjson"}
    assert client.post(one, lines)[1]["accepted"] == 1
    assert client.post(gzip.compress(one), {"Content-Encoding": "gzip"})[1]["accepted"] == 1
    assert client.post(b"[]")[:2] == (202, {"accepted": 0})
    assert client.door.accepted == 7


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"42", {1: "not a JSON object"}),
        (b'[{"cnt": 1}, 7]', {2: "not a JSON object"}),
        (b'{"cnt": 1}\n{"cnt":\n{"cnt": 3}', {2: "not JSON"}),
        (b'[{"cnt": "x"}, {"cnt": 1.5}]', {1: "cnt: 'x' is no long", 2: "cnt: 1.5 is no long"}),
        (b'{"Cnt": 1}', {1: "no such column (it is cnt)"}),
        (b'{"nothing": 1}', {1: "no such column"}),
        (b'{"cnt": 99999999999999999999}', {1: "is no long"}),
        (b'{"ts": "2012-13-01T00:00:00"}', {1: "is no timestamp"}),
        (b'{"temp": true}', {1: "is no double"}),
    ],
)
def test_bad_records_are_answered_with_their_positions(
    client: Client, body: bytes, said: str | dict[int, str]
) -> None:
    status, answer, _ = client.post(body)
    assert status == 400
    if isinstance(said, str):
        assert said in answer["error"]
    else:
        told = {one["record"]: one["reason"] for one in answer["records"]}
        assert told.keys() == said.keys()
        assert all(said[record] in reason for record, reason in told.items())
    assert client.door.accepted == 0 and client.door.spool.waiting() == 0


def test_other_requests_are_refused(client: Client) -> None:
    assert client.post(b"", method="GET")[0] == 405
    assert client.post(b"", path="/x")[0] == 404
    assert client.post(b"x" * 5000)[0] == 413
    assert client.post(b"", {"Content-Length": "5000"})[0] == 413
    assert client.post(gzip.compress(b" " * 1_000_000), {"Content-Encoding": "gzip"})[0] == 413
    assert client.post(b"\x1f\x8bxx", {"Content-Encoding": "gzip"})[0] == 400
    assert client.post(b"x", {"Content-Encoding": "br"})[0] == 415
    assert client.post(b"", method="GET", path="/ping")[1] == "ok\n"
    assert client.post(b"", method="GET", path="/stats")[1]["dataset"] == "bike"
    assert 'status="413"} 3' in client.post(b"", method="GET", path="/metrics")[1]


def test_a_full_spool_asks_to_wait(client: Client) -> None:
    row = json.dumps(GOOD).encode()
    statuses = [client.post(b"[" + b",".join([row] * 60) + b"]") for _ in range(10)]
    refused = [one for one in statuses if one[0] == 429]
    assert statuses[0][0] == 202 and refused
    assert refused[0][2]["retry-after"] == "10"


def test_a_request_that_is_sent_again_counts_once(client: Client) -> None:
    row = json.dumps(GOOD).encode()
    key = {"Idempotency-Key": "order-7"}
    assert client.post(row, key)[1]["accepted"] == 1
    assert client.post(row, key)[1] == {"accepted": 0, "duplicate": True}
    assert client.post(row, {"Idempotency-Key": "order-8"})[1]["accepted"] == 1
    assert client.post(row, {"Idempotency-Key": "x" * 300})[0] == 400


def test_keys_are_known_after_a_restart(ops: Ops, dataset: str) -> None:
    for _ in range(2):
        process = IntakeProcess(ops.session, "door", dataset, IntakeSettings())
        if "order-7" not in process.keys:
            process.writer.submit(Frame(lines_of([GOOD]), "order-7")).result()
        assert process.close()
    assert ops.data.get("bike").rows == 29


def test_a_token_is_asked_for(client: Client) -> None:
    import hashlib

    client.door.digest = hashlib.sha256(b"secret-token").digest()
    row = json.dumps(GOOD).encode()
    assert client.post(row)[0] == 401
    assert client.post(row, {"Authorization": "Bearer wrong"})[0] == 401
    assert client.post(row, {"Authorization": "Bearer secret-token"})[0] == 202
    assert client.post(b"", method="GET", path="/ping")[0] == 200


def test_a_full_disk_is_told_and_nothing_is_acknowledged(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_frames: object) -> str:
        raise DiskFull("no room on the disk")

    monkeypatch.setattr(client.door.spool, "append", full)
    status, answer, headers = client.post(json.dumps(GOOD).encode())
    assert status == 503 and "no room" in answer["error"] and "retry-after" in headers


def test_one_process_an_intake(ops: Ops, dataset: str) -> None:
    with (
        held(intake_folder(ops.session, "door")),
        pytest.raises(IntakeRunning, match="a process has it already"),
    ):
        ops.intakes.read("door", io.BytesIO(b""), dataset)


def test_standard_input(ops: Ops, dataset: str, rows_of: RowsOf) -> None:
    lines = lines_of([GOOD] * 2500)
    report = ops.intakes.read("door", io.BytesIO(lines), dataset)
    assert (report.accepted, report.flushed) == (2500, True)
    table = b"ts,temp,cnt\n2012-01-01T00:00:00,,5\n2012-01-01T00:00:00,1,x\n,2.5,7\n"
    report = ops.intakes.read("door", io.BytesIO(table), kind="csv", on_error="skip")
    assert (report.accepted, report.skipped) == (2, 1)
    with pytest.raises(BadRows, match=r"standard input:2: not JSON .*the 1 records before it"):
        ops.intakes.read("door", io.BytesIO(lines_of([GOOD]) + b'{"ts\n' + lines))
    assert len(rows_of("bike")) == 28 + 2500 + 2 + 1
    listed = ops.intakes.list()
    assert [(one.name, one.dataset, one.running) for one in listed] == [("door", "bike", False)]
    ops.intakes.remove("door")
    assert ops.intakes.list() == ()


def test_intakes_that_cannot_be(ops: Ops, dataset: str) -> None:
    with pytest.raises(BadInput, match="into which dataset"):
        ops.intakes.serve("door")
    with pytest.raises(NotFound):
        ops.intakes.serve("door", "nothing")
    with pytest.raises(BadInput, match="others could write"):
        ops.intakes.serve("door", dataset, host="0.0.0.0")
    with pytest.raises(BadInput, match="not set"):
        ops.intakes.serve("door", dataset, token_env="NO_SUCH_VARIABLE")
    with pytest.raises(BadInput, match="not allowed"):
        ops.intakes.serve("../door", dataset)


def test_a_spool_with_records_is_not_given_up(ops: Ops, dataset: str) -> None:
    ops.intakes.read("door", io.BytesIO(b""), dataset)
    spool = Spool(intake_folder(ops.session, "door") / "spool")
    spool.append([Frame(lines_of([GOOD]))])
    with pytest.raises(WrongState, match="wait in its spool"):
        ops.intakes.remove("door")
    with pytest.raises(BadInput, match="has records for bike"):
        ops.intakes.read("door", io.BytesIO(b""), "other")
    assert ops.intakes.flush("door") and ops.data.get("bike").rows == 29


def test_new_columns_come_along_where_allowed(ops: Ops, dataset: str, rows_of: RowsOf) -> None:
    lines = b'{"cnt": 1, "wind": 2}\n{"cnt": 2, "wind": 3, "sky": "blue"}\n'
    report = ops.intakes.read("door", io.BytesIO(lines), dataset, evolve=True)
    assert report.accepted == 2
    assert [row["sky"] for row in rows_of("bike")].count("blue") == 1


def test_a_torn_frame_is_cut_away(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append([Frame(b"one\n", "k"), Frame(b"two\n")])
    path = next(tmp_path.glob("*.open"))
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[: len(whole) - cut])
        read = [frame.body for frame in frames_of(path)]
        assert read == [b"one\n", b"two\n"][: len(read)]
    path.write_bytes(whole + Frame(b"three\n").encode()[:-1])
    again = Spool(tmp_path)
    assert [list(frames_of(one.path)) for one in again.ready()] == [
        [Frame(b"one\n", "k"), Frame(b"two\n")]
    ]


UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_TYPES = [
    pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.bool_(), pa.string(), pa.large_string(),
    pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.time64("us"),
    pa.decimal128(9, 2), pa.large_binary(), pa.large_list(pa.int64()),
    pa.struct([pa.field("a", pa.int64())]),
]  # fmt: skip


@UNHURRIED
@given(st.lists(_JSON, max_size=6), st.sampled_from(_TYPES))
def test_any_value_is_converted_or_told(values: list[Any], kind: pa.DataType) -> None:
    found = values_to(values, kind)
    assert found.array.type == kind and len(found.array) == len(values)
    bad = {index for index, _ in found.bad}
    for index, value in enumerate(values):
        valid = found.array[index].is_valid
        assert valid != (value is None or index in bad), (value, kind, index)


@UNHURRIED
@given(st.lists(st.dictionaries(st.sampled_from("abcd"), _JSON, max_size=4), max_size=5))
def test_what_is_accepted_can_be_flushed(records: list[dict[str, Any]]) -> None:
    import orjson

    schema = pa.schema({"a": pa.int64(), "b": pa.string(), "c": pa.timestamp("us")})
    shape = Shape(schema, evolve=True)
    try:
        sent = [orjson.loads(line) for line in lines_of(records).splitlines()]
    except TypeError:  # no JSON to begin with
        return
    problems = {problem.record for problem in shape.problems(sent, most=10_000)}
    good = [one for index, one in enumerate(sent, start=1) if index not in problems]
    table, left = shape.table(good)
    assert not left and table.num_rows == len(good)
