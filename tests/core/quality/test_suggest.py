"""Suggested expectations hold, have room, and can be exported as Model Monitor's baseline."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from core.domain.quality import CheckScope
from core.errors import BadInput, NotAllowed
from core.explore.profiling import profile_frame
from core.ops import Ops, open_ops
from core.quality._sums import sums
from core.quality.context import Context
from core.quality.evaluate import evaluate
from core.quality.files import read_expectations
from core.quality.modelmonitor import constraints, statistics
from core.quality.suggesting import suggested_file

DRAWS = np.random.default_rng(4)
N = 3000
FRAME = pl.DataFrame(
    {
        "id": range(N),
        "amount": DRAWS.gamma(2, 50, N).round(2),
        "share": DRAWS.beta(5, 2, N),
        "change": DRAWS.normal(0, 10, N),
        "code": DRAWS.choice(["north", "south", "a: b"], N),
        "name": [f"name {i}" for i in DRAWS.integers(0, 900, N)],
        "flag": DRAWS.choice([True, False], N),
        "few": [None if i % 50 == 0 else i % 7 for i in range(N)],
        "a-b c": DRAWS.integers(0, 100, N),
    }
)


def test_what_is_suggested_holds_of_its_own_data_and_of_more_like_it(tmp_path: Path) -> None:
    profile = profile_frame("sales", FRAME)
    text = suggested_file(profile)
    path = tmp_path / "sales.yaml"
    path.write_text(text)
    found, problems = read_expectations(tmp_path, path)
    assert found is not None, problems
    kinds = {(each.columns, each.kind) for each in found.checks if each.severity == "error"}
    assert (("id",), "unique") in kinds and (("share",), "le") in kinds
    assert (("amount",), "le") not in kinds  # a greater amount is no error
    assert (("amount",), "unique") not in kinds and (("change",), "ge") not in kinds
    assert {"a-b c", "code"} <= {c for each in found.checks for c in each.columns}
    context = Context(CheckScope.SNAPSHOT, profiles=lambda *_: (profile, profile))
    own = evaluate(found, [FRAME], FRAME.schema, context)
    assert own.passed and not [each for each in own.results if each.status == "failed"]
    later = FRAME.with_columns(pl.col("id") + N, pl.col("amount") * 1.3)
    assert evaluate(found, [later], later.schema, Context(CheckScope.BATCH)).passed
    worse = FRAME.with_columns(-pl.col("amount"))
    assert not evaluate(found, [worse], worse.schema, Context(CheckScope.BATCH)).passed


def test_little_is_concluded_from_few_rows() -> None:
    text = suggested_file(profile_frame("few", FRAME.head(5)))
    assert "unique" not in text and "nullable" not in text and "isin" not in text


def test_a_sum_of_columns_is_found() -> None:
    frame = pl.DataFrame(
        {"a": DRAWS.integers(0, 50, 500), "b": DRAWS.integers(0, 50, 500), "n": range(500)}
    ).with_columns((pl.col("a") + pl.col("b")).alias("all"))
    assert sums(frame) == ("a + b = all",)
    spoilt = frame.with_columns(
        pl.when(pl.int_range(pl.len()) == 400).then(0).otherwise("all").alias("all")
    )
    assert sums(spoilt) == ()


def test_the_export_has_model_monitors_fields_and_figures() -> None:
    profile = profile_frame("sales", FRAME)
    body = json.loads(json.dumps(statistics(profile)))
    assert body["version"] == 0 and body["dataset"] == {"item_count": N}
    features = {each["name"]: each for each in body["features"]}
    amount = features["amount"]["numerical_statistics"]
    values = FRAME["amount"].to_numpy()
    assert features["amount"]["inferred_type"] == "Fractional"
    assert features["id"]["inferred_type"] == "Integral"
    assert amount["common"] == {"num_present": N, "num_missing": 0}
    assert amount["sum"] == pytest.approx(values.sum())
    assert amount["std_dev"] == pytest.approx(values.std())
    kll = amount["distribution"]["kll"]
    assert len(kll["buckets"]) == 10
    assert sum(each["count"] for each in kll["buckets"]) == N
    assert kll["buckets"][0]["lower_bound"] == values.min()
    weight = sum(len(level) * 2**i for i, level in enumerate(kll["sketch"]["data"]))
    assert weight == N and set(kll["sketch"]["parameters"]) == {"c", "k"}
    exact, _ = np.histogram(values, 10)
    told = [each["count"] for each in kll["buckets"]]
    assert np.abs(np.array(told) - exact).sum() < 0.1 * N
    code = features["code"]["string_statistics"]
    assert code["distinct_count"] == 3
    assert sum(b["count"] for b in code["distribution"]["categorical"]["buckets"]) == N
    assert features["few"]["numerical_statistics"]["common"]["num_missing"] == N // 50


def test_constraints_are_what_the_file_expects_else_what_held(tmp_path: Path) -> None:
    path = tmp_path / "sales.yaml"
    path.write_text(
        "columns:\n  few: {max_missing: 5%, ge: 0}\n  code: {isin: [north, south]}\n"
        "  change: {nullable: false}\n"
    )
    expected, _ = read_expectations(tmp_path, path)
    body = constraints(profile_frame("sales", FRAME), expected)
    by = {each["name"]: each for each in body["features"]}
    assert by["few"]["completeness"] == 0.95
    assert by["few"]["num_constraints"] == {"is_non_negative": True}
    assert by["code"]["string_constraints"] == {"domains": ["north", "south"]}
    assert by["change"]["completeness"] == 1.0
    assert by["change"]["num_constraints"] == {"is_non_negative": False}
    assert by["flag"]["string_constraints"] == {"domains": ["false", "true"]}
    config = body["monitoring_config"]
    assert set(config) == {
        "evaluate_constraints",
        "emit_metrics",
        "datatype_check_threshold",
        "domain_content_threshold",
        "distribution_constraints",
    }


def test_a_file_is_written_once_unless_forced(ops: Ops, space: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="exists already"):
        ops.quality.suggest("rides")
    _, text = ops.quality.suggest("rides", write=False)
    assert "dataset: rides" in text
    path, _ = ops.quality.suggest("rides", force=True)
    assert path == space / "expectations" / "rides.yaml" and ops.quality.validate("rides").passed
    ops.quality.export_constraints("rides", tmp_path / "out")
    with pytest.raises(BadInput, match="exists already"):
        ops.quality.export_constraints("rides", tmp_path / "out")
    ops.governance.grant("rides", "ann", masks={"cnt": "null"})
    with open_ops(space, actor="ann") as other, pytest.raises(NotAllowed):
        other.quality.export_constraints("rides", tmp_path / "more")
