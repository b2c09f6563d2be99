"""What the engine itself costs, from an idle worker: CPU of a step, delays, taking over.

`python benchmarks/engine.py [--json FILE] [--runs 6]`. A run has five steps that do nothing.
CPU is that of the worker, its warm server, the step processes and the tracker, from /proc,
less what the same processes use in the same time when they are idle. The budget is 60 ms a
step: exit status 1 above it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core.domain.run import RunDetail
from core.ops import Ops, open_ops

BUDGET_MS = 60.0
IDLE_BUDGET = 2.0
STEPS = "abcde"
_PIPELINE = "name: noop\nsteps:\n" + "".join(
    f"  {s}: {{function: 'nop:{s}', cache: false}}\n" for s in STEPS
)
_GATED = """\
name: gated
steps:
  train: {function: 'nop:train', outputs: [model]}
  register: {register: {model: train.model, name: nothing}}
  gate: {gate: {environment: test, requester_may_decide: true}}
  after: {function: 'nop:after', cache: false, after: [gate]}
"""
_SLOW = "name: slow\nsteps:\n  wait: {function: 'nop:wait', cache: false}\n"
_CODE = """\
import time

def a(): return 1
def b(a): return a + 1
def c(b): return b + 1
def d(b): return b + 2
def e(c, d): return c + d
def after(): return 1
def wait():
    time.sleep(4)
    return 1
def train():
    from sklearn.dummy import DummyRegressor
    return DummyRegressor().fit([[0.0], [1.0]], [0.0, 1.0])
"""
_TICK = os.sysconf("SC_CLK_TCK")


class Bench:
    """A workspace with a worker, measured from outside."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "pipelines").mkdir(parents=True)
        (root / "opsdeck.yaml").write_text("name: bench\nworker: {slots: 2}\n")
        for name, text in (("noop", _PIPELINE), ("gated", _GATED), ("slow", _SLOW)):
            (root / "pipelines" / f"{name}.yaml").write_text(text)
        (root / "nop.py").write_text(_CODE)
        self.ops: Ops = open_ops(root, actor="bench")
        self.ops.workers.wake = lambda: None  # type: ignore[method-assign]
        self.worker: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start a worker and wait for its heartbeat."""
        (self.root / ".opsdeck").mkdir(exist_ok=True)
        with (self.root / ".opsdeck" / "worker.log").open("ab") as log:
            self.worker = subprocess.Popen(
                [sys.executable, "-P", "-m", "core.engine.worker", str(self.root)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        pid = self.worker.pid
        until(lambda: any(w.pid == pid for w in self.ops.workers.list()), 90)

    def kill(self) -> None:
        """kill -9."""
        assert self.worker is not None
        self.worker.kill()
        self.worker.wait()

    def run(self, pipeline: str) -> RunDetail:
        """One run to its end, or to its gate."""
        run = self.ops.runs.start(pipeline, {})
        ended = self.ops.runs.wait(run.id, timeout=120)
        assert ended.status in ("succeeded", "waiting"), ended
        return self.ops.runs.get(run.id)

    def cpu(self) -> float:
        """CPU seconds so far of the worker and everything it started."""
        assert self.worker is not None
        return sum(_cpu(pid) for pid in family(self.worker.pid))


def family(pid: int) -> list[int]:
    """A process and all of its descendants that live."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                found += family(int(child))
    return found


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICK


def until(good: Callable[[], bool], seconds: float) -> float:
    """Wait until something is true; returns how long that took."""
    begun = time.monotonic()
    while not good():
        assert time.monotonic() - begun < seconds, "it does not come true"
        time.sleep(0.002)
    return time.monotonic() - begun


def idle(bench: Bench, seconds: float) -> float:
    """CPU in percent of one core while nothing runs."""
    before, begun = bench.cpu(), time.monotonic()
    time.sleep(seconds)
    return 100 * (bench.cpu() - before) / (time.monotonic() - begun)


def steps(bench: Bench, runs: int, idle_percent: float) -> dict[str, float]:
    """CPU and wall time that a step of a run of nothing adds."""
    cpu, wall = [], []
    for _ in range(runs):
        time.sleep(0.5)
        before, begun = bench.cpu(), time.monotonic()
        detail = bench.run("noop")
        time.sleep(0.5)  # what is done after the end is part of the price
        spent, took = bench.cpu() - before, time.monotonic() - begun
        cpu.append((spent - idle_percent / 100 * took) / len(STEPS) * 1000)
        run = detail.run
        assert run.ended_at is not None
        wall.append((run.ended_at - run.created_at) / len(STEPS) * 1000)
    return {
        "cpu_ms_a_step": statistics.median(cpu),
        "cpu_ms_a_step_worst": max(cpu),
        "wall_ms_a_step": statistics.median(wall),
    }


def gate(bench: Bench, times: int) -> float:
    """Milliseconds from an approval to the start of the step behind the gate."""
    taken = []
    for _ in range(times):
        detail = bench.run("gated")
        assert detail.run.status == "waiting", detail
        (approval,) = bench.ops.approvals.list()
        begun = time.time()
        bench.ops.approvals.approve(approval.id, "measured")
        bench.ops.runs.wait(detail.run.id, timeout=60, through_gates=True)
        after = next(s for s in bench.ops.runs.get(detail.run.id).steps if s.step == "after")
        assert after.started_at is not None
        taken.append((after.started_at - begun) * 1000)
    return statistics.median(taken)


def takeover(bench: Bench) -> dict[str, float]:
    """A worker killed in the middle of a step: boot of the next, and the step running again."""
    run = bench.ops.runs.start("slow", {})

    def started() -> float | None:
        step = bench.ops.runs.get(run.id).steps[0]
        return step.started_at if step.pid else None

    until(lambda: started() is not None, 60)
    first = started()
    bench.kill()
    begun = time.time()
    bench.start()
    boot = time.time() - begun
    until(lambda: started() not in (None, first), 60)
    again = (started() or 0.0) - begun
    assert bench.ops.runs.wait(run.id, timeout=60).status == "succeeded"
    return {"boot_seconds": boot, "takeover_seconds": again}


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """All figures."""
    with workspace() as root:
        bench = Bench(root)
        try:
            bench.start()
            for _ in range(2):
                bench.run("noop")  # the tracking store is made, modules are compiled
            time.sleep(3)
            percent = idle(bench, 10)
            found: dict[str, Any] = {"idle_percent": percent}
            found |= steps(bench, args.runs, percent)
            found["gate_ms"] = gate(bench, 3)
            found |= takeover(bench)
            return found
        finally:
            bench.ops.close()
            if bench.worker is not None:
                for pid in reversed(family(bench.worker.pid)):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                bench.worker.wait()


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """A folder that goes away."""
    with tempfile.TemporaryDirectory(prefix="opsdeck-bench-", ignore_cleanup_errors=True) as name:
        yield Path(name) / "bench"


def report(found: dict[str, Any], target: Path) -> bool:
    """The table and the JSON file; whether the budgets hold."""
    rows = [
        ("CPU a step, median", found["cpu_ms_a_step"], "ms", BUDGET_MS),
        ("CPU a step, worst run", found["cpu_ms_a_step_worst"], "ms", None),
        ("wall time a step", found["wall_ms_a_step"], "ms", None),
        ("CPU of an idle worker", found["idle_percent"], "%", IDLE_BUDGET),
        ("from approval to next step", found["gate_ms"], "ms", None),
        ("boot of a worker", found["boot_seconds"], "s", None),
        ("kill -9 to the step again", found["takeover_seconds"], "s", None),
    ]
    for name, value, unit, budget in rows:
        said = "" if budget is None else f"   budget {budget:g} {unit}"
        print(f"{name:28}{value:10.1f} {unit:3}{said}")
    target.parent.mkdir(parents=True, exist_ok=True)
    settings = {"python": sys.version.split()[0], "cores": os.cpu_count(), "steps": len(STEPS)}
    target.write_text(json.dumps({"settings": settings, **found}, indent=2) + "\n")
    print(f"written: {target}")
    return found["cpu_ms_a_step"] <= BUDGET_MS and found["idle_percent"] <= IDLE_BUDGET


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="The engine: CPU of a step, delays.")
    here = Path(__file__).resolve().parent / "results" / "engine.json"
    parser.add_argument("--json", type=Path, default=here)
    parser.add_argument("--runs", type=int, default=6)
    args = parser.parse_args()
    return 0 if report(measure(args), args.json) else 1


if __name__ == "__main__":
    sys.exit(main())
