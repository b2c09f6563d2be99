"""Our tracking reader beside MLflow's client: listing runs, following a metric.

    python benchmarks/tracking.py [--runs 10000] [--points 10000] [--json FILE]

The store is made by MLflow itself and then filled by plain SQL (the client would take
minutes). Each reader runs in a process of its own; CPU seconds count, wall times beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")

RUN = f"{7:032x}"
KEY = "loss"
PER_RUN = 5  # parameters, metrics and tags each


def fill(path: Path, runs: int, points: int) -> None:
    """Runs with parameters, metrics and tags; one metric with a long history."""
    ids = [f"{number:032x}" for number in range(runs)]
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "INSERT INTO runs (run_uuid, name, source_type, status, start_time, end_time,"
            " lifecycle_stage, experiment_id, artifact_uri, user_id)"
            " VALUES (?, ?, 'UNKNOWN', 'FINISHED', ?, ?, 'active', 0, 'file:///none', 'bench')",
            [(run, f"run {n}", 1_700_000_000_000 + n, n) for n, run in enumerate(ids)],
        )
        for table in ("params", "tags"):
            connection.executemany(
                f"INSERT INTO {table} (key, value, run_uuid) VALUES (?, ?, ?)",
                [(f"{table}.{i}", str(i), run) for run in ids for i in range(PER_RUN)],
            )
        connection.executemany(
            "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)"
            " VALUES (?, ?, 1, 1, 0, ?)",
            [(f"m{i}", i / 7, run) for run in ids for i in range(PER_RUN)],
        )
        add_points(connection, 0, points)
        connection.execute("ANALYZE")


def add_points(connection: sqlite3.Connection, start: int, count: int) -> None:
    """More values of the long metric."""
    connection.executemany(
        "INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid)"
        " VALUES (?, ?, ?, ?, 0, ?)",
        [(KEY, 1 / (step + 1), step, step, RUN) for step in range(start, start + count)],
    )


def timed(action: Callable[[], Any], times: int = 1) -> dict[str, float]:
    """Wall and CPU milliseconds of one `action`, the mean over `times`."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        action()
    return {
        "wall_ms": (time.perf_counter() - wall) * 1000 / times,
        "cpu_ms": (time.process_time() - cpu) * 1000 / times,
    }


def measure_reader(path: Path, runs: int, points: int) -> dict[str, dict[str, float]]:
    """Our reader, in this process."""
    found: dict[str, dict[str, float]] = {}

    def start() -> None:
        from core.tracking import open_reader

        open_reader(f"sqlite:///{path}").runs(limit=1)

    found["import and first answer"] = timed(start)
    from core.tracking import open_reader, tail

    reader = open_reader(f"sqlite:///{path}")
    found["list a page of 100"] = timed(lambda: reader.runs(limit=100), 10)
    found[f"list {runs:,} runs"] = timed(lambda: check(len(reader.runs(limit=runs)), runs))
    found[f"read {points:,} points"] = timed(lambda: reader.metric_history(RUN, KEY), 3)
    series = reader.metric_history(RUN, KEY)
    check(len(series), points)
    found["follow: nothing new"] = timed(lambda: tail(reader, RUN, series), 50)
    with sqlite3.connect(path) as connection:
        add_points(connection, points, 10)
    found["follow: 10 new points"] = timed(
        lambda: check(len(tail(reader, RUN, series)), points + 10), 50
    )
    return found


def measure_client(path: Path, runs: int, points: int) -> dict[str, dict[str, float]]:
    """MLflow's client doing the same; it follows a metric by reading all of it again."""
    found: dict[str, dict[str, float]] = {}

    def start() -> None:
        from mlflow import MlflowClient

        MlflowClient(f"sqlite:///{path}").search_runs(["0"], max_results=1)

    found["import and first answer"] = timed(start)
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{path}")
    found["list a page of 100"] = timed(lambda: client.search_runs(["0"], max_results=100), 3)
    found[f"list {runs:,} runs"] = timed(
        lambda: check(len(client.search_runs(["0"], max_results=runs)), runs)
    )
    read = timed(lambda: check(len(client.get_metric_history(RUN, KEY)), points), 3)
    found[f"read {points:,} points"] = read
    found["follow: nothing new"] = read
    with sqlite3.connect(path) as connection:
        add_points(connection, points, 10)
    found["follow: 10 new points"] = timed(lambda: client.get_metric_history(RUN, KEY), 3)
    return found


def check(found: int, expected: int) -> None:
    """A benchmark that reads the wrong thing measures nothing."""
    if found != expected:
        raise SystemExit(f"read {found}, expected {expected}")


def main() -> None:
    """Make the store, measure both, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks/results/tracking.json")
    parser.add_argument("--measure", choices=["reader", "client"], help=argparse.SUPPRESS)
    parser.add_argument("--store", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure = measure_reader if args.measure == "reader" else measure_client
        found = measure(args.store, args.runs, args.points)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        json.dump({"times": found, "peak_mb": peak}, sys.stdout)
        return
    with tempfile.TemporaryDirectory() as folder:
        results = {who: run_apart(who, Path(folder), args) for who in ("reader", "client")}
    report(results, args)


def run_apart(who: str, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Measure in a fresh process, on a fresh store."""
    from core.tracking.tracker_client import Tracker

    store = folder / f"{who}.db"
    with Tracker.start(sys.executable) as tracker:
        tracker.init(f"sqlite:///{store}", str(folder))
    fill(store, args.runs, args.points)
    command = [sys.executable, __file__, "--measure", who, "--store", str(store)]
    command += ["--runs", str(args.runs), "--points", str(args.points)]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=1800, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def report(results: dict[str, dict[str, Any]], args: argparse.Namespace) -> None:
    """The table and the JSON file."""
    ours, theirs = results["reader"]["times"], results["client"]["times"]
    print(f"{'':26}{'our reader, ms':>20}{'MLflow client, ms':>24}{'ratio':>10}")
    print(f"{'':26}{'CPU':>10}{'wall':>10}{'CPU':>12}{'wall':>12}{'of CPU':>10}")
    for what, mine in ours.items():
        other = theirs[what]
        ratio = other["cpu_ms"] / max(mine["cpu_ms"], 0.001)
        print(
            f"{what:26}{mine['cpu_ms']:10.2f}{mine['wall_ms']:10.2f}"
            f"{other['cpu_ms']:12.1f}{other['wall_ms']:12.1f}{ratio:9.0f}x"
        )
    peaks = results["reader"]["peak_mb"], results["client"]["peak_mb"]
    print(f"{'peak memory, MB':26}{peaks[0]:10.0f}{'':10}{peaks[1]:12.0f}")
    args.json.parent.mkdir(parents=True, exist_ok=True)
    settings = {"runs": args.runs, "points": args.points, "python": sys.version.split()[0]}
    args.json.write_text(json.dumps({"settings": settings, **results}, indent=2) + "\n")
    print(f"written: {args.json}")


if __name__ == "__main__":
    main()
