"""Inputs as the baseline knew them."""

from __future__ import annotations

import datetime
import decimal
import json

import numpy as np
import pyarrow as pa

from core.modelquality.inputs import Input, column_values, encode_rows, learn_input, outside_rows


def test_ranges_and_categories() -> None:
    columns = {
        "x": np.array([1.0, 5.0, np.nan]),
        "town": np.array(["a", "b", None], dtype=object),
        "gone": np.full(3, np.nan),
    }
    inputs = [learn_input(name, values) for name, values in columns.items()]
    stored = json.loads(json.dumps([each.to_json() for each in inputs]))
    again = [Input.from_json(each) for each in stored]
    assert [each.to_json() for each in again] == stored
    assert again[0] == inputs[0]
    now = {
        "x": np.array([0.0, 3.0, np.nan, np.inf]),
        "town": np.array(["a", "c", None, "b"], dtype=object),
        "gone": np.array([1.0, np.inf, np.nan, 2.0]),
    }
    rows, shares = outside_rows(inputs, now, 4)
    assert rows.tolist() == [True, True, False, True]
    assert shares == {"x": 0.5, "town": 0.25, "gone": 0.25}
    encoded = encode_rows(inputs, now, 4)
    assert encoded.shape == (4, 3)
    assert encoded[:, 1].tolist()[:1] == [0.0]
    assert np.isnan(encoded[1, 1])
    assert np.isnan(encode_rows(inputs, {}, 2)).all()
    assert encode_rows([], {}, 2).shape == (2, 0)


def test_columns_of_every_type() -> None:
    table = pa.table(
        {
            "number": [1, None, 3],
            "flag": [True, None, False],
            "text": ["a", None, "b"],
            "coded": pa.array(["a", None, "a"]).dictionary_encode(),
            "at": [datetime.datetime(1970, 1, 2), None, datetime.datetime(1970, 1, 1)],
            "day": [datetime.date(1970, 1, 2), None, datetime.date(1970, 1, 1)],
            "price": [decimal.Decimal("1.5"), None, decimal.Decimal("2.5")],
        }
    )
    for name in table.column_names:
        values = column_values(table, name)
        learnt = learn_input(name, values)
        assert len(learnt.encode(values)) == 3
        assert not learnt.outside(values).any(), name
    assert column_values(table, "at")[0] == 86_400.0
    assert learn_input("price", column_values(table, "price")).high == 2.5
