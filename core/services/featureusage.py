"""Who reads a version of a feature view: models that endpoints serve, or may go back to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from core.domain.features import FeatureView
from core.errors import NotFound
from core.features.errors import InUse
from core.features.uses import parse_pinned, uses_of_model
from core.reads import features as _features
from core.reads import models as _models
from core.serving.config import EndpointConfig
from core.session import Session


def readers_of(session: Session, view: FeatureView) -> Iterator[str]:
    """The endpoints whose models read this version, each once."""
    rows = session.reader.rows(
        "SELECT r.endpoint, r.model, r.version FROM revisions r"
        " JOIN endpoints e ON e.name = r.endpoint WHERE e.status <> 'deleted'"
        " AND r.state IN ('stable', 'canary', 'previous') ORDER BY r.endpoint, r.revision DESC"
    )
    told: set[str] = set()
    for row in rows:
        name = row["endpoint"]
        if name in told:
            continue
        config = EndpointConfig.read(session.workspace.endpoints_dir / name)
        uses = parse_pinned(config.features)
        try:
            version = _models.find_version(session.reader, row["model"], str(row["version"]))
            uses += uses_of_model(session.workspace.state_dir / version.path)
        except NotFound:  # deleted from the registry since: it can be loaded by nobody
            continue
        if any(use.ref == view.ref for use in uses):
            told.add(name)
            yield f"{name} ({row['model']} v{row['version']})"


def refuse_unreadable(
    session: Session, endpoint: str, model: Path, actor: str | None = None
) -> None:
    """Raise `Refused` where the actor (default: the session's) may see only a part of what the
    model in this folder reads features of: whoever calls the endpoint would get predictions
    from all of it. A folder that is no model is refused by the deployment itself."""
    uses = uses_of_model(model) if (model / "MLmodel").is_file() else ()
    if not uses:
        return
    from core.features.guard import refuse_partial
    from core.governance.access import open_access

    access = open_access(session)
    for use in uses:
        try:
            spec = _features.find_version(session.reader, use.ref).spec
        except NotFound:  # the deployment itself says so
            continue
        refuse_partial(access, spec, f"endpoint {endpoint}", actor)


def refuse_used(session: Session, view: FeatureView) -> None:
    """Raise `InUse` where an endpoint's model reads this version."""
    found = list(readers_of(session, view))
    if found:
        raise InUse(
            f"feature view {view.ref} is read by endpoint {', '.join(found)}",
            "deploy a model that reads another version first, or give --force",
        )
