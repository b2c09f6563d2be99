"""A thousand rollbacks under load, and what a kill costs.

`python benchmarks/rollbacks.py [--json FILE] [--count 1000]`. `wrk` keeps 64 connections busy
on a real endpoint while its traffic is split and rolled back over and over, with one server
process and with two; then the server process is killed under load and the time until the next
answer measured. Exits 1 where a request failed in a rollback, the median to the last server's
acknowledgement is 5 ms or more, or a kill took 2 s or more.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.serving import BODY, save_models
from core.serving import EndpointControl
from core.serving.config import EndpointConfig

HERE = Path(__file__).resolve().parent
BUDGET_MS, BACK_SECONDS = 5.0, 2.0
KILLS = 5


class Load:
    """`wrk` at work in the background, until it is stopped."""

    def __init__(self, port: int, folder: Path) -> None:
        script = folder / "post.lua"
        script.write_text(
            f"wrk.method = 'POST'\nwrk.body = [==[{BODY.decode()}]==]\n"
            "wrk.headers['Content-Type'] = 'application/json'\n"
        )
        url = f"http://127.0.0.1:{port}/invocations"
        self._process = subprocess.Popen(
            ["wrk", "-t1", "-c64", "-d600s", "-s", str(script), url],
            stdout=subprocess.PIPE,
            text=True,
        )
        time.sleep(1)

    def stop(self) -> tuple[int, int]:
        """End it; how many requests it made and how many of them failed."""
        self._process.send_signal(signal.SIGINT)
        text, _ = self._process.communicate(timeout=30)
        made = re.search(r"(\d+) requests in", text)
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        lost = re.search(
            r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text
        )
        failed = (int(bad[1]) if bad else 0) + (sum(map(int, lost.groups())) if lost else 0)
        return int(made[1]) if made else 0, failed


def endpoint(folder: Path, models: list[Path], servers: int) -> EndpointControl:
    """An endpoint with both models loaded and so many server processes."""
    EndpointConfig(min_servers=servers, max_servers=servers, capture_rate=0.1).write(folder)
    control = EndpointControl(folder)
    control.ensure_running("bench")
    for revision, path in enumerate(models, start=1):
        control.load(revision, path, path.name, 1)
    control.set_table({1: 100.0})
    deadline = time.monotonic() + 60
    while len(control.status().servers) < servers and time.monotonic() < deadline:
        time.sleep(0.1)
    return control


def rollbacks(control: EndpointControl, folder: Path, count: int) -> dict[str, Any]:
    """Split the traffic and roll it back, so many times, under load."""
    info = control.info()
    assert info is not None
    load = Load(info.port, folder)
    took, counted = [], 0
    for _ in range(count):
        control.set_table({1: 80.0, 2: 20.0})
        report = control.rollback(1, "benchmark")
        took.append(report.milliseconds_to_swap)
        counted += report.requests_failed
    made, failed = load.stop()
    took.sort()
    return {
        "servers": len(control.status().servers),
        "rollbacks": count,
        "requests": made,
        "failed_at_client": failed,
        "failed_by_receipts": counted,
        "median_ms": statistics.median(took),
        "p99_ms": took[int(0.99 * len(took))],
        "worst_ms": took[-1],
    }


def killed(control: EndpointControl, folder: Path) -> float:
    """Kill a server process under load; seconds until the fleet is whole again and a new
    connection is answered. The first crash: after more within a minute it waits longer."""
    info = control.info()
    assert info is not None and info.server_pid is not None
    wanted = len(control.status().servers)
    load = Load(info.port, folder)
    os.kill(info.server_pid, signal.SIGKILL)
    begun = time.perf_counter()
    while not _whole(control, info.server_pid, wanted):
        time.sleep(0.01)
    control.invoke(BODY)
    took = time.perf_counter() - begun
    load.stop()
    return took


def kill_one(root: Path, models: list[Path], servers: int, trial: int) -> float:
    """`killed` on an endpoint of its own."""
    folder = root / f"kill{servers}-{trial}"
    control = endpoint(folder, models, servers)
    try:
        return killed(control, folder)
    finally:
        control.stop()


def _whole(control: EndpointControl, dead: int, wanted: int) -> bool:
    servers = [server.pid for server in control.status().servers]
    return dead not in servers and len(servers) >= wanted


def main() -> int:
    """Run it all, print the table, write the JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, default=HERE / "results" / "rollbacks.json")
    parser.add_argument("--count", type=int, default=1000)
    args = parser.parse_args()
    if shutil.which("wrk") is None:
        print("this benchmark needs wrk (Debian package wrk)", file=sys.stderr)
        return 2
    rows, back = [], []
    with tempfile.TemporaryDirectory() as scratch:
        models = save_models(Path(scratch))
        for servers in (1, 2):
            folder = Path(scratch) / f"bench{servers}"
            control = endpoint(folder, models, servers)
            try:
                rows.append(rollbacks(control, folder, args.count))
            finally:
                control.stop()
            took = [kill_one(Path(scratch), models, servers, trial) for trial in range(KILLS)]
            times = {"median_s": statistics.median(took), "worst_s": max(took)}
            back.append({"servers": servers, "kills": KILLS, **times})
    print(
        f"{'servers':>8}{'rollbacks':>11}{'requests':>10}{'failed':>8}{'median ms':>11}{'p99':>8}"
    )
    for row in rows:
        print(
            f"{row['servers']:>8}{row['rollbacks']:>11}{row['requests']:>10,}"
            f"{row['failed_at_client']:>8}{row['median_ms']:>11.2f}{row['p99_ms']:>8.2f}"
        )
    for row in back:
        print(
            f"{row['kills']} kills with {row['servers']} server(s): whole again after "
            f"{row['median_s']:.2f} s (median), {row['worst_s']:.2f} s (worst)"
        )
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps({"rollbacks": rows, "kills": back}, indent=1) + "\n")
    good = all(r["failed_at_client"] == 0 and r["median_ms"] < BUDGET_MS for r in rows)
    return 0 if good and all(row["worst_s"] < BACK_SECONDS for row in back) else 1


if __name__ == "__main__":
    sys.exit(main())
