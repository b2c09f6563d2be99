"""Monitors in other processes: of the real kind `drift`, over traffic that is written as servers
write it, with a baseline of that traffic, so that no model is needed."""

from __future__ import annotations

from typing import Any

import yaml

from core.ops import Ops
from core.serving.process.capture import Captured
from core.serving.process.parts import write_part
from core.state import schema
from tests.support.watched import ENDPOINT, MODEL, NOON

ROWS = 40


def prepare(ops: Ops, *names: str) -> None:
    """An endpoint without a process, and monitors over windows of forty rows of it."""
    with ops.session.change("test") as tx:
        tx.execute(
            schema.endpoints.insert().values(
                name=ENDPOINT, environment="production", status="stopped", host="here",
                created_at=NOON, updated_at=NOON,
            )
        )  # fmt: skip
        tx.execute(
            schema.revisions.insert().values(
                endpoint=ENDPOINT, revision=1, model="", version=0, state="stable", weight=100.0,
                deployment_id="d1", created_at=NOON,
            )
        )  # fmt: skip
    folder = ops.workspace.root / "monitors"
    folder.mkdir(exist_ok=True)
    day = "captured:2025-10-09..2025-10-10"
    for name in names or ("watch",):
        data = {
            "kind": "drift", "watch": f"endpoint/{ENDPOINT}", "baseline": day,
            "window": {"rows": ROWS, "minimum_rows": 1}, "variant": "all", "outputs": False,
            "calibrate": "off", "catch_up": 50,
        }  # fmt: skip
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({"monitors": {name: data}}))


def ask(ops: Ops, windows: int, first: int = 0) -> None:
    """So many windows' worth of requests."""
    requests = [
        Captured(
            f"id-{n}", NOON + n, 1, 200, 1.0, _inputs(n), [1.0], 0, MODEL, 1, "application/json"
        )
        for n in range(first * ROWS, (first + windows) * ROWS)
    ]
    folder = ops.workspace.endpoints_dir / ENDPOINT / "capture"
    write_part(folder / "date=2025-10-09" / "variant=r1", requests)


def _inputs(number: int) -> Any:
    return lambda: {"columns": ["x"], "data": [[(number * 37) % 100 / 10]]}


def run(ops: Any, name: str) -> None:
    """One look at a monitor, as the worker's process aside does it."""
    ops.monitors.look(name)
