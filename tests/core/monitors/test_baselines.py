"""Where a baseline's rows come from, and which baseline holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.domain.monitor import Reference
from core.errors import NotFound, StateCorrupt, WrongState
from core.monitors.baselines import captured_range
from core.monitors.errors import NoBaseline
from core.monitors.kind import StoredBaseline
from core.monitors.lineage import rows_of, version_run
from core.monitors.store import get, put
from tests.support.watched import NOON, PIPELINE, Watched, deploy


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """One database is enough for this."""
    return f"sqlite:///{tmp_path / 'state.db'}"


def test_a_baseline_is_kept_by_its_content(tmp_path: Path) -> None:
    one = StoredBaseline({"mean": 1.5, "inf": float("inf")}, {"edges": np.arange(5.0)})
    digest, path, size = put(tmp_path, "drift", one)
    assert put(tmp_path, "drift", one) == (digest, path, size)
    found = get(tmp_path / path)
    assert found.summary == {"mean": 1.5, "inf": "inf"}
    assert found.arrays["edges"].tolist() == [0, 1, 2, 3, 4]
    other = StoredBaseline({"mean": 1.5, "inf": float("inf")}, {"edges": np.arange(6.0)})
    assert put(tmp_path, "drift", other)[0] != digest
    (tmp_path / path).write_bytes(b"nonsense")
    with pytest.raises(StateCorrupt, match="cannot be read"):
        get(tmp_path / path)


def test_training_rows_are_found_by_lineage(watched: Watched) -> None:
    found = version_run(watched.ops.session, "demand", 1)
    rows = rows_of(watched.ops.session, found, Reference.TRAINING)
    assert rows.origin["output"] == "train_rows"
    assert rows.target == "y"
    judged = rows_of(watched.ops.session, found, Reference.EVALUATION)
    assert judged.origin["output"] == "holdout_rows", "what only the evaluation read"


def test_rows_that_may_be_any_of_several_are_not_guessed(watched: Watched) -> None:
    path = watched.root / "pipelines" / "train.yaml"
    several = PIPELINE.replace(
        "function: work:train\n",
        "function: work:train\n    inputs: {other: split.holdout_rows}\n",
    )
    path.write_text(several)
    work = watched.root / "work.py"
    work.write_text(work.read_text().replace("train(train_rows)", "train(train_rows, other)"))
    deploy(watched, 2, range(5), at=NOON - 5)
    found = version_run(watched.ops.session, "demand", 2)
    with pytest.raises(
        NoBaseline, match=r"any of split\.holdout_rows, split\.train_rows"
    ) as caught:
        rows_of(watched.ops.session, found, Reference.TRAINING)
    assert "register step (training: split.holdout_rows)" in caught.value.hint
    named = rows_of(watched.ops.session, found, Reference.TRAINING, "split.train_rows")
    assert named.origin["output"] == "train_rows"
    path.write_text(several.replace("target: y}", "target: y, training: split.train_rows}"))
    deploy(watched, 3, range(5), at=NOON - 4)
    told = rows_of(
        watched.ops.session, version_run(watched.ops.session, "demand", 3), Reference.TRAINING
    )
    assert told.origin["output"] == "train_rows"


def test_a_baseline_can_be_made_from_what_was_asked(watched: Watched) -> None:
    watched.define()
    watched.ask(40)
    service = watched.ops.monitors
    made = service.baseline("watch", "captured:2025-10-09T12:00..2025-10-09T12:00:20")
    assert (made.rows, made.active) == (20, True)
    service.run("watch")
    found = service.find("watch")
    assert found.run.baseline == made.id
    assert next(m.value for m in found.measurements if m.metric == "then") == 9.5
    service.demote("watch")
    watched.ask(10, first=40, at=NOON + 60)
    service.run("watch")
    assert next(m.value for m in service.find("watch").measurements if m.metric == "then") == 49.5
    with pytest.raises(WrongState):
        service.demote("watch")


def test_stored_ones_are_listed_compared_and_promoted(watched: Watched) -> None:
    watched.define()
    service = watched.ops.monitors
    one = service.baseline("watch")
    again = service.baseline("watch")
    assert one.id == again.id
    deploy(watched, 2, range(5), at=NOON)
    other = service.baseline("watch", "run/1:split.holdout_rows")
    assert other.id == one.id, "the same rows make the same baseline"
    third = service.baseline("watch")
    assert service.compare_baselines("watch", one.id[:8], third.id[:8]) == (
        ("mean", 49.5, 2.0),
        ("rows", 100, 5),
    )
    service.promote("watch", third.id[:8])
    assert [each.active for each in service.baselines("watch")].count(True) == 1
    with pytest.raises(NotFound):
        service.promote("watch", "ffffff")


def test_predictions_of_a_reference_are_the_models_own(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.monitors import baselines
    from core.monitors.baselinework import make_now

    seen = {}
    reference = baselines.reference_window

    def look(*args: object) -> object:
        window, origin = reference(*args)  # type: ignore[arg-type]
        seen["columns"] = window.schema.names
        return window, origin

    monkeypatch.setattr(baselines, "reference_window", look)
    watched.define()
    make_now(watched.ops.session, "watch", None)
    assert seen["columns"] == ["x", "y", "note", "__label", "__prediction"]


@pytest.mark.parametrize(
    ("text", "length"), [("7d", 7 * 86_400), ("last 2h", 7200), ("2012-01-01..2012-01-02", 86_400)]
)
def test_times_of_captured_rows(text: str, length: float) -> None:
    since, until = captured_range(text, NOON)
    assert until - since == length


@pytest.mark.parametrize("text", ["", "soon", "2012-01-02..2012-01-01", "..", "5x"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(NoBaseline, match="not a time"):
        captured_range(text, NOON)


@pytest.mark.parametrize("source", ["training rows", "run/12", "dataset:", "dataset:Nope@1"])
def test_what_is_no_source_is_refused(watched: Watched, source: str) -> None:
    watched.define()
    with pytest.raises(NoBaseline):
        watched.ops.monitors.baseline("watch", source)
