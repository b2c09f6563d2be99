"""Make seed/bike/measured.json: what the code of the bike-demand example prints and finds.

Trains the example's model for each month, judges it, and runs the drift monitor over hours of
the months after, so that the simulated account's demo tells of runs that took place. Run it
again when the example changes: `.venv/bin/python scripts/measure_bike.py`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "assets" / "examples" / "bike-demand")]
OUT = ROOT / "core" / "simulated" / "seed" / "bike" / "measured.json"
MONTHS = [f"2012-{month:02d}" for month in range(1, 11)]
WINDOWS = [("2012-01-15", "2012-02-01"), ("2012-02-01", "2012-02-15"), ("2012-04-01", "2012-04-15")]


def main() -> None:
    import mlflow
    import pandas as pd
    from bike.columns import DATA, FEATURES, TARGET

    with tempfile.TemporaryDirectory() as folder:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        mlflow.set_experiment("seed")
        hours = pd.read_csv(DATA, parse_dates=["ts"])
        runs, champion = [], None
        for month in MONTHS:
            with mlflow.start_run():
                run, model = _run(hours, month)
            runs.append(run)
            champion = champion or model
        told = {
            "runs": runs,
            "monitor": _monitor(hours[hours[TARGET].notna()], list(FEATURES)),
            "captured": _captured(hours, champion, list(FEATURES), TARGET),
        }
    OUT.write_text(json.dumps(told, separators=(",", ":")) + "\n")
    print(f"{OUT}: {OUT.stat().st_size:,} bytes")  # noqa: T201


def _run(hours: Any, month: str) -> tuple[dict[str, Any], Any]:
    """One month's run: what each step printed, how long it took, and its metrics."""
    from bike import data, model, report

    said: dict[str, list[str]] = {}
    took: dict[str, float] = {}

    def step(name: str, do: Any, *args: Any) -> Any:
        heard, begun = io.StringIO(), time.perf_counter()
        with contextlib.redirect_stdout(heard):
            answer = do(*args)
        said[name] = heard.getvalue().splitlines()
        took[name] = round(time.perf_counter() - begun, 2)
        return answer

    raw = step("acquire", data.acquire, hours, month)
    hourly, found = step("validate", data.validate, raw)
    train, valid, holdout = step("split", data.split, hourly, month)
    fitted, _ = step("train", model.train, train, valid)
    metrics = step("evaluate", report.evaluate, fitted, train, holdout)[0]
    return {"month": month, "said": said, "took": took, "metrics": metrics, "data": found}, fitted


def _monitor(hours: Any, features: list[str]) -> list[dict[str, Any]]:
    """The drift monitor's files for each window, against the hours before the first."""
    import pyarrow as pa

    from core.domain.monitor import MonitorDefinition, Schedule, WindowSpec
    from core.monitors.kind import KindContext
    from core.monitors.kinds.drift import KIND
    from core.releases.values import Problems
    from tests.support.windows import TableWindow

    definition = MonitorDefinition(
        name="bike-demand-drift",
        kind="drift",
        watch="endpoint/bike-demand",
        every=Schedule("1d", seconds=86_400),
        window=WindowSpec(rows=200, minimum_rows=200),
        settings=KIND.read(Problems(), "monitors.bike", {"calibrate": "off"}),
    )
    context = KindContext(monitor="bike-demand-drift", now=1_333_238_400.0)

    def table(begin: str, end: str) -> Any:
        rows = hours[(hours["ts"] >= begin) & (hours["ts"] < end)]
        return pa.Table.from_pandas(rows[features], preserve_index=False)

    baseline = KIND.baseline(definition, TableWindow(table("2011-11-15", WINDOWS[0][0])), context)
    told, memory = [], {}
    for begin, end in WINDOWS:
        found = KIND.evaluate(definition, baseline, TableWindow(table(begin, end)), memory, context)
        memory = found.memory
        told.append(
            {
                "from": begin,
                "until": end,
                "state": str(found.state),
                "headline": found.headline,
                "files": found.files,
            }
        )
    return told


def _captured(hours: Any, model: Any, features: list[str], target: str) -> list[dict[str, Any]]:
    """Four days of requests of April as the endpoint was asked, with January's answers."""
    rows = hours[
        (hours["ts"] >= "2012-04-10") & (hours["ts"] < "2012-04-14") & hours[target].notna()
    ]
    answers = model.predict(rows[features])
    told = []
    for (_, row), answer in zip(rows.iterrows(), answers, strict=True):
        asked = {name: round(float(row[name]), 4) for name in features}
        told.append({"asked": asked, "answer": round(float(answer), 2), "count": int(row[target])})
    return told


if __name__ == "__main__":
    main()
