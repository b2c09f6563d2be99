"""The lake beside plain Parquet files: write, append, read, filter, time travel, many commits.

    python benchmarks/lake.py [--rows 5000000] [--commits 1000] [--each 25] [--json FILE]

Tables have 20 columns. The peers are DuckDB and Polars on Parquet files in a folder, which have
neither versions nor safe appends by several writers: where they can't do a thing, it says so.
The sealed lake is the same with every file encrypted (age). The commits are of ten rows each,
while a process beside it keeps the dataset up as the worker does. Exits 1 where an answer is
wrong, an append is lost, or a commit at the end costs more CPU than its budget.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import duckdb  # noqa: E402
import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.compute as pc  # noqa: E402

from core.lake.encryption import make_key  # noqa: E402
from core.ops import Ops, open_ops  # noqa: E402

BUDGET_MS = 60.0
START = np.datetime64("2026-01-01T00:00:00", "us")
DAY = np.timedelta64(1, "D")
PICKED = ["id", "f3", "code"]

UPKEEP = """
import sys, time
from pathlib import Path
from core.lake.due import UpkeepDue
from core.ops import open_ops
due, busy = UpkeepDue(), 0.0
with open_ops(Path(sys.argv[1]), actor="opsdeck") as ops:
    print("ready", flush=True)
    at = time.time()
    while True:
        at += 15  # as if it were looked every 15 s, and time ran faster
        for name in due(ops.session, at):
            ops.data.keep_up(name)
        time.sleep(0.5)
"""

APPEND = """
import sys, time
from pathlib import Path
import pyarrow as pa
from core.ops import open_ops
root, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
with open_ops(root, actor="writer") as ops:
    ops.data.lake.resolve("many")
    print("ready", flush=True)
    sys.stdin.readline()
    for each in range(first, first + count):
        ops.data.lake.append("many", pa.table({"id": [each]}), by="writer")
"""


def made(rows: int, first: int = 0) -> pa.Table:
    """So many rows of 20 columns: an id, a time, a code, 5 counts and 12 measures."""
    chance = np.random.default_rng(first + 7)
    ids = np.arange(first, first + rows)
    columns: dict[str, Any] = {
        "id": ids,
        "at": START
        + (ids * (DAY.astype("timedelta64[us]").astype(int) // 20_000)).astype("m8[us]"),
        "code": pa.array(np.char.add("c", (ids % 97).astype(str))),
    }
    columns |= {f"n{each}": chance.integers(0, 1000, rows) for each in range(5)}
    columns |= {f"f{each}": chance.random(rows) for each in range(12)}
    return pa.table(columns)


class Timer:
    """Wall and CPU seconds of calls, by what was done and by whom."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, dict[str, float] | None]] = {}

    def time(self, what: str, who: str, call: Callable[[], Any]) -> Any:
        """Call it once, and keep what it cost."""
        begun, cpu = time.perf_counter(), time.process_time()
        answer = call()
        self.found.setdefault(what, {})[who] = {
            "wall_s": round(time.perf_counter() - begun, 3),
            "cpu_s": round(time.process_time() - cpu, 3),
        }
        return answer

    def none(self, what: str, who: str) -> None:
        """It cannot do that."""
        self.found.setdefault(what, {})[who] = None


def workspace(folder: Path, lake: dict[str, Any] | None = None) -> Ops:
    """A new workspace."""
    folder.mkdir(parents=True)
    (folder / "opsdeck.yaml").write_text(json.dumps({"name": folder.name, "lake": lake or {}}))
    return open_ops(folder, actor="bench")


def run_lake(timer: Timer, who: str, ops: Ops, table: pa.Table, more: pa.Table) -> dict[str, Any]:
    """The lake's round; returns what its answers sum up to."""
    lake, since = ops.data.lake, str(table.column("at")[len(table) // 50 * 49].as_py())
    where = f"at >= '{since.replace(' ', 'T')}'"
    lake.create("big", table.schema, owner="bench")
    first = timer.time("write", who, lambda: lake.append("big", table, by="bench"))
    timer.time("append a tenth", who, lambda: lake.append("big", more, by="bench"))
    whole = timer.time("read all", who, lambda: lake.read("big").read_all())
    part = timer.time(
        "3 columns, 2% by time",
        who,
        lambda: lake.read("big", columns=PICKED, where=where).read_all(),
    )
    old = timer.time("time travel: read all", who, lambda: lake.read("big", at=first.id).read_all())
    return answers(whole, part) | {"old": old.num_rows}


def answers(whole: pa.Table, part: pa.Table) -> dict[str, Any]:
    """What must be the same whoever reads."""
    return {
        "rows": whole.num_rows,
        "sum": int(pc.sum(whole.column("id")).as_py()),
        "part": part.num_rows,
        "part_sum": int(pc.sum(part.column("id")).as_py()) if part.num_rows else 0,
    }


def run_duckdb(timer: Timer, folder: Path, table: pa.Table, more: pa.Table) -> dict[str, Any]:
    """DuckDB on Parquet files in a folder."""
    who = "duckdb"
    folder.mkdir()
    con = duckdb.connect()
    since = table.column("at")[len(table) // 50 * 49].as_py()

    def write(rows: pa.Table, name: str) -> None:
        con.register("given", rows)
        con.execute(f"COPY given TO '{folder / name}' (FORMAT parquet, COMPRESSION zstd)")

    timer.time("write", who, lambda: write(table, "a.parquet"))
    timer.time("append a tenth", who, lambda: write(more, "b.parquet"))
    files = f"read_parquet('{folder}/*.parquet')"
    whole = timer.time("read all", who, lambda: con.sql(f"FROM {files}").to_arrow_table())
    part = timer.time(
        "3 columns, 2% by time",
        who,
        lambda: con.sql(
            f"SELECT {', '.join(PICKED)} FROM {files} WHERE \"at\" >= TIMESTAMP '{since}'"
        ).to_arrow_table(),
    )
    timer.none("time travel: read all", who)
    return answers(whole, part)


def run_polars(timer: Timer, folder: Path, table: pa.Table, more: pa.Table) -> dict[str, Any]:
    """Polars on Parquet files in a folder."""
    who = "polars"
    folder.mkdir()
    since = table.column("at")[len(table) // 50 * 49].as_py()
    first, second = pl.DataFrame(table), pl.DataFrame(more)
    timer.time("write", who, lambda: first.write_parquet(folder / "a.parquet"))
    timer.time("append a tenth", who, lambda: second.write_parquet(folder / "b.parquet"))
    whole = timer.time("read all", who, lambda: pl.read_parquet(folder / "*.parquet").to_arrow())
    part = timer.time(
        "3 columns, 2% by time",
        who,
        lambda: (
            pl.scan_parquet(folder / "*.parquet")
            .filter(pl.col("at") >= since)
            .select(PICKED)
            .collect()
            .to_arrow()
        ),
    )
    timer.none("time travel: read all", who)
    return answers(whole, part)


def helper(code: str, *args: object) -> subprocess.Popen[str]:
    """A Python process with this code, started and ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *(str(each) for each in args)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def run_commits(folder: Path, count: int) -> dict[str, Any]:
    """Many small commits, with a process beside that keeps the dataset up."""
    table = made(10)
    walls, cpus = [], []
    with workspace(folder) as ops:
        lake = ops.data.lake
        lake.create("many", table.schema, owner="bench")
        beside = helper(UPKEEP, folder)
        try:
            for _ in range(count):
                begun, cpu = time.perf_counter(), time.process_time()
                lake.append("many", table, by="bench")
                walls.append((time.perf_counter() - begun) * 1e3)
                cpus.append((time.process_time() - cpu) * 1e3)
        finally:
            beside.kill()
            beside.wait()
        found = ops.data.get("many")
    last = max(1, min(100, count // 2))
    return {
        "commits": count,
        "rows": found.rows,
        "live_versions": found.snapshots,
        "first_ms": round(statistics.median(walls[:last]), 1),
        "last_ms": round(statistics.median(walls[-last:]), 1),
        "last_p95_ms": round(sorted(walls[-last:])[int(last * 0.95)], 1),
        "first_cpu_ms": round(statistics.median(cpus[:last]), 1),
        "last_cpu_ms": round(statistics.median(cpus[-last:]), 1),
        "worst_hundred_cpu_ms": round(
            max(statistics.median(cpus[n : n + last]) for n in range(0, count, last)), 1
        ),
    }


def run_writers(folder: Path, each: int, writers: int = 4) -> dict[str, Any]:
    """Several processes that append at once; none may fail, nothing may be missing."""
    with workspace(folder) as ops:
        ops.data.lake.create("many", pa.schema([("id", pa.int64())]), owner="bench")
        processes = [helper(APPEND, folder, n * each, each) for n in range(writers)]
        begun = time.perf_counter()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        failed = sum(process.wait(timeout=600) != 0 for process in processes)
        took = time.perf_counter() - begun
        ids = ops.data.lake.read("many").read_all().column("id").to_pylist()
    return {
        "writers": writers,
        "appends": writers * each,
        "accepted": len(ids),
        "lost": writers * each - len(set(ids)),
        "failed_writers": failed,
        "wall_s": round(took, 2),
        "a_second": round(writers * each / took, 1),
    }


def print_table(found: dict[str, dict[str, dict[str, float] | None]]) -> None:
    """Wall (CPU) seconds."""
    names = ["lake", "sealed lake", "duckdb", "polars"]
    print(f"{'wall (CPU) seconds':26}" + "".join(f"{name:>18}" for name in names))
    for what, by in found.items():
        cells = []
        for name in names:
            cell = by.get(name)
            cells.append(
                "no way" if cell is None else f"{cell['wall_s']:.2f} ({cell['cpu_s']:.2f})"
            )
        print(f"{what:26}" + "".join(f"{cell:>18}" for cell in cells))


def main() -> int:
    """Run everything, print the tables, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--commits", type=int, default=1000)
    parser.add_argument("--each", type=int, default=25, help="Appends of each of 4 processes.")
    default = ROOT / "benchmarks" / "results" / "lake.json"
    parser.add_argument("--json", type=Path, default=default)
    args = parser.parse_args()
    timer = Timer()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table, more = made(args.rows), made(args.rows // 10, args.rows)
        print(f"{args.rows:,} rows of {table.num_columns} columns")
        make_key(folder / "key")
        sealed = {"encryption": {"key_file": str(folder / "key")}}
        with workspace(folder / "plain") as ops:
            given = {"lake": run_lake(timer, "lake", ops, table, more)}
        with workspace(folder / "sealed", sealed) as ops:
            given["sealed lake"] = run_lake(timer, "sealed lake", ops, table, more)
        given["duckdb"] = run_duckdb(timer, folder / "duckdb", table, more)
        given["polars"] = run_polars(timer, folder / "polars", table, more)
        del table, more
        print_table(timer.found)
        commits = run_commits(folder / "commits", args.commits)
        print(
            f"\n{commits['commits']} commits of 10 rows × 20 columns, kept up beside: the first"
            f" {commits['first_ms']} ms, the last {commits['last_ms']} ms (p95"
            f" {commits['last_p95_ms']}; CPU {commits['last_cpu_ms']}),"
            f" {commits['live_versions']} versions live"
        )
        writers = run_writers(folder / "writers", args.each)
        print(
            f"{writers['writers']} processes, {writers['appends']} appends at once:"
            f" {writers['accepted']} accepted, {writers['lost']} lost,"
            f" {writers['a_second']} a second"
        )
    results = {
        "rows": args.rows, "tasks": timer.found, "commits": commits, "writers": writers
    }  # fmt: skip
    args.json.parent.mkdir(exist_ok=True)
    args.json.write_text(json.dumps(results, indent=1) + "\n")
    return int(not well(given, commits, writers, args.rows))


def well(
    given: dict[str, dict[str, Any]], commits: dict[str, Any], writers: dict[str, Any], rows: int
) -> bool:
    """Whether all gave the same answers, nothing was lost, and commits keep to their budget."""
    same = len(
        {json.dumps({k: v for k, v in each.items() if k != "old"}) for each in given.values()}
    )
    problems = []
    if same != 1 or given["lake"]["old"] != rows:
        problems.append(f"the answers differ: {given}")
    if writers["lost"] or writers["failed_writers"] or commits["rows"] != commits["commits"] * 10:
        problems.append(f"appends were lost: {writers}")
    if commits["last_cpu_ms"] > BUDGET_MS:
        problems.append(f"a commit costs {commits['last_cpu_ms']} ms, over {BUDGET_MS}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return not problems


if __name__ == "__main__":
    sys.exit(main())
