"""The files of a run: SageMaker's, beside our rows, in `.opsdeck/monitors/NAME/RUN/`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.domain.monitor import Findings, Violation
from core.monitors.store import finite, write_whole

FOLDER = "monitors"
VIOLATIONS = "constraint_violations.json"


def run_folder(state_dir: Path, monitor: str, run: str, generation: int) -> Path:
    """Where the files of a run are; each generation has its own."""
    name = run if generation == 1 else f"{run}.{generation}"
    return state_dir / FOLDER / monitor / name


def work_folder(state_dir: Path, monitor: str, run: str) -> Path:
    """Where a run puts what it needs on the way."""
    return state_dir / FOLDER / ".work" / f"{monitor}-{run}"


def file_findings(folder: Path, findings: Findings) -> None:
    """Write the kind's files; without violations of its own the common file is made of ours."""
    files = dict(findings.files)
    if VIOLATIONS not in files:
        files[VIOLATIONS] = violations_file(findings.violations)
    for name, content in files.items():
        if Path(name).name != name:
            raise ValueError(f"{name!r} is no file's name")
        text = json.dumps(finite(content), indent=2, ensure_ascii=False)
        write_whole(folder / name, text.encode())


def violations_file(violations: tuple[Violation, ...]) -> Mapping[str, Any]:
    """SageMaker's constraint_violations.json."""
    return {
        "violations": [
            {
                "feature_name": each.feature,
                "constraint_check_type": each.check,
                "description": each.description,
            }
            for each in violations
        ]
    }


def forget_folder(state_dir: Path, folder: str) -> None:
    """Delete the files of a run; `folder` is relative to the state folder."""
    if folder.startswith(f"{FOLDER}/"):
        shutil.rmtree(state_dir / folder, ignore_errors=True)
