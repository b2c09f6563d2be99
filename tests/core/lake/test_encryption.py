"""A lake whose files are sealed: nothing of it can be read without the key."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from core.errors import BadInput
from core.lake import open_lake
from core.lake.encryption import identities_of, make_key
from core.lake.errors import KeyUnusable, LakeCorrupt
from tests.core.lake.conftest import OpenSpace, glue_section, ids, rows

SECRET = "very-secret-customer"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A key file."""
    make_key(tmp_path / "lake.key")
    return tmp_path / "lake.key"


def everything_under(folder: Path) -> bytes:
    """The bytes of every file."""
    return b"".join(each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file())


def test_no_file_of_a_sealed_lake_shows_values_columns_or_the_key(
    open_space: OpenSpace, key: Path
) -> None:
    ops = open_space({"encryption": {"key_file": str(key)}})
    table = pa.table({"hidden_column": [SECRET, SECRET + "2"], "id": [1, 2]})
    lake = ops.data.lake
    lake.create("people", table.schema, owner="ann")
    lake.append("people", table, by="ann")
    lake.upsert("people", pa.table({"hidden_column": ["x"], "id": [2]}), keys=["id"], by="ann")
    lake.compact("people", least=2)
    lake.expire("people", keep=2)

    state = ops.workspace.state_dir
    stored = everything_under(state / "lake" / "warehouse")
    assert SECRET.encode() not in stored and b"hidden_column" not in stored
    assert b"PAR1" not in stored and b"snapshot" not in stored
    assert SECRET.encode() not in everything_under(state)
    assert b"AGE-SECRET-KEY" not in everything_under(state)
    assert lake.read("people", where="id = 1").read_all().to_pylist() == [
        {"hidden_column": SECRET, "id": 1}
    ]
    assert not list(state.rglob("*.tmp"))


def test_another_key_and_no_key_are_told(open_space: OpenSpace, key: Path, tmp_path: Path) -> None:
    lake = open_space({"encryption": {"key_file": str(key)}}).data.lake
    lake.create("sales", rows(1).schema, owner="ann")
    make_key(tmp_path / "other.key")

    with pytest.raises(KeyUnusable, match="no key is configured"):
        open_space().data.lake.read("sales")
    with pytest.raises(KeyUnusable, match="not the key"):
        open_space({"encryption": {"key_file": str(tmp_path / "other.key")}}).data.lake.read(
            "sales"
        )
    with pytest.raises(KeyUnusable, match="No such file"):
        open_space({"encryption": {"key_file": str(tmp_path / "gone.key")}}).data.lake.read("sales")


def test_a_new_key_on_top_seals_and_the_old_one_still_opens(
    open_space: OpenSpace, key: Path, tmp_path: Path
) -> None:
    lake = open_space({"encryption": {"key_file": str(key)}}).data.lake
    lake.create("sales", rows(1).schema, owner="ann")
    lake.append("sales", rows(1), by="ann")
    make_key(tmp_path / "new.key")
    old = key.read_text()
    key.write_text((tmp_path / "new.key").read_text() + old)

    lake = open_space({"encryption": {"key_file": str(key)}}).data.lake
    lake.append("sales", rows(2), by="ann")
    assert ids(lake, "sales") == [1, 2]
    key.write_text(old)
    with pytest.raises(KeyUnusable):
        open_space({"encryption": {"key_file": str(key)}}).data.lake.read("sales")


def test_a_lake_of_before_stays_readable_when_a_key_comes(open_space: OpenSpace, key: Path) -> None:
    lake = open_space().data.lake
    lake.create("sales", rows(1).schema, owner="ann")
    lake.append("sales", rows(1), by="ann")

    lake = open_space({"encryption": {"key_file": str(key)}}).data.lake
    lake.append("sales", rows(2), by="ann")
    assert ids(lake, "sales") == [1, 2]


def test_a_damaged_file_is_told(open_space: OpenSpace, key: Path) -> None:
    ops = open_space({"encryption": {"key_file": str(key)}})
    lake = ops.data.lake
    lake.create("sales", rows(1).schema, owner="ann")
    lake.append("sales", rows(1), by="ann")
    for file in (ops.workspace.state_dir / "lake" / "warehouse").rglob("*.parquet"):
        raw = bytearray(file.read_bytes())
        raw[-20] ^= 0xFF
        file.write_bytes(bytes(raw))

    with pytest.raises((KeyUnusable, LakeCorrupt), match="damaged"):
        lake.read("sales").read_all()


def test_keys_that_others_can_read_are_refused(key: Path, tmp_path: Path) -> None:
    assert key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(BadInput, match="exists already"):
        make_key(key)
    key.chmod(0o644)
    with pytest.raises(KeyUnusable, match="read by others"):
        identities_of(key)
    (tmp_path / "empty.key").touch(0o600)
    with pytest.raises(KeyUnusable, match="holds no key"):
        identities_of(tmp_path / "empty.key")
    bad = tmp_path / "bad.key"
    bad.touch(0o600)
    bad.write_text("AGE-SECRET-KEY-1NONSENSE\n")
    with pytest.raises(KeyUnusable) as caught:
        identities_of(bad)
    assert "NONSENSE" not in caught.value.one_line()


def test_on_s3_every_object_is_asked_to_be_encrypted_with_the_kms_key(
    open_space: OpenSpace, moto_server: str
) -> None:
    import boto3

    arn = "arn:aws:kms:us-east-1:123456789012:key/0123abcd-0000-0000-0000-000000000000"
    section = glue_section(moto_server) | {"encryption": {"kms_key": arn}}
    lake = open_lake(open_space(section).session)
    lake.create("sales", rows(1).schema, owner="ann")
    lake.append("sales", rows(1, 2), by="ann")

    bucket = section["warehouse"].split("/")[2]
    client = boto3.client(
        "s3",
        endpoint_url=moto_server,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    objects = client.list_objects_v2(Bucket=bucket)["Contents"]
    heads = [client.head_object(Bucket=bucket, Key=each["Key"]) for each in objects]
    assert len(heads) >= 5
    assert {head.get("ServerSideEncryption") for head in heads} == {"aws:kms"}
    assert {head.get("SSEKMSKeyId") for head in heads} == {arn}
    assert ids(lake, "sales") == [1, 2]
