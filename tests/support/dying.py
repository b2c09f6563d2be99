"""Running something in a process that kills itself at a given point.

The processes are forked from one that has the libraries loaded: what they cost is a fork.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

PRELOADED = (
    "core.lake.lake",
    "core.ingest.batch",
    "core.ingest.intakestdin",
    "core.governance.access",
    "core.services.ingest",
    "core.services.intakes",
    "alembic.command",
)


class Point(NamedTuple):
    """Before or after a call of a function, or of a method where `holder` names a class."""

    module: str
    holder: str
    name: str
    when: str


def die_at(point: Point, body: Callable[..., None], root: Path, *args: Any) -> None:
    """Run `body(ops, *args)` on a workspace, in a process that must not live past the point."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    process = context.Process(target=_run, args=(point, body, root, args))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL, process.exitcode


def _run(point: Point, body: Callable[..., None], root: Path, args: tuple[Any, ...]) -> None:
    from core.ops import open_ops

    owner: Any = importlib.import_module(point.module)
    if point.holder:
        owner = getattr(owner, point.holder)
    called = getattr(owner, point.name)

    def dying(*given: Any, **named: Any) -> Any:
        if point.when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        called(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, point.name, dying)
    with open_ops(root, actor="author") as ops:
        body(ops, *args)


def ingest(ops: Any, dataset: str, files: str) -> None:
    """A batch of files."""
    ops.ingest.ingest(dataset, [files])


def intake(ops: Any, name: str, dataset: str) -> None:
    """An intake that only flushes what is in its spool."""
    import io

    ops.intakes.read(name, io.BytesIO(b""), dataset)
