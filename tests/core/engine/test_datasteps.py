"""Data steps and datasets as inputs, executed by a real worker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core.governance.access import open_access
from core.lake import open_lake
from tests.support.engine import Site, make_site

__all__ = ["make_site"]

FIRST = datetime(2026, 1, 1)
STEPS = """\
take:
  ingest: {dataset: rentals, source: "data/*.csv"}
views:
  refresh: {views: [hourly]}
  after: take
check:
  validate: {rows: views.hourly}
parts:
  split: {rows: check.check, by: time, column: hour, parts: {train: 0.75, test: 0.25}}
clean:
  transform:
    recipe: recipes/clean.yaml
    fit: parts.train
    apply: {train: parts.train, test: parts.test}
busy:
  query:
    sql: SELECT h.hour, h.total FROM hourly h JOIN part USING (hour) WHERE h.total > 2
    tables: {part: clean.test}
keep:
  store: {dataset: busy_hours, rows: busy.busy, mode: overwrite}
count:
  function: work:count
  inputs: {hourly: dataset:hourly, train: clean.train, kept: keep.busy_hours}
"""


def table(first: int, last: int) -> pa.Table:
    hours = [FIRST + timedelta(hours=n) for n in range(first, last)]
    return pa.table(
        {
            "hour": pa.array(hours, pa.timestamp("us")),
            "casual": [n % 3 for n in range(first, last)],
            "registered": [n % 2 for n in range(first, last)],
        }
    )


def prepare(site: Site) -> None:
    (site.root / "data").mkdir()
    lines = ["hour,casual,registered"]
    lines += [f"{r['hour'].isoformat()},{r['casual']},{r['registered']}" for r in rows_of(0, 80)]
    site.write("data/first.csv", "\n".join(lines) + "\n")
    site.write(
        "views/hourly.sql",
        "-- keys: hour\nSELECT hour, casual + registered AS total, casual FROM rentals",
    )
    site.write("expectations/hourly.yaml", "dataset: hourly\ncolumns:\n  total: {ge: 0}\n")
    site.write(
        "recipes/clean.yaml",
        "name: clean\nsteps:\n  - {use: impute, columns: [casual], with: {strategy: median}}\n",
    )
    site.write(
        "work.py",
        "def count(hourly, train, kept):\n"
        "    return {'all': len(hourly), 'train': len(train), 'kept': len(kept)}\n",
    )
    site.pipeline("data", STEPS)


def rows_of(first: int, last: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table(first, last).to_pylist()
    return found


@pytest.mark.slow
def test_from_files_to_a_dataset_without_code(make_site: Callable[..., Site]) -> None:
    site = make_site()
    prepare(site)
    site.start_worker()
    first = site.run("data", seconds=150)
    assert {step.step: step.status for step in first.steps} == dict.fromkeys(
        ("take", "views", "check", "parts", "clean", "busy", "keep", "count"), "succeeded"
    )
    counted = site.value(first, "count")
    assert counted["all"] == 80 and counted["train"] == 60
    kept = open_access(site.ops.session).scan("busy_hours").read_all()
    assert counted["kept"] == kept.num_rows > 0
    assert min(kept["total"].to_pylist()) > 2 and min(kept["hour"].to_pylist()) >= FIRST

    lineage = [str(b.node) for b in site.ops.lineage.upstream("busy_hours").walk()]
    assert lineage[:3] == ["dataset/busy_hours", "dataset/hourly", "dataset/rentals"]
    assert lineage[3].startswith("source/")

    # Again with nothing new: what only reads is taken from the first run.
    second = site.run("data", seconds=150)
    status = {step.step: step.status for step in second.steps}
    assert {status[s] for s in ("check", "parts", "clean", "busy")} == {"cached"}
    assert {status[s] for s in ("take", "views", "keep")} == {"succeeded"}


@pytest.mark.slow
def test_what_fails_its_expectations_stops_the_run(make_site: Callable[..., Site]) -> None:
    site = make_site()
    prepare(site)
    site.write("expectations/hourly.yaml", "dataset: hourly\ncolumns:\n  total: {ge: 2}\n")
    site.start_worker()
    detail = site.run("data", seconds=150)
    steps = {step.step: step for step in detail.steps}
    assert steps["check"].status == "failed" and "total" in steps["check"].message
    assert steps["views"].status == "succeeded"
    assert {steps[s].status for s in ("parts", "clean", "busy", "keep")} == {"skipped"}


@pytest.mark.slow
def test_a_run_reads_what_its_starter_may_read(make_site: Callable[..., Site]) -> None:
    site = make_site()
    lake = open_lake(site.ops.session)
    lake.ensure("payroll", table(0, 10).schema, owner="ana")
    lake.append("payroll", table(0, 10), by="ana")
    site.open("ana").governance.grant("payroll", "ben", masks={"casual": "null"})
    site.write("work.py", "def f(payroll):\n    return int(payroll['casual'].isna().sum())\n")
    site.pipeline("reads", "f:\n  function: work:f\n  inputs: {payroll: dataset:payroll}")
    site.start_worker()
    refused = site.run("reads")  # as "tester"
    assert refused.steps[0].status == "failed"
    assert "tester may not read" in refused.steps[0].message
    masked = site.finish(site.open("ben").runs.start("reads", {}).id)
    assert masked.steps[0].status == "succeeded" and site.value(masked, "f") == 10
    whole = site.finish(site.open("ana").runs.start("reads", {}).id)
    assert whole.steps[0].status == "succeeded" and site.value(whole, "f") == 0


@pytest.mark.slow
def test_a_run_keeps_to_one_version(make_site: Callable[..., Site], tmp_path: Path) -> None:
    site = make_site()
    lake = open_lake(site.ops.session)
    lake.ensure("rows", table(0, 10).schema, owner="tester")
    lake.append("rows", table(0, 10), by="tester")
    site.write(
        "work.py",
        "import os\n\n"
        "def first(rows):\n    return len(rows)\n\n\n"
        "def second(rows, first):\n"
        f"    if not os.path.exists({str(tmp_path / 'go')!r}):\n"
        "        raise RuntimeError('not yet')\n"
        "    return len(rows)\n",
    )
    site.pipeline(
        "pins",
        "first:\n  function: work:first\n  inputs: {rows: dataset:rows}\n"
        "second:\n  function: work:second\n  inputs: {rows: dataset:rows}\n",
    )
    site.start_worker()
    failed = site.run("pins")
    assert failed.run.status == "failed"
    lake.append("rows", table(10, 20), by="tester")
    (tmp_path / "go").touch()
    site.ops.runs.resume(failed.run.id)
    again = site.finish(failed.run.id)
    assert (site.value(again, "first"), site.value(again, "second")) == (10, 10)
    new = site.run("pins")
    logged = _logged_inputs(site, new.run.mlflow_run_id)
    assert logged == {"rows": open_lake(site.ops.session).resolve("rows")}
    assert (site.value(new, "first"), site.value(new, "second")) == (20, 20)


def _logged_inputs(site: Site, mlflow_run: str | None) -> dict[str, str]:
    """What MLflow's own client says that a run read, once its end has come there."""
    from mlflow import MlflowClient

    client = MlflowClient(site.ops.workspace.tracking_uri)
    assert mlflow_run is not None
    site.wait_for(lambda: client.get_run(mlflow_run).info.status == "FINISHED", 30)
    inputs = client.get_run(mlflow_run).inputs.dataset_inputs
    return {each.dataset.name: each.dataset.digest for each in inputs}


@pytest.mark.slow
def test_sql_and_features_read_as_inputs_do(make_site: Callable[..., Site]) -> None:
    """Datasets that stand in no input: never stale, never somebody else's, and labelled."""
    site = make_site()
    lake = open_lake(site.ops.session)
    lake.ensure("payroll", table(0, 10).schema, owner="ana")
    lake.append("payroll", table(0, 10), by="ana")
    ana = site.open("ana")
    ana.governance.label("payroll", "casual", ["pii"])
    ana.governance.grant("payroll", "ben", masks={"casual": "null"})
    site.write(
        "features/pay.yaml",
        "source: payroll\nentity: {registered: int}\nevent_time: hour\nfeatures: {casual: int}\n",
    )
    site.pipeline(
        "sums",
        "sum:\n  query: {sql: 'SELECT count(casual) AS known, count(*) AS n FROM Payroll'}\n"
        "keep:\n  store: {dataset: '${params.to}', rows: sum.sum, mode: overwrite}\n"
        "who:\n  query: {sql: 'SELECT 1::BIGINT AS registered, TIMESTAMP ''2027-01-01'' AS t'}\n"
        "join:\n  features: {views: [pay], entities: who.who, time: t}\n"
        "joined:\n  store: {dataset: '${params.too}', rows: join.join, mode: overwrite}\n",
        head="params: {to: sums, too: joined}",
    )
    site.start_worker()

    def run(ops: Any, to: str) -> dict[str, str]:
        detail = site.finish(ops.runs.start("sums", {"to": to, "too": f"{to}_joined"}).id)
        assert detail.run.status == "succeeded", [(s.step, s.message) for s in detail.steps]
        return {step.step: str(step.status) for step in detail.steps}

    run(ana, "sums")
    assert _rows(site, "ana", "sums") == [{"known": 10, "n": 10}]
    run(site.open("ben"), "bens")  # not what was made for ana
    assert _rows(site, "ben", "bens") == [{"known": 0, "n": 10}]
    assert run(ana, "sums")["sum"] == "cached"
    lake.append("payroll", table(10, 15), by="ana")
    again = run(ana, "sums")
    assert again["sum"] == again["join"] == "succeeded"
    assert _rows(site, "ana", "sums") == [{"known": 15, "n": 15}]

    for made in ("sums", "sums_joined"):
        nodes = [str(b.node) for b in site.ops.lineage.upstream(made).walk()]
        assert nodes[:2] == [f"dataset/{made}", "dataset/payroll"]
        labels = site.ops.governance.labels(made)
        assert {(label.tag, label.origin) for label in labels} == {("pii", "payroll.casual")}
        assert site.ops.governance.grants(made)  # closed, as its source is
    reads = [str(b.node) for b in site.ops.lineage.downstream("payroll").walk()]
    assert "run/1" in reads


def _rows(site: Site, actor: str, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        open_access(site.open(actor).session).scan(name).read_all().to_pylist()
    )
    return found
