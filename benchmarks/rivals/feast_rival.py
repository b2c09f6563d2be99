"""Feast on DuckDB and SQLite: `feast_rival.py FOLDER KEYS LOOKUPS`, run by benchmarks/features.py.

Reads `rows.parquet` and `entities.parquet` of the folder, writes `feast.parquet` (the entity
rows' numbers and features) and prints one JSON line with what it cost.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from datetime import timedelta
from pathlib import Path

warnings.simplefilter("ignore")

import pandas as pd  # noqa: E402
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig  # noqa: E402
from feast.types import Float64  # noqa: E402
from feast.value_type import ValueType  # noqa: E402


def main(folder: Path, keys: int, lookups: int) -> None:
    """One historical join, one materialisation, some look-ups."""
    rows = folder / "rows.parquet"
    config = RepoConfig(
        project="bench", provider="local", registry=str(folder / "registry.db"),
        offline_store={"type": "duckdb"}, entity_key_serialization_version=3,
        online_store={"type": "sqlite", "path": str(folder / "feast-online.db")},
    )  # fmt: skip
    store = FeatureStore(config=config)
    source = FileSource(
        path=str(rows), timestamp_field="et", created_timestamp_column="cr", name="rows"
    )
    names = [name for name in pd.read_parquet(rows, columns=None).columns if name[0] == "f"]
    entity = Entity(name="k", join_keys=["k"], value_type=ValueType.INT64)
    view = FeatureView(
        name="view", entities=[entity], ttl=timedelta(days=30), source=source,
        schema=[Field(name=name, dtype=Float64) for name in names],
    )  # fmt: skip
    store.apply([entity, source, view])
    entities = pd.read_parquet(folder / "entities.parquet").rename(columns={"t": "event_timestamp"})
    wanted = [f"view:{name}" for name in names]
    begun, cpu = time.perf_counter(), time.process_time()
    found = store.get_historical_features(entity_df=entities, features=wanted).to_df()
    said = {
        "wall_s": time.perf_counter() - begun,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    found[["i", *names]].to_parquet(folder / "feast.parquet", index=False)
    end = entities["event_timestamp"].max().to_pydatetime()
    store.materialize(end - timedelta(days=30), end)
    taken = []
    for number in range(lookups):
        begun = time.perf_counter()
        store.get_online_features(features=wanted, entity_rows=[{"k": number * 7919 % keys}])
        taken.append(time.perf_counter() - begun)
    taken.sort()
    said["lookup_p50_ms"] = taken[len(taken) // 2] * 1000
    said["lookup_p99_ms"] = taken[int(len(taken) * 0.99)] * 1000
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
