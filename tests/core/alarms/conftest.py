"""A workspace with alarms, looked after by the test itself: no worker, and its own clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.alarms.keeper import Keeper
from core.alarms.rows import Standing, load
from core.domain.series import Point
from core.series import record
from core.session import Session
from core.workspace import open_workspace
from tests.support.opened import write_workspace


class Field:
    """Alarms over `endpoint/bike:load` and whatever else a test writes; time goes by minutes."""

    def __init__(self, root: Path, url: str | None = None) -> None:
        self.root = write_workspace(root, url)
        self.session = Session(open_workspace(self.root), "opsdeck", read_only=False)
        self.session.store()
        self.keeper = Keeper(self.session, "worker-1")
        self.now = time.time() // 60 * 60 + 60

    def define(self, slos: dict[str, Any] | None = None, /, **alarms: Any) -> None:
        """Write `monitors/alarms.yaml` anew."""
        folder = self.root / "monitors"
        folder.mkdir(exist_ok=True)
        file = folder / "alarms.yaml"
        before = file.read_text() if file.exists() else None
        text = yaml.safe_dump({"alarms": alarms, **({"slos": slos} if slos else {})})
        file.write_text(text + "\n" * (before is not None and len(before) == len(text)))

    def minute(self, *values: float | None, metric: str = "load") -> dict[str, Standing]:
        """A minute goes by for each value, with that measured in it (None: nothing is), and the
        alarms are looked after at its end."""
        for value in values:
            if value is not None:
                self.record(Point(metric, self.now, value))
            self.now += 60
            self.look()
        return self.standings()

    def record(self, *points: Point, source: str = "endpoint/bike") -> None:
        with self.session.change("measure") as tx:
            record(tx, source, points)

    def look(self) -> bool:
        return self.keeper.look(self.now + 16)

    def standings(self) -> dict[str, Standing]:
        return load(self.session.reader)

    def history(self, alarm: str, kind: str | None = None) -> list[dict[str, Any]]:
        rows = self.session.reader.rows(
            "SELECT * FROM alarm_history WHERE alarm = :alarm ORDER BY id", alarm=alarm
        )
        return [row for row in rows if kind in (None, row["kind"])]

    def moves(self, alarm: str) -> list[str]:
        return [f"{r['from_state']} → {r['to_state']}" for r in self.history(alarm, "state")]

    def alerts(self, state: str | None = None) -> list[dict[str, Any]]:
        rows = self.session.reader.rows("SELECT * FROM alerts ORDER BY at")
        return [row for row in rows if state in (None, row["state"])]

    def close(self) -> None:
        self.session.close()


HIGH = {"metric": "endpoint/bike:load", "threshold": 10, "actions": [{"alert": "critical"}]}


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    made = Field(tmp_path / "space")
    yield made
    made.close()
