"""Windows over a feature view: its own rows, by event time, as who stands for it may see them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from core.domain.monitor import MonitorState
from core.lake import open_lake
from core.monitors.errors import NothingThere, NotWatchable
from core.ops import Ops, open_ops

MARCH = 1_330_560_000
HOURS = 1200
VIEW = """\
source: weather
entity: {city: string}
event_time: at
created_time: loaded
deleted: gone
ttl: 2h
transform:
  temp_c: temp * 41
where: temp IS NOT NULL
features:
  temp_c: {type: float, default: 15}
  kind: string
"""


def weather(begin: int = 0, hours: int = HOURS, **columns: Any) -> pa.Table:
    numbers = np.arange(begin, begin + hours)
    times = pa.array((MARCH + 3600 * numbers) * 1_000_000, pa.timestamp("us"))
    made = {
        "at": times,
        "loaded": times,
        "city": ["washington"] * hours,
        "temp": np.random.default_rng(begin).random(hours),
        "kind": ["ab"[n % 2] for n in numbers],
        "gone": [False] * hours,
    }
    return pa.table({**made, **columns})


@pytest.fixture(params=["sqlite", "postgresql"])
def ops(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ops]:
    """A workspace with a feature view over the weather, on either database."""
    config = "name: space\n"
    if request.param == "postgresql":
        config += f"database: {request.getfixturevalue('postgres_url')}\n"
    (tmp_path / "opsdeck.yaml").write_text(config)
    for folder in ("monitors", "features"):
        (tmp_path / folder).mkdir()
    (tmp_path / "features" / "now.yaml").write_text(VIEW)
    with open_ops(tmp_path, actor="author") as opened:
        with open_lake(opened.session) as lake:
            lake.create("weather", weather().schema, owner="author")
            lake.append("weather", weather(), by="author")
        opened.features.apply("now")
        yield opened


def define(ops: Ops, **keys: Any) -> None:
    body = {"watch": "features/now", "baseline": "features:now@2", **keys}
    text = yaml.safe_dump({"monitors": {"watch": body}})
    (ops.workspace.root / "monitors" / "watch.yaml").write_text(text)


def add(ops: Ops, table: pa.Table) -> None:
    with open_lake(ops.session) as lake:
        lake.append("weather", table, by="author")


def test_each_version_of_the_source_is_a_window(ops: Ops) -> None:
    define(ops, kind="data_quality")
    (first,) = ops.monitors.run("watch").outcomes
    assert "1,200 rows of 2 columns" in first.headline, "the features, not key and time"
    assert ops.monitors.run("watch").outcomes == ()
    add(ops, weather(HOURS, 50, kind=[None] * 50, temp=[None] * 10 + [0.5] * 40))
    assert ops.monitors.due(4e9) == ("watch",)
    (second,) = ops.monitors.run("watch").outcomes
    assert "kind" in second.headline
    run = ops.monitors.find(second.run).run
    assert (run.rows, run.snapshot) == (1240, 3), "where: is applied"
    (alert,) = ops.alerts.triage().alerts
    assert alert.target == "features/now"
    detail = ops.alerts.detail(alert.id)
    near = {change.what: change.why for change in detail.related}
    assert near["weather #3: append, 50 rows"] == "something that it depends on"
    hold = next(each for each in detail.actions if each.id == "hold")
    assert hold.command.startswith("opsdeck data quarantine hold weather --where 'kind IS NULL'")


def test_windows_of_its_event_time_need_no_column(ops: Ops) -> None:
    define(ops, kind="drift", window={"time": "10d", "minimum_rows": 100}, votes="1 of 1")
    done = ops.monitors.run("watch").outcomes
    assert len(done) >= 4 and {each.state.value for each in done} <= {"ok", "insufficient"}
    add(ops, weather(HOURS, 480, temp=np.full(480, 3.0)))
    last = ops.monitors.run("watch").outcomes[-1]
    assert "temp_c" in last.headline and last.state.value == "violated"


def test_only_the_row_that_counts_is_seen(ops: Ops) -> None:
    later = pa.array([(MARCH + 999_999) * 1_000_000] * 2, pa.timestamp("us"))
    add(ops, weather(0, 2, loaded=later, gone=[False, True], temp=[0.25, 0.5]))
    define(ops, kind="data_quality")
    (done,) = ops.monitors.run("watch").outcomes
    assert ops.monitors.find(done.run).run.rows == HOURS - 1, "corrected once, deleted once"


def test_what_a_version_added(ops: Ops) -> None:
    define(ops, kind="data_quality", window={"snapshot": "added"}, freshness="1h")
    ops.monitors.run("watch")
    add(ops, weather(HOURS, 60))
    (done,) = ops.monitors.run("watch").outcomes
    assert ops.monitors.find(done.run).run.rows == 60
    assert "the newest row is" in done.headline


def test_a_new_version_of_the_view_begins_anew(ops: Ops) -> None:
    define(ops, kind="drift", window={"snapshot": "whole"}, votes="1 of 1")
    assert ops.monitors.run("watch").outcomes[0].state.value == "ok"
    file = ops.workspace.root / "features" / "now.yaml"
    file.write_text(VIEW.replace("temp * 41", "temp * 50 - 10"))
    ops.features.apply("now")
    assert ops.monitors.due(4e9) == ("watch",)
    (again,) = ops.monitors.run("watch").outcomes
    assert again.state.value == "ok", "its baseline is made by the same definition"
    made = ops.monitors.baselines("watch")
    assert {each.origin["feature_view"] for each in made} == {"now@1", "now@2"}
    assert {each.origin["dataset"] for each in made} == {"weather"}
    assert ops.monitors.find("watch@#2v2").run.id == again.run


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"kind": "service"}, "neither requests nor answers for kind service"),
        ({"kind": "model_quality"}, "neither requests nor answers for kind model_quality"),
        ({"kind": "drift", "window": {"rows": 100}}, "rows of a feature view have no order"),
        ({"kind": "drift", "label": "kind"}, "a feature view has none"),
        ({"kind": "drift", "variant": "all"}, "a feature view has no variants"),
        ({"kind": "drift", "baseline": "training"}, "was not trained"),
        ({"kind": "drift", "watch": "feature/now"}, "features/NAME"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(
    tmp_path: Path, keys: dict[str, Any], says: str
) -> None:
    from core.monitors.definition import read_monitor
    from core.releases.values import Problems

    problems = Problems()
    read_monitor(problems, "monitors.watch", "watch",
                 {"watch": "features/now", "baseline": "features:now@2", **keys})  # fmt: skip
    (problem,) = problems.found
    assert says in f"{problem.words()} {problem.hint}" and "\n" not in problem.words()


def test_a_view_that_is_not_there_is_waited_for(ops: Ops) -> None:
    define(ops, kind="drift", watch="features/later")
    found = ops.monitors.run("watch")
    assert "feature view later" in found.why and "opsdeck features apply later" in found.why
    assert ops.monitors.get("watch").state is MonitorState.PENDING


def test_rows_of_several_rows_cannot_be_told_to_be_added(ops: Ops) -> None:
    (ops.workspace.root / "features" / "usual.yaml").write_text(
        "source: weather\nentity: {city: string}\nevent_time: seen\n"
        "transform: SELECT city, max(loaded) AS seen, avg(temp) AS usual FROM weather"
        " GROUP BY city\n"
        "features: {usual: float}\n"
    )
    ops.features.apply("usual")
    define(ops, kind="drift", watch="features/usual", window={"snapshot": "added"})
    ops.monitors.run("watch")
    add(ops, weather(HOURS, 5))
    (done,) = ops.monitors.run("watch").outcomes
    assert done.status.value == "failed" and "row of several" in done.reason


def test_it_is_read_with_the_rights_of_who_stands_for_it(ops: Ops) -> None:
    ops.governance.grant("weather", "reviewer")
    define(ops, kind="data_quality")
    with open_ops(ops.workspace.root, actor="stranger") as theirs:
        theirs.monitors.sync()
        (needs,) = (each.needs for each in theirs.monitors.list())
        assert needs == "opsdeck monitors run watch"
        assert "E561" not in (done := theirs.monitors.run("watch")).why
        assert all(each.status.value == "failed" for each in done.outcomes)
    assert [each.state.value for each in ops.monitors.run("watch").outcomes] == ["ok"]


def test_sane_monitors_are_proposed(ops: Ops) -> None:
    found = ops.monitors.suggest("features/now")
    body = yaml.safe_load(found.text)["monitors"]
    assert found.path == "monitors/features-now.yaml"
    assert body["now-data"]["freshness"] == "7200s", "its ttl"
    assert body["now-drift"]["segments"] == ["kind"]
    assert body["now-drift"]["baseline"] == "features:now@2"
    ops.monitors.write_suggested("features/now")
    for name in body:
        assert ops.monitors.run(name).outcomes, name
    with pytest.raises(NothingThere):
        ops.monitors.suggest("features/later")
    with open_lake(ops.session) as lake:
        lake.delete("weather", "city = 'washington'", by="author")
    with pytest.raises(NotWatchable, match="has no rows"):
        ops.monitors.suggest("features/now")
