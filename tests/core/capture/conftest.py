"""Captured requests as servers write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.serving.process.capture import Captured
from core.serving.process.parts import write_part

NOON = 1_760_011_200.0  # 2025-10-09 12:00:00 UTC


def request(number: int, at: float | None = None, **other: Any) -> Captured:
    """One request; every field can be said."""
    values: dict[str, Any] = {
        "inference_id": f"id-{number}",
        "at": NOON + number if at is None else at,
        "revision": 1,
        "status": 200,
        "milliseconds": 1.5,
        "inputs": lambda: {"dataframe_split": {"columns": ["x"], "data": [[number]]}},
        "outputs": [float(number)],
        "model": "demand",
        "version": 3,
        "content_type": "application/json",
    }
    return Captured(**{**values, **other})


def put(folder: Path, *requests: Captured) -> list[Path]:
    """Write requests as a server would: a part for each revision."""
    found = []
    for revision in sorted({each.revision for each in requests}):
        mine = [each for each in requests if each.revision == revision]
        target = folder / "date=2025-10-09" / f"variant=r{revision}"
        found.append(write_part(target, mine))
    return found


@pytest.fixture(name="request_of")
def request_of_fixture() -> Callable[..., Captured]:
    """Makes one captured request."""
    return request


@pytest.fixture(name="put")
def put_fixture() -> Callable[..., list[Path]]:
    """Writes requests as a server would."""
    return put
