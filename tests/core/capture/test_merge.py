"""Labels and captured requests, merged as either comes, against merging all at once."""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.capture.deleting import delete_before
from core.capture.export import export
from core.capture.index import index_path
from core.capture.labelfile import Label
from core.capture.labels import store_labels
from core.capture.merge import merge_new
from core.capture.observing import arrived, give_back, losses_underway, take_losses
from core.capture.quality import coverage
from core.capture.reporting import LateLabels
from core.capture.scoring import score
from core.domain.capture import CaptureFilter, CaptureFormat, LabelCoverage, Task
from core.errors import DiskFull, OpsdeckError, StateCorrupt
from core.serving.folder import EndpointFolder
from core.serving.process.capture import Captured
from core.serving.process.parts import write_part
from core.state.reading import Reader

NOON = 1_760_011_200.0
Request = Callable[..., Captured]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB of our own."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs takes root")
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, timeout=10, check=False).returncode:
        pytest.skip("this system lets nobody mount a tmpfs")
    yield place
    subprocess.run(["umount", "-l", str(place)], timeout=10, check=True)


def put(folder: Path, *requests: Captured) -> None:
    for revision in {each.revision for each in requests}:
        target = EndpointFolder(folder).capture / "date=2025-10-09" / f"variant=r{revision}"
        write_part(target, [each for each in requests if each.revision == revision])


ids = st.integers(0, 5)
answers = st.fixed_dictionaries(
    {
        "number": ids,
        "at": st.integers(0, 9).map(lambda n: NOON + n),
        "revision": st.integers(1, 2),
        "shadow": st.booleans(),
        "outputs": st.sampled_from([[1.0], [2.5], [1, 2], ["a"], [[3.0]], [1], [None], [True]]),
        "status": st.sampled_from([200, 200, 200, 500]),
    }
)
labels = st.builds(
    Label,
    ids.map(lambda n: f"id-{n}"),
    st.sampled_from([1, 2.0, "a", True, [1, 3], 2]),
    st.one_of(st.none(), st.integers(0, 3).map(float)),
)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("capture"), st.lists(answers, min_size=1, max_size=4)),
        st.tuples(st.just("label"), st.lists(labels, min_size=1, max_size=4)),
        st.tuples(st.just("merge"), st.just([])),
    ),
    max_size=14,
)


@settings(max_examples=60, deadline=None)
@given(actions)
def test_merging_piece_by_piece_is_merging_at_once(actions: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        requests: list[dict[str, Any]] = []
        told: list[Label] = []
        for action, payload in actions:
            if action == "capture":
                put(folder, *(_request(each) for each in payload))
                requests += payload
            elif action == "label":
                store_labels(folder, payload)
                told += payload
            else:
                merge_new(folder)
        merge_new(folder)
        merge_new(folder)  # changes nothing
        _compare(coverage(folder, "demand"), requests, told)


def _request(values: dict[str, Any]) -> Captured:
    values = {**values}
    number = values.pop("number")
    return Captured(
        inference_id=f"id-{number}", milliseconds=1.0, inputs=lambda: None, size=1, **values
    )


def _compare(found: LabelCoverage, requests: list[dict[str, Any]], told: list[Label]) -> None:
    """The slow reference: everything in memory, no merging in steps."""
    # A label without a time has that of its receipt: after 1970's first seconds, and in turn.
    latest: dict[str, tuple[tuple[float, int], Any]] = {}
    for turn, label in enumerate(told):
        order = (math.inf if label.at is None else label.at, turn)
        if label.inference_id not in latest or order > latest[label.inference_id][0]:
            latest[label.inference_id] = (order, label.value)
    first: dict[tuple[str, bool], dict[str, Any]] = {}
    for request in requests:
        key = (f"id-{request['number']}", request["shadow"])
        if key not in first or (request["at"], request["revision"]) < (
            first[key]["at"],
            first[key]["revision"],
        ):
            first[key] = request
    assert found.labels == len(latest)
    if not told:
        assert found.arms == ()
        return
    matched = {key: value for key, value in first.items() if key[0] in latest}
    assert found.unknown == len(latest) - len({key[0] for key in matched})
    arms = {(arm.revision, arm.shadow): arm for arm in found.arms}
    assert set(arms) == {(r["revision"], r["shadow"]) for r in requests}
    for (revision, shadow), arm in arms.items():
        mine = {k: v for k, v in matched.items() if (v["revision"], k[1]) == (revision, shadow)}
        assert arm.captured == sum(
            (r["revision"], r["shadow"]) == (revision, shadow) for r in requests
        )
        assert arm.labelled == len(mine)
        errors: list[float] = []
        right: list[bool] = []
        for (inference_id, _), request in mine.items():
            _reference(request, latest[inference_id][1], errors, right)
        assert arm.scored == len(errors) + len(right)
        if errors:
            assert arm.mae == pytest.approx(sum(map(abs, errors)) / len(errors))
            assert arm.rmse == pytest.approx(math.sqrt(sum(e * e for e in errors) / len(errors)))
            assert arm.bias == pytest.approx(sum(errors) / len(errors))
        if right:
            assert arm.accuracy == pytest.approx(sum(right) / len(right))


def _reference(request: dict[str, Any], label: Any, errors: list[float], right: list[bool]) -> None:
    predicted = [item[0] if isinstance(item, list) else item for item in request["outputs"]]
    truths = label if isinstance(label, list) else [label]
    if request["status"] != 200 or len(truths) != len(predicted) or None in predicted:
        return
    if all(
        type(p) is float and type(t) in (int, float) for p, t in zip(predicted, truths, strict=True)
    ):
        errors += [p - t for p, t in zip(predicted, truths, strict=True)]
    else:
        right += [p == t for p, t in zip(predicted, truths, strict=True)]


def test_a_later_label_replaces_and_an_earlier_one_does_not(
    tmp_path: Path, request_of: Request
) -> None:
    put(tmp_path, request_of(1, outputs=[10.0]))
    store_labels(tmp_path, [Label("id-1", 8, at=100.0)])
    assert merge_new(tmp_path).matched == 1
    assert coverage(tmp_path, "demand").arms[0].mae == 2
    store_labels(tmp_path, [Label("id-1", 4, at=50.0)])
    merge_new(tmp_path)
    assert coverage(tmp_path, "demand").arms[0].mae == 2
    store_labels(tmp_path, [Label("id-1", 9, at=200.0)])
    merge_new(tmp_path)
    assert coverage(tmp_path, "demand").arms[0].mae == 1


def test_classes_and_their_metrics(tmp_path: Path, request_of: Request) -> None:
    truth = [1, 1, 1, 0, 0, 0, 0, 0]
    said = [1, 1, 0, 1, 0, 0, 0, 0]
    put(tmp_path, *(request_of(n, outputs=[value]) for n, value in enumerate(said)))
    store_labels(tmp_path, [Label(f"id-{n}", value) for n, value in enumerate(truth)])
    merge_new(tmp_path)
    (arm,) = coverage(tmp_path, "demand").arms
    assert (arm.accuracy, arm.average) == (0.75, "binary")
    assert (arm.precision, arm.recall, arm.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert arm.share == 1.0
    put(tmp_path, request_of(9, outputs=["cat"]))
    store_labels(tmp_path, [Label("id-9", "dog")])
    merge_new(tmp_path)
    assert coverage(tmp_path, "demand").arms[0].average == "macro"


def test_whole_numbers_are_numbers_where_the_task_says_so(
    tmp_path: Path, request_of: Request
) -> None:
    put(tmp_path, request_of(1, outputs=[7]))
    store_labels(tmp_path, [Label("id-1", 9)], Task.REGRESSION)
    merge_new(tmp_path)
    (arm,) = coverage(tmp_path, "demand").arms
    assert (arm.mae, arm.bias, arm.accuracy) == (2, -2, None)


def test_losses_are_reported_once(tmp_path: Path, request_of: Request) -> None:
    put(
        tmp_path,
        request_of(0, at=NOON - 5, outputs=[9.0]),  # before the deployment
        *(request_of(n, revision=1, outputs=[float(n)]) for n in (1, 2, 3)),
        *(request_of(n, revision=2, outputs=[n + 2.0]) for n in (4, 5)),
        *(request_of(n, revision=2, outputs=[n + 1.0], shadow=True) for n in (1, 2)),
        request_of(3, revision=2, outputs=[3.0], shadow=True),
    )
    store_labels(tmp_path, [Label(f"id-{n}", n) for n in range(5)])
    merge_new(tmp_path)
    taken = take_losses(tmp_path, "d1", 2, 1, NOON)
    assert taken.arms == {1: (3, 0.0, 0.0), 2: (1, 2.0, 4.0)}
    assert (taken.rows, taken.worse, taken.better) == (3, 2, 0)
    assert not take_losses(tmp_path, "d1", 2, 1, NOON)
    give_back(tmp_path, taken.batch)
    assert take_losses(tmp_path, "d1", 2, 1, NOON).arms == taken.arms
    store_labels(tmp_path, [Label("id-5", 5), Label("id-1", 99)])  # one late, one corrected
    merge_new(tmp_path)
    assert take_losses(tmp_path, "d1", 2, 1, NOON).arms == {2: (1, 2.0, 4.0)}


def test_what_is_underway_is_kept_until_it_has_arrived(tmp_path: Path, request_of: Request) -> None:
    put(tmp_path, *(request_of(n, revision=1 + n % 2, outputs=[n + 1.0]) for n in range(4)))
    put(tmp_path, request_of(1, revision=1, outputs=[1.0], shadow=True))
    store_labels(tmp_path, [Label(f"id-{n}", n) for n in range(4)])
    merge_new(tmp_path)
    assert losses_underway(tmp_path, "d1") == []
    taken = take_losses(tmp_path, "d1", 1, 2, NOON)
    assert taken.arms and taken.rows == 1
    assert losses_underway(tmp_path, "d1") == [taken]  # as it was: the process died here
    arrived(tmp_path, taken.batch)
    assert losses_underway(tmp_path, "d1") == []
    give_back(tmp_path, taken.batch)
    again = take_losses(tmp_path, "d1", 1, 2, NOON)
    assert again.arms == taken.arms and again.batch != taken.batch
    assert losses_underway(tmp_path, "d2") == []  # that one has ended: nobody waits for them
    assert losses_underway(tmp_path, "d1") == []


def test_deleting_takes_labels_and_scores_along(tmp_path: Path, request_of: Request) -> None:
    put(tmp_path, *(request_of(n, outputs=[n + 1.0]) for n in range(10)))
    store_labels(tmp_path, [Label(f"id-{n}", n) for n in range(12)])
    merge_new(tmp_path)
    done = delete_before(tmp_path, "demand", NOON + 4)
    assert (done.rows, done.labels) == (4, 4)
    merge_new(tmp_path)
    found = coverage(tmp_path, "demand")
    assert (found.labels, found.unknown) == (8, 2)
    assert [(arm.captured, arm.labelled) for arm in found.arms] == [(6, 6)]
    import pyarrow.parquet as pq

    left = [
        row["inference_id"]
        for part in tmp_path.rglob("part-*.parquet")
        for row in pq.ParquetFile(part).read(["inference_id"]).to_pylist()
    ]
    assert not {"id-0", "id-1", "id-2", "id-3"} & set(left)
    assert delete_before(tmp_path, "demand", NOON + 4).rows == 0


def test_a_broken_part_of_labels_is_named(tmp_path: Path) -> None:
    store_labels(tmp_path, [Label("id-1", 1)])
    (part,) = (tmp_path / "labels").glob("part-*.parquet")
    part.write_bytes(b"PAR1")
    with pytest.raises(StateCorrupt, match=part.name):
        merge_new(tmp_path)


def test_the_index_is_made_again_from_the_parts(tmp_path: Path, request_of: Request) -> None:
    put(tmp_path, *(request_of(n, outputs=[n + 1.0]) for n in range(4)))
    store_labels(tmp_path, [Label(f"id-{n}", n) for n in range(5)])
    merge_new(tmp_path)
    before = coverage(tmp_path, "demand")
    index_path(tmp_path).write_bytes(b"no database, but long enough to be looked at" * 99)
    with pytest.raises(StateCorrupt, match="not a database"):
        merge_new(tmp_path)
    index_path(tmp_path).unlink()
    merge_new(tmp_path)
    again = coverage(tmp_path, "demand")
    assert (again.arms, again.unknown) == (before.arms, before.unknown)


def test_late_labels_are_merged_by_a_thread_once_a_minute(
    tmp_path: Path, request_of: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Endpoints:
        def rows(self, _sql: str, **_: Any) -> list[dict[str, Any]]:
            return [{"name": "broken"}, {"name": "demand"}]

    for name in ("broken", "demand"):
        store_labels(tmp_path / name, [Label("id-1", 1)])
        put(tmp_path / name, request_of(1, outputs=[3.0]))
    next((tmp_path / "broken" / "labels").glob("part-*")).write_bytes(b"PAR1")
    late = LateLabels(cast(Reader, Endpoints()), tmp_path)
    late()
    assert late._thread is not None
    late._thread.join(20)
    assert [arm.mae for arm in coverage(tmp_path / "demand", "demand").arms] == [2.0]
    thread = late._thread
    late()
    assert late._thread is thread
    monkeypatch.setattr(late, "_next", 0.0)
    late()
    assert late._thread is not thread
    late._thread.join(20)


def test_a_full_disk_is_named_and_keeps_nothing_half(small_disk: Path, request_of: Request) -> None:
    folder = small_disk / "demand"
    put(folder, *(request_of(n, outputs=[n + 1.0]) for n in range(20)))
    store_labels(folder, [Label("id-1", 1)])
    merge_new(folder)
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as stream:
        while stream.write(b"x" * 512):
            pass
    many = [Label(f"id-{n}", n) for n in range(3000)]
    with pytest.raises(DiskFull, match="labels"):
        store_labels(folder, many)
    assert len(list((folder / "labels").glob("*part-*"))) == 1
    with pytest.raises(DiskFull, match="out"):
        export(folder, "demand", small_disk / "out", CaptureFormat.CSV, CaptureFilter())
    filler.unlink()
    store_labels(folder, many)
    merge_new(folder)
    assert coverage(folder, "demand").arms[0].labelled == 20


def test_several_merge_at_once(tmp_path: Path, request_of: Request) -> None:
    failures: list[OpsdeckError] = []

    def work(start: int) -> None:
        try:
            for number in range(start, start + 5):
                put(tmp_path, request_of(number, outputs=[number + 1.0]))
                store_labels(tmp_path, [Label(f"id-{number}", number)])
                merge_new(tmp_path)
        except OpsdeckError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(10 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    merge_new(tmp_path)
    (arm,) = coverage(tmp_path, "demand").arms
    assert (arm.captured, arm.labelled, arm.mae) == (20, 20, 1.0)


@pytest.mark.parametrize(
    ("outputs", "label", "rows"),
    [
        ("[1e308, -1e308]", "[-1e308, 1e308]", 0),
        ("[1.0]", "[[1]]", 0),
        ("null", "1", 0),
        ('{"a": 1}', "1", 0),
        ('[{"a": 1}]', "1", 0),
        ("[[1.0, 2.0]]", "1", 0),
        ("[]", "[]", 0),
        ("[1.0, 2.0]", "[1, 2]", 2),
        ('["1"]', "1", 1),
    ],
)
def test_what_cannot_be_compared_has_no_score(outputs: str, label: str, rows: int) -> None:
    assert score(outputs, 200, label, Task.AUTO).rows == rows
    assert score(outputs, 500, label, Task.AUTO).rows == 0
