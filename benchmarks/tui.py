"""What the console costs with 100,000 runs: first frame, key to paint, memory, quitting.

The console runs in a pseudo terminal, as it does for a person; its CPU seconds and memory are
read from /proc by this program, which presses the keys. Bytecode is cached first, as it is
for an installed program; the first frame without it is measured too.

    python benchmarks/tui.py [--runs 100000] [--json FILE]
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import select
import shutil
import statistics
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

CHILD = (
    "import sys; from pathlib import Path; from core.ops import open_ops;"
    " from console.app import OpsdeckApp;"
    " OpsdeckApp(open_ops(Path(sys.argv[1]), actor='bench'), start_mode=sys.argv[2]).run()"
)
BUDGETS = {"first frame": 0.6, "memory": 80.0, "key": 35.0, "quit": 1.0}


@dataclass(frozen=True)
class Result:
    """One measurement against its budget."""

    what: str
    value: float
    unit: str
    budget: float

    @property
    def good(self) -> bool:
        """Whether it is within the budget."""
        return self.value <= self.budget


class Console:
    """The console in a pseudo terminal."""

    def __init__(self, workspace: Path, mode: str, env: dict[str, str], size: tuple[int, int]):
        self.began = time.monotonic()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.execve(
                sys.executable, [sys.executable, "-P", "-c", CHILD, str(workspace), mode], env
            )
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.seen = b""

    def until(self, text: bytes, seconds: float = 30.0) -> None:
        """Read what it draws until this text has been drawn."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            if time.monotonic() > end:
                raise SystemExit(f"{text!r} was not drawn within {seconds:g} s")
            self._read(0.05)

    def quiet(self, seconds: float = 0.15) -> None:
        """Read until it has drawn nothing for a while."""
        while self._read(seconds):
            pass

    def press(self, keys: bytes) -> None:
        """Press keys."""
        self.seen = b""
        os.write(self._fd, keys)

    def cpu(self) -> float:
        """CPU seconds that it has used (all threads)."""
        total = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def memory(self) -> float:
        """Resident memory in MB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0

    def end(self) -> float:
        """Quit by its key; returns the seconds that it took."""
        began = time.monotonic()
        os.write(self._fd, b"q")
        while time.monotonic() < began + 10:
            self._read(0.02)
            done, _ = os.waitpid(self.pid, os.WNOHANG)
            if done:
                os.close(self._fd)
                return time.monotonic() - began
        os.kill(self.pid, 9)
        raise SystemExit("the console did not quit within 10 s")

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._fd], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:
            return False
        self.seen += data
        return bool(data)


def environment(cache: Path, *, bytecode: bool = True) -> dict[str, str]:
    """The child's environment: a real terminal, nobody's settings."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "SSH_", "NO_COLOR"))}
    env |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPYCACHEPREFIX": str(cache)}
    if not bytecode:
        env["PYTHONDONTWRITEBYTECODE"] = "1"
    return env


def first_frame(
    workspace: Path, mode: str, mark: bytes, env: dict[str, str], size: tuple[int, int]
) -> tuple[float, float, Console]:
    """CPU seconds and memory (MB) when the first frame with data has been drawn."""
    console = Console(workspace, mode, env, size)
    console.until(mark)
    cpu, memory = console.cpu(), console.memory()
    console.quiet()
    return cpu, memory, console


def key_costs(console: Console, keys: Sequence[bytes], times: int) -> float:
    """Median CPU milliseconds from a key to its paint; the keys take turns."""
    costs = []
    for i in range(times):
        before = console.cpu()
        console.press(keys[i % len(keys)])
        console.quiet(0.06)
        costs.append(1000 * (console.cpu() - before))
    return statistics.median(costs)


def measure(runs: int) -> list[Result]:
    """All measurements on a workspace with so many runs."""
    from tests.support.seed import seed_workspace

    results: list[Result] = []
    folder = Path(tempfile.mkdtemp(prefix="opsdeck-bench-"))
    try:
        began = time.process_time()
        seed_workspace(folder / "ws", now=time.time(), runs=runs)
        print(f"seeded {runs:,} runs in {time.process_time() - began:.1f} CPU s", file=sys.stderr)
        workspace, env = folder / "ws", environment(folder / "pyc")
        (workspace / ".opsdeck/stopped").touch()  # a worker started by the console would outlive us
        marks = {"runs": str(runs).encode(), "pulse": b"recent events"}
        _, _, console = first_frame(workspace, "runs", marks["runs"], env, (120, 40))
        console.end()  # the bytecode is cached now
        for mode, mark in marks.items():
            for size in ((80, 24), (120, 40)):
                tries = [first_frame(workspace, mode, mark, env, size) for _ in range(3)]
                quits = [console.end() for _, _, console in tries]
                name = f"{mode} {size[0]}×{size[1]}"
                cpu = statistics.median(t[0] for t in tries)
                results += [
                    Result(f"first frame, {name}", cpu, "CPU s", BUDGETS["first frame"]),
                    Result(f"memory, {name}", max(t[1] for t in tries), "MB", BUDGETS["memory"]),
                    Result(f"quit, {name}", max(quits), "s", BUDGETS["quit"]),
                ]
        _, _, console = first_frame(workspace, "runs", marks["runs"], env, (120, 40))
        for what, key in (
            ("down", [b"\x1b[B"]),
            ("page down", [b"\x1b[6~"]),
            ("to the last and the first run", [b"G", b"g"]),
        ):
            cost = key_costs(console, key, 16)
            results.append(Result(f"key to paint, {what}", cost, "CPU ms", BUDGETS["key"]))
        results.append(
            Result("memory after moving about", console.memory(), "MB", BUDGETS["memory"])
        )
        before, began = console.cpu(), time.monotonic()
        while time.monotonic() < began + 5:
            console.quiet(0.2)
            time.sleep(0.1)
        share = 100 * (console.cpu() - before) / (time.monotonic() - began)
        results.append(Result("idle", share, "% CPU", 5.0))
        console.end()
        bare = environment(folder / "none", bytecode=False)
        cpu, _, console = first_frame(workspace, "runs", marks["runs"], bare, (120, 40))
        console.end()
        results.append(Result("first frame without cached bytecode", cpu, "CPU s", float("inf")))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return results


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "results" / "tui.json")
    args = parser.parse_args()
    results = measure(args.runs)
    print(f"{'console, ' + format(args.runs, ',') + ' runs':<42}{'value':>10} {'budget':>10}")
    for result in results:
        mark = "✓" if result.good else "✗"
        budget = "–" if result.budget == float("inf") else f"{result.budget:g}"
        print(f"{mark} {result.what:<40}{result.value:>10.2f} {budget:>10} {result.unit}")
    args.json.parent.mkdir(parents=True, exist_ok=True)
    rows = [asdict(result) for result in results]
    for row in rows:
        row["budget"] = None if row["budget"] == float("inf") else row["budget"]
    args.json.write_text(json.dumps({"runs": args.runs, "results": rows}, indent=2) + "\n")
    sys.exit(0 if all(result.good for result in results) else 1)


if __name__ == "__main__":
    main()
