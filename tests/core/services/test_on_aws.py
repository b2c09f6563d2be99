"""The data side as a whole on a lake of Glue and S3, as moto's server plays them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import OpsdeckError
from core.ops import Ops
from tests.core.lake.conftest import OpenSpace, glue_section, moto_server, open_space

__all__ = ["moto_server", "open_space"]

HOURS = "hour,station,casual,registered\n" + "".join(
    f"2026-01-01 {hour:02}:00:00,a,{hour % 3},{hour % 2}\n" for hour in range(24)
)
VIEW = "-- keys: hour\nSELECT hour, station, casual + registered AS total FROM rentals"
FEATURES = """\
source: hourly
entity: {station: string}
event_time: hour
features: {total: int}
online: true
"""


@pytest.fixture
def ops(
    open_space: OpenSpace, moto_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Ops]:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    opened = open_space(glue_section(moto_server))
    root = opened.workspace.root
    for name, text in (
        ("data/one.csv", HOURS),
        ("views/hourly.sql", VIEW),
        ("features/load.yaml", FEATURES),
        ("expectations/rentals.yaml", "columns:\n  casual: {ge: 0}\n"),
    ):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    yield opened


@pytest.mark.slow
def test_from_a_file_to_an_online_feature(ops: Ops) -> None:
    root = ops.workspace.root
    report = ops.ingest.ingest("rentals", [str(root / "data")], create=True)
    assert report.rows == 24
    assert ops.quality.validate("rentals").passed
    assert ops.views.refresh("hourly").rows == 24

    (root / "data" / "two.csv").write_text(HOURS.replace("2026-01-01", "2026-01-02"))
    ops.ingest.ingest("rentals", [str(root / "data")])
    again = ops.views.refresh("hourly")
    assert (again.how, again.rows) == ("append", 48)

    (root / "data" / "bad.csv").write_text("hour,station,casual,registered\n2026-01-03,a,-1,0\n")
    with pytest.raises(OpsdeckError, match="quarantine"):
        ops.ingest.ingest("rentals", [str(root / "data" / "bad.csv")])
    assert ops.data.get("rentals").rows == 48

    table = ops.queries.table("SELECT sum(total) AS s FROM hourly")
    assert table["s"].to_pylist() == [sum(h % 3 + h % 2 for h in range(24)) * 2]
    assert ops.explore.profile("hourly").rows == 48

    ops.features.apply("load")
    ops.features.materialize("load")
    assert ops.features.get("load", {"station": "a"}).values["total"] == 23 % 3 + 23 % 2
    joined = ops.features.join(
        "hourly", ["load"], time_column="hour", output="training", keys={}, prefix=True
    )
    assert joined.rows == 48
    erased = ops.features.delete("load", {"station": "a"}, purge=True)
    assert erased.offline_rows == 48
    assert ops.data.get("hourly").rows == 0
    ops.data.keep_up("rentals")
    nodes = [str(branch.node) for branch in ops.lineage.upstream("training").walk()]
    assert "dataset/rentals" in nodes
