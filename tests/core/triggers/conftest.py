"""A small workspace on either database, with a file of triggers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.ops import Ops, open_ops
from tests.support.opened import database_url, open_as, ops, woken

__all__ = ["database_url", "open_as", "ops", "woken", "write"]

Write = Callable[..., Path]


@pytest.fixture
def write(ops: Ops) -> Write:
    """Writes `monitors/FILE.yaml` with these triggers, each on the pipeline `chain` and about
    the model `demand` unless it says otherwise."""

    def put(file: str = "watch", alarms: Any = None, **triggers: Any) -> Path:
        folder = ops.workspace.root / "monitors"
        folder.mkdir(exist_ok=True)
        plain = {"pipeline": "chain", "model": "demand", "cool_down": 0}
        content: dict[str, Any] = {
            "triggers": {
                name.replace("_", "-"): {**plain, **data} for name, data in triggers.items()
            }
        }
        if alarms:
            content["alarms"] = alarms
        path = folder / f"{file}.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    return put


@pytest.fixture
def again(ops: Ops) -> Iterator[Ops]:
    """A second worker's opening of the same workspace."""
    with open_ops(ops.workspace.root, actor="opsdeck") as other:
        yield other
