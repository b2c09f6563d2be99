"""Drift of 1,000,000 × 50 and of 10,000 × 20 beside Evidently, NannyML and whylogs.

    python benchmarks/drift.py [--shape 1000000x50 --shape 10000x20] [--limit 900] [--no-rivals]
                               [--only NAME] [--json FILE]

A reference and a current file of the same size, Parquet, with 80 % numbers (some missing), 10 %
whole numbers and 10 % categories. Each way runs in a process of its own. Opsdeck has a stored
baseline, as its monitors have, and counts the current file as it is decoded (texts as codes into
a dictionary, which is how they are counted); told are its wall
and CPU seconds from opening the file to all numbers of all columns, the time of decoding that
file alone with the same reader and of `pyarrow.parquet.read_table`, and the most memory of the
process (imports included). The libraries get both files as pandas frames, which they want; their
time counts from the frames to the result, reading not included. Every way repeats `--repeat`
times and the fastest counts.

Evidently, NannyML and whylogs get environments of their own under `.cache/` beside this file,
which need a package index the first time. One that is not done after `--limit` seconds is ended.
Kolmogorov-Smirnov and Wasserstein distances of the first columns are compared with SciPy's on
the whole columns.

Exits 1 where ours differs from SciPy's by more than its own bounds say, takes more than twice
the time of decoding, is less than 20 times as fast as the fastest of the others at 1,000,000
rows, or takes 500 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
os.environ |= {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "NML_DISABLE_USAGE_LOGGING": "1",
}

TAIL = r"""
import re
peak = re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1]
said["rss_mb"] = int(peak) // 1024
open(sys.argv[3], "w").write(json.dumps(said))
"""

BASELINE = """
import json, pickle, sys, time
import pyarrow.parquet as pq
from core.drift.building import Plan, built
def read():
    return pq.ParquetFile(sys.argv[1], pre_buffer=False).iter_batches(65_536)
begun = time.perf_counter()
names = pq.ParquetFile(sys.argv[1]).schema_arrow.names
baseline, _ = built(read, Plan(tuple(names)))
said = {"wall_s": time.perf_counter() - begun}
pickle.dump(baseline.stored(), open(sys.argv[2], "wb"))
"""

OURS = """
import json, pickle, sys, time
import pyarrow.parquet as pq
from core.drift.baseline import restored
from core.drift.compare import compare
from core.drift.decide import Rule, judge
from core.drift.window import count_window
import scipy.special
baseline = restored(*pickle.load(open(sys.argv[2], "rb")))
coded = [each.name for each in baseline.columns if each.categories is not None]
def read():
    file = pq.ParquetFile(
        sys.argv[1], pre_buffer=False, buffer_size=65_536, read_dictionary=coded
    )
    return file.iter_batches(65_536)
said = {"wall_s": 1e9, "decode_s": 1e9, "decode_cpu_s": 1e9, "cpu_s": 1e9}
for _ in range(REPEAT):
    begun, cpu = time.perf_counter(), time.process_time()
    for batch in read():
        pass
    said["decode_s"] = min(said["decode_s"], time.perf_counter() - begun)
    said["decode_cpu_s"] = min(said["decode_cpu_s"], time.process_time() - cpu)
    begun, cpu = time.perf_counter(), time.process_time()
    found = compare(baseline, count_window(baseline, read()))
    judge(found, Rule(), {})
    said["wall_s"] = min(said["wall_s"], time.perf_counter() - begun)
    said["cpu_s"] = min(said["cpu_s"], time.process_time() - cpu)
said["numbers"] = {
    each.name: [each.values.get("ks"), each.low, each.high, each.values.get("wasserstein")]
    for each in found
}
"""

DECODE = """
import json, sys, time
import pyarrow.parquet as pq
said = {"wall_s": 1e9}
for _ in range(REPEAT):
    begun = time.perf_counter()
    pq.read_table(sys.argv[1])
    said["wall_s"] = min(said["wall_s"], time.perf_counter() - begun)
"""

RIVALS = {
    "evidently": """
import json, sys, time
import pandas as pd
from evidently import Report, Dataset, DataDefinition
from evidently.presets import DataDriftPreset
now, then = pd.read_parquet(sys.argv[1]), pd.read_parquet(sys.argv[2])
said = {"wall_s": 1e9}
for _ in range(REPEAT):
    begun = time.perf_counter()
    one, two = (Dataset.from_pandas(each, DataDefinition()) for each in (now, then))
    found = Report([DataDriftPreset()]).run(one, two)
    found.dict()
    said["wall_s"] = min(said["wall_s"], time.perf_counter() - begun)
""",
    "nannyml": """
import json, sys, time
import pandas as pd
import nannyml as nml
now, then = pd.read_parquet(sys.argv[1]), pd.read_parquet(sys.argv[2])
categories = [name for name in now.columns if name.startswith("c")]
said = {"wall_s": 1e9}
calculator = nml.UnivariateDriftCalculator(
    column_names=list(now.columns), treat_as_categorical=categories, chunk_number=1,
    continuous_methods=["kolmogorov_smirnov", "wasserstein", "jensen_shannon"],
    categorical_methods=["chi2", "jensen_shannon", "l_infinity"],
)
begun = time.perf_counter()
calculator.fit(then)
said["fit_s"] = time.perf_counter() - begun
for _ in range(REPEAT):
    begun = time.perf_counter()
    calculator.calculate(now).to_df()
    said["wall_s"] = min(said["wall_s"], time.perf_counter() - begun)
""",
    "whylogs": """
import json, sys, time
import pandas as pd
import whylogs as why
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores
now, then = pd.read_parquet(sys.argv[1]), pd.read_parquet(sys.argv[2])
said = {"wall_s": 1e9}
begun = time.perf_counter()
reference = why.log(then).view()
said["fit_s"] = time.perf_counter() - begun
for _ in range(REPEAT):
    begun = time.perf_counter()
    target = why.log(now).view()
    calculate_drift_scores(target_view=target, reference_view=reference, with_thresholds=True)
    said["wall_s"] = min(said["wall_s"], time.perf_counter() - begun)
""",
}


def fill(path: Path, rows: int, columns: int, seed: int, shift: float) -> None:
    """A file of rows."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    draws = np.random.default_rng(seed)
    codes = np.array(["north", "south", "east", "west", "abroad"])
    made: dict[str, Any] = {}
    for i in range(columns):
        kind = i % 10
        if kind < 8:
            values = draws.normal(shift, 1 + i, rows) if kind % 2 else draws.gamma(2, 1 + i, rows)
            mask = draws.random(rows) < 0.01 if kind == 7 else None
            made[f"n{i}"] = pa.array(values, mask=mask)
        elif kind == 8:
            made[f"i{i}"] = pa.array(draws.integers(0, 1000, rows))
        else:
            made[f"c{i}"] = pa.array(draws.choice(codes, rows))
    pq.write_table(pa.table(made), path, row_group_size=100_000)


def environment(name: str) -> Path:
    """The interpreter of a library's own environment, made if need be."""
    folder = HERE / ".cache" / name
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
        print(f"   installing {name} …", file=sys.stderr, flush=True)
        subprocess.run(
            [uv, "venv", "-q", "--clear", "--python", sys.executable, folder], check=True
        )
        wanted = ["-r", str(HERE / "rivals" / f"{name}.txt")]
        subprocess.run([uv, "pip", "install", "-q", "--python", python, *wanted], check=True)
        (folder / ".ready").touch()
    return python


def ran(
    code: str, python: Path, one: Path, two: Path, out: Path, repeat: int, limit: float
) -> dict[str, Any] | None:
    """Run code in a process of its own; None where it was not done in time."""
    own = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" if python == Path(sys.executable) else ""
    )
    text = own + code.replace("REPEAT", str(repeat)) + TAIL
    out.unlink(missing_ok=True)
    try:
        done = subprocess.run(
            [python, "-W", "ignore", "-c", text, one, two, out],
            capture_output=True, text=True, timeout=limit, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1][:200]}
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def against_scipy(one: Path, two: Path, numbers: dict[str, Any], most: int = 6) -> list[str]:
    """Where our distances are not SciPy's: KS by more than the bounds that it states itself,
    Wasserstein by more than 0.1 %
    of the column's deviation."""
    import pyarrow.parquet as pq
    from scipy import stats

    told = []
    for name in [name for name in numbers if name[0] in "ni"][:most]:
        now, then = (
            pq.read_table(each, columns=[name]).column(0).drop_null().to_numpy()
            for each in (one, two)
        )
        ks = stats.ks_2samp(then, now, method="asymp").statistic
        area = stats.wasserstein_distance(then, now)
        value, low, high, ours = numbers[name]
        if not low - 1e-12 <= ks <= high + 1e-12 or abs(value - ks) > 1e-3:
            told.append(f"{name}: KS {value} ({low} to {high}), SciPy's {ks}")
        if abs(ours - area) > 1e-3 * then.std():
            told.append(f"{name}: Wasserstein {ours}, SciPy's {area}")
    return told


def measured(shape: str, args: argparse.Namespace) -> dict[str, Any]:
    """All ways at one size."""
    rows, columns = (int(each) for each in shape.split("x"))
    here = Path(sys.executable)
    print(f"   {shape} …", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        now, then, stored = folder / "now.parquet", folder / "then.parquet", folder / "baseline"
        fill(then, rows, columns, 1, 0.0)
        fill(now, rows, columns, 2, 0.1)
        out = folder / "said.json"
        made = ran(BASELINE, here, then, stored, out, 1, args.limit) or {}
        ours = ran(OURS, here, now, stored, out, args.repeat, args.limit) or {}
        decode = ran(DECODE, here, now, then, out, args.repeat, args.limit) or {}
        result = {
            "shape": shape, "baseline_s": made.get("wall_s"), "read_table_s": decode["wall_s"],
            "decode_s": ours["decode_s"], "ways": {"opsdeck": ours},
            "differs": against_scipy(now, then, ours["numbers"]),
        }  # fmt: skip
        repeat = args.repeat if rows <= 100_000 else 1
        for name, code in RIVALS.items():
            if args.no_rivals or (args.only and name not in args.only):
                continue
            print(f"   {name} …", file=sys.stderr, flush=True)
            result["ways"][name] = ran(code, environment(name), now, then, out, repeat, args.limit)
    return result


def report(result: dict[str, Any]) -> list[str]:
    """Print one size's table; what was missed."""
    ways, ours = result["ways"], result["ways"]["opsdeck"]
    print(f"\n{result['shape']}: {'':<12}{'wall s':>10}{'x ours':>9}{'MB':>8}")
    for name, said in ways.items():
        if said is None or "failed" in said:
            print(f"{name:<24}  {said['failed'] if said else 'not done in time'}")
            continue
        print(f"{name:<24}{said['wall_s']:>10.3f}{said['wall_s'] / ours['wall_s']:>9.1f}"
              f"{said['rss_mb']:>8,}")  # fmt: skip
    print(f"{'decoding, same reader':<24}{result['decode_s']:>10.3f}")
    print(f"{'decoding, read_table':<24}{result['read_table_s']:>10.3f}")
    print(f"baseline made in {result['baseline_s']:.2f} s; CPU {ours['cpu_s']:.2f} s, of which "
          f"decoding {ours['decode_cpu_s']:.2f}")  # fmt: skip
    missed = [f"differs from SciPy: {each}" for each in result["differs"]]
    if int(result["shape"].split("x")[0]) >= 1_000_000:
        others = [
            said["wall_s"]
            for name, said in ways.items()
            if said and "wall_s" in said and name != "opsdeck"
        ]
        if ours["wall_s"] > 2 * result["read_table_s"]:
            missed.append(f"{ours['wall_s'] / result['read_table_s']:.1f} times decoding")
        if others and min(others) < 20 * ours["wall_s"]:
            missed.append(f"only {min(others) / ours['wall_s']:.1f} times as fast as the fastest")
        if ours["rss_mb"] >= 500:
            missed.append(f"{ours['rss_mb']} MB")
    return [f"{result['shape']}: {each}" for each in missed]


def main() -> int:
    """Measure all sizes; exit 1 where a goal was missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", action="append")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--limit", type=float, default=900, help="seconds for each")
    parser.add_argument("--no-rivals", action="store_true")
    parser.add_argument("--only", action="append", choices=list(RIVALS))
    parser.add_argument("--json", type=Path, default=HERE / "results" / "drift.json")
    args = parser.parse_args()
    results = [measured(shape, args) for shape in args.shape or ["1000000x50", "10000x20"]]
    missed = [each for result in results for each in report(result)]
    for each in missed:
        print(f"missed: {each}", file=sys.stderr)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps({"results": results, "missed": missed}, indent=1) + "\n")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
