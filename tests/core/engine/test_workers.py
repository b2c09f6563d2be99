"""Workers: one or several, killed or doubled, in odd places and on a full disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dbos._utils import INTERNAL_QUEUE_NAME

from core.errors import DiskFull
from tests.support.engine import MakeSite, Site, statuses, step_of

CODE = """\
import os, time
from pathlib import Path

def wait_for(path):
    while not Path(path).exists():
        time.sleep(0.02)
    return 1
def after(wait): return wait + 1
def nap(i):
    time.sleep(0.4)
    return i
def fills(path, mb):
    with open(path, "wb") as file:
        for _ in range(mb):
            file.write(os.urandom(1 << 20))
    return 1
def needs(path):
    assert Path(path).exists(), "not yet"
    return 1
def big(mb): return os.urandom(mb << 20)
def small(): return 1
"""
WAIT = """
wait: {function: 'steps:wait_for', inputs: {path: '${params.path}'}, cache: false}
after: {function: 'steps:after', cache: false}
"""


def waiting(site: Site, path: Path) -> str:
    """A run whose first step waits for a file."""
    site.write("steps.py", CODE)
    name = site.pipeline("waiting", WAIT, "params: {path: ''}")
    return site.start(name, path=str(path))


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_of_a_step(make_site: MakeSite, tmp_path: Path) -> None:
    site, path = make_site(), tmp_path / "go"
    run = waiting(site, path)
    site.start_worker()
    site.until_step(run, "wait", lambda s: s.pid is not None, 60)
    site.kill_worker()
    site.wait_for(lambda: not site.processes(), 5, lambda: str(site.processes()))
    assert site.ops.runs.get(run).run.status == "running"
    site.start_worker()
    site.until_step(run, "wait", lambda s: s.pid is not None, 60)
    path.touch()
    detail = site.finish(run)
    assert detail.run.status == "succeeded"
    assert site.value(detail, "after") == 2
    site.wait_for(lambda: site.leftover_tmp() == [], 10, lambda: str(site.leftover_tmp()))
    assert site.ops.audit.verify().ok

    # Asked to stop, it leaves its work to the next one as well.
    path.unlink()
    run = site.start("waiting", path=str(path))
    site.until_step(run, "wait", lambda s: s.pid is not None)
    site.kill_worker(signal.SIGTERM)
    assert site.workers[-1].returncode == 0
    site.wait_for(lambda: not site.processes(), 5, lambda: str(site.processes()))
    assert statuses(site.ops.runs.get(run))["wait"] == "running"
    assert "Traceback" not in site.worker_log()


def change(site: Site, sql: str, value: float | None) -> None:
    """Change the state behind everybody's back."""
    with contextlib.closing(sqlite3.connect(site.state / "state.db", timeout=10)) as database:
        database.execute(sql, (value,))
        database.commit()


def workflow_status(site: Site, workflow: str) -> str:
    """How DBOS has a workflow."""
    with contextlib.closing(sqlite3.connect(site.state / "dbos.db", timeout=10)) as database:
        asked = "SELECT status FROM workflow_status WHERE workflow_uuid = ?"
        return str(database.execute(asked, (workflow,)).fetchone()[0])


@pytest.mark.slow
def test_a_start_that_was_overtaken_changes_nothing(make_site: MakeSite, tmp_path: Path) -> None:
    """The worker dies between our record of a run's end and DBOS's; then the run is resumed."""
    site, path = make_site(), tmp_path / "go"
    site.write("steps.py", CODE)
    name = site.pipeline(
        "needs",
        "needs: {function: 'steps:needs', inputs: {path: '${params.path}'}, cache: false}\n"
        "after: {function: 'steps:small', after: [needs], cache: false}",
        "params: {path: ''}",
    )
    site.start_worker()
    run = site.start(name, path=str(path))
    assert site.finish(run, 120).run.status == "failed"
    time.sleep(0.5)
    site.kill_worker()
    with contextlib.closing(sqlite3.connect(site.state / "dbos.db")) as database:
        database.execute(
            "DELETE FROM operation_outputs WHERE workflow_uuid = ? AND function_name = 'finish'",
            (f"{run}:1",),
        )
        done = database.execute(
            "UPDATE workflow_status SET status = 'PENDING', output = NULL WHERE workflow_uuid = ?",
            (f"{run}:1",),
        )
        assert done.rowcount == 1
        database.commit()
    path.touch()
    site.ops.runs.resume(run)
    # What is left of the first start gets going before the second one does.
    change(site, "UPDATE outbox SET taken_at = ? WHERE done_at IS NULL", time.time() + 3600)
    site.start_worker()
    site.wait_for(lambda: workflow_status(site, f"{run}:1") == "SUCCESS", 30, site.worker_log)
    change(site, "UPDATE outbox SET taken_at = ?", None)
    detail = site.finish(run, 60)
    assert statuses(detail) == {"needs": "succeeded", "after": "succeeded"}, site.told(detail)
    starts = [e for e in site.ops.audit.list(limit=100) if e.action.startswith("run.")]
    assert [e.action for e in starts].count("run.succeeded") == 1
    assert "Traceback" not in site.worker_log()


DIES_AT_ITS_START = """\
import os, signal, sqlite3, sys, time
from pathlib import Path
from core.engine import durable, worker
from core.workspace import open_workspace

launch = durable.launch
def launch_and_die(workspace, worker_id):
    launch(workspace, worker_id)
    database = sqlite3.connect(workspace.state_dir / "dbos.db", timeout=10)
    asked = "SELECT executor_id FROM workflow_status WHERE workflow_uuid = ?"
    while database.execute(asked, sys.argv[2:]).fetchone()[0] != worker_id:
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGKILL)
durable.launch = launch_and_die
worker.main(open_workspace(Path(sys.argv[1])))
"""


@pytest.mark.slow
def test_a_worker_that_dies_while_it_starts_takes_no_work_with_it(
    make_site: MakeSite, tmp_path: Path
) -> None:
    """DBOS takes up what a take-over has put into its queue before the worker serves."""
    site, path = make_site(), tmp_path / "go"
    run = waiting(site, path)
    site.start_worker()
    site.until_step(run, "wait", lambda s: s.pid is not None, 60)
    site.kill_worker()
    with contextlib.closing(sqlite3.connect(site.state / "dbos.db", timeout=10)) as database:
        left = database.execute(  # as a worker leaves it that dies right after a take-over
            "UPDATE workflow_status SET status = 'ENQUEUED', queue_name = ?"
            " WHERE workflow_uuid = ?",
            (INTERNAL_QUEUE_NAME, f"{run}:1"),
        )
        assert left.rowcount == 1
        database.commit()
    died = subprocess.run(
        [sys.executable, "-c", DIES_AT_ITS_START, str(site.root), f"{run}:1"],
        cwd=site.root,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    assert [w.pid for w in site.ops.workers.list()] == [site.workers[0].pid], "it never served"
    assert workflow_status(site, f"{run}:1") == "PENDING"
    path.touch()
    site.start_worker()
    detail = site.finish(run, 60)
    assert statuses(detail) == {"wait": "succeeded", "after": "succeeded"}, site.told(detail)


@pytest.mark.slow
def test_two_workers_at_once_on_an_embedded_workspace(make_site: MakeSite) -> None:
    site = make_site()
    first, second = site.launch(), site.launch()
    site.wait_for(
        lambda: None not in (first.poll(), second.poll()) or bool(site.ops.workers.list()), 60
    )
    left = first if first.poll() is not None else second
    assert left.wait(10) == 1
    assert (first if left is second else second).poll() is None
    told = [line for line in site.worker_log().splitlines() if "E311" in line]
    assert len(told) == 1
    assert "a worker runs already (process" in told[0]
    assert "Traceback" not in site.worker_log()


@pytest.mark.slow
def test_an_odd_path_and_a_project_with_packages_of_our_names(make_site: MakeSite) -> None:
    site = make_site("Größe und ‘Ruhe’ 目")
    site.write("core/__init__.py", "NAME = 'theirs'\n")
    site.write("core/ops.py", "def answer():\n    return 'their core'\n")
    site.write("console.py", "def speak():\n    return 'their console'\n")
    site.write("screens.py", "WORD = 'their screens'\n")
    site.write(
        "steps.py",
        "import console, core, screens\nfrom core.ops import answer\n"
        "def look():\n    return [core.NAME, answer(), console.speak(), screens.WORD]\n",
    )
    name = site.pipeline("look", "look: {function: 'steps:look', cache: false}")
    site.start_worker()
    detail = site.run(name)
    assert detail.run.status == "succeeded", site.told(detail)
    assert site.value(detail, "look") == [
        "theirs",
        "their core",
        "their console",
        "their screens",
    ]


@pytest.mark.slow
def test_three_workers_share_runs_on_postgresql(make_site: MakeSite, postgres_url: str) -> None:
    site = make_site("team", database=postgres_url, slots=2)
    site.write("steps.py", CODE)
    started = {site.launch().pid for _ in range(3)}
    site.wait_for(lambda: started == {w.pid for w in site.ops.workers.list()}, 90, site.worker_log)
    wide = "\n".join(
        f"n{i}: {{function: 'steps:nap', inputs: {{i: {i}}}, cache: false}}" for i in range(8)
    )
    details = [site.run(site.pipeline("wide", wide), seconds=120)]
    runs = [site.start("wide") for _ in range(3)]
    details += [site.finish(run, 90) for run in runs]
    for detail in details:
        assert detail.run.status == "succeeded", site.told(detail)
        assert [site.value(detail, f"n{i}") for i in range(8)] == list(range(8))
    assert len({s.worker_id for d in details for s in d.steps}) == 3


@pytest.mark.slow
def test_a_dead_workers_step_goes_to_the_worker_with_a_free_slot_on_postgresql(
    make_site: MakeSite, postgres_url: str, tmp_path: Path
) -> None:
    site = make_site("team", database=postgres_url, slots=1)
    site.write("steps.py", CODE)
    started = {site.launch().pid for _ in range(3)}
    site.wait_for(lambda: started == {w.pid for w in site.ops.workers.list()}, 90, site.worker_log)
    path = tmp_path / "go"
    site.pipeline("waiting", WAIT, "params: {path: ''}")
    waits = [site.start("waiting", path=str(path)) for _ in range(2)]
    for each in waits:
        site.until_step(each, "wait", lambda s: s.pid is not None)
    victim = step_of(site.ops.runs.get(waits[0]), "wait").worker_id or ""
    process = next(w for w in site.workers if f"-{w.pid}-" in victim)
    process.kill()
    process.wait()
    begun = time.monotonic()
    site.until_step(waits[0], "wait", lambda s: s.worker_id != victim and s.pid is not None)
    assert time.monotonic() - begun < 12
    path.touch()
    for each in waits:
        assert site.finish(each).run.status == "succeeded"
    assert site.ops.audit.verify().ok


# --- a full disk -------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 150 MB in memory."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=150m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    yield folder
    for _ in range(50):
        if not subprocess.run(["umount", str(folder)], capture_output=True, timeout=20).returncode:
            return
        time.sleep(0.2)
    subprocess.run(["umount", "-l", str(folder)], check=True, timeout=20)


def fill(folder: Path, leave: int) -> Path:
    """Fill a disk up to so many bytes."""
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as file:
        while (room := shutil.disk_usage(folder).free - leave) > 0:
            try:
                file.write(b"\0" * min(room, 1 << 20))
            except OSError:
                break
    return ballast


@pytest.mark.slow
def test_a_full_disk(small_disk: Path, make_site: MakeSite) -> None:
    site = Site(small_disk / "site")
    try:
        _full_disk(site, small_disk)
    finally:
        site.close()


def _full_disk(site: Site, disk: Path) -> None:
    site.write("steps.py", CODE)
    site.pipeline("small", "small: {function: 'steps:small', cache: false}")
    site.pipeline("big", "big: {function: 'steps:big', inputs: {mb: 200}, cache: false}")
    site.start_worker()
    assert site.run("small").run.status == "succeeded"

    # An output that does not fit: one line, and nothing of it stays.
    detail = site.run("big")
    assert detail.run.status == "failed"
    assert "No space left on device" in step_of(detail, "big").message
    assert site.leftover_tmp() == []

    # Too little room to begin with.
    ballast = fill(disk, 20 << 20)
    refused_run = site.run("small")
    message = step_of(refused_run, "small").message
    assert message.startswith("E302")
    assert "left on the disk" in message
    assert "\n" not in message

    # Nothing at all: what is asked for is refused whole; what runs waits and goes on.
    ballast.unlink()
    site.pipeline("waiting", WAIT, "params: {path: ''}")
    go = disk.parent / "go"
    run = site.start("waiting", path=str(go))
    site.until_step(run, "wait", lambda s: s.pid is not None)
    ballast = fill(disk, 0)
    before = site.ops.runs.count()
    with pytest.raises(DiskFull) as refused:
        for _ in range(200):  # the log of the database may have some room left
            site.ops.runs.start("small", {})
    assert "\n" not in refused.value.one_line()
    queued = site.ops.runs.count() - before
    go.touch()
    time.sleep(3)
    second = site.launch()
    assert second.wait(60) != 0
    ballast.unlink()
    detail = site.finish(run, 90)
    assert "No space left on device" in detail.run.message  # its output could not be written
    assert site.leftover_tmp() == []
    site.ops.runs.resume(run)
    assert site.finish(run).run.status == "succeeded"
    for each in site.ops.runs.list(limit=queued):
        assert site.finish(each.id, 90).run.status in ("succeeded", "failed")
    assert site.ops.audit.verify().ok

    # Resumed, the run that was refused for want of room goes through.
    site.ops.runs.resume(refused_run.run.id)
    assert site.finish(refused_run.run.id).run.status == "succeeded"

    # A worker that finds no room at its start says so in a line.
    site.kill_worker(signal.SIGTERM)
    ballast = fill(disk, 0)
    log = disk.parent / "start.log"
    with log.open("wb") as out:
        worker = subprocess.run(
            [sys.executable, "-P", "-m", "core.engine.worker", str(site.root)],
            stdout=out,
            stderr=out,
            timeout=60,
            check=False,
        )
    assert worker.returncode == 4
    last = log.read_text().strip().splitlines()[-1]
    assert last.startswith("E302")
    assert "Traceback" not in log.read_text()
    ballast.unlink()
