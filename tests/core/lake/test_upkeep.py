"""When a dataset wants upkeep, what is kept for whom, and what upkeep must never take."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from core.errors import NotFound, WrongState
from core.lake.config import lake_config
from core.lake.due import LOOK_SECONDS, UpkeepDue
from core.lake.errors import SnapshotExpired
from core.lake.lake import Lake
from core.lake.references import RUNS
from core.ops import Ops
from core.state.lake_tables import feature_views, lineage_edges, views
from core.state.schema import model_versions, runs
from tests.core.lake.conftest import OpenSpace, ids, rows

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def small(open_space: OpenSpace) -> Ops:
    """A workspace that keeps five versions, with a dataset `sales`."""
    ops = open_space({"keep": {"snapshots": 5}})
    ops.data.lake.create("sales", rows(1).schema, owner="ann")
    return ops


def fill(lake: Lake, count: int, first: int = 1) -> None:
    """So many versions of a row each."""
    for each in range(first, first + count):
        lake.append("sales", rows(each), by="ann")


def test_versions_that_something_refers_to_stay(small: Ops) -> None:
    lake = small.data.lake
    fill(lake, 12)
    numbers = {each.number: each.id for each in small.data.snapshots("sales")}
    with small.session.change("test") as tx:
        tx.execute(
            views.insert().values(
                name="v", sql="", mode="append", owner="a", created_at=1.0, state="fresh",
                cursor=f'{{"sales": "{numbers[3]}"}}',
            )
        )  # fmt: skip
        tx.execute(
            feature_views.insert().values(
                name="f", version=1, spec="{}", owner="a", state="active", created_at=1.0, by="a",
                cursor=f'{{"sales": "{numbers[4]}"}}',
            )
        )  # fmt: skip
        tx.execute(
            lineage_edges.insert().values(
                id="e", source_kind="dataset", source="sales", target_kind="run", target="17",
                via="train", snapshot_id=numbers[5], first_at=1.0, last_at=1.0, by="a",
            )
        )  # fmt: skip
        tx.execute(runs.insert().values(**run(17)))

    done = lake.expire("sales")

    assert [(each.number, each.reason) for each in done.kept] == [
        (3, "view v"),
        (4, "feature view f@1"),
        (5, "run 17"),
    ]
    assert [each.number for each in small.data.snapshots("sales")] == [13, 12, 11, 10, 9, 5, 4, 3]
    changed = lake.changes("sales", numbers[3])  # although versions between are gone
    assert changed is not None
    assert sorted(changed.read_all().column("id").to_pylist()) == list(range(3, 13))


def run(number: int, **more: Any) -> dict[str, Any]:
    """A row of a run."""
    return {
        "id": f"r{number}", "number": number, "pipeline": "daily", "status": "succeeded",
        "params": "{}", "spec": "{}", "created_at": 1.0, "requested_by": "a", **more,
    }  # fmt: skip


def test_runs_that_go_on_for_ever_keep_only_what_models_and_the_newest_read(small: Ops) -> None:
    lake = small.data.lake
    fill(lake, RUNS + 15)
    ids_of = {each.number: each.id for each in small.data.snapshots("sales")}
    with small.session.change("test") as tx:
        for number in range(2, RUNS + 10):  # run N read version N, and one of them also 2's
            pins = {"sales": ids_of[number]} | ({"sales@first": ids_of[3]} if number == 5 else {})
            tx.execute(runs.insert().values(**run(number, lineage=json.dumps({"datasets": pins}))))
        again = run(99, pipeline="other", parent_run_id="r7", from_step="train")
        tx.execute(runs.insert().values(**again))
        tx.execute(
            model_versions.insert().values(
                name="m", version=1, run_id="r5", step="register", path="p", digest="d",
                created_at=1.0,
            )
        )  # fmt: skip
        tx.execute(
            lineage_edges.insert().values(
                id="e", source_kind="dataset", source="sales", target_kind="run", target="4",
                via="read", snapshot_id=ids_of[4], first_at=1.0, last_at=1.0, by="a",
            )
        )  # fmt: skip

    kept = {each.number: each.reason for each in lake.expire("sales", keep=1).kept}

    newest = {n: f"run {n}" for n in range(10, RUNS + 10)}
    models = dict.fromkeys((3, 5), "model m/1")
    assert kept == {**models, 7: "run 99", **newest}


def test_the_worker_keeps_a_dataset_up_when_it_wants_it_and_no_more(small: Ops) -> None:
    lake, due, now = small.data.lake, UpkeepDue(), time.time()
    fill(lake, 10)
    assert due(small.session, now) == ()
    fill(lake, 20, first=11)

    assert due(small.session, now + LOOK_SECONDS) == ("sales",)
    words = small.data.keep_up("sales")

    assert "26 versions expired" in words and "30 files merged into 1" in words
    assert due(small.session, now + 2 * LOOK_SECONDS) == ()
    assert ids(lake, "sales") == list(range(1, 31))
    found = small.data.get("sales")
    assert (found.snapshots, found.rows) == (6, 30)
    old = small.data.snapshots("sales", expired=True)
    assert len(old) == 32 and old[-1].expired_at is not None


def test_a_writer_lets_versions_go_where_no_worker_does(small: Ops) -> None:
    lake = small.data.lake
    fill(lake, 110)
    assert len(small.data.snapshots("sales")) < 70
    assert small.data.get("sales").rows == 110


def test_looking_loads_no_library_of_the_lake(small: Ops) -> None:
    fill(small.data.lake, 2)
    code = (
        "import sys, time; from pathlib import Path; from core.ops import open_ops;"
        "from core.lake.due import UpkeepDue;"
        "ops = open_ops(Path(sys.argv[1])); UpkeepDue()(ops.session, time.time());"
        "ops.data.list(); ops.data.snapshots('sales'); ops.data.refs('sales');"
        "bad = {'pyiceberg', 'pyarrow', 'sqlalchemy', 'duckdb'} & set(sys.modules); print(bad);"
        "sys.exit(bool(bad))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(small.workspace.root)],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_version_that_is_tagged_while_others_expire_is_kept(small: Ops) -> None:
    lake = small.data.lake
    fill(lake, 40)
    tagged: list[int] = []

    def tag() -> None:
        for number in range(2, 36, 3):
            try:
                lake.tag("sales", f"t{number}", at=f"#{number}")
            except (SnapshotExpired, NotFound):
                continue
            tagged.append(number)

    thread = threading.Thread(target=tag)
    thread.start()
    for keep in (30, 20, 10, 5):
        lake.expire("sales", keep=keep)
    thread.join()

    assert tagged
    for number in tagged:
        assert ids(lake, "sales", at=f"t{number}") == list(range(1, number))


def test_appends_go_on_while_files_are_merged(small: Ops) -> None:
    lake = small.data.lake
    fill(lake, 12)
    thread = threading.Thread(target=fill, args=(lake, 12, 13))
    thread.start()
    merged = [lake.compact("sales", least=2) for _ in range(3)]
    thread.join()

    assert any(each.snapshot for each in merged)
    assert ids(lake, "sales") == list(range(1, 25))


def test_dropped_datasets_lose_their_files_in_time(small: Ops) -> None:
    lake, due = small.data.lake, UpkeepDue()
    fill(lake, 1)
    folder = Path(small.data.get("sales").location)
    lake.drop("sales")
    assert due(small.session, time.time()) == ()
    assert folder.exists()
    with small.session.change("test") as tx:
        from core.state.lake_tables import datasets

        tx.execute(datasets.update().values(dropped_at=time.time() - 8 * 86_400))

    assert due(small.session, time.time() + LOOK_SECONDS) == ("sales",)
    small.data.keep_up("sales")
    assert not folder.exists()


def test_a_dataset_that_is_read_is_not_dropped_by_mistake(small: Ops) -> None:
    with small.session.change("test") as tx:
        tx.execute(
            views.insert().values(
                name="v", sql="", mode="append", owner="a", created_at=1.0, state="fresh",
                sources='["sales"]',
            )
        )  # fmt: skip
    with pytest.raises(WrongState, match="view v"):
        small.data.drop("sales")
    assert small.data.drop("sales", dry_run=True).readers == ("view v",)
    small.data.drop("sales", force=True)


def test_the_policy_is_read_from_the_file(open_space: OpenSpace) -> None:
    ops = open_space({"keep": {"snapshots": 7, "days": 30, "dropped_days": 1}})
    keep = lake_config(ops.workspace).keep
    assert (keep.snapshots, keep.days, keep.orphan_hours, keep.dropped_days) == (7, 30.0, 24.0, 1.0)


def test_an_error_after_the_deed_takes_no_file_away(
    small: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.lake import lake as module
    from core.lake.errors import LakeUnavailable

    def broken(*args: Any, **named: Any) -> Any:
        commit(*args, **named)
        raise LakeUnavailable("the connection broke")

    commit, lake = module.commit, small.data.lake
    monkeypatch.setattr(module, "commit", broken)
    assert lake.append("sales", rows(1), by="ann").rows == 1
    monkeypatch.setattr(module, "commit", commit)
    assert ids(lake, "sales") == [1]


def test_files_of_a_commit_that_failed_are_taken_away(
    small: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.lake import lake as module
    from core.lake.errors import LakeUnavailable

    def broken(*_: Any, **__: Any) -> Any:
        raise LakeUnavailable("the connection broke")

    monkeypatch.setattr(module, "commit", broken)
    with pytest.raises(LakeUnavailable):
        small.data.lake.append("sales", rows(1), by="ann")
    folder = Path(small.data.get("sales").location)
    assert list(folder.rglob("*.parquet")) == []
