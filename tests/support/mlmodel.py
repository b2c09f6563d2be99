"""A model's folder as far as its signature goes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

BIKE = {"hour": "long", "weekday": "long", "temp": "double", "humidity": "double"}


def write_mlmodel(folder: Path, inputs: Mapping[str, str]) -> None:
    """An MLmodel file with these inputs: types by name, a `?` after those of optional ones."""
    columns = [
        {"type": kind.rstrip("?"), "name": name, "required": not kind.endswith("?")}
        for name, kind in inputs.items()
    ]
    folder.mkdir(parents=True, exist_ok=True)
    text = f"flavors: {{}}\nsignature:\n  inputs: '{json.dumps(columns)}'\n  outputs: null\n"
    (folder / "MLmodel").write_text(text)
