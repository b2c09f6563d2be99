"""kill -9 of anything at any time: every run ends right, and nothing is left over.

`OPSDECK_CHAOS_SECONDS` sets how long processes are killed (45), `OPSDECK_CHAOS_SEED` repeats
a sequence that went wrong: it is in the failing test's message.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.domain.release import Deployment
from core.domain.run import RunDetail, StepStatus
from core.engine.stepwork import MAX_TAKEOVERS
from core.lineage import hash_tree
from tests.support.engine import MakeSite, Site, step_of

SECONDS = float(os.environ.get("OPSDECK_CHAOS_SECONDS", "45"))
SEED = int(os.environ.get("OPSDECK_CHAOS_SEED", str(random.SystemRandom().randrange(10_000))))

CODE = """\
import subprocess, sys, time

def start(n):
    time.sleep(0.2)
    return n
def left(start):
    subprocess.Popen(["sleep", "900"], start_new_session=True)
    time.sleep(0.4)
    return start * 2
def right(start):
    import pandas
    time.sleep(0.3)
    return pandas.DataFrame({"x": range(start + 1)})
def joined(left, right):
    print("rows", len(right))
    return left + len(right)
def train(joined):
    import pandas
    from sklearn.linear_model import LinearRegression
    x = pandas.DataFrame({"hour": [0.0, 1.0]})
    return LinearRegression().fit(x, [0.0, float(joined)]), x
"""
STEPS = """
start: {function: 'steps:start', inputs: {n: '${params.n}'}, cache: false}
left: {function: 'steps:left', cache: false}
right: {function: 'steps:right', cache: false}
joined: {function: 'steps:joined', cache: false}
"""
RELEASE = """
train: {function: 'steps:train', outputs: [model, input_example]}
register: {register: {model: train.model, name: chaos}, retries: 3}
gate: {gate: {environment: test}}
deploy:
  after: [gate]
  deploy: {endpoint: chaos, strategy: [{set_weight: 30}, {pause: 1s}, {set_weight: 100}]}
"""


def expected(n: int) -> int:
    """What `joined` makes of a parameter."""
    return 2 * n + n + 1


class Monkey:
    """Kills one process after another, by a seeded choice."""

    def __init__(self, site: Site, choice: random.Random) -> None:
        self.site = site
        self.choice = choice
        self.done: list[str] = []

    def kill(self) -> None:
        """kill -9 of one process of some kind that there is."""
        kinds: dict[str, list[int]] = {}
        for pid, command in self.site.processes().items():
            kinds.setdefault(_kind(pid, command), []).append(pid)
        kinds.pop("other", None)
        if kinds:
            kind = self.choice.choice(sorted(kinds))
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.choice.choice(kinds[kind]), signal.SIGKILL)
            self.done.append(kind)

    def keep_a_worker(self) -> None:
        """Start the next worker when there is none, as a console would."""
        if all(worker.poll() is not None for worker in self.site.workers):
            self.site.launch()


def _kind(pid: int, command: str) -> str:
    if "core.engine.worker" in command:
        return "worker"
    if "core.serving.supervision.supervisor" in command:
        return "supervisor"
    if "core.serving" in command:
        return "server"
    if "zygote.py" in command:
        return "step" if _parent_is_zygote(pid) else "warm"
    return "other"


def _parent_is_zygote(pid: int) -> bool:
    with contextlib.suppress(OSError, IndexError):
        parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        return b"zygote.py" in Path(f"/proc/{parent}/cmdline").read_bytes()
    return False


@pytest.mark.slow
@pytest.mark.timeout(int(SECONDS) + 240)
def test_every_run_ends_right_whatever_is_killed(make_site: MakeSite) -> None:
    site = make_site("chaos")
    site.write("steps.py", CODE)
    site.pipeline("plain", STEPS, "params: {n: 1}")
    site.pipeline("release", STEPS + RELEASE, "params: {n: 1}")
    choice = random.Random(SEED)
    monkey = Monkey(site, choice)
    site.start_worker()
    runs: dict[str, int] = {}
    until = time.monotonic() + SECONDS
    next_kill = time.monotonic() + 3
    try:
        while time.monotonic() < until:
            active = [r for r in site.ops.runs.list() if not r.status.ended]
            if len(active) < 5:
                n = choice.randrange(50)
                name = "release" if len(runs) % 3 == 0 else "plain"
                runs[_start_as_a_console_would(site, name, n, choice)] = n
            _approve_all(site)
            monkey.keep_a_worker()
            if time.monotonic() > next_kill:
                monkey.kill()
                next_kill = time.monotonic() + choice.uniform(0.5, 6.0)
            time.sleep(0.05)
        monkey.keep_a_worker()
        _settle(site, monkey)
        _check(site, runs, monkey)
    except BaseException:
        print(f"seed {SEED}; killed: {' '.join(monkey.done)}\n{site.worker_log()[-6000:]}")
        raise
    finally:
        _stop_endpoints(site)
    print(f"seed {SEED}: {len(runs)} runs, {len(monkey.done)} kills")


def _start_as_a_console_would(site: Site, name: str, n: int, choice: random.Random) -> str:
    """Start a run from a process of its own; some of those are killed at once."""
    code = (
        "import sys; from pathlib import Path; from core.ops import open_ops;"
        "ops = open_ops(Path(sys.argv[1])); ops.workers.wake = lambda: None;"
        "print(ops.runs.start(sys.argv[2], {'n': sys.argv[3]}).id, flush=True);"
        "import time; time.sleep(30)"
    )
    front = subprocess.Popen(
        [sys.executable, "-c", code, str(site.root), name, str(n)], stdout=subprocess.PIPE
    )
    with front:
        assert front.stdout is not None
        if choice.random() < 0.3:  # in the middle of its change: wholly there or not at all
            time.sleep(choice.uniform(0.3, 1.2))
            front.kill()
        told = front.stdout.readline().decode().strip()
        front.kill()
    return told or _newest_or_new(site, name, n)


def _newest_or_new(site: Site, name: str, n: int) -> str:
    """The run of a front end that died before it could tell, or a new one."""
    newest = next(iter(site.ops.runs.list(limit=1)), None)
    if newest is not None and newest.pipeline == name and newest.params["n"] == n:
        return newest.id
    return site.start(name, n=str(n))


def _approve_all(site: Site) -> None:
    for approval in site.ops.approvals.list():
        site.ops.approvals.approve(approval.id, "chaos")


def _settle(site: Site, monkey: Monkey) -> None:
    """Let everything come to its end."""

    def ended() -> bool:
        _approve_all(site)
        monkey.keep_a_worker()
        return all(run.status.ended for run in site.ops.runs.list())

    site.wait_for(ended, 150, lambda: "\n".join(_told(site)))


def _told(site: Site) -> list[str]:
    return [
        f"#{r.number} {r.pipeline} {r.status} ({r.message}): "
        + ", ".join(f"{s.step}={s.status}({s.message})" for s in site.ops.runs.get(r.id).steps)
        for r in site.ops.runs.list()
        if r.status != "succeeded"
    ]


def _check(site: Site, runs: dict[str, int], monkey: Monkey) -> None:
    assert len(runs) >= 3
    for run_id, n in runs.items():
        detail = site.ops.runs.get(run_id)
        for step in detail.steps:
            for ref in step.outputs:
                assert hash_tree(site.state / ref.path) == ref.digest, (run_id, step.step)
        if _excused(detail, monkey):
            continue
        words = f"#{detail.run.number} is the one that ended wrong, of these:"
        assert detail.run.status == "succeeded", "\n".join([words, *_told(site)])
        assert site.value(detail, "joined") == expected(n)
    report = site.ops.audit.verify()
    assert report.ok, report
    site.wait_for(lambda: site.leftover_tmp() == [], 15, lambda: str(site.leftover_tmp()))
    site.wait_for(lambda: not _steps(site), 15, lambda: str(_steps(site)))
    _versions_are_right(site)
    site.wait_for(lambda: not _open_deployments(site), 60, lambda: str(_open_deployments(site)))


def _open_deployments(site: Site) -> list[Deployment]:
    """Those that have not ended although every run has: each would bar its endpoint."""
    found = [endpoint.deployment for endpoint in site.ops.endpoints.list()]
    return [each for each in found if each is not None and not each.status.ended]


def _excused(detail: RunDetail, monkey: Monkey) -> bool:
    """A step process that was killed by somebody else is a failed step, and so is one under
    which too many workers died, where so many were killed; and a deployment is refused while
    another one is open, or fails when its endpoint is shot at."""
    failed = [s for s in detail.steps if s.status is StepStatus.FAILED]
    if not failed:
        return False
    words = ["killed by SIGKILL"]
    if monkey.done.count("worker") + monkey.done.count("warm") > MAX_TAKEOVERS:
        words.append("the worker died")
    return all(
        s.step in ("deploy", "register") or any(each in s.message for each in words) for s in failed
    )


def _steps(site: Site) -> dict[int, str]:
    """Step processes, and what they started."""
    return {
        pid: command
        for pid, command in site.processes().items()
        if "sleep" in command or (_kind(pid, command) == "step" and not _is_tracker(pid))
    }


def _is_tracker(pid: int) -> bool:
    """The helper that writes to MLflow is a child of the warm server too, and stays."""
    with contextlib.suppress(OSError):
        files = Path(f"/proc/{pid}/fd").iterdir()
        return any("mlflow.db" in str(each.readlink()) for each in files)
    return False


def _versions_are_right(site: Site) -> None:
    """One version for a register step that ended well, and the champion is one of them."""
    done = 0
    for run in site.ops.runs.list():
        if run.pipeline == "release":
            done += step_of(site.ops.runs.get(run.id), "register").status == "succeeded"
    versions = [v for m in site.ops.models.list() for v in site.ops.models.versions(m.name)]
    assert len(versions) == done


def _stop_endpoints(site: Site) -> None:
    site.kill_worker()
    for endpoint in site.ops.endpoints.list():
        with contextlib.suppress(Exception):
            site.ops.endpoints.control(endpoint.name).stop()
