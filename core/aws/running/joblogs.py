"""What jobs there print, appended to the same files as what steps print here.

Where a file ends is where the next look goes on: nothing else is remembered, so that a process
that dies loses nothing and writes nothing twice.
"""

from __future__ import annotations

from pathlib import Path

from core.aws.account import Account
from core.aws.logs import LogSource, read_logs
from core.engine.logfiles import format_line, parse_line

GROUPS = {
    "processing": "/aws/sagemaker/ProcessingJobs",
    "training": "/aws/sagemaker/TrainingJobs",
}
MOST_LINES = 5_000
_TAIL = 256 << 10


def mirror_log(
    account: Account, path: Path, job: tuple[str, str], attempt: int, began: float | None
) -> None:
    """Append what the job has printed since; raises `AwsError`."""
    kind, name = job
    lines = _last(path)
    if not lines:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(format_line(began or 0.0, "sys", attempt, f"{kind} job {name}"))
    since = max((at for at, _ in lines), default=began or 0.0)
    told = {text for at, text in lines if at == since}
    source = LogSource(GROUPS[kind], f"{name}/")
    fresh = []
    for line in read_logs(account, source, since=since, limit=MOST_LINES):
        at = int(line.at * 1000) / 1000
        if at == since and line.text in told:
            continue
        fresh.append(format_line(line.at, "out", attempt, line.text))
    if fresh:
        with path.open("ab") as file:
            file.write(b"".join(fresh))


def _last(path: Path) -> list[tuple[float, str]]:
    """Time and text of the lines at the file's end."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            raw = file.read().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    found = [parse_line(each, "") for each in raw[1 if size > _TAIL else 0 :]]
    return [(line.at, line.text) for line in found if line.stream != "sys" or not line.text]
