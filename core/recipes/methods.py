"""The expression methods of Polars that are transformations, with a use of each.

A line per method: its path from a column, and the parameters of an example that works on
`core.recipes.example.frame()`. Signatures, choices and help are read from Polars itself by
`core.recipes.build`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Family:
    """Methods of one kind: on what columns they work and the column of the examples."""

    category: str
    prefix: str
    takes: tuple[str, ...]
    column: str
    methods: Mapping[str, Mapping[str, Any]]
    scope: str = "row"
    columns: Mapping[str, str] = field(default_factory=dict)
    """Methods whose example needs another column."""


def _plain(names: str) -> dict[str, Mapping[str, Any]]:
    return {name: {} for name in names.split()}


_STR: dict[str, Mapping[str, Any]] = {
    "contains": {"pattern": "a"},
    "contains_any": {"patterns": ["an", "er"]},
    "count_matches": {"pattern": "[aeiou]"},
    "decode": {"encoding": "hex"},
    "encode": {"encoding": "base64"},
    "ends_with": {"suffix": "n"},
    "escape_regex": {},
    "extract": {"pattern": "([A-Z])", "group_index": 1},
    "extract_all": {"pattern": "[a-z]+"},
    "extract_many": {"patterns": ["an", "er"]},
    "find": {"pattern": "r"},
    "find_many": {"patterns": ["a", "e"]},
    "head": {"n": 3},
    "json_path_match": {"json_path": "$.a"},
    "len_bytes": {},
    "len_chars": {},
    "normalize": {"form": "NFKD"},
    "pad_end": {"length": 8},
    "pad_start": {"length": 8, "fill_char": "."},
    "replace": {"pattern": "a", "value": "o"},
    "replace_all": {"pattern": "a", "value": "o"},
    "replace_many": {"patterns": ["a", "e"], "replace_with": ["1", "2"]},
    "reverse": {},
    "slice": {"offset": 1, "length": 2},
    "split": {"by": " "},
    "starts_with": {"prefix": "B"},
    "strip_chars": {},
    "strip_chars_end": {"characters": " "},
    "strip_chars_start": {"characters": " "},
    "strip_prefix": {"prefix": "B"},
    "strip_suffix": {"suffix": "n"},
    "tail": {"n": 3},
    "to_date": {"format": "%Y-%m-%d"},
    "to_datetime": {"format": "%Y-%m-%d"},
    "to_decimal": {"scale": 2},
    "to_integer": {"strict": False},
    "to_lowercase": {},
    "to_time": {"format": "%H:%M"},
    "to_titlecase": {},
    "to_uppercase": {},
    "zfill": {"length": 6},
}
_DT: dict[str, Mapping[str, Any]] = {
    **_plain(
        "century date day days_in_month hour is_leap_year iso_year microsecond millennium"
        " millisecond minute month month_end month_start nanosecond ordinal_day quarter second"
        " time week weekday year base_utc_offset dst_offset"
    ),
    "add_business_days": {"n": 2, "roll": "forward"},
    "cast_time_unit": {"time_unit": "ms"},
    "convert_time_zone": {"time_zone": "Europe/Berlin"},
    "epoch": {"time_unit": "s"},
    "is_business_day": {},
    "offset_by": {"by": "1d"},
    "replace": {"hour": 0},
    "replace_time_zone": {"time_zone": "UTC"},
    "round": {"every": "1d"},
    "timestamp": {"time_unit": "ms"},
    "to_string": {"format": "%Y/%m/%d"},
    "truncate": {"every": "1d"},
    "total_days": {},
    "total_hours": {},
    "total_minutes": {},
    "total_seconds": {},
    "total_milliseconds": {},
    "total_microseconds": {},
    "total_nanoseconds": {},
}
_LIST: dict[str, Mapping[str, Any]] = {
    **_plain(
        "arg_max arg_min drop_nulls first last len max mean median min n_unique reverse sort std"
        " sum unique var"
    ),
    "all": {},
    "any": {},
    "contains": {"item": 2},
    "count_matches": {"element": 2},
    "diff": {"n": 1},
    "gather_every": {"n": 2},
    "get": {"index": 0, "null_on_oob": True},
    "head": {"n": 2},
    "join": {"separator": " "},
    "set_difference": {"other": [2]},
    "set_intersection": {"other": [1, 2]},
    "set_symmetric_difference": {"other": [2]},
    "set_union": {"other": [9]},
    "shift": {"n": 1},
    "slice": {"offset": 0, "length": 1},
    "tail": {"n": 1},
}
_MATH: dict[str, Mapping[str, Any]] = {
    **_plain(
        "abs cbrt ceil cos cosh cot degrees erf erfc exp floor log10 log1p neg radians sign sin"
        " sinh sqrt tan tanh arcsinh arctan"
    ),
    **_plain("arccos arcsin arctanh arccosh"),
    "add": {"other": 1},
    "sub": {"other": 1},
    "mul": {"other": 2},
    "truediv": {"other": 2},
    "floordiv": {"other": 2},
    "truncdiv": {"other": 2},
    "mod": {"other": 3},
    "pow": {"exponent": 2},
    "log": {"base": 2.0},
    "round": {"decimals": 1},
    "round_sig_figs": {"digits": 2},
    "truncate": {"decimals": 0},
    "clip": {"lower_bound": -1, "upper_bound": 1},
}
_COMPARE: dict[str, Mapping[str, Any]] = {
    "eq": {"other": 3},
    "eq_missing": {"other": 3},
    "ne": {"other": 3},
    "ne_missing": {"other": 3},
    "ge": {"other": 3},
    "gt": {"other": 3},
    "le": {"other": 3},
    "lt": {"other": 3},
    "is_between": {"lower_bound": 1, "upper_bound": 5, "closed": "left"},
    "is_close": {"other": 3, "abs_tol": 0.5},
    "is_in": {"other": [1, 2, 3]},
    "is_finite": {},
    "is_infinite": {},
    "is_nan": {},
    "is_not_nan": {},
    "not_": {},
}
_MISSING: dict[str, Mapping[str, Any]] = {
    "fill_nan": {"value": 0.0},
    "fill_null": {"value": 0},
    "is_null": {},
    "is_not_null": {},
}
_BITS = _plain(
    "bitwise_count_ones bitwise_count_zeros bitwise_leading_ones bitwise_leading_zeros"
    " bitwise_trailing_ones bitwise_trailing_zeros"
)
_CUT: dict[str, Mapping[str, Any]] = {
    "cut": {"breaks": [0.0, 1.0], "labels": ["low", "middle", "high"]},
    "hash": {"seed": 7},
    "replace": {"old": [1, 2], "new": [10, 20]},
    "replace_strict": {"old": [1, 2], "new": [10, 20], "default": 0},
    "repeat_by": {"by": 2},
    "to_physical": {},
}
_BY = {"by": "at", "window_size": "4h"}
_WINDOW: dict[str, Mapping[str, Any]] = {
    **_plain("cum_count cum_max cum_min cum_prod cum_sum peak_max peak_min rle_id"),
    **{
        f"rolling_{name}": {"window_size": 4, "min_samples": 1}
        for name in ("max", "mean", "median", "min", "sum", "rank")
    },
    **{f"rolling_{name}": {"window_size": 4} for name in ("std", "var", "skew", "kurtosis")},
    "rolling_quantile": {"quantile": 0.9, "window_size": 4},
    **{
        f"rolling_{name}_by": _BY
        for name in ("max", "mean", "median", "min", "std", "sum", "var", "rank")
    },
    "rolling_quantile_by": {**_BY, "quantile": 0.9},
    "ewm_mean": {"span": 4.0},
    "ewm_std": {"span": 4.0},
    "ewm_var": {"span": 4.0},
    "ewm_sum": {"span": 4.0},
    "ewm_mean_by": {"by": "at", "half_life": "4h"},
    "ewm_sum_by": {"by": "at", "half_life": "4h"},
    "shift": {"n": 1},
    "diff": {"n": 1},
    "pct_change": {"n": 1},
    "forward_fill": {"limit": 2},
    "backward_fill": {"limit": 2},
    "interpolate": {},
    "interpolate_by": {"by": "at"},
}
_FRAME: dict[str, Mapping[str, Any]] = {
    "rank": {"method": "dense"},
    "qcut": {"quantiles": [0.25, 0.75], "labels": ["low", "middle", "high"]},
    **_plain("is_duplicated is_first_distinct is_last_distinct is_unique reverse"),
    "shuffle": {"seed": 7},
    "arg_sort": {},
}
_BIN: dict[str, Mapping[str, Any]] = {
    "contains": {"literal": "a"},
    "encode": {"encoding": "hex"},
    "size": {},
    "starts_with": {"prefix": "B"},
    "ends_with": {"suffix": "n"},
}
_CAT: dict[str, Mapping[str, Any]] = {
    "len_bytes": {},
    "len_chars": {},
    "starts_with": {"prefix": "B"},
    "ends_with": {"suffix": "n"},
    "slice": {"offset": 0, "length": 2},
    "physical": {},
}

FAMILIES: tuple[Family, ...] = (
    Family(
        "text", "str", ("text",), "city", _STR,
        columns={
            "escape_regex": "untidy", "normalize": "untidy", "to_titlecase": "untidy",
            **dict.fromkeys(("strip_chars", "strip_chars_start", "strip_chars_end"), "untidy"),
            "decode": "hex", "json_path_match": "json", "to_date": "date_text",
            "to_datetime": "date_text", "to_decimal": "number_text", "to_integer": "number_text",
            "to_time": "time_text", "zfill": "number_text",
        },
    ),
    Family(
        "time", "dt", ("time",), "at", _DT,
        columns={
            "add_business_days": "day", "is_business_day": "day",
            **dict.fromkeys(("base_utc_offset", "dst_offset", "convert_time_zone"), "zoned"),
            **{name: "span" for name in _DT if name.startswith("total_")},
        },
    ),
    Family(
        "lists", "list", ("list",), "numbers", _LIST,
        columns={"all": "flags", "any": "flags", "join": "words", "drop_nulls": "holey"},
    ),
    Family(
        "arithmetic", "math", ("number",), "number", _MATH,
        columns={
            **dict.fromkeys(("arccos", "arcsin", "arctanh"), "share"),
            **dict.fromkeys(("arccosh", "log", "log10", "log1p", "sqrt"), "positive"),
        },
    ),
    Family("comparison", "compare", ("any",), "number", _COMPARE, columns={"not_": "flag",
        "is_in": "count"}),
    Family("missing values", "missing", ("any",), "number", _MISSING,
        columns={"fill_nan": "with_nan"}),
    Family("bits", "bits", ("integer",), "count", _BITS),
    Family("grouping of values", "values", ("any",), "count", _CUT, columns={"cut": "number",
        "to_physical": "kind"}),
    Family(
        "windows", "window", ("any",), "number", _WINDOW, scope="window",
        columns={"cum_prod": "count", "rle_id": "city"},
    ),
    Family(
        "ranks and order", "rank", ("any",), "number", _FRAME, scope="frame",
        columns=dict.fromkeys(
            ("is_duplicated", "is_first_distinct", "is_last_distinct", "is_unique"), "city"
        ),
    ),
    Family("binary", "bin", ("binary",), "bytes", _BIN),
    Family("categories", "cat", ("category",), "kind", _CAT),
)  # fmt: skip

NAMESPACES = frozenset({"str", "dt", "list", "bin", "cat"})
"""Prefixes that are namespaces of Polars; methods of the others stand on the column itself."""

LEFT_OUT = frozenset({"cache", "parallel", "include_breaks", "weights", "week_mask", "dtype"})
"""Parameters that change speed only, or the shape of the result, or take no plain value."""
