"""The process of a data step: forked from the warm server, with none of the user's code in it.

It opens the workspace in the name of whoever asked for the run, so that it may read and write
what they may, does what the step says, and tells the worker as any step process does.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.engine.stepchild import Events
from core.errors import OpsdeckError

Request = Mapping[str, Any]


def run(request: Request, events_fd: int) -> int:
    """Do what `request` describes; returns the exit status (0: all stored)."""
    events = Events(events_fd)
    _prepare(request)
    try:
        stored = _work(request)
        missing = [name for name in request["outputs"] if name not in stored]
        if missing:
            known = ", ".join(stored) or "nothing"
            raise OpsdeckError(
                f"{request['target']} puts out no {', '.join(missing)}", f"it puts out: {known}"
            )
        for name in request["outputs"]:
            kind, path = stored[name]
            events.send("output", name=name, kind=kind, path=str(path))
        events.send("done")
    except OpsdeckError as error:
        print(error.one_line(), file=sys.stderr)  # noqa: T201 - the step's log
        events.send("error", type=type(error).__name__, message=error.one_line())
        return 1
    except Exception as error:  # noqa: BLE001 - told to the worker, the trace in the step's log
        traceback.print_exc()
        message = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
        events.send("error", type=type(error).__name__, message=message)
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _prepare(request: Request) -> None:
    os.environ.update(request["env"])
    threads = str(request["env"].get("OMP_NUM_THREADS") or request["threads"])
    for name in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = threads
    os.chdir(request["root"])
    random.seed(0)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    for name in ("pyiceberg", "alembic", "botocore", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _work(request: Request) -> dict[str, tuple[str, Path]]:
    from core.engine.datasettings import Settings
    from core.engine.dataverbs import VERBS
    from core.engine.modelverbs import VERBS as OF_MODELS
    from core.ops import open_ops

    out = Path(request["out_dir"])
    with open_ops(Path(request["root"]), actor=request["actor"]) as ops:
        settings = Settings(request["target"], request["inputs"], ops)
        return {**VERBS, **OF_MODELS}[request["target"]](ops, settings, request, out)
