"""A small workspace for pipeline files to name things in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

Write = Callable[[str], Path]

STEPS = """
import os

from shop.tools import cleaned as tidy, price


def acquire(month, source="x.csv"):
    return month


def clean(raw, limit: int = 3):
    return raw


def fit(frame, seed, *, depth=2):
    return frame, seed


def anything(**inputs):
    return inputs


def only_position(raw, /):
    return raw


async def later(raw):
    return raw


CALLABLE = os.getcwd
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace with the module `shop.steps`, one under `src/`, a script and a notebook."""
    for folder in ("pipelines", "shop", "src/inner", "scripts"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "shop/__init__.py").write_text("")
    (tmp_path / "shop/steps.py").write_text(STEPS)
    (tmp_path / "shop/tools.py").write_text(
        "def cleaned(raw):\n    return raw\n\n\ndef price(item, rate=1.0):\n    return item\n"
    )
    (tmp_path / "shop/broken.py").write_text("def work(:\n    pass\n")
    (tmp_path / "src/inner/__init__.py").write_text("")
    (tmp_path / "src/inner/deep.py").write_text("def work(raw):\n    return raw\n")
    (tmp_path / "scripts/train.py").write_text("print('hello')\n")
    (tmp_path / "scripts/look.ipynb").write_text('{"cells": []}')
    return tmp_path


@pytest.fixture
def write(root: Path) -> Write:
    """Write `pipelines/p.yaml` (dedented, first line break removed); returns the workspace."""

    def _write(text: str) -> Path:
        (root / "pipelines/p.yaml").write_text(dedent(text).removeprefix("\n"))
        return root

    return _write
