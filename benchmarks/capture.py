"""A capture of a million requests: writing, listing the newest, merging labels, exporting.

    python benchmarks/capture.py [--rows 1000000] [--json FILE]

The parts are written as servers write them (5,000 requests each, two variants). Each reader
runs in a process of its own, from the interpreter's start to its end: wall and CPU seconds and
the most memory it took. Exits 1 where listing the newest 50 takes longer than its budget.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from core.serving.folder import EndpointFolder  # noqa: E402
from core.serving.process.capture import Capture, Captured  # noqa: E402
from core.serving.process.parts import list_parts, write_part  # noqa: E402

START = 1_760_011_200.0
PART = 5_000
RATE = 100.0  # requests a second
BUDGET_SECONDS = 1.0
BUDGET_MB = 300
COLUMNS = ["hour", "temp", "hum", "wind", "holiday"]


def request(number: int, shuffle: random.Random) -> Captured:
    """One request with five columns."""
    row = [number % 24, shuffle.random(), shuffle.random(), shuffle.random(), number % 7 == 0]
    return Captured(
        inference_id=f"{shuffle.getrandbits(128):032x}",
        at=START + number / RATE,
        revision=1 + (number % 10 == 0),
        status=500 if number % 1000 == 999 else 200,
        milliseconds=1.0 + shuffle.random(),
        inputs=lambda: {"dataframe_split": {"columns": COLUMNS, "data": [row]}},
        outputs=[100 * row[1]],
        size=120,
        model="demand",
        version=1,
        content_type="application/json",
    )


def fill(folder: Path, rows: int) -> list[str]:
    """Write the parts; some inference ids to label."""
    shuffle = random.Random(7)
    ids: list[str] = []
    for start in range(0, rows, PART):
        items = [request(n, shuffle) for n in range(start, min(start + PART, rows))]
        ids += [item.inference_id for item in items[:: max(1, rows // 100_000)]]
        day = time.strftime("%Y-%m-%d", time.gmtime(items[0].at))
        written = int(items[-1].at * 1e9) + 1
        for revision in (1, 2):
            part = [item for item in items if item.revision == revision]
            path = write_part(folder / f"date={day}" / f"variant=r{revision}", part)
            _, _, tail = path.name.removeprefix("part-").partition("-")
            path.rename(path.with_name(f"part-{written:x}-{tail}"))
    return ids


def adding(rows: int = 200_000) -> float:
    """Microseconds a request for the event loop."""
    with tempfile.TemporaryDirectory() as name:
        capture = Capture(Path(name))
        item = request(1, random.Random(1))
        capture.add(item)
        taken = 0.0
        for _ in range(rows // 1000):
            begun = time.perf_counter()
            for _ in range(1000):
                if capture.wants(item.inference_id):
                    capture.add(item)
            taken += time.perf_counter() - begun
            while len(capture._queue) > 20_000:
                time.sleep(0.01)
        capture.close(30)
    return taken / rows * 1e6


def measured(code: str) -> dict[str, float]:
    """Run Python code in a process of its own."""
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"
    begun = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    read = (  # ru_maxrss would begin with what this process has
        "\nimport re\nstatus = Path('/proc/self/status').read_text()"
        "\nprint(re.search(r'VmHWM:\\s+(\\d+)', status)[1], 'pandas' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script + read],
        capture_output=True,
        text=True,
        timeout=900,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    memory, pandas = done.stdout.split()[-2:]
    if pandas == "True":
        print("  (pandas was imported)", file=sys.stderr)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "wall_s": round(time.perf_counter() - begun, 2),
        "cpu_s": round(cpu, 2),
        "rss_mb": round(int(memory) / 1024),
    }


def tasks(folder: Path, out: Path, label_file: Path) -> dict[str, str]:
    """What is measured, as code."""
    head = (
        f"from pathlib import Path\nfolder = Path({str(folder)!r})\n"
        "from core.domain.capture import CaptureFilter, CaptureFormat\n"
    )
    reader = head + "from core.capture.reader import newest\n"
    merge = head + "from core.capture.merge import merge_new\n"
    export = head + "from core.capture.export import export\n"
    target = f"Path({str(out)!r})"
    return {
        "newest 50": reader + "assert len(newest(folder / 'capture', CaptureFilter(), 50)) == 50",
        "newest 50 of the canary": reader
        + "assert len(newest(folder / 'capture', CaptureFilter(variant='r2'), 50)) == 50",
        "newest 50 errors": reader
        + "assert len(newest(folder / 'capture', CaptureFilter(status_low=500), 50)) == 50",
        "one inference id, not there": reader
        + "assert not newest(folder / 'capture', CaptureFilter(inference_id='x'), 50)",
        "take 100,000 labels in": merge
        + "from core.capture.labelfile import read_labels\n"
        + "from core.capture.labels import store_labels\n"
        + f"store_labels(folder, read_labels(Path({str(label_file)!r})))\n"
        + "assert merge_new(folder).matched",
        "merge again, nothing new": merge + "assert not merge_new(folder).matched",
        "coverage by variant": head
        + "from core.capture.quality import coverage\nassert coverage(folder, 'demand').arms",
        "export to Parquet": export
        + f"export(folder, 'demand', {target}, CaptureFormat.PARQUET, CaptureFilter())",
        "export to SageMaker's JSON": export
        + f"export(folder, 'demand', {target}, CaptureFormat.SAGEMAKER, CaptureFilter())",
    }


def main() -> int:
    """Run everything, print the table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    default = ROOT / "benchmarks" / "results" / "capture.json"
    parser.add_argument("--json", type=Path, default=default)
    args = parser.parse_args()
    results: dict[str, Any] = {"rows": args.rows}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "demand"
        capture = EndpointFolder(folder).capture
        begun = time.process_time()
        ids = fill(capture, args.rows)
        results["write_us"] = round((time.process_time() - begun) / args.rows * 1e6, 1)
        parts = list_parts(capture)
        results["bytes_each"] = round(sum(part.size for part in parts) / args.rows)
        results["add_us"] = round(adding(), 2)
        labels = Path(name) / "labels.csv"
        labels.write_text("inference_id,label\n" + "".join(f"{i},50\n" for i in ids))
        print(
            f"{args.rows:,} requests in {len(parts)} parts, {results['bytes_each']} bytes each;"
            f" {results['write_us']} µs of CPU to make and write one, {results['add_us']} µs of"
            " the event loop"
        )
        print(f"{'':32}{'wall s':>8}{'CPU s':>8}{'MB':>7}")
        for task, code in tasks(folder, Path(name) / "out", labels).items():
            found = results[task] = measured(code)
            print(f"{task:32}{found['wall_s']:8.2f}{found['cpu_s']:8.2f}{found['rss_mb']:7.0f}")
            shutil.rmtree(Path(name) / "out", ignore_errors=True)
    args.json.parent.mkdir(exist_ok=True)
    args.json.write_text(json.dumps(results, indent=1) + "\n")
    late = results["newest 50"]["cpu_s"] > BUDGET_SECONDS
    large = any(isinstance(v, dict) and v["rss_mb"] > BUDGET_MB for v in results.values())
    if late or large:
        print(f"over budget: {BUDGET_SECONDS} s of CPU, {BUDGET_MB} MB", file=sys.stderr)
    return int(late or large)


if __name__ == "__main__":
    sys.exit(main())
