"""Columns followed through the steps of a pipeline into a dataset, by a real worker."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core.lake import open_lake
from core.ops import Ops
from tests.support.engine import Site, make_site

__all__ = ["make_site"]

EXAMPLE = Path(__file__).resolve().parents[3] / "assets/examples/bike-demand"


def up(ops: Ops, ref: str) -> set[str]:
    """The names of what something is made from, without that of sources."""
    nodes = [branch.node for branch in ops.lineage.upstream(ref).walk()][1:]
    return {f"{n.name}.{n.column}" if n.column else n.name for n in nodes if n.kind != "source"}


def told(ops: Ops, ref: str) -> dict[str, tuple[tuple[str, ...], bool]]:
    return {
        each.node.name: (each.columns, each.certain) for each in ops.lineage.impact(ref).touched
    }


@pytest.mark.slow
def test_the_columns_of_the_example(make_site: Callable[..., Site]) -> None:
    site = make_site()
    for name in ("data", "views", "recipes", "features", "expectations", "pipelines"):
        shutil.copytree(EXAMPLE / name, site.root / name, dirs_exist_ok=True)
    site.start_worker()
    done = site.run("bike-data", seconds=150)
    assert done.run.status == "succeeded", site.told(done)

    ops = site.ops
    hour = {"hourly.ts", "rentals.ts"}  # who fills gaps goes by the time
    assert up(ops, "bike_hours.cnt") == {
        "hourly.cnt", "rentals.casual", "rentals.registered", *hour,
    }  # fmt: skip
    assert up(ops, "bike_hours.temp") == {"hourly.temp", "weather.temp", *hour}
    assert up(ops, "bike_hours.holiday") == {"hourly.holiday", "calendar.holiday", *hour}
    assert up(ops, "bike_hours.last_week") == {
        "usual_demand@1.last_week", "hourly.cnt", "rentals.casual", "rentals.registered",
    }  # fmt: skip
    assert told(ops, "rentals.casual") == {
        "hourly": (("casual", "cnt"), True),
        "usual_demand@1": (("last_week", "usual"), True),
        "bike_hours": (("casual", "cnt", "last_week", "usual"), True),
        "1": ((), False),
    }
    assert told(ops, "weather.hum")["bike_hours"] == (("hum",), True)


STEPS = """\
rows:
  query: {sql: "SELECT p.name AS who, pay, pay * 2 AS twice, 1 AS one FROM People p WHERE age > 3"}
parts:
  split: {rows: rows.rows, by: hash, column: who, parts: {train: 0.5, test: 0.5}}
clean:
  transform: {recipe: recipes/scale.yaml, fit: parts.train, apply: {test: parts.test}}
keep:
  store: {dataset: kept, rows: clean.test, mode: overwrite}
code:
  function: work:change
  inputs: {rows: rows.rows}
  outputs: [mixed]
both:
  query:
    sql: SELECT m.who, r.pay FROM mixed m JOIN known r ON m.twice = r.twice
    tables: {mixed: code.mixed, known: rows.rows}
join:
  store: {dataset: joined, rows: both.both, mode: overwrite}
forge:
  script: forge.py
  inputs: {rows: rows.rows}
  outputs: [forged]
false:
  store: {dataset: forged, rows: forge.forged, mode: overwrite}
"""

FORGE = """\
import os
import pyarrow as pa
import pyarrow.parquet as pq

rows = pq.ParquetFile(os.environ["SM_CHANNEL_ROWS"] + "/rows.parquet").read()
assert b"opsdeck.origins" in rows.schema.metadata
names = rows.column("who")
changed = rows.set_column(rows.column_names.index("one"), "one", names)
pq.write_table(changed, os.environ["SM_OUTPUT_DATA_DIR"] + "/forged.parquet")
"""


def people(first: int) -> pa.Table:
    numbers = range(first, first + 40)
    return pa.table(
        {
            "name": [f"n{each}" for each in numbers],
            "age": [each % 50 for each in numbers],
            "pay": [float(each * 3 % 17) for each in numbers],
        }
    )


@pytest.mark.slow
def test_labels_and_lineage_go_by_column_where_it_is_known(make_site: Callable[..., Site]) -> None:
    site = make_site()
    lake = open_lake(site.ops.session)
    lake.ensure("people", people(0).schema, owner="tester")
    lake.append("people", people(0), by="tester")
    site.ops.governance.label("people", "name", ["pii"])
    site.ops.governance.label("people", "age", ["private"])
    site.write(
        "recipes/scale.yaml",
        "name: scale\nsteps:\n  - {use: sklearn.StandardScaler, columns: [pay]}\n",
    )
    site.write("work.py", "def change(rows):\n    return rows.assign(one=rows['who'])\n")
    site.write("forge.py", FORGE)
    site.pipeline("people", STEPS)
    site.start_worker()

    def run() -> dict[str, str]:
        detail = site.finish(site.start("people"), 150)
        assert detail.run.status == "succeeded", site.told(detail)
        return {step.step: str(step.status) for step in detail.steps}

    run()
    assert labels(site, "kept") == {("who", "pii")}
    assert up(site.ops, "kept.twice") == {"people.pay"}
    assert up(site.ops, "kept.who") == {"people.name"}
    # A filter's column touches the whole of it, and says so.
    assert told(site.ops, "people.age")["kept"] == ((), True)
    details = {
        str(each.target): each.detail
        for branch in site.ops.lineage.downstream("people.pay").branches
        if (each := branch.edge) and each.target.name == "kept"
    }
    assert details == {"dataset/kept.pay": "people", "dataset/kept.twice": "people"}

    # What code made may be of anything, and what was joined to it is known beside it.
    every = {"pii", "private"}
    assert labels(site, "joined") == {("who", tag) for tag in every}
    assert up(site.ops, "joined.pay") == {"people.pay"}
    assert up(site.ops, "joined.who") == {"people"}
    assert told(site.ops, "people.name")["joined"] == (("who",), False)
    # A file that was written by code says nothing that counts.
    assert labels(site, "forged") == {
        (column, tag) for column in ("who", "pay", "twice", "one") for tag in every
    }

    # From the cache it is the same; new rows of the same columns are computed anew.
    again = run()
    assert {again[name] for name in ("rows", "parts", "clean", "both")} == {"cached"}
    lake.append("people", people(40), by="tester")
    assert run()["clean"] == "succeeded"
    assert up(site.ops, "kept.twice") == {"people.pay"}

    # A label that comes later reaches the columns that it concerns, and those that may hold it.
    site.ops.governance.label("people", "pay", ["secret"])
    assert {c for c, tag in labels(site, "kept") if tag == "secret"} == {"pay", "twice"}
    assert {c for c, tag in labels(site, "joined") if tag == "secret"} == {"who", "pay"}


def labels(site: Site, dataset: str) -> set[tuple[str, str]]:
    found: list[Any] = list(site.ops.governance.labels(dataset))
    return {(each.column, each.tag) for each in found}
