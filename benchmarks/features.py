"""Features beside their peers: a point-in-time join, and look-ups by key.

    python benchmarks/features.py [--entities 1000000] [--rows 5000000] [--json FILE] [--no-feast]

The rows of the features hold what real ones do: corrections (the same key and event time,
created later), rows that come late, entities before their first row, and a TTL of 30 days. Each
way runs in a process of its own, from data in memory (Feast: from its file), and its answer is
compared with a reference in NumPy that shares no code with any of them. Polars and pandas are
shown as their manuals have it, and with the duplicates removed first, which they need to be
right. Feast wants an older pandas: it gets an environment of its own under `.cache/` beside this
file, which needs a package index the first time. Exits 1 where our answer is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "benchmarks"
sys.path.insert(0, str(ROOT))
os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "FEAST_USAGE": "False"}

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

DAY = 86_400_000_000
TTL = 30 * DAY
FEATURES = [f"f{number}" for number in range(4)]
WAYS = ("opsdeck", "polars", "polars, deduplicated", "pandas", "pandas, deduplicated")
LOOKUPS = 20_000


def made(entities: int, rows: int, keys: int) -> tuple[pa.Table, pa.Table]:
    """The entity rows and the features' rows: the same at every run."""
    chance = np.random.default_rng(7)
    base = 1_700_000_000_000_000
    key = chance.integers(0, keys, rows)
    event = base + chance.integers(0, 365 * 86_400, rows) * 1_000_000
    corrected = chance.random(rows) < 0.05  # the same key and event time as the row before
    for _ in range(2):
        before = np.flatnonzero(corrected[1:]) + 1
        key[before], event[before] = key[before - 1], event[before - 1]
    created = event + chance.integers(0, 3600, rows) * 1_000_000 + np.arange(rows)
    late = chance.random(rows) < 0.02
    created[late] += chance.integers(1, 20, late.sum()) * DAY
    columns: dict[str, Any] = {
        "k": key,
        "et": pa.array(event, pa.timestamp("us")),
        "cr": pa.array(created, pa.timestamp("us")),
    }
    columns |= {name: chance.random(rows) for name in FEATURES}
    order = chance.permutation(rows)
    asked = pa.table(
        {
            "i": np.arange(entities),
            "k": chance.integers(0, keys + keys // 50, entities),
            "t": pa.array(base + chance.integers(0, 365 * 86_400, entities) * 1_000_000,
                          pa.timestamp("us")),
        }
    )  # fmt: skip
    return asked, pa.table(columns).take(pa.array(order))


def reference(asked: pa.Table, rows: pa.Table) -> np.ndarray:
    """The right answer, by sorting and searching whole numbers in NumPy."""
    key, event, created = (_whole(rows, name) for name in ("k", "et", "cr"))
    order = np.lexsort((created, event, key))
    key, event = key[order], event[order]
    last = np.append((key[1:] != key[:-1]) | (event[1:] != event[:-1]), True)
    order, key, event = order[last], key[last], event[last]
    low = event.min()
    packed = key * 2**46 + (event - low)
    wanted, time_ = _whole(asked, "k"), _whole(asked, "t")
    place = np.searchsorted(packed, wanted * 2**46 + np.maximum(time_ - low, -1), "right") - 1
    good = (place >= 0) & (time_ >= low)
    place = np.maximum(place, 0)
    good &= (key[place] == wanted) & (time_ - event[place] <= TTL)
    found = np.full((asked.num_rows, len(FEATURES)), np.nan)
    for number, name in enumerate(FEATURES):
        found[good, number] = rows.column(name).to_numpy()[order[place[good]]]
    return found


def _whole(table: pa.Table, name: str) -> np.ndarray:
    return table.column(name).cast(pa.int64()).to_numpy()


def opsdeck(asked: pa.Table, rows: pa.Table) -> Callable[[], pa.Table]:
    """The join of feature views."""
    from core.domain.features import EntityKey, Feature, FeatureSpec
    from core.features.join import JoinPart, point_in_time

    spec = FeatureSpec(
        "view", "rows", (EntityKey("k", "int"),), "et",
        tuple(Feature(name, "float") for name in FEATURES), created_time="cr", ttl=TTL / 1e6,
    )  # fmt: skip
    return lambda: point_in_time(asked, [JoinPart(spec, lambda: rows)], time="t")


def polars(asked: pa.Table, rows: pa.Table, unique: bool) -> Callable[[], pa.Table]:
    """`join_asof`, which wants both sides sorted."""
    import polars as pl

    left, right = pl.from_arrow(asked), pl.from_arrow(rows)
    assert isinstance(left, pl.DataFrame) and isinstance(right, pl.DataFrame)

    def run() -> pa.Table:
        sorted_ = right.sort("et", "cr")
        if unique:
            sorted_ = sorted_.unique(["k", "et"], keep="last", maintain_order=True)
        found = left.sort("t").join_asof(
            sorted_, left_on="t", right_on="et", by="k", tolerance=f"{TTL}us",
            check_sortedness=False,
        )  # fmt: skip
        return found.sort("i").to_arrow()

    return run


def pandas(asked: pa.Table, rows: pa.Table, unique: bool) -> Callable[[], pa.Table]:
    """`merge_asof`, which wants both sides sorted."""
    import pandas as pd

    left, right = asked.to_pandas(), rows.to_pandas()

    def run() -> pa.Table:
        sorted_ = right.sort_values(["et", "cr"] if unique else ["et"])
        if unique:
            sorted_ = sorted_.drop_duplicates(["k", "et"], keep="last")
        found = pd.merge_asof(
            left.sort_values("t"), sorted_, left_on="t", right_on="et", by="k",
            tolerance=pd.Timedelta(TTL, "us"),
        )  # fmt: skip
        return pa.Table.from_pandas(found.sort_values("i"), preserve_index=False)

    return run


def one_way(name: str, folder: Path) -> None:
    """Run one way, here, and say what it cost; its answer goes to a file."""
    asked = pq.read_table(folder / "entities.parquet")
    rows = pq.read_table(folder / "rows.parquet")
    way, unique = name.split(",")[0], "," in name
    if way == "opsdeck":
        call = opsdeck(asked, rows)
    else:
        call = polars(asked, rows, unique) if way == "polars" else pandas(asked, rows, unique)
    begun, cpu = time.perf_counter(), time.process_time()
    found = call()
    said = {
        "wall_s": time.perf_counter() - begun,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    pq.write_table(found.select(["i", *FEATURES]), folder / f"{name}.parquet")
    print(json.dumps(said))


def wrong_rows(file: Path, right: np.ndarray) -> int:
    """How many entity rows are not answered rightly; those that are missing among them."""
    found = pq.read_table(file)
    number = found.column("i").to_numpy()
    given = np.full(right.shape, np.inf)
    for place, name in enumerate(FEATURES):
        given[number, place] = found.column(name).to_numpy(zero_copy_only=False)
    same = (given == right) | (np.isnan(given) & np.isnan(right))
    return int((~same.all(axis=1)).sum())


def online(folder: Path, rows: pa.Table, keys: int) -> dict[str, float]:
    """Materialise from the rows, then look up one entity at a time."""
    from core.domain.features import EntityKey, Feature, FeatureSpec
    from core.features.materialize import materialize
    from core.features.online import OnlineReader

    spec = FeatureSpec(
        "view", "rows", (EntityKey("k", "int"),), "et",
        tuple(Feature(name, "float") for name in FEATURES), created_time="cr",
    )  # fmt: skip
    file = folder / "view.v1.db"
    done = materialize(_InMemory(rows), spec, 1, file)
    reader = OnlineReader(file)
    taken = []
    for number in range(LOOKUPS):
        begun = time.perf_counter()
        reader.look_up([number * 7919 % keys])
        taken.append(time.perf_counter() - begun)
    taken.sort()
    return {
        "entities": done.online_rows,
        "materialize_s": done.seconds,
        "lookup_p50_ms": taken[LOOKUPS // 2] * 1000,
        "lookup_p99_ms": taken[int(LOOKUPS * 0.99)] * 1000,
    }


class _InMemory:
    """Rows as a source of one snapshot."""

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows

    def read(self, name: str, *, at: str | None = None, columns: Any = None) -> Any:
        return self._rows.to_reader()

    def changes(self, name: str, since: str | None, until: str | None = None) -> Any:
        return None

    def schema(self, name: str, at: str | None = None) -> pa.Schema:
        return self._rows.schema

    def resolve(self, name: str, at: str | None = None) -> str:
        return "1"


def environment() -> Path:
    """The interpreter of Feast's own environment, made if need be."""
    folder = HERE / ".cache" / "feast"
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
        print("   installing feast …", file=sys.stderr, flush=True)
        subprocess.run(
            [uv, "venv", "-q", "--clear", "--python", sys.executable, folder], check=True
        )
        wanted = ["-r", str(HERE / "rivals" / "feast.txt")]
        subprocess.run([uv, "pip", "install", "-q", "--python", python, *wanted], check=True)
        (folder / ".ready").touch()
    return python


def feast(folder: Path, keys: int) -> dict[str, float]:
    """Feast's join and look-ups, in its own environment."""
    script = HERE / "rivals" / "feast_rival.py"
    command = [environment(), script, folder, str(keys), str(LOOKUPS // 10)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1500, check=False)
    if done.returncode:
        raise RuntimeError(f"feast: {done.stderr.strip().splitlines()[-1:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    """Make the data, run every way, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--keys", type=int, default=50_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--no-feast", action="store_true")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        one_way(given.way, given.folder)
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asked, rows = made(given.entities, given.rows, given.keys)
        pq.write_table(asked, folder / "entities.parquet")
        pq.write_table(rows, folder / "rows.parquet")
        right = reference(asked, rows)
        joins: dict[str, dict[str, float]] = {}
        for way in WAYS:
            command = [sys.executable, __file__, "--way", way, "--folder", str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            joins[way] = json.loads(done.stdout.splitlines()[-1])
        looked = {"opsdeck": online(folder, rows, given.keys)}
        if not given.no_feast:
            joins["feast on duckdb"] = feast(folder, given.keys)
            shutil.move(folder / "feast.parquet", folder / "feast on duckdb.parquet")
            looked["feast on sqlite"] = joins["feast on duckdb"]
        for way, said in joins.items():
            said["wrong"] = wrong_rows(folder / f"{way}.parquet", right)
    shown = {"entities": given.entities, "rows": given.rows, "keys": given.keys}
    report(shown, joins, looked)
    result = {**shown, "joins": joins, "online": looked}
    target = given.json or HERE / "results" / "features.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=1))
    return int(joins["opsdeck"]["wrong"] > 0)


def report(
    shown: dict[str, int], joins: dict[str, dict[str, float]], looked: dict[str, dict[str, float]]
) -> None:
    """The table."""
    print(f"point in time: {shown['entities']:,} entity rows on {shown['rows']:,} feature rows\n")
    print(f"{'':24}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'wrong rows':>12}")
    for way, said in joins.items():
        print(
            f"{way:24}{said['wall_s']:9.2f}{said['cpu_s']:9.2f}{said['peak_mb']:9.0f}"
            f"{said['wrong']:12,}"
        )
    print(f"\n{'one entity online':24}{'p50 ms':>9}{'p99 ms':>9}")
    for way, said in looked.items():
        print(f"{way:24}{said['lookup_p50_ms']:9.4f}{said['lookup_p99_ms']:9.4f}")
    own = looked["opsdeck"]
    print(f"\nmaterialised {own['entities']:,.0f} entities in {own['materialize_s']:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
