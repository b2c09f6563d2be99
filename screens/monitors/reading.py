"""What the Monitors mode reads: monitors, and of one of them what its pane shows; rows only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.errors import NotFound
from screens.monitors.curves import metric_of

if TYPE_CHECKING:
    from core.domain.monitor import (
        Baseline,
        Distribution,
        HeatMap,
        Monitor,
        MonitorRun,
        MonitorRunDetail,
    )
    from core.ops import Ops

PANES = (
    "heat", "distribution", "curves", "numbers", "violations", "windows", "baseline", "about",
)  # fmt: skip
WINDOWS = 60
"""How many of the newest windows the map and the curves go back."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be read: the selected monitor, its pane, and what the pane is about.

    `metric` empty: the worst of each feature. `window` empty: the newest.
    """

    name: str = ""
    pane: str = PANES[0]
    metric: str = ""
    feature: str = ""
    window: str = ""


@dataclass(frozen=True, slots=True)
class MonitorsView:
    """All monitors; of the selected one what its pane shows."""

    wish: Wish
    monitors: tuple[Monitor, ...] = ()
    heat: HeatMap | None = None
    distribution: Distribution | None = None
    window: MonitorRunDetail | None = None
    runs: tuple[MonitorRun, ...] = ()
    baselines: tuple[Baseline, ...] = ()

    @property
    def shown(self) -> Monitor | None:
        """The selected monitor."""
        return next((one for one in self.monitors if one.name == self.wish.name), None)


def read_monitors(wish: Wish, ops: Ops) -> MonitorsView:
    """Read all monitors, and more of the one that is selected (default: the first)."""
    monitors = ops.monitors.list()
    names = [one.name for one in monitors]
    name = wish.name if wish.name in names else names[0] if names else ""
    wish = replace(wish, name=name)
    if not name:
        return MonitorsView(wish, monitors)
    match wish.pane:
        case "heat" | "curves":
            heat = _heat(wish, ops)
            runs = ops.monitors.runs(name, limit=WINDOWS) if wish.pane == "curves" else ()
            return MonitorsView(wish, monitors, heat=heat, runs=runs)
        case "distribution":
            return MonitorsView(wish, monitors, distribution=_distribution(wish, ops))
        case "numbers" | "violations":
            return MonitorsView(wish, monitors, window=_window(wish, ops))
        case "windows":
            return MonitorsView(wish, monitors, runs=ops.monitors.runs(name, limit=WINDOWS))
        case _:
            return MonitorsView(wish, monitors, baselines=ops.monitors.baselines(name))


def _heat(wish: Wish, ops: Ops) -> HeatMap:
    """The map; curves are of one metric always."""
    heat = ops.monitors.measurements(wish.name, metric=wish.metric, windows=WINDOWS)
    wanted = metric_of(heat, wish.metric)
    if wish.pane == "heat" or wanted == heat.metric:
        return heat
    return ops.monitors.measurements(wish.name, metric=wanted, windows=WINDOWS)


def _distribution(wish: Wish, ops: Ops) -> Distribution | None:
    """That of the feature; of the worst one where none is named or measured."""
    feature = wish.feature
    if not feature:
        heat = ops.monitors.measurements(wish.name, windows=1)
        feature = next((name for name in heat.features if name), "")
    try:
        return ops.monitors.distribution(wish.name, feature, wish.window)
    except NotFound:
        return None


def _window(wish: Wish, ops: Ops) -> MonitorRunDetail | None:
    try:
        return ops.monitors.find(f"{wish.name}@{wish.window}" if wish.window else wish.name)
    except NotFound:
        return None
