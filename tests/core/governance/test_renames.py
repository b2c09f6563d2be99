"""A new name hides nothing less."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from core.governance import Access, PolicyBroken
from core.governance.errors import MaskKeyUnusable
from core.governance.key import mask_key
from core.governance.renames import following_renames
from tests.support.governed import PEOPLE, Memory, give, label

As = Callable[..., Access]


def test_labels_masks_columns_and_filters_follow(access: As, memory: Memory) -> None:
    session = access("olga").session
    label(session, "people", "email")
    give(
        session, "people", "ann", columns=["id", "email"], masks={"email": "partial:4"},
        row_filter="email IS NOT NULL AND id < 4",
    )  # fmt: skip
    give(session, "people", "bob")
    renamed = PEOPLE.rename_columns(["id", "mail", "region", "pay", "born"])
    with following_renames(session, "people", {"email": "mail"}):
        memory.tables["people"] = renamed
        with pytest.raises(PolicyBroken):
            access("ann").scan("people")
        assert len(access("bob").scan("people").read_all()["mail"][0].as_py()) == 32
    told = session.reader.rows("SELECT detail FROM journal WHERE action = 'data.grants_renamed'")
    assert '"grants":["read of ann"]' in told[0]["detail"]
    found = access("ann").scan("people").read_all()
    assert found.column_names == ["id", "mail"]
    assert found["mail"].to_pylist() == ["***.org", "***.org"]
    memory.tables["people"] = renamed.append_column("email", pa.array(["new"] * 4))
    assert "email" not in access("ann").scan("people").read_all().column_names
    assert access("bob").scan("people").read_all()["email"][0].as_py() != "new"


def test_without_renames_nothing_is_written(access: As) -> None:
    session = access("olga").session
    give(session, "people", "ann", columns=["id"])
    before = session.reader.rows("SELECT * FROM grants")
    with following_renames(session, "people", {}):
        pass
    with following_renames(session, "people", {"pay": "wage"}):
        pass
    assert session.reader.rows("SELECT * FROM grants") == before


def test_the_key_is_made_once_and_only_its_owner_may_read_it(access: As) -> None:
    config = access("olga").config
    key = mask_key(config)
    assert mask_key(config) == key and len(key) > 30
    assert config.key_file.stat().st_mode & 0o777 == 0o600
    config.key_file.chmod(0o644)
    with pytest.raises(MaskKeyUnusable, match="others"):
        mask_key(config)
    config.key_file.chmod(0o600)
    config.key_file.write_text("short")
    with pytest.raises(MaskKeyUnusable, match="shorter"):
        mask_key(config)
    assert key not in str(access("olga").session.reader.rows("SELECT * FROM journal"))
