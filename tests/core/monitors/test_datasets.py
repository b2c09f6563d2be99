"""Windows over a dataset: new versions only, each pinned, by the governed read path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core.domain.monitor import MonitorState
from core.governance.errors import Refused
from core.lake import open_lake
from core.monitors import looking
from tests.support.opened import OpenAs
from tests.support.watched import Watched

MARCH = 1_330_560_000.0


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """One database is enough for this."""
    return f"sqlite:///{tmp_path / 'state.db'}"


def rows(*xs: float, hours: Any = None) -> pa.Table:
    times = [int((MARCH + 3600 * h) * 1e6) for h in (hours or range(len(xs)))]
    return pa.table(
        {"x": pa.array(xs, pa.float64()), "ts": pa.array(times, pa.timestamp("us")),
         "y": pa.array(xs, pa.float64())}
    )  # fmt: skip


@pytest.fixture
def lake(watched: Watched) -> Any:
    """The lake, with a dataset of two rows."""
    lake = open_lake(watched.ops.session)
    lake.create("rides", rows(1.0).schema, owner="author")
    lake.append("rides", rows(1.0, 3.0), by="author")
    return lake


def define(watched: Watched, **keys: Any) -> None:
    watched.define(
        **{"watch": "dataset/rides", "baseline": "dataset:rides", "window": None, **keys}
    )


def headlines(watched: Watched, now: float = 4e9) -> list[str]:
    return [each.headline for each in looking.look(watched.ops.session, "watch", now=now).outcomes]


def test_each_new_version_is_a_window(watched: Watched, lake: Any) -> None:
    define(watched, window={"snapshot": "whole"})
    assert headlines(watched) == ["mean 2.0"]
    assert headlines(watched) == []
    assert watched.ops.monitors.due(4e9) == ()
    lake.append("rides", rows(5.0), by="author")
    assert watched.ops.monitors.due(4e9) == ("watch",)
    lake.append("rides", rows(11.0), by="author")
    assert headlines(watched) == ["mean 3.0", "mean 5.0"]
    runs = watched.ops.monitors.runs("watch")
    assert [run.snapshot for run in runs] == [4, 3, 2]
    assert runs[0].window == "#4"


def test_only_what_was_added(watched: Watched, lake: Any) -> None:
    define(watched, window={"snapshot": "added", "minimum_rows": 1})
    assert headlines(watched) == ["mean 2.0"]
    lake.append("rides", rows(5.0), by="author")
    lake.append("rides", rows(11.0), by="author")
    assert headlines(watched) == ["mean 5.0", "mean 11.0"]
    lake.overwrite("rides", rows(7.0), by="author")
    looking.look(watched.ops.session, "watch", now=4e9)
    assert "rows were rewritten between versions 4 and" in watched.ops.monitors.get("watch").reason


def test_by_event_time(watched: Watched, lake: Any) -> None:
    define(watched, window={"time": "2h", "minimum_rows": 1}, time="ts")
    lake.append("rides", rows(5.0, 7.0, 9.0, hours=[2, 3, 4]), by="author")
    assert headlines(watched) == ["mean 2.0", "mean 6.0"]
    lake.append("rides", rows(11.0, 100.0, hours=[5, 6]), by="author")
    assert headlines(watched) == ["mean 10.0"]
    run = watched.ops.monitors.find("watch").run
    assert (run.start, run.end, run.snapshot) == (MARCH + 4 * 3600, MARCH + 6 * 3600, 4)


def test_a_name_in_the_file_lends_no_rights(watched: Watched, lake: Any) -> None:
    watched.ops.governance.grant("rides", "author")
    define(watched, window={"snapshot": "whole"}, owner="author")
    looked = looking.look(watched.ops.session, "watch", now=4e9)
    assert "nobody stands for monitor watch" in looked.outcomes[0].reason
    assert watched.ops.monitors.get("watch").state is MonitorState.FAILED


def test_somebody_who_runs_it_by_name_stands_for_it_until_it_is_changed(
    watched: Watched, lake: Any
) -> None:
    reason = "nobody stands for monitor watch"
    watched.ops.governance.grant("rides", "author")
    define(watched, window={"snapshot": "whole"})
    watched.ops.monitors.run("watch", stand=False)
    assert reason in watched.ops.monitors.get("watch").reason
    assert [each.headline for each in watched.ops.monitors.run("watch").outcomes] == ["mean 2.0"]
    lake.append("rides", rows(5.0), by="author")
    define(watched, window={"snapshot": "whole"}, owner="eve", alert="off")  # nothing it reads
    assert headlines(watched) == ["mean 3.0"]
    lake.append("rides", rows(5.0), by="author")
    define(watched, window={"snapshot": "whole"}, columns=["x"])
    looked = looking.look(watched.ops.session, "watch", now=4e9)
    assert reason in looked.outcomes[0].reason


def test_what_it_needs_stands_there_from_the_edit_until_somebody_stands_for_it(
    watched: Watched, lake: Any
) -> None:
    def needs() -> str:
        (listed,) = watched.ops.monitors.list()
        assert listed.needs == watched.ops.monitors.get("watch").needs
        return listed.needs

    define(watched, window={"snapshot": "whole"})
    assert needs() == "", "it is open to all"
    watched.ops.governance.grant("rides", "author")
    assert needs() == "opsdeck monitors run watch"
    watched.ops.monitors.run("watch")
    assert needs() == ""
    define(watched, window={"snapshot": "whole"}, columns=["x"])
    assert needs() == "opsdeck monitors run watch", "before anybody has looked at it again"
    define(watched, baseline="dataset:rides@2", watch="endpoint/demand", window={"rows": 10})
    assert needs() == "opsdeck monitors run watch", "its baseline is closed"
    define(watched, baseline="training", watch="endpoint/demand", window={"rows": 10})
    assert needs() == ""


def test_who_may_not_read_gets_nothing_by_standing_for_it_and_is_in_nobodys_way(
    watched: Watched, lake: Any, open_as: OpenAs
) -> None:
    watched.ops.governance.grant("rides", "author")
    define(watched, window={"snapshot": "whole"})
    eve = open_as("eve")
    assert "eve" in eve.monitors.run("watch").outcomes[0].reason
    assert watched.ops.monitors.run("watch").outcomes[0].headline == "mean 2.0", "as author"


def test_a_source_that_is_named_by_hand_is_read_as_who_names_it(
    watched: Watched, lake: Any, open_as: OpenAs
) -> None:
    lake.create("open", rows(1.0).schema, owner="author")
    lake.append("open", rows(1.0, 3.0), by="author")
    define(watched, window={"snapshot": "whole"}, watch="dataset/open", baseline="dataset:open")
    assert watched.ops.monitors.run("watch").outcomes[0].headline == "mean 2.0"
    watched.ops.governance.grant("rides", "author")
    with pytest.raises(Refused, match="eve"):
        open_as("eve").monitors.baseline("watch", "dataset:rides")
    assert watched.ops.monitors.baseline("watch", "dataset:rides").source.startswith("dataset:")


def test_labels_and_predictions_are_columns_that_are_named(watched: Watched, lake: Any) -> None:
    define(watched, window={"snapshot": "whole"}, label="y")
    assert headlines(watched) == ["mean 2.0"]
    found = watched.ops.monitors.find("watch")
    assert found.run.label_coverage == 1.0
    assert next(m.value for m in found.measurements if m.metric == "labelled") == 2


def test_a_dataset_that_is_not_there_is_said(watched: Watched) -> None:
    define(watched, window={"snapshot": "whole"}, watch="dataset/nothing")
    looked = looking.look(watched.ops.session, "watch", now=4e9)
    assert "dataset nothing: no such dataset" in looked.why


def test_a_column_that_is_not_there_is_said(watched: Watched, lake: Any) -> None:
    define(watched, window={"time": "2h"}, time="when")
    looked = looking.look(watched.ops.session, "watch", now=4e9)
    assert "dataset rides: no column when" in looked.why
