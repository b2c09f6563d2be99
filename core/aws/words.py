"""AWS's values as people read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_RUNNING = frozenset({
    "InProgress", "Executing", "RUNNING", "Running", "Starting", "STARTING", "Creating",
    "CREATING", "Updating", "UPDATING", "SystemUpdating", "Pending", "PENDING", "Stopping",
    "STOPPING", "STOP_IN_PROGRESS", "Baking", "ActivatingTraffic", "IN_PROGRESS", "Queued",
    "QUEUED", "Created", "CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "Deleting", "DELETING",
    "RollingBack", "UPDATE_ROLLBACK_IN_PROGRESS", "WAITING", "Ready", "Scheduled",
})  # fmt: skip
_BAD = frozenset({
    "Failed", "FAILED", "Failure", "ALARM", "OutOfService", "UpdateRollbackFailed", "Error",
    "ERROR", "TIMED_OUT", "TIMEOUT", "FAULT", "ABORTED", "CompletedWithViolations", "Rejected",
    "REJECTED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "UPDATE_FAILED",
    "DELETE_FAILED", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED", "CompletedWithFailures",
    "CREATING_FAILED", "DRIFTED", "CreateFailed",
})  # fmt: skip
_WAIT = frozenset({
    "PendingManualApproval", "Pending Approval", "INSUFFICIENT_DATA", "PENDING_APPROVAL",
    "REVIEW_IN_PROGRESS", "MISCONFIGURED", "CREATE_PENDING",
})  # fmt: skip
_DIM = frozenset({
    "Stopped", "STOPPED", "Cancelled", "CANCELLED", "DELETE_COMPLETE", "Deleted", "DELETED",
    "Superseded", "DISABLED", "Disabled", "NOT_CHECKED",
})  # fmt: skip


def tone(status: str) -> str:
    """The tone of a status in AWS's words; what is in none of the lists stands well."""
    if not status:
        return ""
    for words, found in ((_RUNNING, "run"), (_BAD, "bad"), (_WAIT, "wait"), (_DIM, "dim")):
        if status in words:
            return found
    return "ok"


def epoch(value: Any) -> float | None:
    """A time as epoch seconds: of a datetime, a number (milliseconds where it must be), or text."""
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value.timestamp() if value.tzinfo else value.replace(tzinfo=UTC).timestamp()
    if isinstance(value, (int, float)):
        return float(value) / 1000 if value > 1e11 else float(value)
    try:
        return datetime.fromisoformat(str(value).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None


def clock(value: Any) -> str:
    """A time as people write it, in UTC; "" where there is none."""
    at = epoch(value)
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float | None) -> str:
    """A duration: 42s, 3m 05s, 2h 10m, 4d 3h."""
    if seconds is None:
        return ""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02}m"
    return f"{whole // 86400}d {whole % 86400 // 3600}h"


def size(count: float | None) -> str:
    """Bytes as people read them: 1.4 GiB."""
    if count is None:
        return ""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(value) < 1024 or unit == "TiB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return ""


def money(dollars: float | None) -> str:
    """US dollars."""
    if dollars is None:
        return ""
    return f"${dollars:,.4f}" if 0 < abs(dollars) < 0.01 else f"${dollars:,.2f}"


def number(value: float | None) -> str:
    """A number with as many digits as mean something."""
    return "" if value is None else f"{value:,.6g}"


def last_of(arn: str) -> str:
    """The name at the end of an ARN."""
    return arn.rsplit("/", 1)[-1] if "/" in arn else arn.rsplit(":", 1)[-1]


def short(text: str, most: int = 80) -> str:
    """Text on one line, cut where it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def pretty(value: Any) -> tuple[str, ...]:
    """JSON as lines."""
    return tuple(json.dumps(value, indent=2, default=str, ensure_ascii=False).splitlines())


def labelled(values: Mapping[str, Any], *keys: str) -> tuple[tuple[str, str], ...]:
    """Those of the keys that have a value, as lines of label and value."""
    return tuple(
        (key, clock(values[key]) if isinstance(values[key], datetime) else str(values[key]))
        for key in keys
        if values.get(key) not in (None, "", [], {})
    )
