"""Which rows an alert proposes to hold, as its evidence says."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from core.alerting.proposing import shell_word
from core.domain.alertview import AlertAction
from core.lake import open_lake
from core.ops import Ops, open_ops

MARCH = 1_330_560_000
HOURS = 1500


def trips(begin: int, hours: int = HOURS, *, odd: str = "") -> pa.Table:
    """Hourly rows from an hour on; `odd` says what is wrong with some of them."""
    drawn = np.random.default_rng(begin)
    season = np.arange(hours) % 3 + 1
    temp = drawn.normal(10, 3, hours)
    hum = drawn.random(hours)
    city: list[Any] = ["ab"[n % 2] for n in range(hours)]
    if odd == "season":
        temp[season == 2] += 30
    if odd == "range":
        hum[::50] = 9.0
    if odd == "missing":
        city[::3] = [None] * len(city[::3])
    if odd == "domain":
        city[::10] = ["it's"] * len(city[::10])
    times = [int((MARCH + 3600 * (begin + n)) * 1e6) for n in range(hours)]
    return pa.table({
        "at": pa.array(times, pa.timestamp("us")), "season": season, "temp": temp, "hum": hum,
        "city": city,
    })  # fmt: skip


@pytest.fixture
def ops(tmp_path: Path) -> Iterator[Ops]:
    """A workspace with good trips."""
    (tmp_path / "opsdeck.yaml").write_text("name: space\n")
    (tmp_path / "monitors").mkdir()
    with open_ops(tmp_path, actor="author") as opened:
        with open_lake(opened.session) as lake:
            lake.create("trips", trips(0).schema, owner="author")
            lake.append("trips", trips(0), by="author")
        yield opened


def define(ops: Ops, **keys: Any) -> None:
    body = {"watch": "dataset/trips", "baseline": "dataset:trips@2", **keys}
    text = yaml.safe_dump({"monitors": {"watch": body}})
    (ops.workspace.root / "monitors" / "watch.yaml").write_text(text)


def hold_action(ops: Ops, odd: str) -> AlertAction:
    """What the alert offers after rows with something wrong came in."""
    with open_lake(ops.session) as lake:
        lake.append("trips", trips(HOURS, odd=odd), by="author")
    ops.monitors.run("watch")
    (alert,) = ops.alerts.triage().alerts
    (found,) = (a for a in ops.alerts.detail(alert.id).actions if a.id == "hold")
    return found


DRIFT = {"kind": "drift", "segments": ["season"], "columns": ["temp"], "votes": "1 of 1"}


@pytest.mark.parametrize(
    ("odd", "keys", "where"),
    [
        (
            "season",
            {"kind": "drift", "segments": ["season"], "columns": ["temp"], "votes": "1 of 1"},
            "season = 2",
        ),
        ("range", {"kind": "data_quality"}, "(hum < "),
        ("missing", {"kind": "data_quality"}, "city IS NULL"),
        ("domain", {"kind": "data_quality"}, "city IN ('it''s')"),
    ],
)
def test_rows_of_the_evidence(ops: Ops, odd: str, keys: dict[str, Any], where: str) -> None:
    define(ops, **keys, window={"snapshot": "added"})
    found = hold_action(ops, odd)
    assert found.label == "hold rows of trips" and not found.reason
    assert found.command.startswith("opsdeck data quarantine hold trips --where ")
    assert where in found.command and "alert " in found.command
    words = shlex.split(found.command)
    held = ops.quality.hold("trips", words[words.index("--where") + 1], "as proposed")
    assert 0 < held.rows < 2 * HOURS
    (alert,) = ops.alerts.triage().alerts
    (now,) = (a for a in ops.alerts.detail(alert.id).actions if a.id == "hold")
    assert now.command == f"opsdeck data quarantine show {held.id}", "what is held is to be seen"


def test_the_window_is_part_of_it(ops: Ops) -> None:
    define(
        ops, kind="drift", segments=["season"], columns=["temp"], window={"time": "25d"}, time="at"
    )  # fmt: skip
    found = hold_action(ops, "season")
    words = shlex.split(found.command)
    where = words[words.index("--where") + 1]
    assert where.startswith('season = 2 AND "at" >= TIMESTAMP \'2012-')
    assert 0 < ops.quality.preview_hold("trips", where).rows < 300


def test_captured_requests_are_rows_of_no_dataset(ops: Ops) -> None:
    from core.alerting import raise_incident

    with ops.session.change("test") as tx:
        ref = raise_incident(
            tx, cause_key="monitor/x", kind="drift", target="endpoint/bike", title="x drifts",
            severity="warning", evidence={"open": "monitor/x@1"},
        )  # fmt: skip
    (found,) = (a for a in ops.alerts.detail(ref).actions if a.id == "hold")
    assert not found.command
    assert "captured requests are in no dataset" in found.reason
    assert "opsdeck labels queue bike" in found.reason


def test_a_view_is_not_held(ops: Ops) -> None:
    root = ops.workspace.root
    (root / "views").mkdir()
    (root / "views" / "seen.sql").write_text("SELECT * FROM trips")
    ops.views.refresh("seen")
    define(ops, kind="data_quality", watch="dataset/seen", ranges={"hum": [0, 0.5]})
    found = hold_action(ops, "")
    assert "seen is a view" in found.reason and "lineage show seen" in found.reason


def test_words_of_a_command() -> None:
    assert shell_word("a = 'b'") == "\"a = 'b'\""
    assert shell_word("a > 1") == "'a > 1'"
    assert shell_word("a = '$x'") == "'a = '\"'\"'$x'\"'\"''"
