"""What a command costs: CPU seconds and memory of whole processes, with 100,000 runs.

    python benchmarks/cli.py [--runs 100000] [--repeat 7] [--json FILE]

Each command runs in a fresh process; the figure is the median over the repetitions of
user and system time together, which holds on a busy machine where wall time does not.
Exits 1 when a figure is over its budget.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OPSDECK = [sys.executable, "-m", "console.main"]
COMMANDS: list[tuple[list[str], float | None]] = [
    (["--help"], 0.25),
    (["--version"], 0.25),
    (["runs", "--help"], 0.25),
    (["runs", "list"], 0.25),
    (["runs", "list", "--json", "--limit", "100"], 0.25),
    (["runs", "list", "--status", "failed"], 0.25),
    (["runs", "list", "--offset", "90000"], None),
    (["runs", "list", "--search", "2012-07 ada"], None),
    (["runs", "show", "50000"], 0.25),
    (["pipelines", "list"], None),
    (["audit", "list"], 0.25),
    (["audit", "verify"], None),
]
"""Arguments, and the CPU seconds that they may take (None: measured without a budget)."""


def fill(root: Path, runs: int) -> None:
    """Make a workspace whose state holds that many runs of three steps each."""
    from console.starter import make_workspace
    from core.state.store import Store

    make_workspace(root, None)
    store = Store(f"sqlite:///{root / '.opsdeck' / 'state.db'}")
    store.migrate()
    with store.engine.begin() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.executemany(_insert("runs", _RUN), (_run(number) for number in range(1, runs + 1)))
        raw.executemany(_insert("step_runs", _STEP), _steps(runs))
    with store.transaction("ada") as tx:
        for number in range(1, 1001):
            tx.journal("run.request", f"run/{number}", pipeline="hello")
    store.close()


_RUN = "id, number, pipeline, status, params, spec, created_at, started_at, ended_at, requested_by"
_STEP = "run_id, step, position, kind, needs, status, attempt, started_at, ended_at"
_STATUSES = ("succeeded", "succeeded", "succeeded", "failed", "cancelled", "rejected")


def _insert(table: str, columns: str) -> str:
    marks = ", ".join("?" for _ in columns.split(","))
    return f"INSERT INTO {table} ({columns}) VALUES ({marks})"


def _run(number: int) -> tuple[Any, ...]:
    at = 1_700_000_000.0 + 600.0 * number
    params = json.dumps({"month": f"2012-{1 + number % 12:02d}", "seed": number % 7})
    status = _STATUSES[number % len(_STATUSES)]
    who = ("ada", "grace", "edsger")[number % 3]
    pipeline = ("hello", "bike-demand")[number % 2]
    return (f"{number:08x}", number, pipeline, status, params, "{}", at, at + 1, at + 90, who)


def _steps(runs: int) -> Any:
    for number in range(1, runs + 1):
        at = 1_700_000_000.0 + 600.0 * number
        for position, step in enumerate(("acquire", "train", "register")):
            yield (
                f"{number:08x}", step, position, "function", "[]", "succeeded", 1, at + 1, at + 30,
            )  # fmt: skip


def measure(args: list[str], folder: Path, repeat: int) -> dict[str, Any]:
    """The median CPU and wall seconds of a command, and its largest resident memory in MB."""
    cpu, wall, peak = [], [], 0.0
    for _ in range(repeat + 1):  # the first one warms the file cache and the bytecode
        begun = time.perf_counter()
        process = subprocess.Popen([*OPSDECK, *args], cwd=folder, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"opsdeck {' '.join(args)} exited {process.returncode}")
        wall.append(time.perf_counter() - begun)
        cpu.append(usage.ru_utime + usage.ru_stime)
        peak = max(peak, usage.ru_maxrss / 1024)
    return {
        "cpu": round(statistics.median(cpu[1:]), 4),
        "wall": round(statistics.median(wall[1:]), 4),
        "peak_mb": round(peak, 1),
    }


def main() -> int:
    """Fill a workspace, measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks/results/cli.json")
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.fill:
        fill(args.fill, args.runs)
        return 0
    results = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "space"
        # In a process of its own: a child's peak counts what its parent had at the fork.
        subprocess.run(
            [sys.executable, __file__, "--fill", folder, "--runs", str(args.runs)], check=True
        )
        print(f"{args.runs:,} runs\n{'command':<44}{'CPU s':>8}{'wall s':>8}{'MB':>6}{'budget':>8}")
        for words, budget in COMMANDS:
            found = measure(words, folder, args.repeat)
            over = budget is not None and found["cpu"] > budget
            shown = "-" if budget is None else f"{budget:.2f}"
            print(
                f"{'opsdeck ' + ' '.join(words):<44}{found['cpu']:>8.3f}{found['wall']:>8.3f}"
                f"{found['peak_mb']:>6.0f}{shown:>8}{'  OVER' if over else ''}",
                flush=True,
            )
            results.append({"command": words, "budget": budget, "over": over, **found})
    args.json.parent.mkdir(parents=True, exist_ok=True)
    document = {"runs": args.runs, "python": sys.version.split()[0], "commands": results}
    args.json.write_text(json.dumps(document, indent=1) + "\n")
    return int(any(result["over"] for result in results))


if __name__ == "__main__":
    sys.exit(main())
