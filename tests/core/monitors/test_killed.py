"""Processes that are killed in the middle of a run leave nothing half, and nothing undone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.ops import Ops, open_ops
from core.series import read
from tests.support import monitored
from tests.support.dying import Point, die_at
from tests.support.engine import MakeSite, Site

KILLED_AT = {
    "before it is evaluated": Point("core.monitors.running", "", "_evaluate", "before"),
    "after it is evaluated": Point("core.monitors.running", "", "_evaluate", "after"),
    "when its files are written": Point("core.monitors.running", "", "file_findings", "after"),
    "within the commit": Point("core.monitors.running", "", "record_points", "after"),
    "after the commit": Point("core.monitors.running", "", "_commit", "after"),
    "while a baseline is kept": Point("core.monitors.baselines", "", "put", "after"),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "space"
    folder.mkdir()
    (folder / "opsdeck.yaml").write_text("name: space\n")
    return folder


@pytest.mark.parametrize("point", KILLED_AT)
def test_whoever_comes_next_does_all_of_it_once(root: Path, point: str) -> None:
    with open_ops(root, actor="author") as ops:
        monitored.prepare(ops)
        monitored.ask(ops, 3)
        ops.monitors.sync()
        die_at(KILLED_AT[point], monitored.run, root, "watch")
        assert ops.monitors.due(4e9) == ("watch",), "the dead hold nothing"
        ops.monitors.look("watch")
        whole(ops, 3)


def whole(ops: Ops, windows: int, name: str = "watch") -> None:
    """Every window is on record once, with its numbers, points and files; nothing else is."""
    runs = ops.monitors.runs(name)
    assert [run.status for run in runs] == ["done"] * windows
    assert len({run.window for run in runs}) == windows
    reader = ops.session.reader
    points = read(reader, f"monitor/{name}", "rows", since=0, until=4e9)
    assert sum(point.samples for point in points) == windows, "old points are taken together"
    stored = reader.rows("SELECT DISTINCT run FROM monitor_measurements WHERE monitor = :n", n=name)
    assert {row["run"] for row in stored} == {run.id for run in runs}
    state = ops.workspace.state_dir
    for run in runs:
        assert json.loads((state / run.folder / "constraint_violations.json").read_text())
    assert not list((state / "monitors" / ".work").glob(f"{name}-*"))
    row = reader.rows("SELECT claim FROM monitors WHERE name = :n", n=name)[0]
    assert row["claim"] is None


@pytest.mark.timeout(180)
def test_a_worker_runs_what_is_due_and_a_killed_one_is_made_up_for(make_site: MakeSite) -> None:
    site = make_site()
    ops = site.ops
    monitored.prepare(ops)
    monitored.ask(ops, 2)
    site.start_worker()
    wait(site, ops, 2)
    monitored.ask(ops, 6, first=2)
    site.wait_for(lambda: len(ops.monitors.runs("watch")) > 2, 60, site.worker_log)
    site.kill_worker()
    monitored.ask(ops, 2, first=8)
    site.start_worker()
    wait(site, ops, 10)
    whole(ops, 10)
    (site.root / "monitors" / "watch.yaml").write_text("monitors: {watch: {kind: drft}}\n")
    site.wait_for(lambda: ops.monitors.get("watch").problems != (), 30, site.worker_log)


@pytest.mark.timeout(240)
def test_several_workers_share_monitors_and_do_each_window_once(
    make_site: MakeSite, postgres_url: str
) -> None:
    site = make_site("shared", database=postgres_url)
    ops = site.ops
    names = ("one", "two", "three")
    monitored.prepare(ops, *names)
    monitored.ask(ops, 4)
    site.launch()
    site.start_worker()
    for name in names:
        wait(site, ops, 4, name)
        whole(ops, 4, name)


def wait(site: Site, ops: Ops, windows: int, name: str = "watch") -> None:
    def done() -> bool:
        found = ops.session.reader.rows(
            "SELECT count(*) AS n FROM monitor_runs WHERE monitor = :name AND status = 'done'",
            name=name,
        )
        busy = ops.session.reader.rows("SELECT claim FROM monitors WHERE name = :name", name=name)
        return bool(found[0]["n"] >= windows and busy and busy[0]["claim"] is None)

    site.wait_for(done, 90, lambda: site.worker_log()[-4000:])
