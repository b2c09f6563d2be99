"""How long a bad canary lives: a real endpoint, real requests, no worker and no console.

`python benchmarks/canary.py [--json FILE] [--rate 100] [--runs 3]`. The champion fails 1 % of
its requests, the canary (10 % of the traffic) 10 %. At 100 requests a second the endpoint's
supervisor has to find that and roll back by itself within 60 s. With the alarm on the error
rate, and with the comparison alone (a confidence sequence). Exits 1 where it took longer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}

import httpx

from core.domain.analysis import AlarmRule, AnalysisPlan, MetricRule, MissingData
from core.domain.release import ReleasePlan
from core.serving import EndpointControl

HERE = Path(__file__).resolve().parent
LIMIT_SECONDS = 60.0
ALARM = AlarmRule(
    "errors",
    "error_rate",
    0.05,
    period=10,
    evaluation_periods=3,
    datapoints_to_alarm=2,
    treat_missing_data=MissingData.NOT_BREACHING,
    minimum_requests=50,
)
COMPARED = AnalysisPlan(
    (MetricRule("error_rate", 0.01), MetricRule("latency", 0.5, relative=True)), alpha=0.05
)


def save_model(folder: Path, share: float) -> Path:
    """A model that raises on the rows whose `luck` is below `share`."""
    import mlflow.sklearn
    import numpy as np
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.base import BaseEstimator, RegressorMixin

    class Unlucky(RegressorMixin, BaseEstimator):  # type: ignore[misc]
        def __init__(self, share: float = 0.0) -> None:
            self.share = share

        def fit(self, rows: Any, _: Any) -> Any:
            self.fitted_ = True
            return self

        def predict(self, rows: Any) -> Any:
            luck = np.asarray(rows)[:, 0]
            if (luck < self.share).any():
                raise RuntimeError("out of luck")
            return luck * 2

    rows = pd.DataFrame({"luck": [0.5, 0.75, 1.0]})
    mlflow.sklearn.save_model(
        Unlucky(share).fit(rows, None),
        folder,
        signature=infer_signature(rows, rows.luck),
        input_example=rows,
        pip_requirements=["scikit-learn"],
        serialization_format="cloudpickle",
    )
    return folder


async def until_rolled_back(control: EndpointControl, rate: float) -> dict[str, Any]:
    """Send requests at a steady rate until the canary is out of the table, or for too long."""
    import random

    info = control.info()
    assert info is not None
    begun, sent, failed = time.perf_counter(), 0, 0
    tasks: set[asyncio.Task[None]] = set()

    async def one(client: httpx.AsyncClient) -> None:
        nonlocal failed
        row = {"columns": ["luck"], "data": [[random.random()]]}
        reply = await client.post("/invocations", json={"dataframe_split": row})
        failed += reply.status_code >= 500

    async with httpx.AsyncClient(base_url=info.url, timeout=10) as client:
        while (took := time.perf_counter() - begun) < 3 * LIMIT_SECONDS:
            task = asyncio.ensure_future(one(client))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            sent += 1
            if sent % 20 == 0 and [v.revision for v in _routed(control)] == [1]:
                break
            await asyncio.sleep(max(0.0, begun + sent / rate - time.perf_counter()))
        await asyncio.gather(*tasks)
    acted = control.analysis()
    reason = acted.acted.reason if acted and acted.acted else "nothing"
    return {"seconds": took, "requests": sent, "failed": failed, "reason": reason}


def _routed(control: EndpointControl) -> Any:
    info = control.info()
    return [v for v in info.variants if v.weight] if info else []


def trial(root: Path, plan: ReleasePlan, rate: float) -> dict[str, Any]:
    """One endpoint, one bad canary."""
    control = EndpointControl(root / f"endpoint-{time.time_ns()}")
    try:
        control.ensure_running("bench")
        control.load(1, root / "good", "good", 1)
        control.load(2, root / "bad", "bad", 1)
        control.set_table({1: 90.0, 2: 10.0})
        control.arm("a deployment", 2, 1, json.loads(json.dumps(asdict(plan))))
        return asyncio.run(until_rolled_back(control, rate))
    finally:
        control.stop()


def main() -> int:
    """Run the trials, print the table, write the JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, default=HERE / "results" / "canary.json")
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    plans = {
        "alarm": ReleasePlan((), alarms=(ALARM,)),
        "comparison": ReleasePlan((), analysis=COMPARED),
    }
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        save_model(root / "good", 0.01)
        save_model(root / "bad", 0.10)
        for name, plan in plans.items():
            found = [trial(root, plan, args.rate) for _ in range(args.runs)]
            times = [each["seconds"] for each in found]
            rows.append({"by": name, "median": statistics.median(times), "worst": max(times)})
            rows[-1]["trials"] = found
    print(f"{'rolled back by':<16}{'median s':>10}{'worst s':>10}   reason")
    for row in rows:
        reason = row["trials"][0]["reason"]
        print(f"{row['by']:<16}{row['median']:>10.1f}{row['worst']:>10.1f}   {reason}")
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0 if all(row["worst"] < LIMIT_SECONDS for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
