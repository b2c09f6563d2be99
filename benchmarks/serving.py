"""How fast an endpoint answers, what a request costs, and how long a change of table takes.

`python benchmarks/serving.py [--json FILE] [--seconds 5]`. Single-row requests to a gradient
boosting model on a real endpoint, over keep-alive connections from one client process. CPU a
request is the server process's own; wall figures share the machine with the client.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}

import uvloop

from core.serving import EndpointControl

COLUMNS = ["hour", "temp", "hum"]
BODY = json.dumps({"dataframe_split": {"columns": COLUMNS, "data": [[8, 0.5, 0.25]]}}).encode()
REQUEST = (
    b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)


class Client(asyncio.Protocol):
    """One connection that sends the next request when it has the answer to the last."""

    def __init__(self, until: float, seconds: list[float], failures: list[bytes]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._until, self._seconds, self._failures = until, seconds, failures
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < size:
            return
        self._seconds.append(time.perf_counter() - self._sent)
        if not head.startswith(b"HTTP/1.1 200"):
            self._failures.append(head)
        self._buffer = b""
        if time.perf_counter() < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        if time.perf_counter() < self._until:
            self._failures.append(b"connection lost")
        self.done.set_result(None)


async def drive(port: int, connections: int, seconds: float) -> tuple[list[float], list[bytes]]:
    """Latencies and failures of so many connections over so many seconds."""
    loop = asyncio.get_running_loop()
    taken: list[float] = []
    failures: list[bytes] = []
    until = time.perf_counter() + seconds
    clients = [
        (await loop.create_connection(lambda: Client(until, taken, failures), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(client.done for client in clients))
    return taken, failures


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def save_models(root: Path) -> list[Path]:
    """Two small models."""
    import mlflow.sklearn
    import numpy as np
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import LinearRegression

    rng = np.random.default_rng(1)
    x = pd.DataFrame(rng.random((2000, 3)), columns=COLUMNS)
    y = x.hour * 3 + x.temp
    saved = []
    for name, model in (
        ("boosting", HistGradientBoostingRegressor()),
        ("linear", LinearRegression()),
    ):
        mlflow.sklearn.save_model(
            model.fit(x, y),
            root / name,
            signature=infer_signature(x, y),
            input_example=x.head(3),
            pip_requirements=["scikit-learn"],
            serialization_format="cloudpickle",
        )
        saved.append(root / name)
    return saved


def throughput(control: EndpointControl, connections: int, seconds: float) -> dict[str, Any]:
    """One line of the table."""
    info = control.info()
    assert info is not None and info.server_pid is not None
    uvloop.run(drive(info.port, connections, 0.5))
    before = cpu_seconds(info.server_pid)
    begun = time.perf_counter()
    taken, failures = uvloop.run(drive(info.port, connections, seconds))
    wall = time.perf_counter() - begun
    used = cpu_seconds(info.server_pid) - before
    taken.sort()
    return {
        "connections": connections,
        "requests": len(taken),
        "failed": len(failures),
        "rps": len(taken) / wall,
        "p50_ms": taken[len(taken) // 2] * 1000,
        "p99_ms": taken[int(len(taken) * 0.99)] * 1000,
        "cpu_us": used / len(taken) * 1e6,
    }


def swaps(control: EndpointControl, count: int) -> dict[str, Any]:
    """Rollbacks while 16 connections are busy."""
    info = control.info()
    assert info is not None
    result: list[tuple[list[float], list[bytes]]] = []
    seconds = 6.0
    busy = threading.Thread(target=lambda: result.append(uvloop.run(drive(info.port, 16, seconds))))
    busy.start()
    time.sleep(0.5)
    took, failed = [], 0
    for _ in range(count):
        control.set_table({1: 80, 2: 20})
        receipt = control.rollback(1, "benchmark")
        took.append(receipt.milliseconds_to_swap)
        failed += receipt.requests_failed
    busy.join()
    taken, failures = result[0]
    return {
        "rollbacks": count,
        "requests": len(taken),
        "failed": failed + len(failures),
        "swap_ms_median": statistics.median(took),
        "swap_ms_max": max(took),
    }


def main() -> int:
    """Run it all, print the table, write the JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/serving.json"))
    parser.add_argument("--seconds", type=float, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        control = EndpointControl(root / "bench")
        lines = []
        try:
            control.ensure_running("bench")
            for revision, path in enumerate(save_models(root), start=1):
                control.load(revision, path, path.name, 1)
            for revision, name in ((1, "boosting"), (2, "linear")):
                control.set_table({revision: 100})
                for connections in (16, 64):
                    line = throughput(control, connections, args.seconds)
                    lines.append({"model": name, **line})
            control.set_table({1: 100})
            change = swaps(control, 100)
            capture = control.stats().capture
        finally:
            control.stop()
    print(
        f"{'model':10}{'conns':>6}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'CPU µs':>8}{'failed':>8}"
    )
    for line in lines:
        print(
            f"{line['model']:10}{line['connections']:6}{line['rps']:9.0f}{line['p50_ms']:9.2f}"
            f"{line['p99_ms']:9.2f}{line['cpu_us']:8.0f}{line['failed']:8}"
        )
    print(
        f"{change['rollbacks']} rollbacks during {change['requests']} requests: "
        f"{change['failed']} failed, median {change['swap_ms_median']:.2f} ms, "
        f"worst {change['swap_ms_max']:.1f} ms; captured {capture.written}, "
        f"dropped {capture.dropped_full + capture.dropped_disk}"
    )
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps({"throughput": lines, "swaps": change}, indent=1) + "\n")
    return 0 if change["failed"] == 0 and not any(line["failed"] for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
