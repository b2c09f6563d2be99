"""A workspace with a real worker for tests, and nothing of it left afterwards.

`make_site` gives folders with an `opsdeck.yaml`; a site starts workers as processes of
their own, kills them, and finds every process that belongs to it by `/proc`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from core.domain.run import Run, RunDetail, StepRun
from core.ops import Ops, open_ops

BOOT_SECONDS = 90.0


class Site:
    """One workspace. Times are seconds."""

    def __init__(self, root: Path, *, database: str | None = None, slots: int = 2) -> None:
        self.root = root
        self.state = root / ".opsdeck"
        self.workers: list[subprocess.Popen[bytes]] = []
        self._opened: list[Ops] = []
        root.mkdir(parents=True, exist_ok=True)
        lines = [f"name: {root.name!r}", f"worker: {{slots: {slots}}}"]
        lines += [f"database: {database}"] if database else []
        (root / "opsdeck.yaml").write_text("\n".join(lines) + "\n")
        (root / "pipelines").mkdir(exist_ok=True)
        self.ops = self.open()

    def open(self, actor: str = "tester") -> Ops:
        """The facade as `actor`; it starts no worker by itself, as a console would."""
        ops = open_ops(self.root, actor=actor)
        ops.workers.wake = lambda: None  # type: ignore[method-assign]
        self._opened.append(ops)
        return ops

    def write(self, name: str, text: str) -> Path:
        """A file of the workspace."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def pipeline(self, name: str, steps: str, head: str = "") -> str:
        """A pipeline file; `steps` is YAML below `steps:`. Returns its name."""
        body = "\n".join(f"  {line}" for line in steps.strip().splitlines())
        self.write(f"pipelines/{name}.yaml", f"name: {name}\n{head}\nsteps:\n{body}\n")
        return name

    # --- workers -------------------------------------------------------------------------

    def launch(self) -> subprocess.Popen[bytes]:
        """Start a worker process without waiting for it."""
        self.state.mkdir(exist_ok=True)
        with (self.state / "worker.log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-P", "-m", "core.engine.worker", str(self.root)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.root,
            )
        self.workers.append(worker)
        return worker

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker and wait until it serves."""
        worker = self.launch()
        self.wait_for(
            lambda: any(w.pid == worker.pid for w in self.ops.workers.list()),
            BOOT_SECONDS,
            lambda: f"the worker does not start: {self.worker_log()[-3000:]}",
            worker,
        )
        return worker

    def kill_worker(self, number: int = signal.SIGKILL) -> None:
        """Signal every worker of this site and wait until they are gone."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(number)
        for worker in self.workers:
            worker.wait(30)

    def worker_log(self) -> str:
        """What the workers have written."""
        path = self.state / "worker.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # --- runs ----------------------------------------------------------------------------

    def start(self, pipeline: str, use_cache: bool = True, **params: str) -> str:
        """Ask for a run; returns its id."""
        return self.ops.runs.start(pipeline, params, use_cache=use_cache).id

    def run(
        self, pipeline: str, *, seconds: float = 60, use_cache: bool = True, **params: str
    ) -> RunDetail:
        """A run from start to end (or to a gate that holds it)."""
        return self.finish(self.start(pipeline, use_cache, **params), seconds)

    def finish(self, ref: str, seconds: float = 60, *, through_gates: bool = False) -> RunDetail:
        """Wait for a run's end (or a gate that holds it)."""
        run = self.ops.runs.wait(ref, timeout=seconds, through_gates=through_gates)
        detail = self.ops.runs.get(ref)
        assert run.status.ended or run.status == "waiting", self.told(detail)
        return detail

    def told(self, detail: RunDetail) -> str:
        """A run in words, for a failing test."""
        steps = ", ".join(f"{s.step}={s.status}({s.message})" for s in detail.steps)
        return f"#{detail.run.number} {detail.run.status}: {steps}\n{self.worker_log()[-3000:]}"

    def until_run(self, ref: str, good: Callable[[Run], bool], seconds: float = 30) -> Run:
        """Wait until a run is as wanted."""
        self.wait_for(
            lambda: good(self.ops.runs.get(ref).run),
            seconds,
            lambda: self.told(self.ops.runs.get(ref)),
        )
        return self.ops.runs.get(ref).run

    def until_step(
        self, ref: str, step: str, good: Callable[[StepRun], bool], seconds: float = 30
    ) -> StepRun:
        """Wait until a step run is as wanted."""
        self.wait_for(
            lambda: good(step_of(self.ops.runs.get(ref), step)),
            seconds,
            lambda: self.told(self.ops.runs.get(ref)),
        )
        return step_of(self.ops.runs.get(ref), step)

    def text(self, ref: str, step: str) -> list[str]:
        """The texts of a step's log."""
        page = self.ops.runs.logs(ref, step, limit=1_000_000)
        return [line.text for line in page.lines]

    def value(self, detail: RunDetail, step: str, output: str | None = None) -> Any:
        """A JSON output of a step."""
        import json

        outputs = {o.name: o for o in step_of(detail, step).outputs}
        ref = outputs[output or next(iter(outputs))]
        return json.loads((self.state / ref.path).read_text())

    # --- processes -----------------------------------------------------------------------

    def processes(self) -> dict[int, str]:
        """Every living process that has to do with this workspace: pid → command line."""
        needle = os.fsencode(str(self.root))
        found: dict[int, str] = {}
        for base in Path("/proc").glob("[0-9]*"):
            if int(base.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                command = (base / "cmdline").read_bytes()
                ours = needle in command or needle in (base / "environ").read_bytes()
                state = (base / "stat").read_text().rpartition(")")[2].split()[0]
                if ours and state != "Z":
                    found[int(base.name)] = command.replace(b"\0", b" ").decode(errors="replace")
        return found

    def leftover_tmp(self) -> list[str]:
        """What lies in the folder of executions."""
        folder = self.state / "tmp"
        return sorted(each.name for each in folder.glob("*")) if folder.exists() else []

    def wait_for(
        self,
        good: Callable[[], bool],
        seconds: float,
        words: Callable[[], str] = lambda: "it does not come true",
        process: subprocess.Popen[bytes] | None = None,
    ) -> None:
        """Wait until something is true; an assertion with `words` when it never is."""
        deadline = time.monotonic() + seconds
        while not good():
            assert time.monotonic() < deadline, words()
            assert process is None or process.poll() is None, words()
            time.sleep(0.03)

    def close(self) -> None:
        """End everything of this site."""
        for ops in self._opened:
            ops.close()
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
            worker.wait(30)
        for _ in range(50):
            found = self.processes()
            if not found:
                return
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


def step_of(detail: RunDetail, name: str) -> StepRun:
    """A step run by its name."""
    return next(step for step in detail.steps if step.step == name)


def statuses(detail: RunDetail) -> Mapping[str, str]:
    """The state of every step run."""
    return {step.step: str(step.status) for step in detail.steps}


def cpu_seconds(pid: int) -> float:
    """CPU of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


MakeSite = Callable[..., Site]


@contextlib.contextmanager
def sites(folder: Path) -> Iterator[MakeSite]:
    """A factory of sites under `folder`; all are closed at the end."""
    made: list[Site] = []

    def make(name: str = "site", **options: Any) -> Site:
        made.append(Site(folder / name, **options))
        return made[-1]

    try:
        yield make
    finally:
        for site in made:
            site.close()


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[MakeSite]:
    """Sites for one test."""
    with sites(tmp_path) as make:
        yield make


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site with a worker for all tests of a module."""
    with sites(tmp_path_factory.mktemp("engine")) as make:
        made = make()
        made.start_worker()
        yield made
