"""What changed in the time before an alert, the most suspicious first.

Suspicion is what sort of change it is, times how near it is to what the alert is about, times how
shortly before it happened. It is a guess that orders a list, and says why.
"""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.alerting.around import Around, around
from core.domain.alert import Alert
from core.domain.alertview import RelatedChange
from core.state.reading import Reader

MOST = 12
LEAST, FEW = 0.1, 3
"""What is less suspicious is left out, unless there is nothing else: then a few."""

AFTER_SECONDS = 60.0
"""What was found a moment after the alert may have caused it: clocks and windows are coarse."""

_GIT_SECONDS = 5.0
_JOURNAL_BACK = 20_000
_WEIGHT = {
    "deployment": 1.0,
    "rollback": 0.7,
    "alias": 0.75,
    "setting": 0.8,
    "features": 0.8,
    "data": 0.7,
    "view": 0.6,
    "policy": 0.6,
    "monitor": 0.5,
    "code": 0.5,
    "run": 0.4,
}
_JOURNAL: Mapping[str, tuple[str, str]] = {
    "model.alias": ("alias", "an alias moved"),
    "endpoint.configure": ("setting", "settings of the endpoint changed"),
    "endpoint.restart": ("setting", "the endpoint's server was started again"),
    "features.apply": ("features", "a feature view was applied"),
    "features.retire": ("features", "a feature view was retired"),
    "view.apply": ("view", "a view was applied"),
    "view.drop": ("view", "a view was dropped"),
    "data.grant": ("policy", "a grant was given"),
    "data.revoke": ("policy", "a grant was taken"),
    "data.label": ("policy", "columns were labelled"),
    "data.unlabel": ("policy", "labels of columns were taken away"),
    "monitor.baseline": ("monitor", "a monitor got a new baseline"),
    "monitor.pause": ("monitor", "a monitor was paused"),
    "monitor.resume": ("monitor", "a monitor goes on"),
    "alarm.change": ("monitor", "an alarm's definition changed"),
    "alarm.create": ("monitor", "an alarm was created"),
}


def related_changes(
    reader: Reader, root: Path, alert: Alert, window: float
) -> tuple[RelatedChange, ...]:
    """The changes in the `window` seconds before the alert was opened (the last time)."""
    near = around(reader, alert)
    until = alert.opened_at + AFTER_SECONDS
    since = alert.opened_at - window
    found = [
        *_deployments(reader, since, until),
        *_rollbacks(reader, since, until),
        *_snapshots(reader, since, until),
        *_runs(reader, since, until),
        *_journalled(reader, since, until),
        *_commits(root, since, until),
    ]
    told = [_rated(each, near, alert.opened_at, window) for each in found]
    told.sort(key=lambda each: (-each.suspicion, -each.at))
    worth = [each for each in told if each.suspicion >= LEAST] or told[:FEW]
    return tuple(worth[:MOST])


class _Change:
    """A change that has not been rated: when, what sort, about what, in which words, by whom."""

    def __init__(
        self, at: float, kind: str, subject: str, what: str, by: str, open_: str = ""
    ) -> None:
        self.at, self.kind, self.subject = at, kind, subject
        self.what, self.by, self.open = what, by, open_ or subject


def _rated(change: _Change, near: Around, opened_at: float, window: float) -> RelatedChange:
    before = max(0.0, opened_at - change.at)
    nearness = 0.6 if change.kind == "code" else near.nearness(change.subject)
    recent = 0.35 + 0.65 * math.exp(-4.0 * before / window)
    where = {1.0: "the target itself", 0.8: "something that it depends on"}
    why = "code of the workspace" if change.kind == "code" else where.get(nearness, "elsewhere")
    suspicion = round(_WEIGHT[change.kind] * nearness * recent, 3)
    return RelatedChange(
        change.at, change.kind, change.what, change.by, suspicion, why, change.open
    )


def _deployments(reader: Reader, since: float, until: float) -> Iterator[_Change]:
    for row in reader.rows(
        "SELECT * FROM deployments WHERE created_at >= :since AND created_at < :until",
        since=since,
        until=until,
    ):
        what = f"{row['model']} v{row['version']} to {row['endpoint']}: {row['status']}"
        yield _Change(
            row["created_at"], "deployment", f"endpoint/{row['endpoint']}", what, row["actor"]
        )


def _rollbacks(reader: Reader, since: float, until: float) -> Iterator[_Change]:
    for row in reader.rows(
        "SELECT * FROM receipts WHERE at >= :since AND at < :until", since=since, until=until
    ):
        what = (
            f"{row['endpoint']} went back from {row['from_model']} v{row['from_version']}"
            f" to v{row['to_version']}"
        )
        yield _Change(row["at"], "rollback", f"endpoint/{row['endpoint']}", what, row["actor"])


def _snapshots(reader: Reader, since: float, until: float) -> Iterator[_Change]:
    for row in reader.rows(
        "SELECT dataset, number, at, operation, added_rows, by FROM dataset_snapshots"
        " WHERE at >= :since AND at < :until ORDER BY at DESC LIMIT 200",
        since=since,
        until=until,
    ):
        count = f", {row['added_rows']:,} rows" if row["added_rows"] else ""
        what = f"{row['dataset']} #{row['number']}: {row['operation']}{count}"
        subject = f"dataset/{row['dataset']}"
        yield _Change(row["at"], "data", subject, what, row["by"], f"{subject}@{row['number']}")


def _runs(reader: Reader, since: float, until: float) -> Iterator[_Change]:
    for row in reader.rows(
        "SELECT number, pipeline, status, ended_at, requested_by FROM runs"
        " WHERE ended_at >= :since AND ended_at < :until ORDER BY number DESC LIMIT 100",
        since=since,
        until=until,
    ):
        what = f"run #{row['number']} of {row['pipeline']}: {row['status']}"
        yield _Change(row["ended_at"], "run", f"run/{row['number']}", what, row["requested_by"])


def _journalled(reader: Reader, since: float, until: float) -> Iterator[_Change]:
    wanted = ", ".join(f"'{action}'" for action in _JOURNAL)
    for row in reader.rows(
        "SELECT at, actor, action, subject, detail FROM journal"
        " WHERE seq > (SELECT coalesce(max(seq), 0) FROM journal) - :back"
        f" AND at >= :since AND at < :until AND action IN ({wanted})"
        " ORDER BY seq DESC LIMIT 200",
        back=_JOURNAL_BACK,
        since=since,
        until=until,
    ):
        kind, words = _JOURNAL[row["action"]]
        name = row["subject"].partition("/")[2]
        said = _detail(json.loads(row["detail"]))
        what = f"{name}: {words}" + (f" ({said})" if said else "")
        yield _Change(row["at"], kind, row["subject"].partition("@")[0], what, row["actor"])


def _detail(detail: Mapping[str, Any]) -> str:
    kept = [f"{k}={v}" for k, v in detail.items() if isinstance(v, str | int | float) and v != ""]
    return ", ".join(kept[:2])[:60]


def _commits(root: Path, since: float, until: float) -> Iterator[_Change]:
    """Commits of the workspace's repository; a workspace without one has none."""
    command = [
        "git", "-C", str(root), "log", "--max-count=30", "--format=%ct%x1f%h%x1f%an%x1f%s",
        f"--since=@{int(since)}", f"--until=@{int(until)}", "--", ".",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):  # no git, or a disk that hangs: nothing to show
        return
    for line in done.stdout.splitlines():
        at, short, author, title = line.split("\x1f", 3)
        yield _Change(float(at), "code", "code", f"{short} {title}", author, f"commit/{short}")
