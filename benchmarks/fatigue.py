"""Alert fatigue: a year of daily windows of 50 features without a change, and planted shifts.

    python benchmarks/fatigue.py [--years 3] [--rows 1000] [--features 50] [--json FILE]

Daily windows go through the monitor kind `drift` as it comes (Benjamini-Hochberg at q = 0.01,
an effect of at least 0.05, in 2 of 3 windows) and, on the same rows, through a Kolmogorov-Smirnov
or chi-square test of each feature at p < 0.05. The baseline has 20,000 rows. The year without a
change is simulated `--years` times, once more with a daily and weekly season in every feature
(the monitor has `seasonal: hour_of_week`). An alert is a run of windows in a row with at least
one drifting feature: what a person would be told of once.

Shifts are planted from day 10 on, each in one feature: *sudden* (half a standard deviation),
*gradual* (0 to one standard deviation in 60 days), *seasonal* (a tenth of the season's swing more
than there ever was, on a seasonal feature, compared within the hour of the week), *one segment
only* (one of four segments, 0.75 standard deviations there), *categories* (0.1 of the rows
change their category), *columns together* (two features that begin to go together; only the
classifier can see it). Told is the delay: the days until the alert, of `--years` trials. Exits 1
where the quiet year has one false alert a month or more, or a shift was not found in 30 days
(the gradual one in 60, columns together in 10).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
from scipy import stats  # noqa: E402

from core.domain.monitor import MonitorDefinition, Schedule, WindowSpec  # noqa: E402
from core.monitors.kind import KindContext  # noqa: E402
from core.monitors.kinds.drift import KIND  # noqa: E402
from core.releases.values import Problems  # noqa: E402

DAY = 86_400.0
BASELINE = 20_000
PLANTED = 10
MONTH = 365 / 12
Change = Callable[["World", dict[str, Any], int], None]


@dataclass
class Rows:
    """A table as a window."""

    data: pa.Table
    start: float = 0.0
    end: float = 0.0
    target: str = "endpoint/simulated"
    label_coverage: float | None = None

    @property
    def rows(self) -> int:
        return int(self.data.num_rows)

    @property
    def schema(self) -> pa.Schema:
        return self.data.schema

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        yield from self.table(columns).to_batches()

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        names = [name for name in columns or self.schema.names if name in self.schema.names]
        return self.data.select(names)


@dataclass
class World:
    """Where rows come from: nine in ten features are numbers of several shapes, the others
    categories; four segments; and, if asked for, a daily and weekly season."""

    features: int
    seed: int
    seasonal: bool = False

    def __post_init__(self) -> None:
        self.draws = np.random.default_rng(self.seed)

    def rows(self, count: int, first_day: float, days: float) -> dict[str, Any]:
        """Rows spread over so many days."""
        draws = self.draws
        at = np.sort(first_day * DAY + draws.random(count) * days * DAY)
        hour = at / 3600 % 168
        swing = np.sin(hour / 24 * 2 * np.pi) + 0.5 * np.sin(hour / 168 * 2 * np.pi)
        made: dict[str, Any] = {}
        for i in range(self.features):
            if i % 10 == 9:
                made[f"f{i}"] = draws.choice(["a", "b", "c", "d"], count, p=[0.5, 0.3, 0.15, 0.05])
                continue
            shape = i % 4
            values = (
                draws.normal(size=count)
                if shape == 0
                else draws.gamma(2, 1, count)
                if shape == 1
                else draws.poisson(4, count).astype(float)
                if shape == 2
                else draws.standard_t(4, count)
            )
            made[f"f{i}"] = values + (swing if self.seasonal else 0.0)
        made["site"] = draws.choice(["n", "s", "e", "w"], count)
        made["__at"] = at
        return made


def definition(**settings: Any) -> MonitorDefinition:
    """The monitor: as it comes, but for what is named."""
    segments = settings.pop("segments", ())
    read = KIND.read(Problems(), "monitors.m", settings)
    schedule, window = Schedule("1d", seconds=DAY), WindowSpec(seconds=DAY)
    return MonitorDefinition(
        "m", "drift", "endpoint/simulated", schedule, window, read,
        segments=segments, exclude=("site",),
    )  # fmt: skip


def naive(reference: dict[str, Any], window: dict[str, Any]) -> bool:
    """Whether any feature has p < 0.05 by itself."""
    for name, then in reference.items():
        if not name.startswith("f"):
            continue
        now = window[name]
        if then.dtype.kind == "U":
            both = [np.unique(each, return_counts=True) for each in (then, now)]
            values = sorted({*both[0][0], *both[1][0]})
            counts = [[dict(zip(*each, strict=True)).get(v, 0) for v in values] for each in both]
            p_value = stats.chi2_contingency(counts, correction=False).pvalue
        else:
            p_value = stats.ks_2samp(then, now, method="asymp").pvalue
        if p_value < 0.05:
            return True
    return False


def year(
    world: World,
    monitor: MonitorDefinition,
    rows: int,
    days: int,
    change: Change | None = None,
    beside: bool = True,
) -> dict[str, Any]:
    """Day after day: on which days each way told of a drift."""
    reference = world.rows(BASELINE, 0, 28 if world.seasonal else 20)
    context = KindContext(monitor="m")
    baseline = KIND.baseline(monitor, Rows(pa.table(reference), 0.0, 20 * DAY), context)
    memory: Any = {}
    ours, theirs, spent = [], [], 0.0
    for day in range(days):
        window = world.rows(rows, 28 + day, 1)
        if change is not None and day >= PLANTED:
            change(world, window, day - PLANTED)
        begun = time.perf_counter()
        found = KIND.evaluate(monitor, baseline, Rows(pa.table(window)), memory, context)
        spent += time.perf_counter() - begun
        memory = found.memory
        ours.append(bool(found.violations))
        if beside and not world.seasonal:  # the p-values are SciPy's: no need to ask it again
            p_values = [e.p_value for e in found.measurements if not e.segment]
            theirs.append(any(p is not None and p < 0.05 for p in p_values))
        elif beside:
            theirs.append(naive(reference, window))
        if change is not None and day >= PLANTED and ours[-1]:
            break
    calibration = baseline.summary["calibration"]
    return {"ours": ours, "naive": theirs, "seconds": spent / days, "calibration": calibration}


def alerts(days: Sequence[bool]) -> int:
    """Runs of days in a row."""
    return sum(now and not before for before, now in zip([False, *days], days, strict=False))


def sudden(world: World, window: dict[str, Any], day: int) -> None:
    window["f0"] = window["f0"] + 0.5


def gradual(world: World, window: dict[str, Any], day: int) -> None:
    window["f0"] = window["f0"] + min(1.0, day / 60)


def seasonal(world: World, window: dict[str, Any], day: int) -> None:
    hour = window["__at"] / 3600 % 168
    window["f0"] = window["f0"] + 0.5 * np.sin(hour / 24 * 2 * np.pi)


def segment(world: World, window: dict[str, Any], day: int) -> None:
    window["f0"] = window["f0"] + np.where(window["site"] == "w", 0.75, 0.0)


def categories(world: World, window: dict[str, Any], day: int) -> None:
    moved = world.draws.random(len(window["f9"])) < 0.1
    window["f9"] = np.where(moved, "d", window["f9"])


def together(world: World, window: dict[str, Any], day: int) -> None:
    window["f4"] = 0.8 * window["f0"] + 0.6 * window["f4"]


SHIFTS: dict[str, tuple[Change, dict[str, Any], bool, int]] = {
    "sudden, 0.5 sd": (sudden, {}, False, 30),
    "gradual, 1 sd in 60 days": (gradual, {}, False, 60),
    "seasonal, a stronger swing": (seasonal, {"seasonal": "hour_of_week"}, True, 30),
    "one segment of four, 0.75 sd": (segment, {"segments": ("site",)}, False, 30),
    "categories, 10 % moved": (categories, {}, False, 30),
    "columns together": (together, {"multivariate": True}, False, 10),
}


def main() -> int:
    """Simulate, print the tables; exit 1 where a goal was missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--years", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--json", type=Path, default=HERE / "results" / "fatigue.json")
    args = parser.parse_args()
    missed: list[str] = []
    quiet = [
        without_change(args, name, season, settings)
        for name, season, settings in (
            ("no season", False, {}),
            ("no season, by segment", False, {"segments": ("site",)}),
            ("season, seasonal: hour_of_week", True, {"seasonal": "hour_of_week"}),
        )
    ]
    print(f"{args.years} years of daily windows of {args.rows:,} rows, {args.features} features,")
    print(f"no change; false alerts a month\n\n{'':<34}{'opsdeck':>10}{'p < 0.05':>10}", end="")
    print(f"{'days told of by p < 0.05':>26}{'s a window':>12}")
    for row in quiet:
        print(
            f"{row['name']:<34}{row['false_alerts_a_month']:>10.3f}"
            f"{row['naive_alerts_a_month']:>10.2f}{row['naive_days']:>26.1%}{row['seconds']:>12.3f}"
        )
        if row["false_alerts_a_month"] >= 1:
            missed.append(f"{row['name']}: {row['false_alerts_a_month']} false alerts a month")
    print(f"\n{'planted shift':<34}{'found':>10}{'days until the alert, median (most)':>38}")
    found = [planted(args, name) for name in SHIFTS]
    for row in found:
        delay = f"{row['median']:g} ({row['most']:g})" if row["delays"] else "-"
        print(f"{row['name']:<34}{row['found']:>6} of {args.years}{delay:>35}")
        if row["found"] < args.years or row["most"] > row["allowed"]:
            missed.append(f"{row['name']}: found {row['found']} of {args.years}")
    for each in missed:
        print(f"missed: {each}", file=sys.stderr)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    body = {"rows": args.rows, "features": args.features, "years": args.years, "quiet": quiet,
            "planted": found, "missed": missed}  # fmt: skip
    args.json.write_text(json.dumps(body, indent=1) + "\n")
    return int(bool(missed))


def without_change(
    args: argparse.Namespace, name: str, season: bool, settings: dict[str, Any]
) -> dict[str, Any]:
    """Years in which nothing changes."""
    ran = [
        year(World(args.features, seed, season), definition(**settings), args.rows, args.days)
        for seed in range(args.years)
    ]
    months = args.years * args.days / MONTH
    return {
        "name": name,
        "false_alerts_a_month": sum(alerts(each["ours"]) for each in ran) / months,
        "naive_alerts_a_month": sum(alerts(each["naive"]) for each in ran) / months,
        "naive_days": statistics.mean(statistics.mean(each["naive"]) for each in ran),
        "seconds": statistics.mean(each["seconds"] for each in ran),
        "stated": [each["calibration"].get("false_alerts_a_month") for each in ran],
    }


def planted(args: argparse.Namespace, name: str) -> dict[str, Any]:
    """Trials of one shift: in how many days it was told of."""
    change, settings, season, allowed = SHIFTS[name]
    delays, before = [], 0
    for seed in range(args.years):
        world = World(args.features, 100 + seed, season)
        monitor = definition(**settings)
        days = year(world, monitor, args.rows, PLANTED + allowed, change, beside=False)["ours"]
        before += alerts(days[:PLANTED])
        later = [day for day, told in enumerate(days[PLANTED:], 1) if told]
        delays += later[:1]
    return {
        "name": name,
        "found": len(delays),
        "delays": delays,
        "median": statistics.median(delays) if delays else None,
        "most": max(delays, default=None),
        "allowed": allowed,
        "false_alerts_before": before,
    }


if __name__ == "__main__":
    sys.exit(main())
