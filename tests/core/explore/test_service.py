"""Profiles are kept once a snapshot, and shown to those who see all of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from core.errors import BadInput, NotFound
from core.explore.errors import NoProfile
from core.governance.errors import Refused
from core.lake import open_lake
from core.ops import Ops, open_ops

START = datetime(2024, 1, 1)


def hours(first: int, count: int, cnt: int = 0) -> pa.Table:
    """Hourly rows, every tenth hour left out."""
    kept = [h for h in range(first, first + count) if h % 10]
    return pa.table(
        {
            "ts": pa.array([START + timedelta(hours=h) for h in kept], pa.timestamp("us")),
            "cnt": [h % 24 + cnt for h in kept],
            "mail": [f"p{h % 5}@x" for h in kept],
        }
    )


@pytest.fixture
def space(tmp_path: Path) -> Path:
    root = tmp_path / "space"
    root.mkdir()
    (root / "opsdeck.yaml").write_text("name: space\n")
    return root


@pytest.fixture
def ops(space: Path) -> Iterator[Ops]:
    with open_ops(space, actor="author") as opened:
        lake = open_lake(opened.session)
        lake.create("rides", hours(0, 5).schema, owner="author", description="Hourly <rides>")
        lake.append("rides", hours(0, 500), by="author")
        lake.append("rides", hours(500, 100, cnt=60), by="author")
        yield opened


def kept(ops: Ops) -> list[str]:
    return [row["snapshot_id"] for row in ops.session.reader.rows("SELECT * FROM profiles")]


def test_a_profile_is_made_once_for_each_snapshot(ops: Ops) -> None:
    assert ops.explore.kept("rides") is None
    first = ops.explore.profile("rides", "2")
    newest = ops.explore.profile("rides")
    assert (first.rows, newest.rows) == (450, 540)
    assert (first.snapshot_number, newest.snapshot_number) == (2, 3)
    assert ops.explore.profile("rides").at == newest.at == ops.explore.kept("rides").at  # type: ignore[union-attr]
    assert ops.explore.profile("rides") == newest
    assert len(kept(ops)) == 2
    again = ops.explore.profile("rides", refresh=True)
    assert again.at > newest.at and len(kept(ops)) == 2
    ts = newest.column("ts")
    assert ts is not None and ts.time is not None
    assert (ts.time.step, ts.time.missing, ts.time.gap_count) == (3600.0, 59, 59)
    one, two = (each.column("cnt") for each in (first, newest))
    assert one and two and one.number and two.number and one.number.histogram
    assert two.number.histogram and two.number.histogram.edges == one.number.histogram.edges


def test_a_difference_between_two_snapshots(ops: Ops) -> None:
    diff = ops.explore.diff("rides", "2")
    changes = {each.name: each.change for each in diff.columns}
    assert diff.rows_changed == 90
    assert changes == {"cnt": "shifted", "ts": "shifted", "mail": "same"}
    remarks = {each.name: each.remarks for each in diff.columns}
    assert remarks["ts"] == ("10 more times missing",)
    with pytest.raises(BadInput, match="both are snapshot #3"):
        ops.explore.diff("rides", "3")


def test_masked_values_are_in_no_profile_sample_or_card(ops: Ops, space: Path) -> None:
    ops.explore.profile("rides")
    ops.governance.grant("rides", "ann", masks={"mail": "hash"}, where="cnt < 60")
    with open_ops(space, actor="ann") as other:
        assert other.explore.kept("rides") is None
        seen = other.explore.profile("rides")
        assert seen.restricted and seen.rows == 450
        told = str(seen) + other.explore.card("rides")
        sample = other.explore.sample("rides", 100, stratify="mail")
        assert "@x" not in told and "@x" not in str(sample.rows)
        assert len(sample.rows) == 100 and sample.hidden
        assert len(kept(ops)) == 1
    with open_ops(space, actor="bob") as other:
        for look in (other.explore.profile, other.explore.sample, other.explore.card):
            with pytest.raises(Refused):
                look("rides")


def test_a_card_is_markdown_and_written_once(ops: Ops, space: Path) -> None:
    ops.governance.label("rides", "mail", ["pii"])
    path = ops.explore.write_card("rides")
    text = path.read_text()
    assert path == space / "cards" / "rides.md"
    assert text.startswith("# rides\n\nHourly &lt;rides&gt;\n") and "<" not in text
    assert "## Known gaps" in text and "59 times are missing in 59 gaps" in text
    assert "`pii`: column `mail`" in text and "p1@x" not in text
    with pytest.raises(BadInput, match="exists already"):
        ops.explore.write_card("rides")
    ops.explore.write_card("rides", force=True)


def test_what_is_not_there_is_told(ops: Ops, space: Path) -> None:
    with pytest.raises(NotFound):
        ops.explore.profile("nope")
    with pytest.raises(NotFound, match="no snapshot"):
        ops.explore.profile("rides", "77")
    with pytest.raises(BadInput):
        ops.explore.profile("../x")
    with pytest.raises(BadInput, match="no column"):
        ops.explore.sample("rides", stratify="nix")
    with pytest.raises(BadInput):
        ops.explore.sample("rides", 0)
    assert ops.explore.profile("rides", "1").rows == 0
    with open_ops(space, actor="author", read_only=True) as other:
        assert other.explore.profile("rides").rows == 540
    assert NoProfile.code == "E556"
