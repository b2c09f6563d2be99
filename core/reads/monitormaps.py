"""Features over windows, and one feature now and then, as read from the state."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from core.domain.monitor import Cell, Distribution, HeatMap, State, row_name
from core.reads.monitors import NoMonitorRow, find_run
from core.state.reading import Reader

_WORST = {State.VIOLATED: 3, State.INSUFFICIENT: 2, State.OK: 1, State.INFO: 0}


def heat_map(
    reader: Reader, monitor: str, *, metric: str = "", windows: int = 40, segment: str = ""
) -> HeatMap:
    """Features × the newest windows. Without a metric each feature's worst measurement counts:
    violated before all, then the one that is farthest beyond its threshold.

    Where nothing is measured of the whole, as of bias or of a model with several classes, the
    groups stand in the place of features (see `row_name`)."""
    runs = reader.rows(
        "SELECT id, window_key, window_start, window_end, status, state FROM monitor_runs"
        " WHERE monitor = :name AND status IN ('done', 'failed')"
        " ORDER BY window_end DESC, started_at DESC LIMIT :count",
        name=monitor,
        count=windows,
    )[::-1]
    keys = {row["id"]: row["window_key"] for row in runs}
    cells: dict[tuple[str, str], Cell] = {}
    metrics: dict[str, None] = {}
    for row in _measured(reader, list(keys), segment):
        metrics[row["metric"]] = None
        if metric and row["metric"] != metric:
            continue
        place = (row_name(row["feature"], "" if segment else row["segment"]), keys[row["run"]])
        numbers = (row["metric"], row["value"], row["threshold"])
        cell = Cell(*place, *numbers, State(row["state"]), row["comparison"])
        if place not in cells or _badness(cell) > _badness(cells[place]):
            cells[place] = cell
    return HeatMap(
        monitor,
        metric,
        tuple(metrics),
        _worst_first(cells),
        tuple(
            (r["window_key"], r["window_start"], r["window_end"], r["state"] or r["status"])
            for r in runs
        ),
        cells,
    )


def _measured(reader: Reader, runs: Sequence[str], segment: str) -> list[Mapping[str, Any]]:
    """The measurements of a segment; of all of them where the whole is asked for and has none."""
    found = _of_segment(reader, runs, "segment = :segment", segment=segment)
    return found or ([] if segment else _of_segment(reader, runs, "segment <> ''"))


def _of_segment(
    reader: Reader, runs: Sequence[str], where: str, **asked: Any
) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for start in range(0, len(runs), 100):
        some = {f"r{chr(97 + n // 26)}{chr(97 + n % 26)}": run
                for n, run in enumerate(runs[start : start + 100])}  # fmt: skip
        marks = ",".join(f":{key}" for key in some)
        found += reader.rows(
            "SELECT run, metric, feature, segment, value, threshold, state, comparison"
            " FROM monitor_measurements"
            f" WHERE run IN ({marks}) AND {where} ORDER BY place",
            **asked,
            **some,
        )
    return found


def _badness(cell: Cell) -> tuple[int, float]:
    return _WORST[cell.state], _beyond(cell)


def _beyond(cell: Cell) -> float:
    """How far the value is towards the threshold and beyond, 1 where it is there: whichever
    way is the bad one."""
    if cell.value is None or not cell.threshold:
        return 0.0
    if not cell.comparison.startswith("LessThan"):
        return abs(cell.value / cell.threshold)
    if cell.threshold < 0:  # the farther below zero, the worse
        return cell.value / cell.threshold
    return abs(cell.threshold / cell.value) if cell.value else math.inf


def _worst_first(cells: Mapping[tuple[str, str], Cell]) -> tuple[str, ...]:
    sums: dict[str, tuple[int, float]] = {}
    for (feature, _), cell in cells.items():
        violated, worst = sums.get(feature, (0, 0.0))
        sums[feature] = (
            violated + (cell.state is State.VIOLATED),
            max(worst, _badness(cell)[1]),
        )
    return tuple(sorted(sums, key=lambda name: (-sums[name][0], -sums[name][1], name)))


def distribution(reader: Reader, monitor: str, feature: str, window: str = "") -> Distribution:
    """One feature in a window (default: the newest one) and in the baseline; raises `NotFound`.

    Histograms stand in the detail of a measurement, under `histogram`: {labels, now, then}.
    """
    run = find_run(reader, f"{monitor}@{window}" if window else monitor)
    mine = tuple(
        m for m in run.measurements if feature in (m.feature, row_name(m.feature, m.segment))
    )
    if not mine:
        known = ", ".join(sorted({m.feature for m in run.measurements if m.feature})) or "none"
        raise NoMonitorRow(f"monitor {monitor}: no feature {feature}", f"known: {known}")
    held: Mapping[str, Any] = next(
        (m.detail["histogram"] for m in mine if "histogram" in m.detail), {}
    )
    return Distribution(
        monitor,
        feature,
        run.run.window,
        tuple(str(each) for each in held.get("labels", ())),
        tuple(held.get("now", ())),
        tuple(held.get("then", ())),
        mine,
    )
