"""The labelling screen: what is seen, and labelling by keys alone."""

from __future__ import annotations

from typing import Any

import pytest

from core.domain.labelling import PickPolicy, PickReason, TaskState
from core.labelling.candidates import Candidate
from core.labelling.picking import Picked
from core.labelling.queueing import put_batch
from core.ops import Ops
from screens.labels.screen import LabelsScreen
from screens.labels.words import meant
from tests.support.driving import shown, until
from tests.support.looking import HIGH, LOW, look, press, sized
from tests.support.seed import NOW

NAME = "bike-demand"
INPUTS = {
    "hr": 17, "weekday": 4, "workingday": 1, "season": 3, "temp": 0.72, "atemp": 0.66,
    "hum": 0.51, "windspeed": 0.1343, "weathersit": 1, "holiday": 0, "usual_demand": 612.5,
    "note": "rush hour, no rain",
}  # fmt: skip


def queue(ops: Ops, count: int = 3, kind: str = "number", classes: tuple[str, ...] = ()) -> None:
    """Rows that wait, one of each reason and so on."""
    reasons = list(PickReason)
    why = {
        PickReason.UNCERTAIN: "an error of about 57 is expected, by labelled rows like it",
        PickReason.DISAGREEING: "the shadow says 702, not 541",
        PickReason.DRIFTED: "monitor demand-drift: 97 % sure that it is new",
        PickReason.RANDOM: "by lot",
    }
    picked = [
        Picked(
            Candidate(f"req-{n:04d}", NOW - 3600 * (n + 1), "r2", dict(INPUTS), 541.25),
            reasons[n % 4],
            0.9,
            why[reasons[n % 4]],
        )
        for n in range(count)
    ]
    detail = {"kind": kind, "classes": list(classes)}
    with ops.session.change("test") as tx:
        put_batch(tx, NAME, picked, PickPolicy(rows=count, twice=0.0), detail)


async def at_labels(pilot: Any) -> LabelsScreen:
    """The screen, once it has its first row."""
    pilot.app.command(f"labels {NAME}")
    await until(pilot, lambda: isinstance(pilot.app.screen, LabelsScreen))
    await press(pilot)
    found = pilot.app.screen
    assert isinstance(found, LabelsScreen)
    return found


def state(ops: Ops, number: int) -> TaskState:
    return ops.labelling.get(NAME, f"req-{number:04d}").state


@sized
async def test_a_row_and_why_it_is_here(running: Any, ops: Ops, size: tuple[int, int]) -> None:
    queue(ops)
    async with running("pulse", size) as pilot:
        screen = await at_labels(pilot)
        await until(pilot, lambda: "req-0000" in shown(pilot))
        assert "the model is unsure" in shown(pilot)
        assert screen.focused is screen.field
        look(pilot, "labels-row", size)


@sized
async def test_classes_have_a_digit_each(running: Any, ops: Ops, size: tuple[int, int]) -> None:
    queue(ops, 2, "class", ("quiet", "busy", "crowded"))
    async with running("pulse", size) as pilot:
        await at_labels(pilot)
        await until(pilot, lambda: "req-0000" in shown(pilot))
        await press(pilot, *"cr")
        look(pilot, "labels-classes", size)
        await press(pilot, "enter")
        await until(pilot, lambda: "req-0001" in shown(pilot))
        assert ops.labelling.get(NAME, "req-0000").label == "crowded"
        await press(pilot, "2", "enter")
        await until(pilot, lambda: state(ops, 1) is TaskState.DONE)
        assert ops.labelling.get(NAME, "req-0001").label == "busy"


async def test_labels_are_typed_one_after_the_other(running: Any, ops: Ops) -> None:
    queue(ops, 3)
    async with running("pulse", HIGH) as pilot:
        await at_labels(pilot)
        await until(pilot, lambda: "req-0000" in shown(pilot))
        await press(pilot, *"530", "enter")
        await until(pilot, lambda: "req-0001" in shown(pilot))
        assert ops.labelling.get(NAME, "req-0000").label == 530
        assert "opsdeck labels label bike-demand req-0000 530" in shown(pilot)
        await press(pilot, "tab")
        await until(pilot, lambda: "req-0002" in shown(pilot))
        await press(pilot, "shift+tab")
        await until(pilot, lambda: "req-0001" in shown(pilot))
        await press(pilot, "escape", "s")
        await until(pilot, lambda: "req-0002" in shown(pilot))
        await press(pilot, *"12.5", "enter")
        await until(pilot, lambda: "nothing is left for you" in shown(pilot))
        assert ops.labelling.get(NAME, "req-0002").label == 12.5
        assert "2 by you" in shown(pilot)
        look(pilot, "labels-done", HIGH)


async def test_what_is_no_label_is_said_and_stays_in_the_field(running: Any, ops: Ops) -> None:
    queue(ops, 2)
    async with running("pulse", LOW) as pilot:
        screen = await at_labels(pilot)
        await until(pilot, lambda: "req-0000" in shown(pilot))
        await press(pilot, "enter")
        assert "nothing is typed: tab skips the row" in shown(pilot)
        await press(pilot, *"many", "enter")
        await until(pilot, lambda: "is no number" in shown(pilot))
        assert screen.field.value == "many"
        look(pilot, "labels-refused", LOW)
        assert state(ops, 0) is TaskState.OPEN


async def test_a_new_class_wants_a_second_enter(running: Any, ops: Ops) -> None:
    queue(ops, 1, "class", ("quiet", "busy"))
    async with running("pulse", HIGH) as pilot:
        await at_labels(pilot)
        await until(pilot, lambda: "req-0000" in shown(pilot))
        await press(pilot, *"stormy", "enter")
        await until(pilot, lambda: "again takes it as a new class" in shown(pilot))
        await press(pilot, "enter")
        await until(pilot, lambda: state(ops, 0) is TaskState.DONE)


async def test_leaving_gives_the_row_back(running: Any, ops: Ops) -> None:
    queue(ops, 1)
    async with running("pulse", HIGH) as pilot:
        await at_labels(pilot)
        await until(pilot, lambda: "req-0000" in shown(pilot))
        assert ops.labelling.get(NAME, "req-0000").claimed_by == ("engineer",)
        await press(pilot, "escape", "q")
        await until(pilot, lambda: not isinstance(pilot.app.screen, LabelsScreen))
        await until(pilot, lambda: not ops.labelling.get(NAME, "req-0000").claimed_by)


async def test_read_only_looks_and_claims_nothing(running: Any, workspace: Any, ops: Ops) -> None:
    from core.ops import open_ops

    queue(ops, 1)
    with open_ops(workspace, actor="eve", read_only=True) as eve:
        async with running("pulse", HIGH, on=eve) as pilot:
            await at_labels(pilot)
            assert "this session is read-only" in shown(pilot)
            await press(pilot, "s")
            assert not ops.labelling.get(NAME, "req-0000").claimed_by


async def test_without_colours_it_can_be_read(
    running: Any, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    queue(ops, 1)
    async with running("pulse", LOW) as pilot:
        await at_labels(pilot)
        await until(pilot, lambda: "req-0000" in shown(pilot))
        look(pilot, "mono-labels", LOW)


def test_what_is_meant_by_what_is_typed() -> None:
    from core.domain.labelling import LabelKind, LabelQueue

    words = LabelQueue("x", kind=LabelKind.CLASS, classes=("quiet", "busy", "bust"))
    assert meant("1", words) == "quiet"
    assert meant("q", words) == "quiet"
    assert meant("bus", words) == "bus"
    assert meant("9", words) == "9"
    digits = LabelQueue("x", kind=LabelKind.CLASS, classes=("0", "1"))
    assert meant("1", digits) == "1"
    assert meant(" 2 ", LabelQueue("x")) == "2"
