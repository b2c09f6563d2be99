"""What a worker does for online stores by itself."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from core.aside import Aside
from core.engine.duties import Task, due_features
from core.features.online import OnlineReader
from core.features.place import online_file
from core.lake import open_lake
from core.ops import open_ops

YAML = """\
source: rides
entity: {rider: int}
event_time: ended
features: {count: int}
online: true
every: 1s
ttl: 900d
"""


def rides(count: int) -> pa.Table:
    ended = pa.array([datetime(2026, 1, 1, count)], pa.timestamp("us"))
    return pa.table({"rider": [1], "ended": ended, "count": [count]})


def test_a_store_whose_time_has_come_is_brought_up_in_the_process_aside(tmp_path: Path) -> None:
    (tmp_path / "opsdeck.yaml").write_text("name: test\n")
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "riders.yaml").write_text(YAML)
    with open_ops(tmp_path, actor="ana") as ops:
        lake = open_lake(ops.session)
        lake.ensure("rides", rides(1).schema, owner="ana")
        lake.append("rides", rides(1), by="ana")
        assert due_features(ops.session, time.time()) == []
        ops.features.apply("riders")
        aside = Aside(ops.session)
        try:
            for count in (2, 3):
                lake.append("rides", rides(count), by="ana")
                (task,) = due_features(ops.session, time.time() + 5)
                assert task == Task("features", "materialize", ("riders@1",))
                done = aside.ask(task.service, task.method, *task.args)
                assert done.mode == ("full" if count == 2 else "incremental")
                reader = OnlineReader(online_file(ops.workspace, "riders", 1))
                assert reader.look_up([1])[1] == [count]
                reader.close()
        finally:
            aside.close()
        before = ops.features.find("riders").materialized_at
        assert due_features(ops.session, time.time() + 5) == []  # nothing new: tidied here
        after = ops.features.find("riders").materialized_at
        assert before is not None and after is not None and after > before
