"""The augmented set: captured requests with labels as a version of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.capture.labelfile import Label
from core.capture.labels import store_labels
from core.domain.datalineage import NodeKind
from core.domain.trigger import Augment
from core.lake import open_lake
from core.ops import Ops, open_ops
from core.serving.process.capture import Captured
from core.serving.process.parts import write_part
from core.triggers.augmenting import Augmented, augment, differences, table_of
from core.triggers.capturedrows import Counted, input_rows, labelled_requests
from core.triggers.capturedrows import Label as Known
from core.triggers.errors import AugmentFailed
from tests.support.opened import write_workspace

NOON = 1_760_011_200.0
LATER = 4_000_000_000.0
WANTED = Augment("captured_bike", label="cnt")


def request(number: int, **other: Any) -> Captured:
    values: dict[str, Any] = {
        "inference_id": f"id-{number}",
        "at": NOON + number,
        "revision": 1,
        "status": 200,
        "milliseconds": 1.5,
        "inputs": lambda: {
            "dataframe_split": {"columns": ["temp", "season"], "data": [[number / 2, "spring"]]}
        },
        "outputs": [float(number)],
        "model": "demand",
        "version": 3,
        "content_type": "application/json",
    }
    return Captured(**{**values, **other})


class Bikes:
    """An endpoint's folder with captured requests and labels."""

    def __init__(self, ops: Ops, name: str) -> None:
        self.ops, self.name = ops, name
        self.folder = ops.workspace.endpoints_dir / name
        self.folder.mkdir(parents=True)

    def put(self, *requests: Captured) -> None:
        for revision in sorted({each.revision for each in requests}):
            target = self.folder / "capture" / "date=2025-10-09" / f"variant=r{revision}"
            write_part(target, [each for each in requests if each.revision == revision])

    def label(self, **labels: Any) -> None:
        store_labels(
            self.folder,
            [Label(name.replace("_", "-"), value, NOON) for name, value in labels.items()],
        )

    def augment(self, wanted: Augment = WANTED, as_of: float = LATER, **other: Any) -> Augmented:
        return augment(self.ops.session, wanted, self.name, by="author", as_of=as_of, **other)

    def rows(self, dataset: str = "captured_bike") -> list[dict[str, Any]]:
        with open_lake(self.ops.session) as lake:
            table = lake.read(dataset).read_all()
        return sorted(table.to_pylist(), key=lambda row: str(row["captured_id"]))


@pytest.fixture
def bikes(tmp_path: Path) -> Any:
    root = write_workspace(tmp_path / "space")
    with open_ops(root, actor="author") as ops:
        yield Bikes(ops, "bike")


def test_inputs_and_labels_become_rows_with_where_they_come_from(bikes: Bikes) -> None:
    bikes.put(*(request(n) for n in range(4)))
    bikes.label(id_0=10, id_2=30.5, id_9=1)
    made = bikes.augment(message="first")
    assert (made.rows, made.added) == (2, 2)
    assert made.left == {"unknown": 1}
    first, second = bikes.rows()
    assert first["temp"] == 0.0
    assert (second["season"], second["cnt"]) == ("spring", 30.5)
    assert second["captured_id"] == "id-2"
    assert second["captured_from"] == "bike"
    assert second["captured_by"] == "demand/3"
    assert second["captured_at"].timestamp() == NOON + 2
    assert (second["labelled_for"], second["weight"]) == ("other", 1.0)
    edges = bikes.ops.session.reader.rows(
        "SELECT source_kind, source, source_column FROM lineage_edges WHERE target_column = 'temp'"
    )
    assert [tuple(edge.values()) for edge in edges] == [(NodeKind.CAPTURE, "bike", "temp")]


def test_nothing_new_is_no_new_version_and_late_labels_are(bikes: Bikes) -> None:
    bikes.put(*(request(n) for n in range(4)))
    bikes.label(id_0=10)
    first = bikes.augment()
    assert bikes.augment().snapshot == first.snapshot
    bikes.label(id_0=11, id_1=20)
    third = bikes.augment()
    assert (third.added, third.changed, third.removed) == (1, 1, 0)
    assert third.version == first.version + 1
    assert [row["cnt"] for row in bikes.rows()] == [11, 20]


def test_an_inference_id_counts_once_and_a_failed_request_never(bikes: Bikes) -> None:
    bikes.put(
        request(1),
        request(1, at=NOON + 50, revision=2, outputs=[9.0]),
        request(2, status=500, outputs={"error": "x"}),
        request(3, shadow=True),
    )
    bikes.label(id_1=5, id_2=6, id_3=7)
    made = bikes.augment()
    assert made.rows == 1
    assert made.left == {"unknown": 1, "failed": 1}
    assert bikes.rows()[0]["captured_at"].timestamp() == NOON + 1


def test_only_what_was_there_at_the_time_and_the_newest_is_held_back(bikes: Bikes) -> None:
    bikes.put(*(request(n) for n in range(5)))
    bikes.label(id_0=1, id_1=2, id_2=3, id_3=4)
    counted = Counted()
    labels = {"id-0": 1, "id-1": 2, "id-2": 3, "id-3": 4}
    known = {name: Known(value, NOON) for name, value in labels.items()}
    wanted = Augment("x", hold_back=1.5, since=10)
    found = labelled_requests(bikes.folder, wanted, known, NOON + 3.5, counted)
    assert [each.request.inference_id for each in found] == ["id-0", "id-1", "id-2"]
    assert counted.held_back == 1
    # Labels are received now: as of then nobody knew them.
    assert bikes.augment(as_of=NOON + 100).rows == 0


def test_several_rows_of_a_request_have_a_label_each(bikes: Bikes) -> None:
    many = lambda: {"dataframe_split": {"columns": ["temp"], "data": [[1], [2]]}}  # noqa: E731
    bikes.put(
        request(1, inputs=many, outputs=[1.0, 2.0]), request(2, inputs=many, outputs=[1.0, 2.0])
    )
    bikes.label(id_1=[3, 4], id_2=5)
    made = bikes.augment()
    assert made.left == {"unfit": 1}
    assert [(row["captured_row"], row["cnt"]) for row in bikes.rows()] == [(0, 3), (1, 4)]


def test_a_sample_stays_the_same_sample(bikes: Bikes) -> None:
    bikes.put(*(request(n) for n in range(40)))
    bikes.label(**{f"id_{n}": n for n in range(20)})
    wanted = Augment("captured_bike", label="cnt", most=10, draw="random")
    bikes.augment(wanted)
    before = {row["captured_id"] for row in bikes.rows()}
    bikes.label(**{f"id_{n}": n for n in range(20, 22)})
    made = bikes.augment(wanted)
    assert made.left == {"left_out": 12}
    assert len(before & {row["captured_id"] for row in bikes.rows()}) >= 8
    newest = Augment("captured_bike", label="cnt", most=3)
    bikes.augment(newest)
    assert [row["captured_id"] for row in bikes.rows()] == ["id-19", "id-20", "id-21"]


def test_rows_from_elsewhere_stay(bikes: Bikes) -> None:
    with open_lake(bikes.ops.session) as lake:
        base = pa.table({"temp": [0.1, 0.2], "season": ["x", "y"], "cnt": [1, 2]})
        lake.create("hours", base.schema, owner="author")
        lake.append("hours", base, by="author")
    bikes.put(request(1))
    bikes.label(id_1=7)
    wanted = Augment("hours", label="cnt")
    bikes.augment(wanted)
    bikes.label(id_1=8)
    bikes.augment(wanted)
    assert sorted(row["cnt"] for row in bikes.rows("hours")) == [1, 2, 8]
    assert sum(row["captured_from"] is None for row in bikes.rows("hours")) == 2


def test_what_is_deleted_from_the_capture_goes(bikes: Bikes) -> None:
    from core.capture.deleting import delete_before

    bikes.put(request(1), request(5))
    bikes.label(id_1=1, id_5=5)
    assert bikes.augment().rows == 2
    delete_before(bikes.folder, "bike", NOON + 3)
    made = bikes.augment()
    assert (made.rows, made.removed) == (1, 1)


def test_why_a_row_was_labelled_is_its_weight(bikes: Bikes) -> None:
    bikes.put(request(1), request(2))
    bikes.label(id_1=1, id_2=2)
    from core.state.trigger_tables import label_tasks

    with bikes.ops.session.change("test") as tx:
        tx.execute(
            label_tasks.insert().values(
                endpoint="bike", inference_id="id-1", batch_id="b", position=1, picked_at=1,
                captured_at=1, reason="uncertain", inputs="{}", prediction="1", handed_at=2,
            )
        )  # fmt: skip
    bikes.augment(Augment("captured_bike", label="cnt", weights={"uncertain": 0.25}))
    assert [(r["labelled_for"], r["weight"]) for r in bikes.rows()] == [
        ("uncertain", 0.25),
        ("other", 1.0),
    ]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Augment("x", label="temp"), "temp is an input of the model, too"),
        (Augment("x", columns={"captured_at": "temp"}), "captured_at is an input of the model"),
        (Augment("x", least=5, needed=True), "1 labelled rows, fewer than 5"),
    ],
)
def test_what_does_not_fit_is_told(bikes: Bikes, wanted: Augment, said: str) -> None:
    bikes.put(request(1))
    bikes.label(id_1=1)
    with pytest.raises(AugmentFailed, match=said):
        bikes.augment(wanted)
    assert bikes.ops.data.list() == ()


def test_values_that_do_not_go_together_name_their_column() -> None:
    with pytest.raises(AugmentFailed, match="the values of cnt do not go together"):
        table_of("x", [{"cnt": 1}, {"cnt": "many"}])


def test_an_endpoint_that_is_not_there(bikes: Bikes) -> None:
    with pytest.raises(AugmentFailed, match="no endpoint boat"):
        augment(bikes.ops.session, WANTED, "boat", by="author", as_of=LATER)


@pytest.mark.parametrize(
    "text", ["", "null", "[]", '{"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}', "{"]
)
def test_inputs_that_are_no_table_are_none(text: str) -> None:
    assert input_rows(text) is None


@given(
    st.dictionaries(st.integers(0, 9), st.integers(0, 3)),
    st.dictionaries(st.integers(0, 9), st.integers(0, 3)),
)
def test_differences_are_by_id_and_row(old: dict[int, int], new: dict[int, int]) -> None:
    def table(values: dict[int, int]) -> pa.Table:
        return pa.table(
            {
                "captured_id": pa.array([str(key) for key in values], pa.string()),
                "captured_row": pa.array([0] * len(values), pa.int64()),
                "cnt": pa.array(list(values.values()), pa.int64()),
            }
        )

    assert differences(table(old), table(new)) == (
        len(new.keys() - old.keys()),
        sum(old[key] != new[key] for key in old.keys() & new.keys()),
        len(old.keys() - new.keys()),
    )
