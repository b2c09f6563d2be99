"""The Query and Features modes as they look at 80×24 and 120×40."""

from __future__ import annotations

from typing import Any

import pytest

from core.domain.features import FeatureRow, Freshness, OnlineRow
from core.domain.query import QueriedDataset, QueryColumn, QueryResult
from core.query.errors import QueryInvalid
from screens.dialogs.base import Dialog
from screens.features.reading import PANES
from tests.support.answers import answering
from tests.support.driving import opened, settled
from tests.support.looking import HIGH, LOW, look, press, sized
from tests.support.seed import NOW

COLUMNS = (
    ("season", "VARCHAR"), ("rentals", "BIGINT"), ("share", "DOUBLE"), ("note", "VARCHAR"),
    ("at", "TIMESTAMP"), ("member_email", "VARCHAR"), ("holiday", "BOOLEAN"),
)  # fmt: skip
ROWS = tuple(
    (
        ("spring", "", "winter", None)[i % 4], 1000 * i, i / 7,
        None if i % 3 else "a note that says more than its column would",
        f"2011-01-{i % 28 + 1:02d} 00:00:00", "****@bike", i % 5 == 0,
    )
    for i in range(60)
)  # fmt: skip
RESULT = QueryResult(
    "q9", "SELECT 1", tuple(QueryColumn(*each) for each in COLUMNS), ROWS, True, 41.3,
    (QueriedDataset("rentals", "7", 4),),
)  # fmt: skip
WRONG = QueryInvalid(
    'query: Referenced column "nope" not found in FROM clause!', 'Candidate bindings: "cnt"'
)
ONLINE = OnlineRow(
    "hour_features@2", {"station": "31"}, Freshness.FRESH,
    {"lag_24": 12.0, "mean_168": 90.25, "temp": None, "season": "winter"},
    event_at=NOW - 5400.0, age=5400.0,
)  # fmt: skip
OFFLINE = (
    FeatureRow(NOW - 1800.0, NOW - 1700.0, False,
               {"lag_24": 14.0, "mean_168": 90.25, "temp": 9.5, "season": "winter"}),
    FeatureRow(NOW - 1800.0, NOW - 1750.0, False,
               {"lag_24": 13.0, "mean_168": 90.25, "temp": 9.5, "season": "winter"}, True),
    FeatureRow(NOW - 5400.0, NOW - 5300.0, False,
               {"lag_24": 12.0, "mean_168": 90.25, "temp": None, "season": "winter"}),
)  # fmt: skip


@sized
async def test_history(running: Any, lake_ops: Any, size: tuple[int, int]) -> None:
    async with running("query", size, on=lake_ops) as pilot:
        look(pilot, "query", size)


@sized
async def test_result(running: Any, lake_ops: Any, size: tuple[int, int]) -> None:
    answering(lake_ops, {("queries", "run"): RESULT})
    async with running("query", size, on=lake_ops) as pilot:
        await press(pilot, "e", *"select * from rentals", "f5", "escape", "right", "j", "j")
        look(pilot, "query-result", size)


@sized
async def test_error_and_completion(running: Any, lake_ops: Any, size: tuple[int, int]) -> None:
    answering(lake_ops, {("queries", "run"): WRONG})
    async with running("query", size, on=lake_ops) as pilot:
        await press(pilot, "e", *"select cnt,", "enter", *"  nope", "enter", *"from rentals", "f5")
        await press(pilot, "ctrl+end", " ", *"where c")
        look(pilot, "query-error", size)


@sized
@pytest.mark.parametrize("pane", PANES)
async def test_features(running: Any, lake_ops: Any, pane: str, size: tuple[int, int]) -> None:
    async with running("features", size, on=lake_ops) as pilot:
        await press(pilot, *(["enter"] if size == LOW and pane != "definition" else []), pane[0])
        look(pilot, f"features-{pane}", size)


async def test_get_by_key(running: Any, lake_ops: Any) -> None:
    said = {("features", "get"): ONLINE, ("features", "history"): OFFLINE}
    answering(lake_ops, said)
    async with running("features", HIGH, on=lake_ops) as pilot:
        await press(pilot, "e")
        await opened(pilot, Dialog)
        await press(pilot, *"31")
        look(pilot, "dialog-features-key", HIGH)
        await pilot.press("enter")
        await settled(pilot)
        await opened(pilot, Dialog)
        look(pilot, "dialog-features-entity", HIGH)
