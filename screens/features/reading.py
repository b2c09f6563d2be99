"""What the Features mode reads: views, how far each lags, measured skew; rows and files only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.domain.pulse import is_late
from core.errors import NotFound

if TYPE_CHECKING:
    from core.domain.features import FeatureSkew, FeatureView
    from core.domain.journal import JournalEntry
    from core.domain.pipeline import Problem
    from core.ops import Ops

PANES = ("definition", "materialised", "skew", "versions")


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the online rows are behind the source: snapshots that they have not seen, and
    when the first of these was made (epoch seconds)."""

    behind: int = 0
    since: float | None = None


@dataclass(frozen=True, slots=True)
class FeatureEntry:
    """A view as the list shows it. `skew` is the newest that was measured of this version."""

    view: FeatureView
    lag: Lag = field(default_factory=Lag)
    skew: FeatureSkew | None = None

    def freshness(self, now: float) -> str:
        """One word: draft, retired, offline, never, failed, behind, late or fresh."""
        view = self.view
        if view.state != "active":
            return str(view.state)
        if not view.spec.online:
            return "offline"
        if view.message:
            return "failed"
        if view.materialized_at is None:
            return "never"
        if is_late(view, now):
            return "late"
        return "behind" if self.lag.behind else "fresh"


@dataclass(frozen=True, slots=True)
class FeaturesView:
    """All views; of the selected one its versions, measured skews and materialisations."""

    name: str | None
    entries: tuple[FeatureEntry, ...] = ()
    problems: tuple[Problem, ...] = ()
    versions: tuple[FeatureView, ...] = ()
    skews: tuple[FeatureSkew, ...] = ()
    events: tuple[JournalEntry, ...] = ()


def read_features(name: str | None, ops: Ops) -> FeaturesView:
    """Read all views, and more of the one that is called `name` (default: the first)."""
    skews = ops.features.skews(limit=200)
    entries = tuple(
        FeatureEntry(
            view,
            _lag(view, ops),
            next((s for s in skews if (s.view, s.version) == (view.spec.name, view.version)), None),
        )
        for view in ops.features.list()
    )
    problems = ops.features.problems()
    known = [entry.view.spec.name for entry in entries]
    chosen = name if name in known else known[0] if known else None
    if chosen is None:
        return FeaturesView(name, problems=problems)
    return FeaturesView(
        chosen,
        entries,
        problems,
        ops.features.versions(chosen),
        tuple(skew for skew in skews if skew.view == chosen),
        _events(chosen, ops),
    )


def _lag(view: FeatureView, ops: Ops) -> Lag:
    """Compactions change no rows, so they put nobody behind."""
    if not view.spec.online or view.materialized_at is None:
        return Lag()
    try:
        found = ops.data.snapshots(view.spec.source, expired=True, limit=200)
    except NotFound:
        return Lag()
    seen = next((each.number for each in found if each.id == view.cursor), 0)
    newer = [
        each for each in found
        if each.number > seen and each.operation not in ("compact", "create")
    ]  # fmt: skip
    return Lag(len(newer), min((each.at for each in newer), default=None))


def _events(name: str, ops: Ops) -> tuple[JournalEntry, ...]:
    found = ops.audit.list(limit=200, search=f"feature_view/{name}")
    return tuple(
        each for each in found
        if each.action.startswith("features.")
        and each.subject.removeprefix("feature_view/").partition("@")[0] == name
    )[:50]  # fmt: skip
