"""Masks: what they take, what they show, and that they keep types and nulls."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from core.domain.governance import Mask
from core.governance.errors import PolicyInvalid
from core.governance.masks import check_fits, expression, fits, masked_type, openness, parse_mask
from core.governance.streams import SOURCE, through


def shown(text: str, values: list[Any], kind: Any) -> list[Any]:
    mask = parse_mask(text)
    schema = pa.schema([("x", masked_type(mask, kind))])
    reader = pa.table({"x": pa.array([*values, None], kind)}).to_reader()
    sql = f"SELECT {expression(mask, 'c0', kind)} FROM {SOURCE}"
    *found, last = through("t", reader, sql, schema, {"key": "k"}).read_all()["x"].to_pylist()
    assert last is None
    return found


LONG = 2**63 - 1


@pytest.mark.parametrize(
    ("mask", "values", "kind", "found"),
    [
        ("redact", ["", "secret"], pa.string(), ["***", "***"]),
        ("partial", ["4111-2222-3333", "12345678", "1234567"], pa.string(),
         ["***3333", "***5678", "***"]),
        ("partial:1", ["é€"], pa.large_string(), ["***€"]),
        ("null", [1.5], pa.float64(), [None]),
        ("null", [[1]], pa.list_(pa.int64()), [None]),
        ("bucket:10", [-1, 0, 9, 10, LONG, -LONG - 1], pa.int64(),
         [-10, 0, 0, 10, LONG // 10 * 10, None]),
        ("bucket:10", [-128], pa.int8(), [None]),
        ("bucket:0.5", [0.74, -0.1], pa.float64(), [0.5, -0.5]),
        ("bucket:10", [Decimal("19.99")], pa.decimal128(6, 2), [Decimal("10.00")]),
        ("round:1", [1.26], pa.float64(), [1.3]),
        ("round:-1", [Decimal("16.50")], pa.decimal128(6, 2), [Decimal("20.00")]),
        ("year", [date(2020, 5, 6)], pa.date32(), [date(2020, 1, 1)]),
        ("month", [datetime(2020, 5, 6, 7, 8)], pa.timestamp("us"), [datetime(2020, 5, 1)]),
        ("year", [datetime(2020, 5, 6, tzinfo=UTC)], pa.timestamp("us", "UTC"),
         [datetime(2020, 1, 1, tzinfo=UTC)]),
        ("clear", ["x"], pa.string(), ["x"]),
    ],
)  # fmt: skip
def test_what_is_shown(mask: str, values: list[Any], kind: Any, found: list[Any]) -> None:
    assert shown(mask, values, kind) == found


def test_hashes_depend_on_the_value_alone() -> None:
    texts = shown("hash", ["1", "2", "1"], pa.string())
    assert texts[0] == texts[2] != texts[1] and len(texts[0]) == 32
    small, wide = shown("hash", [1, -5], pa.int32()), shown("hash", [1, -5], pa.int64())
    assert small == wide and all(0 <= value < 2**60 for value in wide)


@pytest.mark.parametrize(
    "text", ["", "hide", "hash:3", "partial:0", "partial:99", "partial:1.5", "bucket", "bucket:0",
             "round:99", "bucket:x", "hash; DROP", "partial:-1"],
)  # fmt: skip
def test_what_is_no_mask(text: str) -> None:
    with pytest.raises(PolicyInvalid):
        parse_mask(text)


@pytest.mark.parametrize(
    ("mask", "kind"),
    [("redact", pa.int64()), ("hash", pa.float64()), ("year", pa.string()), ("round", pa.int64()),
     ("bucket:0.5", pa.int64()), ("hash", pa.uint64()), ("partial", pa.binary())],
)  # fmt: skip
def test_a_mask_that_does_not_fit_is_refused_and_shows_nothing(mask: str, kind: Any) -> None:
    with pytest.raises(PolicyInvalid, match="does not fit"):
        check_fits(parse_mask(mask), "x", kind)
    assert not fits(parse_mask(mask), kind)
    if kind != pa.binary():
        assert shown(mask, [None], kind) == [None]


def test_from_what_shows_most_to_what_shows_least() -> None:
    texts = ["clear", "partial:8", "partial:4", "hash", "redact", "null"]
    assert [str(mask) for mask in sorted(map(parse_mask, reversed(texts)), key=openness)] == texts
    assert openness(Mask("bucket", 5.0)) < openness(Mask("bucket", 10.0))
    assert openness(Mask("round", 2.0)) < openness(Mask("round", 0.0))
