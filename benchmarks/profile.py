"""A profile of a million rows of 50 columns, beside a profiling library and DuckDB's SUMMARIZE.

    python benchmarks/profile.py [--rows 1000000] [--columns 50] [--json FILE] [--limit 600]

All read the same Parquet file (numbers with missing values, whole numbers, categories, names,
flags, times), each in a process of its own, from the interpreter's start to its end: wall and
CPU seconds, and the most memory it took. ydata-profiling, as it comes and with `minimal=True`
(no correlations, no duplicates), gets a virtual environment of its own under `.cache/` beside
this file, for it wants older libraries; the first time that needs a package index. One that is
not done after `--limit` seconds is ended, and told so. What the profiles say of means, missing
and distinct values is compared.

Exits 1 where ours takes more than half of the fastest run of the library, or differs from it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))
os.environ |= {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "YDATA_PROFILING_NO_ANALYTICS": "True",
}

OURS = """
import json, sys
import pyarrow.parquet as pq
from core.explore.frames import frame_schema, frames
from core.explore.profiling import Profiler, in_parts
file = pq.ParquetFile(sys.argv[1])
profiler = Profiler("bench", frame_schema(file.schema_arrow))
for part in in_parts(frames(file.iter_batches(65_536))):
    profiler.add(part)
found = profiler.finish()
told = {
    c.name: [c.missing, c.distinct, c.number.mean if c.number else None] for c in found.columns
}
open(sys.argv[2], "w").write(json.dumps(told))
"""
YDATA = """
import json, sys
import pandas as pd
from ydata_profiling import ProfileReport
frame = pd.read_parquet(sys.argv[1])
report = ProfileReport(frame, minimal=MINIMAL, progress_bar=False)
found = report.get_description().variables
told = {
    name: [
        int(v["n_missing"]),
        int(v["n_distinct"]),
        float(v["mean"]) if v.get("type") == "Numeric" else None,
    ]
    for name, v in found.items()
}
open(sys.argv[2], "w").write(json.dumps(told))
"""
DUCK = """
import sys, duckdb
duckdb.sql(f"SUMMARIZE SELECT * FROM '{sys.argv[1]}'").fetchall()
"""


def fill(path: Path, rows: int, columns: int) -> None:
    """The file: 40 % numbers, 20 % whole numbers, 20 % texts, 10 % flags, 10 % times."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    draws = np.random.default_rng(7)
    names = np.array([f"customer {i:05d}" for i in range(20_000)])
    codes = np.array(["north", "south", "east", "west", "abroad"])
    start = np.datetime64("2020-01-01T00:00:00", "us")
    made: dict[str, Any] = {}
    for i in range(columns):
        kind = i % 10
        if kind < 4:
            values = draws.normal(100 * kind, 10 + i, rows) if kind % 2 else draws.gamma(2, 9, rows)
            made[f"number_{i}"] = pa.array(values, mask=draws.random(rows) < 0.02 * kind)
        elif kind < 6:
            made[f"whole_{i}"] = pa.array(draws.integers(0, 10 ** (1 + i % 4), rows))
        elif kind == 6:
            made[f"code_{i}"] = pa.array(draws.choice(codes, rows))
        elif kind == 7:
            made[f"name_{i}"] = pa.array(draws.choice(names, rows))
        elif kind == 8:
            made[f"flag_{i}"] = pa.array(draws.random(rows) < 0.3)
        else:
            seconds = np.sort(draws.choice(rows * 2, rows, replace=False))
            made[f"time_{i}"] = pa.array(start + seconds.astype("timedelta64[s]"))
    pq.write_table(pa.table(made), path, row_group_size=100_000)


def environment() -> Path:
    """The interpreter of the library's own virtual environment, made if need be."""
    folder = HERE / ".cache" / "profiling"
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
        print("   installing ydata-profiling …", file=sys.stderr, flush=True)
        subprocess.run(
            [uv, "venv", "-q", "--clear", "--python", sys.executable, folder], check=True
        )
        wanted = ["-r", str(HERE / "rivals" / "profiling.txt")]
        subprocess.run([uv, "pip", "install", "-q", "--python", python, *wanted], check=True)
        (folder / ".ready").touch()
    return python


def measured(
    name: str, python: Path, code: str, data: Path, out: Path, limit: float
) -> dict[str, Any]:
    """Run code in a process of its own."""
    head = (
        "" if python != Path(sys.executable) else f"import sys; sys.path.insert(0, {str(ROOT)!r})"
    )
    tail = (
        "\nimport re\nprint(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
    )
    begun = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [python, "-W", "ignore", "-c", f"{head}\n{code}{tail}", data, out]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {"name": name, "wall_s": None, "limit_s": limit}
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "name": name,
        "wall_s": round(time.perf_counter() - begun, 2),
        "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        "rss_mb": round(int(done.stdout.split()[-1]) / 1024),
    }


def differences(ours: Path, theirs: Path) -> list[str]:
    """Where two profiles say different things of the same column."""
    one, two = json.loads(ours.read_text()), json.loads(theirs.read_text())
    told = []
    for name, (missing, distinct, mean) in one.items():
        other = two.get(name)
        if other is None:
            told.append(f"{name}: not in the other")
            continue
        if missing != other[0] or distinct != other[1]:
            told.append(f"{name}: missing {missing}, distinct {distinct}; theirs {other[:2]}")
        if None not in (mean, other[2]) and not math.isclose(mean, other[2], rel_tol=1e-9):
            told.append(f"{name}: mean {mean}; theirs {other[2]}")
    return told


def main() -> int:
    """Measure all in turn; exit 1 where a goal was missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--limit", type=float, default=600, help="seconds for each")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "profile.json")
    args = parser.parse_args()
    rival = environment()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        data = folder / "data.parquet"
        fill(data, args.rows, args.columns)
        here = Path(sys.executable)
        runs = [
            ("opsdeck", here, OURS),
            ("ydata-profiling, minimal", rival, YDATA.replace("MINIMAL", "True")),
            ("ydata-profiling", rival, YDATA.replace("MINIMAL", "False")),
            ("DuckDB SUMMARIZE (approximate)", here, DUCK),
        ]
        for number, (name, python, code) in enumerate(runs):
            out = folder / f"{number}.json"
            rows.append(measured(name, python, code, data, out, args.limit))
        answered = [n for n in (1, 2) if (folder / f"{n}.json").exists()]
        differ = [
            each for n in answered for each in differences(folder / "0.json", folder / f"{n}.json")
        ]
    report(args.rows, args.columns, rows)
    missed = [f"differs: {each}" for each in differ[:10]]
    walls = [row["wall_s"] for row in rows[1:3] if row["wall_s"] is not None]
    if walls and rows[0]["wall_s"] > min(walls) / 2:
        missed.append("ours took more than half of the library's time")
    for each in missed:
        print(f"missed: {each}", file=sys.stderr)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    body = {"rows": args.rows, "columns": args.columns, "runs": rows, "missed": missed}
    args.json.write_text(json.dumps(body, indent=2) + "\n")
    return int(bool(missed))


def report(count: int, columns: int, rows: list[dict[str, Any]]) -> None:
    """Print the table, with how many times as long each took as ours."""
    print(f"profile of {count:,} rows of {columns} columns")
    print(f"{'':<32}{'wall s':>9}{'x ours':>9}{'CPU s':>9}{'MB':>8}")
    base = rows[0]["wall_s"]
    for row in rows:
        if row["wall_s"] is None:
            print(f"{row['name']:<32}   not done after {row['limit_s']:.0f} s")
            continue
        ratio = row["wall_s"] / base
        print(
            f"{row['name']:<32}{row['wall_s']:>9.1f}{ratio:>9.1f}"
            f"{row['cpu_s']:>9.1f}{row['rss_mb']:>8,}"
        )


if __name__ == "__main__":
    sys.exit(main())
