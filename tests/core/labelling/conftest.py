"""A workspace with an endpoint whose traffic is captured, as several people open it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.capture.labelfile import Label
from core.capture.labels import store_labels
from core.ops import Ops
from core.serving.process.capture import Captured
from core.serving.process.parts import write_part
from tests.support.opened import OpenAs, database_url, open_as, ops, raw, woken

__all__ = ["Traffic", "database_url", "open_as", "ops", "traffic", "woken"]

NOON = 1_760_011_200.0


class Traffic:
    """What the endpoint `bike` was asked and answered, and who is there to label it."""

    def __init__(self, ops: Ops, open_as: OpenAs) -> None:
        self.ops, self._open_as = ops, open_as
        ops.session.store()
        raw(
            ops.workspace.database_url,
            "INSERT INTO endpoints (name, environment, status, host, created_at, updated_at)"
            " VALUES ('bike', 'production', 'in_service', '127.0.0.1', 1, 1)",
        )
        self.folder = ops.workspace.endpoints_dir / "bike"

    def put(self, number: int, output: Any, *, rows: int = 1, **inputs: Any) -> None:
        """One request; `shadow` is what another revision said to it."""
        shadow = inputs.pop("shadow", None)
        names = list(inputs) or ["temp"]
        data = [[inputs.get(name, float(number)) for name in names]] * rows
        told = {"dataframe_split": {"columns": names, "data": data}}
        self._write(number, 1, [output] * rows, told, shadow=False)
        if shadow is not None:
            self._write(number, 2, [shadow] * rows, told, shadow=True)

    def _write(self, number: int, revision: int, outputs: Any, told: Any, *, shadow: bool) -> None:
        item = Captured(
            inference_id=f"id-{number}",
            at=NOON + number,
            revision=revision,
            status=200,
            milliseconds=1.5,
            inputs=lambda: told,
            outputs=outputs,
            model="demand",
            version=revision,
            content_type="application/json",
            shadow=shadow,
        )
        target = self.folder / "capture" / "date=2025-10-09" / f"variant=r{revision}"
        write_part(target, [item])

    def label(self, **values: Any) -> None:
        labels = [Label(key.replace("_", "-"), value, NOON) for key, value in values.items()]
        store_labels(self.folder, labels)

    def queue(self, count: int, output: Any = 5.5, **policy: Any) -> Path:
        """A queue of so many rows, all picked by lot, for one person each."""
        from core.domain.labelling import PickPolicy

        for number in range(count):
            self.put(number, output(number) if callable(output) else output)
        given = {"rows": count, "shares": {"random": 1.0}, "twice": 0.0, **policy}
        self.ops.labelling.pick("bike", PickPolicy(**given))
        return self.folder

    def person(self, name: str) -> Ops:
        """Somebody else who has opened the workspace."""
        return self._open_as(name)


@pytest.fixture
def traffic(ops: Ops, open_as: OpenAs) -> Traffic:
    return Traffic(ops, open_as)


People = Callable[[str], Ops]
