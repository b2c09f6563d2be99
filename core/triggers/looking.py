"""One look at all triggers' conditions; and whether a look is worth while, in plain rows."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.domain.trigger import Cause, CauseKind, FiringDecision, TriggerDefinition
from core.monitors.files import stamp
from core.reads.triggers import kept_rows
from core.session import Session
from core.state.reading import Reader
from core.triggers.arbitration import arbitrate
from core.triggers.conditions import Look, Seen, look
from core.triggers.files import TriggerFiles, load_triggers
from core.triggers.standing import facts_for, last_decision

CLAIM_SECONDS = 120.0


def look_at_all(session: Session, files: TriggerFiles, known: Callable[[str], Any]) -> list[str]:
    """Have fire what is due, and decide on all firings that wait; the accepted ones' ids."""
    from core.triggers.deciding import decide_all, put_seen
    from core.triggers.firing import ask

    with session.change("triggers look") as tx:
        kept = kept_rows(session.reader)
        for name, definition in sorted(files.definitions.items()):
            seen = _seen(kept.get(name))
            fresh = dict(seen.by_condition)
            for condition in definition.conditions:
                found = look(session.reader, definition, condition, seen, tx.now)
                if found.seen is not None:
                    fresh[condition.key] = found.seen
                model = _model_of(known(name))
                if _worth(session.reader, definition, model, found, tx.now):
                    assert found.cause is not None
                    ask(tx, name, found.cause)
            if fresh != dict(seen.by_condition):
                put_seen(tx, name, fresh)
        return decide_all(tx, known)


def _model_of(known: Any) -> str:
    return "" if isinstance(known, str) else known.model


def _seen(row: Mapping[str, Any] | None) -> Seen:
    return Seen(json.loads(row["seen"]) if row else {})


def _worth(
    reader: Reader,
    definition: TriggerDefinition,
    model: str,
    found: Look,
    now: float,
) -> bool:
    """Whether a condition that is met makes its trigger fire: the first time that its cause is
    seen, and later once the answer would be another one."""
    if found.cause is None:
        return False
    cause: Cause = found.cause
    last = last_decision(reader.rows, definition.name, cause.same)
    if last is None:
        return True
    if last in (FiringDecision.ASKED, FiringDecision.ACCEPTED, FiringDecision.RELAPSED):
        return False
    if cause.kind is CauseKind.SCHEDULE and not last.passing:
        return False
    if not cause.kind.degradation and last is FiringDecision.STARTED:
        return False
    facts = facts_for(reader.rows, definition, model, cause, now)
    answer, _ = arbitrate(definition, cause, facts, now)
    return answer in (FiringDecision.ACCEPTED, FiringDecision.RELAPSED)


class TriggersDue:
    """What a worker should do about triggers now. Reads rows; files only when they changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[Path, tuple[Any, TriggerFiles, dict[str, str]]] = {}

    def look(self, session: Session, now: float) -> bool:
        """Whether some condition is met or seen for the first time, or a firing waits."""
        reader = session.reader
        if reader.rows("SELECT id FROM trigger_firings WHERE decision = 'asked' LIMIT 1"):
            return True
        files, models = self._read(session)
        if not files.definitions:
            return False
        kept = kept_rows(reader)
        for name, definition in files.definitions.items():
            seen = _seen(kept.get(name))
            for condition in definition.conditions:
                found = look(reader, definition, condition, seen, now)
                if found.seen is not None or _worth(reader, definition, models[name], found, now):
                    return True
        return False

    def firings(self, session: Session, now: float) -> Sequence[str]:
        """Accepted firings that nobody prepares a run for."""
        rows = session.reader.rows(
            "SELECT id FROM trigger_firings WHERE decision = 'accepted'"
            " AND (taken_at IS NULL OR taken_at < :stale) ORDER BY at LIMIT 20",
            stale=now - CLAIM_SECONDS,
        )
        return [row["id"] for row in rows]

    def _read(self, session: Session) -> tuple[TriggerFiles, dict[str, str]]:
        root = session.workspace.root
        with self._lock:
            mark = stamp(root)
            known = self._files.get(root)
            if known is None or known[0] != mark:
                files = load_triggers(root)
                models = _models(root, files)
                known = self._files[root] = (mark, files, models)
            return known[1], known[2]


def _models(root: Path, files: TriggerFiles) -> dict[str, str]:
    if not files.definitions:
        return {}
    from core.pipelines import find_pipelines
    from core.triggers.checking import model_of

    specs = {each.name: each.spec for each in find_pipelines(root)}
    return {
        name: model_of(each, specs.get(each.pipeline)) for name, each in files.definitions.items()
    }
