"""A lake that several processes open for the first time at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from core.ops import open_ops
from tests.support.opened import write_workspace

CREATE = """\
import sys
from pathlib import Path
import pyarrow as pa
from core.lake import open_lake
from core.ops import open_ops
sys.stdin.readline()
with open_ops(Path(sys.argv[1])) as ops, open_lake(ops.session) as lake:
    lake.ensure("shared", pa.schema([("n", pa.int64())]), owner="ana")
    lake.append("shared", pa.table({"n": [int(sys.argv[2])]}), by="ana")
"""


def test_a_new_lake_is_opened_by_many_at_once(tmp_path: Path) -> None:
    root = write_workspace(tmp_path / "w")
    started = [
        subprocess.Popen(
            [sys.executable, "-P", "-c", CREATE, str(root), str(number)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for each in started:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    told = [each.communicate(timeout=120)[1] for each in started]
    assert [each.returncode for each in started] == [0, 0, 0, 0], told
    with open_ops(root) as ops:
        assert ops.data.get("shared").rows == 4
