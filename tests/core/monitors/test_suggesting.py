"""What is proposed for an endpoint is read without a fault, and runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from core.errors import NotFound, WrongState
from core.monitors.files import read_watch_files
from tests.support.watched import ENDPOINT, NOON, Watched, deploy


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """One database is enough for this."""
    return f"sqlite:///{tmp_path / 'state.db'}"


class Model:
    """Says x itself."""

    inputs, classes, native = ("x",), (), None

    def __init__(self, *_: object) -> None: ...

    def predict(self, rows: pa.Table) -> np.ndarray[Any, Any]:
        return np.asarray(rows.column("x").to_pylist(), dtype=float)


def test_the_file_is_good_and_its_monitors_run(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.monitors.model.PyfuncModel", Model)
    deploy(watched, 2, [n % 50 for n in range(600)], at=NOON - 100)
    watched.ask(1000, step=0.01, revision=2, row=lambda n: [n % 50])
    made = watched.ops.monitors.write_suggested(ENDPOINT)
    assert made.path == "monitors/demand.yaml"
    found = read_watch_files(watched.root)
    assert not found.problems, [each.one_line() for each in found.problems]
    names = {each.name for each in found.monitors}
    assert {"demand-drift", "demand-quality"} <= names
    assert {each.name for each in found.alarms} == {"demand-quality-lost"}
    assert {each.name for each in found.slos} == {"demand-available", "demand-fast"}
    assert {each.name for each in found.triggers} == {"demand-retrain"}
    assert not made.notes
    for name in names & {"demand-drift", "demand-data"}:
        looked = watched.ops.monitors.run(name)
        assert [each.reason for each in looked.outcomes] == [""], looked
    assert "# " in made.text, "it says why"


def test_a_file_that_is_there_is_not_overwritten_unless_forced(watched: Watched) -> None:
    watched.ops.monitors.write_suggested(ENDPOINT)
    with pytest.raises(WrongState, match=r"demand\.yaml exists"):
        watched.ops.monitors.write_suggested(ENDPOINT)
    watched.ops.monitors.write_suggested(ENDPOINT, force=True)


def test_columns_that_look_protected_are_proposed_as_a_comment(watched: Watched) -> None:
    from dataclasses import replace

    from core.monitors import suggesting
    from core.monitors.surveying import ColumnSeen, survey

    found = survey(watched.ops.session, ENDPOINT)
    people = (ColumnSeen("age", True, 60, (), 41.0), ColumnSeen("sex", False, 2, ("f", "m")))
    writing = suggesting._Writing(replace(found, columns=people))
    text = writing.text()
    assert not [line for line in text.splitlines() if "kind: bias" in line and "#" not in line]
    assert any(note.startswith("bias: age, sex") for note in writing.notes)
    begin = text.index("  # demand-bias:")
    block = text[begin : text.index("\n\n", begin)]
    taken = text.replace(block, block.replace("  # ", "  "))
    (watched.root / "monitors").mkdir()
    (watched.root / "monitors" / "demand.yaml").write_text(taken)
    read = read_watch_files(watched.root)
    assert not read.problems, [each.one_line() for each in read.problems]
    assert "demand-bias" in {each.name for each in read.monitors}


def test_rows_that_are_not_known_are_said_and_the_rest_still_runs(watched: Watched) -> None:
    with watched.ops.session.change("test") as tx:
        from core.state import schema

        tx.execute(schema.step_runs.update().values(outputs="[]"))
    made = watched.ops.monitors.write_suggested(ENDPOINT)
    assert "baseline: captured:7d" in made.text
    assert any("name them in the register step" in note for note in made.notes)
    assert not read_watch_files(watched.root).problems
    assert "# demand-quality:" in made.text.replace("#  ", "#")


def test_an_endpoint_that_serves_nothing_is_refused(watched: Watched) -> None:
    with pytest.raises(NotFound, match="serves nothing"):
        watched.ops.monitors.suggest("other")
