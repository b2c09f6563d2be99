"""The training debugger over one run: what was logged, the steps' records, what was put out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from core.debugger.evaluating import evaluate, report
from core.domain.debugger import DebugReport
from core.domain.run import RunDetail
from core.errors import ModelUnusable, OpsdeckError
from core.services.metrics import run_metrics
from core.session import Session


def debug_run(session: Session, detail: RunDetail, *, outputs: bool) -> DebugReport:
    """All rules over a run as it is now. Raises `TrackingUnavailable`."""
    found, missing = evaluate(detail, run_metrics(session, detail, {}), time.time())
    if outputs:
        from core.debugger.artifacts import evaluate_outputs

        more, lacking = evaluate_outputs(detail, session.workspace.state_dir, _native)
        found += more
        missing |= lacking
    return report(detail, found, missing, complete=outputs)


def _native(folder: Path) -> Any:
    """The model in a folder as its own library has it."""
    from core.monitors.model import loader

    try:
        return loader(folder, ())().native
    except OpsdeckError as error:
        raise ModelUnusable(error.message, error.hint) from error
    except Exception as error:  # whatever a model's library raises says why it cannot be looked at
        line = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ModelUnusable(f"the model could not be loaded ({line})") from error
