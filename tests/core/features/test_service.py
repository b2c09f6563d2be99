"""Feature views over the real lake: versions, joins, erasure, skew, grants."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core.domain.features import FeatureViewState, Freshness
from core.errors import NotFound, OpsdeckError, ReadOnly
from core.features.errors import CannotErase, FeaturesInvalid, JoinRefused, NotOnline
from core.governance.errors import Refused
from core.lake import open_lake
from core.lake.lake import Lake
from core.ops import Ops, open_ops
from core.state.schema import model_versions

YAML = """\
source: rides
entity: {rider: int}
event_time: ended
features:
  count: int
  name: {type: string, default: nobody}
online: true
every: 1s
"""
T0 = datetime(2026, 1, 1, tzinfo=UTC)


def rides(*rows: tuple[int, float, int]) -> pa.Table:
    """Rows of rider, hour and count."""
    return pa.table(
        {
            "rider": [row[0] for row in rows],
            "ended": pa.array([T0 + timedelta(hours=row[1]) for row in rows],
                              pa.timestamp("us", "UTC")),
            "count": [row[2] for row in rows],
            "name": [f"rider-{row[0]}" for row in rows],
        }
    )  # fmt: skip


@pytest.fixture
def ops(tmp_path: Path) -> Iterator[Ops]:
    (tmp_path / "opsdeck.yaml").write_text("name: test\n")
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "riders.yaml").write_text(YAML)
    with open_ops(tmp_path, actor="ana") as opened:
        yield opened


@pytest.fixture
def lake(ops: Ops) -> Lake:
    found = open_lake(ops.session)
    table = rides(*((rider, hour, rider * hour) for rider in range(1, 21) for hour in (1, 2, 3)))
    found.ensure("rides", table.schema, owner="ana")
    found.append("rides", table, by="ana")
    return found


def test_a_definition_that_gives_other_values_is_another_version(ops: Ops, lake: Lake) -> None:
    assert [(v.ref, v.state) for v in ops.features.list()] == [("riders", "draft")]
    assert ops.features.materialize("riders").view == "riders@1"
    (view,) = ops.features.list()
    assert (view.ref, view.online_rows, view.changed) == ("riders@1", 20, False)
    text = YAML + "description: Who rides\n"
    file = ops.workspace.root / "features" / "riders.yaml"
    file.write_text(text)
    assert ops.features.apply("riders").version == 1
    assert ops.features.find("riders").spec.description == "Who rides"
    file.write_text(text + "ttl: 30d\n")
    assert ops.features.find("riders").changed
    assert ops.features.materialize("riders").view == "riders@2"
    assert ops.features.get("riders@1", {"rider": 5}).values["count"] == 15
    assert ops.features.get("riders@2", {"rider": 5}).state is Freshness.MISSING
    assert ops.features.get("riders", {"rider": 5}).values == {"count": None, "name": "nobody"}
    ops.features.retire("riders@1")
    with pytest.raises(NotOnline):
        ops.features.get("riders@1", {"rider": 5})
    assert [v.ref for v in ops.features.list()] == ["riders@2"]
    states = [(v.ref, v.state) for v in ops.features.list(retired=True)]
    assert states == [("riders@2", FeatureViewState.ACTIVE), ("riders@1", FeatureViewState.RETIRED)]


def test_a_training_set_says_where_it_is_from(ops: Ops, lake: Lake) -> None:
    at = [T0 + timedelta(hours=2, minutes=30), T0, T0 + timedelta(hours=9)]
    people = pa.table(
        {"person": [3, 3, 99], "at": pa.array(at, pa.timestamp("us", "UTC")), "paid": [1, 2, 3]}
    )
    lake.ensure("people", people.schema, owner="ana")
    lake.append("people", people, by="ana")
    done = ops.features.join(
        "people", ["riders:count"], time_column="at", output="training", keys={"rider": "person"}
    )
    assert (done.rows, done.columns, done.matched) == (
        3, ("person", "at", "paid", "count"), {"riders@1": 1},
    )  # fmt: skip
    assert done.snapshots == {"rides": lake.resolve("rides")}
    assert lake.read("training").read_all().column("count").to_pylist() == [6, None, None]
    edges = ops.session.reader.rows(
        "SELECT source_kind, source, source_column, target_column FROM lineage_edges"
        " WHERE target = 'training' AND source_column = 'count'"
    )
    assert [tuple(edge.values()) for edge in edges] == [
        ("feature_view", "riders@1", "count", "count")
    ]
    first = lake.snapshots("rides")[0].number
    lake.append("rides", rides((3, 2.25, 600)), by="ana")
    file = ops.workspace.root / "out.csv"
    for snapshot, expected in ((str(first), "6"), (None, "600")):
        ops.features.join(
            "people", ["riders@1"], time_column="at", output=str(file), keys={"rider": "person"},
            at={"rides": snapshot} if snapshot else None,
        )  # fmt: skip
        assert file.read_text().splitlines()[1].split(",")[3] == expected


def test_a_join_replaces_no_dataset_that_is_not_a_training_set(ops: Ops, lake: Lake) -> None:
    for _ in range(2):
        ops.features.join("rides", ["riders"], time_column="ended", output="training", prefix=True)
    with pytest.raises(JoinRefused):
        ops.features.join("rides", ["riders"], time_column="ended", output="rides", prefix=True)
    assert lake.read("rides").read_all().num_rows == 60


def test_an_erased_entity_is_in_neither_store(ops: Ops, lake: Lake) -> None:
    ops.features.materialize("riders")
    lake.append("rides", rides((4, 9, 1)), by="ana")  # not seen online yet
    done = ops.features.delete("riders", {"rider": "4"}, reason="asked for")
    assert (done.online_views, done.online_rows, done.offline_rows) == (("riders@1",), 1, 4)
    assert len(done.still_in) >= 2
    assert ops.features.get("riders", {"rider": 4}).state is Freshness.MISSING
    assert ops.features.history("riders", {"rider": 4}) == ()
    assert ops.features.history("riders", {"rider": 4}, at="2")
    assert ops.features.materialize("riders").mode == "unchanged"
    assert ops.features.get("riders", {"rider": 5}).values["count"] == 15
    (entry,) = ops.session.reader.rows(
        "SELECT detail FROM journal WHERE action = 'features.delete'"
    )
    assert done.entity in entry["detail"] and "asked for" in entry["detail"]
    for row in ops.session.reader.rows("SELECT detail FROM journal"):
        assert '"4"' not in row["detail"] and "= 4" not in row["detail"]
    again = ops.features.delete("riders", {"rider": 4}, purge=True)
    assert (again.entity, again.online_rows, again.offline_rows) == (done.entity, 0, 0)
    assert again.still_in == ()
    with pytest.raises(OpsdeckError):
        ops.features.history("riders", {"rider": 4}, at="2")
    warehouse = ops.workspace.state_dir / "lake"
    assert not any(b"rider-4\0" in p.read_bytes() for p in warehouse.rglob("*.parquet"))


def test_any_text_is_a_key_that_can_be_erased(ops: Ops, lake: Lake) -> None:
    text = YAML.replace("rider: int", "name: string").replace(
        "  name: {type: string, default: nobody}\n", ""
    )
    (ops.workspace.root / "features" / "riders.yaml").write_text(text)
    odd = ["tab\tbed", "tab     bed", "two\nlines", "it's", "' or true or '", 'a"b\\', "é", " "]
    rows = rides(*((n, 1, n) for n in range(len(odd))))
    lake.append("rides", rows.set_column(3, "name", pa.array(odd)), by="ana")
    ops.features.materialize("riders")
    for number, name in enumerate(odd):
        assert ops.features.get("riders", {"name": name}).values["count"] == number
        assert len(ops.features.history("riders", {"name": name})) == 1
    for number, name in enumerate(odd):
        assert ops.features.delete("riders", {"name": name}).offline_rows == 1
        assert ops.features.get("riders", {"name": name}).state is Freshness.MISSING
        assert lake.read("rides").read_all().num_rows == 60 + len(odd) - number - 1
    assert ops.features.get("riders", {"name": "rider-3"}).values["count"] == 9


def test_erasing_by_a_key_that_is_computed_is_refused(ops: Ops, lake: Lake) -> None:
    text = YAML + "transform: {rider: rider % 10}\n"
    (ops.workspace.root / "features" / "riders.yaml").write_text(text)
    ops.features.materialize("riders")
    with pytest.raises(CannotErase):
        ops.features.delete("riders", {"rider": 4})


def test_skew_is_what_the_online_store_has_not_seen(ops: Ops, lake: Lake) -> None:
    ops.features.materialize("riders")
    assert ops.features.skew("riders").different == 0
    lake.append("rides", rides((1, 5, 103), (2, 5, 6), (77, 5, 1)), by="ana")
    found = ops.features.skew("riders")
    assert (found.entities, found.different, found.missing_online) == (21, 2, 1) or (
        found.entities, found.different, found.missing_online) == (21, 3, 1)  # fmt: skip
    assert found.lag_max == 2 * 3600
    count = next(drift for drift in found.features if drift.name == "count")
    assert count.largest_difference == 100
    assert ops.features.skews("riders")[0] == found
    ops.features.materialize("riders")
    assert ops.features.skew("riders").different == 0


def test_what_is_due_is_what_has_moved(ops: Ops, lake: Lake) -> None:
    ops.features.apply("riders")
    now = T0.timestamp() + 10**9
    assert ops.features.due(now) == ("riders@1",)
    ops.features.materialize("riders")
    assert ops.features.due(now) == ()
    lake.append("rides", rides((1, 5, 7)), by="ana")
    assert ops.features.due(now) == ("riders@1",)
    assert ops.features.due(0.0) == ()


def test_who_may_not_read_the_source_reads_no_features(ops: Ops, lake: Lake) -> None:
    ops.features.materialize("riders")
    ops.governance.grant("rides", "bob", masks={"name": "redact"})
    with open_ops(ops.workspace.root, actor="eve") as eve:
        for call in (
            lambda: eve.features.get("riders", {"rider": 1}),
            lambda: eve.features.history("riders", {"rider": 1}),
            lambda: eve.features.delete("riders", {"rider": 1}),
            lambda: eve.features.skew("riders"),
        ):
            with pytest.raises(OpsdeckError) as caught:
                call()
            assert caught.value.code == "E520"
    with open_ops(ops.workspace.root, actor="bob") as bob:
        with pytest.raises(OpsdeckError) as caught:
            bob.features.get("riders", {"rider": 1})
        assert "masks" in caught.value.message
        (row, *_) = bob.features.history("riders", {"rider": 1})
        assert row.values["count"] == 3 and row.values["name"] != "rider-1"


def test_who_sees_only_a_part_deploys_nothing_that_reads_all_of_it(ops: Ops, lake: Lake) -> None:
    ops.features.materialize("riders")
    folder = ops.workspace.state_dir / "model"
    folder.mkdir(parents=True)
    metadata = {"opsdeck.features": ["riders@1"]}
    (folder / "MLmodel").write_text(json.dumps({"flavors": {}, "metadata": metadata}))
    with ops.session.change("register") as tx:
        tx.execute(
            model_versions.insert().values(
                name="bike", version=1, run_id="r", step="s", path="model", digest="d",
                created_at=1.0,
            )
        )  # fmt: skip
    ops.governance.grant("rides", "ben", masks={"count": "null"})
    with open_ops(ops.workspace.root, actor="ben") as ben:
        ben.workers.wake = lambda: None  # type: ignore[method-assign]
        with pytest.raises(Refused, match="only a part of rides"):
            ben.endpoints.deploy("bike", "bike", "1")
    ops.workers.wake = lambda: None  # type: ignore[method-assign]
    assert ops.endpoints.deploy("bike", "bike", "1").version == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("source: rides\n", "features/riders.yaml:1:event_time: missing"),
        (YAML + "transform: {fast: speed * 2}\n", "features/riders.yaml:9:transform.fast"),
        (YAML.replace("ended", "end"), "features/riders.yaml:3:event_time: rides gives no column"),
        (YAML.replace("count: int", "count: float8"), "features/riders.yaml:5:features.count"),
        (YAML.replace("source: rides", "source: ../etc"), "features/riders.yaml:1:source"),
        ("a: &a [x]\nb: [*a, *a\n", "features/riders.yaml:"),
        ("[]", "features/riders.yaml:1"),
    ],
)
def test_a_wrong_file_says_line_and_key(ops: Ops, lake: Lake, text: str, words: str) -> None:
    (ops.workspace.root / "features" / "riders.yaml").write_text(text)
    with pytest.raises(FeaturesInvalid) as caught:
        ops.features.apply("riders")
    assert words in caught.value.message
    assert "\n" not in caught.value.one_line()


def test_what_is_not_there_and_what_is_read_only(ops: Ops, lake: Lake) -> None:
    for call in (ops.features.apply, ops.features.materialize, ops.features.find):
        with pytest.raises(NotFound):
            call("nobody")
    with open_ops(ops.workspace.root, actor="ana", read_only=True) as looking:
        calls: tuple[Any, ...] = (
            looking.features.apply,
            looking.features.materialize,
            looking.features.skew,
            looking.features.retire,
        )
        for call in calls:
            with pytest.raises(ReadOnly):
                call("riders")
        assert looking.features.history("riders", {"rider": 1})


def test_the_same_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    (tmp_path / "opsdeck.yaml").write_text(f"name: test\ndatabase: {postgres_url}\n")
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "riders.yaml").write_text(YAML)
    with open_ops(tmp_path, actor="ana") as ops:
        lake = open_lake(ops.session)
        table = rides((1, 1, 1), (2, 1, 2))
        lake.ensure("rides", table.schema, owner="ana")
        lake.append("rides", table, by="ana")
        assert ops.features.materialize("riders").online_rows == 2
        lake.append("rides", rides((1, 2, 7)), by="ana")
        assert ops.features.due(T0.timestamp() + 10**9) == ("riders@1",)
        assert ops.features.skew("riders").different == 1
        assert len(ops.features.skews("riders")) == 1
        assert ops.features.materialize("riders").mode == "incremental"
        assert ops.features.delete("riders", {"rider": 1}).offline_rows == 2
        ops.features.retire("riders@1")
        assert [view.ref for view in ops.features.list(retired=True)] == ["riders@1"]
