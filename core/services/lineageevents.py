"""Lineage for other tools: OpenLineage events, to a file or a backend."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from core.domain.datalineage import Edge, Node, NodeKind
from core.domain.dataset import Snapshot
from core.errors import ConfigInvalid, OpsdeckError
from core.lineage import Events, RunTold
from core.reads import datasets as _datasets
from core.reads import lineage as _lineage
from core.session import Session
from core.workspace import CONFIG_NAME

CURSOR = "openlineage.json"
SEND_SECONDS = 10.0
TOKEN_VARIABLE = "OPENLINEAGE_API_KEY"
_QUIET = ("create", "compact", "rollback")
_STATES = {"succeeded": "COMPLETE", "failed": "FAIL", "cancelled": "ABORT"}


class BackendUnavailable(OpsdeckError):
    """An OpenLineage backend does not take events."""

    code = "E586"
    exit_status = 4


def target_of(session: Session) -> str | None:
    """Where events go by themselves: `lake: {openlineage: URL or file}`; raises
    `ConfigInvalid`."""
    given = session.workspace.lake.get("openlineage")
    if given is None:
        return None
    if not isinstance(given, str) or not given.strip():
        raise ConfigInvalid(
            f"{session.workspace.root / CONFIG_NAME}: lake.openlineage: not text: {given!r}",
            "an address such as http://localhost:5000, or a file",
        )
    return os.path.expandvars(given)


def events(session: Session, since: float, until: float) -> Iterator[dict[str, Any]]:
    """What happened after `since` up to `until`, in order of time."""
    made = Events(session.workspace.name)
    found: list[tuple[float, dict[str, Any]]] = []
    runs = {run.id: run for run in _runs(session, 0.0, until)}
    for told in _runs(session, since, until):
        node = Node(NodeKind.RUN, str(told.number))
        found.append((told.at, made.of_run(told, _around(session, node))))
    for snapshot in _snapshots(session, since, until):
        edges = _lineage.edges_into(session.reader, Node(NodeKind.DATASET, snapshot.dataset))
        parent = runs.get(snapshot.run_id or "")
        found.append((snapshot.at, made.of_snapshot(snapshot, edges, parent)))
    for _, event in sorted(found, key=lambda pair: pair[0]):
        yield event


def newest(session: Session) -> float:
    """When the newest thing happened that there are events of (epoch seconds)."""
    rows = session.reader.rows(
        "SELECT (SELECT max(at) FROM dataset_snapshots) AS s,"
        " (SELECT max(started_at) FROM runs) AS b, (SELECT max(ended_at) FROM runs) AS e"
    )
    return max((float(value) for value in rows[0].values() if value is not None), default=0.0)


def follow(session: Session) -> int:
    """Send what is new since the last time to where the workspace says; returns how many.

    Raises `BackendUnavailable`, after which the next time sends the same again.
    """
    target = target_of(session)
    if target is None:
        return 0
    path = session.workspace.state_dir / CURSOR
    until = newest(session)
    sent = send(events(session, read_cursor(path), until), target, session.workspace.root)
    path.write_text(json.dumps({"until": until}))
    return sent


def read_cursor(path: Path) -> float:
    """Up to when events were sent; 0 where none were."""
    try:
        return float(json.loads(path.read_text())["until"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def send(told: Iterable[dict[str, Any]], target: str, root: Path) -> int:
    """Post each event to a backend (`…/api/v1/lineage`), or append them to a file as lines."""
    if target.startswith(("http://", "https://")):
        return _post(told, target)
    path = root / Path(target).expanduser()
    count = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            for event in told:
                file.write(json.dumps(event, separators=(",", ":")) + "\n")
                count += 1
    except OSError as error:
        raise BackendUnavailable(f"{path}: {error.strerror}") from error
    return count


def _post(told: Iterable[dict[str, Any]], target: str) -> int:
    import httpx

    url = target if "/api/" in target else target.rstrip("/") + "/api/v1/lineage"
    key = os.environ.get(TOKEN_VARIABLE)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    count = 0
    with httpx.Client(timeout=SEND_SECONDS, headers=headers) as client:
        for event in told:
            try:
                client.post(url, json=event).raise_for_status()
            except httpx.HTTPError as error:
                said = str(error).splitlines()[0]
                raise BackendUnavailable(f"{httpx.URL(url).host}: {said}") from error
            count += 1
    return count


def _runs(session: Session, since: float, until: float) -> Iterator[RunTold]:
    rows = session.reader.rows(
        "SELECT id, number, pipeline, status, started_at, ended_at, message FROM runs"
        " WHERE (started_at > :since AND started_at <= :until)"
        " OR (ended_at > :since AND ended_at <= :until) ORDER BY number",
        since=since,
        until=until,
    )
    for row in rows:
        told = (row["id"], row["number"], row["pipeline"])
        if row["started_at"] is not None and since < row["started_at"] <= until:
            yield RunTold(*told, "START", row["started_at"])
        if row["ended_at"] is not None and row["status"] in _STATES:
            yield RunTold(*told, _STATES[row["status"]], row["ended_at"], row["message"])


def _snapshots(session: Session, since: float, until: float) -> Iterator[Snapshot]:
    rows = session.reader.rows(
        "SELECT * FROM dataset_snapshots WHERE at > :since AND at <= :until ORDER BY at",
        since=since,
        until=until,
    )
    for row in rows:
        if row["operation"] not in _QUIET:
            yield _datasets.snapshot_of(row)


def _around(session: Session, node: Node) -> list[Edge]:
    """What a run read and wrote; model versions are no datasets."""
    reader = session.reader
    found = [*_lineage.edges_into(reader, node), *_lineage.edges_from(reader, node)]
    return [edge for edge in found if edge.target.kind is not NodeKind.MODEL]
