"""What a change of an endpoint touches: the inputs of its models, and who calls it."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

from core.domain.features import FeatureUse
from core.domain.preview import ChangePreview
from core.domain.release import Endpoint
from core.domain.rollback import RollbackPreview
from core.domain.touched import Consumer, FeatureChange
from core.errors import NotFound, OpsdeckError
from core.features.uses import uses_of_model
from core.reads import features as _features
from core.reads import models as _models
from core.reads.signatures import read_inputs
from core.serving.control import EndpointControl
from core.session import Session

_LEAST_SECONDS = 0.05


def features_between(
    session: Session, before: tuple[str, int] | None, after: tuple[str, int] | None
) -> FeatureChange | None:
    """How the inputs of two model versions (name, number) differ; `None` where there is but one."""
    if before is None or after is None:
        return None
    try:
        paths = [
            session.workspace.state_dir
            / _models.find_version(session.reader, model, str(version)).path
            for model, version in (before, after)
        ]
        change = FeatureChange.between(*(read_inputs(path) for path in paths))
        uses = uses_of_model(paths[1])
    except OpsdeckError as error:
        return FeatureChange(unknown=error.message)
    given = _looked_up(session, uses)
    needed = tuple(name for name in change.needed if name not in given)
    return replace(change, needed=needed, views=tuple(use.ref for use in uses))


def _looked_up(session: Session, uses: tuple[FeatureUse, ...]) -> frozenset[str]:
    """The inputs that the server looks up by itself, as far as their views are known here."""
    found: set[str] = set()
    for use in uses:
        with contextlib.suppress(NotFound):
            spec = _features.find_version(session.reader, use.ref).spec
            names = (feature.name for feature in spec.features)
            found |= {use.prefix + name for name in names if not use.only or name in use.only}
    return frozenset(found)


def glance(
    control: EndpointControl, seconds: float
) -> tuple[float | None, tuple[Consumer, ...] | None]:
    """The requests per second now and who has called, as far as the endpoint says so within
    these seconds in all: what hangs must not hold up the way back."""
    begun = time.monotonic()
    rate: float | None = None
    try:
        rate = sum(each.rps for each in control.stats(seconds).revisions)
    except OpsdeckError:
        if time.monotonic() - begun >= seconds:
            return None, None  # the supervisor itself is silent
    left = max(_LEAST_SECONDS, seconds - (time.monotonic() - begun))
    try:
        return rate, control.consumers(left)
    except OpsdeckError:
        return rate, None


def of_rollback(
    session: Session,
    preview: RollbackPreview,
    rate: float | None,
    consumers: tuple[Consumer, ...] | None,
) -> RollbackPreview:
    """The preview with what else it touches."""
    before = preview.model, preview.from_version
    after = preview.to_model, preview.to_version
    return replace(
        preview,
        requests_per_second=rate,
        consumers=consumers,
        features=features_between(session, before, after),
    )


def of_change(
    session: Session,
    preview: ChangePreview,
    endpoint: Endpoint | None,
    consumers: tuple[Consumer, ...] | None,
) -> ChangePreview:
    """The preview with what else it touches: an abort goes the other way."""
    new = None if preview.version is None else (preview.model, preview.version)
    old = _stable(endpoint)
    before, after = (new, old) if preview.action == "abort" else (old, new)
    features = features_between(session, before, after) if preview.action != "hold" else None
    return replace(preview, consumers=consumers, features=features)


def _stable(endpoint: Endpoint | None) -> tuple[str, int] | None:
    found = endpoint.revisions if endpoint is not None else ()
    return next(((r.model, r.version) for r in found if r.state == "stable"), None)
