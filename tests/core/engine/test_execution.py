"""Steps that misbehave: each ends as what it is, in one line, with nothing left of it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from core.domain.run import StepRun
from tests.support.engine import Site, statuses, step_of

CODE = """\
import os, signal, subprocess, sys, time
from pathlib import Path

def raises():
    print("before")
    raise ValueError("no such\\nmonth")

def exits():
    sys.exit("that is all")

def exits_well():
    sys.exit(0)

def exits_hard():
    os._exit(7)

def killed():
    os.kill(os.getpid(), signal.SIGKILL)

def chatty():
    line = "x" * 99 + "\\n"
    block = line * 10_000
    for _ in range(100):
        sys.stdout.write(block)
    print("the last line")

def one_long_line():
    sys.stdout.write("y" * 3_000_000)
    sys.stdout.write("\\nend\\n")

def children(out, env=None):
    env = {} if env is None else dict(os.environ)
    pids = []
    for _ in range(3):
        pids.append(subprocess.Popen(["sleep", "600"]).pid)
    pids.append(subprocess.Popen(["sleep", "600"], start_new_session=True).pid)
    pids.append(subprocess.Popen(["sleep", "600"], env=env, start_new_session=True).pid)
    read, write = os.pipe()
    if os.fork() == 0:  # a daemon in the classic way, with a child in yet another session
        os.setsid()
        if os.fork() == 0:
            if os.fork() == 0:
                os.setsid()
            os.write(write, f"{os.getpid()} ".encode())
            time.sleep(600)
        os._exit(0)
    time.sleep(0.3)
    pids += map(int, os.read(read, 100).split())
    Path(out).write_text(" ".join(map(str, pids)))
    return len(pids)

def children_forever(out, clean):
    children(out, None if clean else 1)
    time.sleep(600)

def eats(mb):
    held = []
    for _ in range(mb):
        held.append(bytearray(os.urandom(1 << 20)))
    time.sleep(20)

def eats_in_children(mb):
    code = f"import os, time; held = os.urandom({mb} << 20); time.sleep(20)"
    subprocess.run([sys.executable, "-c", code], start_new_session=True)

def tells_oom():
    score = Path("/proc/self/oom_score_adj").read_text()
    child = subprocess.run(["cat", "/proc/self/oom_score_adj"], capture_output=True).stdout
    return [int(score), int(child), os.getppid()]

def hangs():
    time.sleep(600)

def stubborn(out):
    signal.signal(signal.SIGTERM, lambda *_: print("I won't", flush=True))
    Path(out).write_text(str(os.getpid()))
    while True:
        time.sleep(0.1)

def polite():
    signal.signal(signal.SIGTERM, lambda *_: (print("goodbye", flush=True), sys.exit(3)))
    time.sleep(600)

def unstorable():
    return {"handler": lambda: 1}

def three():
    return 1, 2, 3

def not_a_tuple():
    return "ab"

def binary():
    os.write(1, b"caf\\xe9 \\xff\\xfe\\x00 end\\n")
    sys.stdout.buffer.write(b"\\xf0\\x9f\\n")
    print("lone \\udce9 surrogate")
    os.write(2, "größe\\n".encode())
    return 1

def no_newline():
    os.write(1, b"no newline")
    return 1

def progress():
    for i in range(50):
        sys.stdout.write(f"\\r{i} %")
    sys.stdout.write("\\r100 %\\n")
    return 1

def closes_all():
    os.close(1); os.close(2)
    return "fine"

def closes_pipe():
    os.closerange(3, 64)
    return "gone"

def scribbles():
    for fd in range(3, 64):
        try:
            if "pipe" in os.readlink(f"/proc/self/fd/{fd}"):
                os.write(fd, b"not json\\n")
        except OSError:
            pass
    return 1

def recurses():
    return recurses()

def threads():
    import threadpoolctl, numpy
    numpy.ones((300, 300)) @ numpy.ones((300, 300))
    return {"env": os.environ["OMP_NUM_THREADS"],
            "pools": sorted({p["num_threads"] for p in threadpoolctl.threadpool_info()})}

def randoms():
    import random, numpy
    return [random.random(), float(numpy.random.rand())]

def fits():
    import numpy
    from sklearn.ensemble import HistGradientBoostingRegressor
    x = numpy.arange(400.0).reshape(-1, 1)
    return float(HistGradientBoostingRegressor(max_iter=5).fit(x, x[:, 0]).score(x, x[:, 0]))

def waits_for(path):
    while not Path(path).exists():
        time.sleep(0.02)
    return Path(path).read_text()
def number_one(): return 1
"""


@pytest.fixture(scope="module")
def site(site: Site) -> Site:
    """The module's site with the functions above."""
    site.write("steps.py", CODE)
    return site


def pipeline(
    site: Site, function: str, inputs: dict[str, Any] | None = None, **options: Any
) -> str:
    """A pipeline of one step `s` without a cache."""
    given = "".join(f", {key}: {value}" for key, value in options.items())
    if inputs:
        given += ", inputs: {" + ", ".join(f"{k}: {v!r}" for k, v in inputs.items()) + "}"
    name = function.replace("_", "-")
    return site.pipeline(name, f"s: {{function: 'steps:{function}', cache: false{given}}}")


def one(
    site: Site,
    function: str,
    inputs: dict[str, Any] | None = None,
    seconds: float = 60,
    **options: Any,
) -> StepRun:
    """Run a function as the only step of a pipeline, and see that nothing is left of it."""
    detail = site.run(pipeline(site, function, inputs, **options), seconds=seconds)
    assert site.leftover_tmp() == []
    step = step_of(detail, "s")
    assert detail.run.status == ("succeeded" if step.status == "succeeded" else "failed")
    if step.status == "failed":
        assert detail.run.message == f"s: {step.message}"
        assert "\n" not in step.message
    return step


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("raises", "ValueError: no such month [steps.py:6]"),
        ("exits", "the code called exit('that is all')"),
        ("exits_well", "the code called exit(0)"),
        ("exits_hard", "left with exit status 7 before it had finished"),
        ("killed", "killed by SIGKILL (out of memory?)"),
        ("unstorable", "an output of type builtins.function cannot be stored"),
        ("recurses", "RecursionError: maximum recursion depth exceeded"),
        ("closes_pipe", "left with exit status 70 before it had finished"),
        ("scribbles", "it wrote into the pipe that belongs to Opsdeck"),
    ],
)
def test_an_end_that_is_none(site: Site, function: str, message: str) -> None:
    assert message in one(site, function).message


def test_the_trace_is_in_the_log_and_starts_at_the_users_code(site: Site) -> None:
    text = site.text(site.run(pipeline(site, "raises")).run.id, "s")
    assert "before" in text
    assert any("steps.py" in line and "raises" in line for line in text)
    assert not any("stepchild.py" in line for line in text)


def test_the_wrong_number_of_outputs(site: Site) -> None:
    step = one(site, "three", outputs="[a, b]")
    assert "returned a tuple of 3, but its outputs are 2: a, b" in step.message
    step = one(site, "not_a_tuple", outputs="[a, b]")
    assert "returned str, but its outputs are 2: a, b" in step.message


def test_a_hundred_megabytes_of_output_leave_a_bounded_log_with_its_end(site: Site) -> None:
    worker = site.workers[-1].pid
    before = _resident_mb(worker)
    step = one(site, "chatty")
    assert step.status == "succeeded", step.message
    run = site.ops.runs.list(limit=1)[0]
    size = (site.state / "runs" / run.id / "s.log").stat().st_size
    assert size < 20 << 20
    text = site.text(run.id, "s")
    assert text[-1] == "the last line"
    assert sum("left out" in line for line in text) == 1
    assert _resident_mb(worker) - before < 40


def test_a_line_without_an_end_is_cut(site: Site) -> None:
    assert one(site, "one_long_line").status == "succeeded"
    text = site.text(site.ops.runs.list(limit=1)[0].id, "s")
    assert text[-1] == "end"
    assert max(map(len, text)) <= 16 << 10


def test_output_that_is_no_text(site: Site) -> None:
    assert one(site, "binary").status == "succeeded"
    text = site.text(site.ops.runs.list(limit=1)[0].id, "s")
    assert any(line.startswith("caf\ufffd") and line.endswith("end") for line in text)
    assert "größe" in text
    assert any("surrogate" in line for line in text)
    assert one(site, "no_newline").status == "succeeded"
    assert site.text(site.ops.runs.list(limit=1)[0].id, "s") == ["no newline"]
    assert one(site, "progress").status == "succeeded"
    assert site.text(site.ops.runs.list(limit=1)[0].id, "s") == ["100 %"]


def test_a_step_that_closes_its_output(site: Site) -> None:
    assert one(site, "closes_all").status == "succeeded"


def test_what_a_step_leaves_running_is_killed_at_its_end(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "pids"
    assert one(site, "children", {"out": str(out)}).status == "succeeded"
    pids = [int(pid) for pid in out.read_text().split()]
    assert len(pids) == 7
    site.wait_for(lambda: not any(map(alive, pids)), 5)


def test_a_daemon_of_one_step_survives_the_end_of_another(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "pids"
    first = site.start(pipeline(site, "children_forever", {"out": str(out), "clean": 1}))
    site.wait_for(lambda: out.exists() and len(out.read_text().split()) == 7, 30)
    site.run(pipeline(site, "no_newline"))
    pids = [int(pid) for pid in out.read_text().split()]
    assert all(map(alive, pids))
    site.ops.runs.cancel(first)
    assert site.finish(first).run.status == "cancelled"
    site.wait_for(lambda: not any(map(alive, pids)), 5)


def test_more_memory_than_allowed(site: Site) -> None:
    begun = time.monotonic()
    step = one(site, "eats", {"mb": 900}, memory="700MiB")
    assert "MiB of memory, 700 MiB are allowed" in step.message
    step = one(site, "eats_in_children", {"mb": 900}, memory="700MiB")
    assert "700 MiB are allowed" in step.message
    assert time.monotonic() - begun < 25


def test_without_a_limit_the_kernel_takes_the_step_first(site: Site) -> None:
    detail = site.run(pipeline(site, "tells_oom"))
    own, child, parent = site.value(detail, "s")
    assert own == child == 500
    others = [parent, site.workers[-1].pid]
    assert all(int(Path(f"/proc/{pid}/oom_score_adj").read_text()) < 500 for pid in others)


def test_a_step_that_hangs(site: Site) -> None:
    step = one(site, "hangs", timeout="1s")
    assert step.message == "ran longer than its time limit of 1 s"
    assert step.signal == signal.SIGTERM
    assert step.seconds is not None
    assert 0.9 < step.seconds < 4


def test_a_step_that_hangs_and_does_not_listen(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "pid"
    step = one(site, "stubborn", {"out": str(out)}, timeout="1s")
    assert step.message == "ran longer than its time limit of 1 s"
    assert step.signal == signal.SIGKILL
    text = site.text(site.ops.runs.list(limit=1)[0].id, "s")
    assert "I won't" in text
    assert any("stopping the step" in line for line in text)
    assert not alive(int(out.read_text()))


def test_a_step_may_say_goodbye_when_its_time_is_up(site: Site) -> None:
    step = one(site, "polite", timeout="1s")
    assert step.message == "ran longer than its time limit of 1 s"
    assert "goodbye" in site.text(site.ops.runs.list(limit=1)[0].id, "s")


def test_libraries_get_the_workers_share_of_threads(site: Site) -> None:
    share = max(1, (os.cpu_count() or 1) // 2)
    detail = site.run(pipeline(site, "threads"))
    assert site.value(detail, "s") == {"env": str(share), "pools": [share]}
    detail = site.run(
        pipeline(site, "threads", env="{OMP_NUM_THREADS: 2, OPENBLAS_NUM_THREADS: 2}")
    )
    assert site.value(detail, "s") == {"env": "2", "pools": [2]}


def test_random_numbers_are_the_same_each_time(site: Site) -> None:
    first, second = (site.run(pipeline(site, "randoms")) for _ in range(2))
    assert site.value(first, "s") == site.value(second, "s")


def test_fitting_with_openmp_works_in_a_forked_step(site: Site) -> None:
    detail = site.run(pipeline(site, "fits", env="{OMP_NUM_THREADS: 2}"))
    assert site.value(detail, "s") > 0.5


def test_usage_is_recorded(site: Site) -> None:
    step = one(site, "fits")
    assert step.exit_code == 0
    assert step.cpu_seconds is not None
    assert step.cpu_seconds > 0.01
    assert step.max_rss_mb is not None
    assert step.max_rss_mb > 30


def test_the_warm_server_dies_in_the_middle_of_a_step(site: Site, tmp_path: Path) -> None:
    """The step is executed again by the next server; what it had started is gone."""
    out, gate = tmp_path / "pids", tmp_path / "go"
    daemons = site.start(pipeline(site, "children_forever", {"out": str(out), "clean": 0}))
    run = site.start(pipeline(site, "waits_for", {"path": str(gate)}))
    first = site.until_step(run, "s", lambda s: s.pid is not None)
    site.wait_for(lambda: out.exists() and len(out.read_text().split()) == 7, 30)
    pids = [int(pid) for pid in out.read_text().split()]
    server = _parent(first.pid or 0)
    os.kill(server, signal.SIGKILL)
    out.unlink()
    site.wait_for(lambda: not any(map(alive, pids)), 10)
    again = site.until_step(run, "s", lambda s: s.pid not in (None, first.pid), 60)
    assert _parent(again.pid or 0) != server
    (tmp_path / "words").write_text("went on")
    (tmp_path / "words").rename(gate)  # whole when it appears
    detail = site.finish(run)
    assert site.value(detail, "s") == "went on"
    assert step_of(detail, "s").attempt == 1
    site.ops.runs.cancel(daemons)
    site.finish(daemons)
    assert site.leftover_tmp() == []


def test_the_warm_server_dies_while_mlflow_is_told_of_a_run(site: Site) -> None:
    """It was asked for another process that writes to MLflow, and dies without an answer: that
    is no fault of the run, which would end before its first step."""
    name = pipeline(site, "number_one")
    assert site.run(name).run.status == "succeeded"  # so there is such a process
    worker = site.workers[-1].pid
    found = [pid for pid, command in site.processes().items() if "zygote.py" in command]
    server = next(pid for pid in found if _parent(pid) == worker)
    below = [pid for pid in found if _parent(pid) == server]
    assert below
    os.kill(server, signal.SIGSTOP)
    for pid in below:
        os.kill(pid, signal.SIGKILL)
    run = site.start(name)
    site.until_run(run, lambda r: r.status == "running")
    time.sleep(0.5)
    assert statuses(site.ops.runs.get(run)) == {"s": "pending"}
    os.kill(server, signal.SIGKILL)
    detail = site.finish(run)
    assert detail.run.status == "succeeded", detail.run.message
    assert detail.run.mlflow_run_id


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6
