"""Reading one monitor's definition: the keys that every kind shares, then the kind's own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from core.cron import parse_cron
from core.domain.monitor import CAPTURED_TIME, MonitorDefinition, Schedule, WindowSpec
from core.monitors.kind import Kind
from core.monitors.kinds import kind_names, kind_of
from core.releases import values
from core.releases.values import Problems

NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
NEW_DATA = "new_data"
FEATURES = "features"
"""What `watch: features/NAME` begins with."""
FEATURE_KINDS = ("data_quality", "drift")
"""The kinds that can look at a feature view."""
LEAST_EVERY = 1.0
MINIMUM_ROWS = 500
_DATASET = re.compile(r"[a-z][a-z0-9_]{0,62}")
_ENDPOINT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_REVISION = re.compile(r"r[1-9][0-9]{0,8}")
_VARIANTS = ("champion", "candidate", "all")
_SEVERITIES = ("critical", "warning", "info", "off")
_LEARNT = ("kind", "columns", "exclude", "segments", "label", "prediction", "score", "time")

SHARED = (
    "kind", "watch", "variant", "every", "window", "time", "baseline", "columns", "exclude",
    "segments", "prediction", "score", "label", "owner", "description", "alert", "timeout",
    "catch_up", "recompute", "runbook",
)  # fmt: skip
"""The keys that the framework reads; all others are the kind's."""


def read_monitor(
    problems: Problems, where: str, name: str, data: Any, file: str = "", line: int = 0
) -> MonitorDefinition | None:
    """The definition under `where`, defaults filled in; None, with what is wrong noted."""
    before = len(problems.found)
    if not NAME.fullmatch(name):
        problems.add(where, f"{name!r} is not allowed", "a-z, 0-9, - and _, a letter first")
    if not isinstance(data, Mapping):
        problems.add(where, f"a mapping, not {values.shown(data)}", "start with kind:")
        return None
    kind = _kind(problems, where, data)
    watch = _watch(problems, where, data.get("watch"))
    if kind is None:
        return None
    own = {key: value for key, value in data.items() if key not in SHARED}
    settings = kind.read(problems, where, own)
    shared = _Shared(problems, where, data)
    window = _window(problems, f"{where}.window", data.get("window"), watch, kind)
    definition = MonitorDefinition(
        name=name,
        kind=kind.name,
        watch=watch,
        every=_every(problems, f"{where}.every", data.get("every", NEW_DATA), kind),
        window=window,
        settings=settings,
        variant=_variant(problems, f"{where}.variant", data.get("variant", "champion")),
        time=shared.text("time", CAPTURED_TIME),
        baseline=shared.text("baseline", "training"),
        columns=shared.names("columns"),
        exclude=shared.names("exclude"),
        segments=shared.names("segments"),
        prediction=shared.text("prediction"),
        score=shared.text("score"),
        label=shared.text("label"),
        owner=shared.text("owner"),
        description=shared.text("description"),
        alert=shared.one_of("alert", _SEVERITIES),
        runbook=shared.text("runbook"),
        timeout=shared.seconds("timeout", 600.0, least=1.0),
        catch_up=shared.whole("catch_up", 10, 1, 1000),
        recompute=shared.whole("recompute", 5, 0, 1000),
        file=file,
        line=line,
        fingerprint=fingerprint(data),
    )
    _check(problems, where, definition, kind)
    return definition if len(problems.found) == before else None


def fingerprint(data: Mapping[str, Any]) -> str:
    """Changes with whatever may change a measurement or a baseline, and with nothing else."""
    aside = {
        "owner", "description", "alert", "runbook", "timeout", "catch_up", "recompute", "every",
    }  # fmt: skip
    kept = {key: value for key, value in data.items() if key not in aside}
    return _digest(kept)


def baseline_fingerprint(data: Mapping[str, Any], format: int = 1) -> str:
    """Changes with whatever may change a baseline, the kind's `format` among it: windows and
    schedules do not."""
    shared = {key: data[key] for key in _LEARNT if key in data}
    if format != 1:
        shared["format"] = format
    own = {key: value for key, value in data.items() if key not in SHARED}
    return _digest({**shared, **own})


def _digest(data: Mapping[str, Any]) -> str:
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class _Shared:
    """Reads keys of one mapping by their form."""

    def __init__(self, problems: Problems, where: str, data: Mapping[str, Any]) -> None:
        self._problems, self._where, self._data = problems, where, data

    def text(self, key: str, default: str = "") -> str:
        if key not in self._data:
            return default
        found = values.text(self._problems, f"{self._where}.{key}", self._data[key])
        return default if found is None else found

    def one_of(self, key: str, words: tuple[str, ...]) -> str:
        if key not in self._data:
            return ""
        return values.one_of(self._problems, f"{self._where}.{key}", self._data[key], words) or ""

    def seconds(self, key: str, default: float, least: float = 0.0) -> float:
        if key not in self._data:
            return default
        where = f"{self._where}.{key}"
        found = values.seconds(self._problems, where, self._data[key], least)
        return default if found is None else found

    def whole(self, key: str, default: int, least: int, most: int) -> int:
        if key not in self._data:
            return default
        where = f"{self._where}.{key}"
        found = values.whole(self._problems, where, self._data[key], least, most)
        return default if found is None else found

    def names(self, key: str) -> tuple[str, ...]:
        given = self._data.get(key, [])
        where = f"{self._where}.{key}"
        found = [given] if isinstance(given, str) else given
        if not isinstance(found, list):
            self._problems.add(where, f"a list of columns, not {values.shown(given)}")
            return ()
        for place, each in enumerate(found):
            if not isinstance(each, str) or not each:
                self._problems.add(f"{where}[{place}]", f"a column, not {values.shown(each)}")
        return tuple(each for each in found if isinstance(each, str) and each)


def _kind(problems: Problems, where: str, data: Mapping[str, Any]) -> Kind | None:
    if "kind" not in data:
        problems.add(where, "no kind", "one of " + ", ".join(kind_names()))
        return None
    found = values.one_of(problems, f"{where}.kind", data["kind"], kind_names())
    return None if found is None else kind_of(found)


_WATCHED = "endpoint/NAME, dataset/NAME or features/NAME"


def _watch(problems: Problems, where: str, given: Any) -> str:
    if given is None:
        problems.add(where, "nothing to watch", f"add watch: {_WATCHED}")
        return ""
    kind, _, name = str(given).partition("/")
    shapes = {"endpoint": _ENDPOINT, "dataset": _DATASET, FEATURES: _DATASET}
    if kind not in shapes or not shapes[kind].fullmatch(name):
        problems.add(f"{where}.watch", f"not {values.shown(given)}", f"write {_WATCHED}")
        return ""
    return f"{kind}/{name}"


def _variant(problems: Problems, where: str, given: Any) -> str:
    if isinstance(given, str) and _REVISION.fullmatch(given):
        return given
    return values.one_of(problems, where, given, _VARIANTS) or "champion"


def _every(problems: Problems, where: str, given: Any, kind: Kind) -> Schedule:
    if given == NEW_DATA:
        return Schedule(NEW_DATA, new_data=True)
    if isinstance(given, str) and (len(given.split()) >= 5 or given.startswith("@")):
        try:
            return Schedule(given, cron=parse_cron(given).text)
        except ValueError as error:
            problems.add(where, str(error), 'such as "0 6 * * *"')
            return Schedule(NEW_DATA, new_data=True)
    if not values.is_number(given) and not isinstance(given, str):
        problems.add(where, f"when to look, not {values.shown(given)}", _EVERY_HINT)
        return Schedule(NEW_DATA, new_data=True)
    noted = len(problems.found)
    found = values.seconds(problems, where, given, LEAST_EVERY)
    if found is None:
        del problems.found[noted:]
        problems.add(where, f"when to look, not {values.shown(given)}", _EVERY_HINT)
        return Schedule(NEW_DATA, new_data=True)
    return Schedule(str(given), seconds=found)


_EVERY_HINT = 'a duration (5m), a cron line ("0 6 * * *") or new_data'


def _window(problems: Problems, where: str, given: Any, watch: str, kind: Kind) -> WindowSpec:
    if given is None:
        if not kind.needs_rows:
            return WindowSpec(seconds=300.0, minimum_rows=0)
        if watch.startswith(("dataset/", f"{FEATURES}/")):
            return WindowSpec(snapshot="whole", minimum_rows=1)
        return WindowSpec(rows=1000, minimum_rows=MINIMUM_ROWS)
    data = values.known_keys(
        problems, where, given, ("rows", "time", "snapshot", "slide", "offset", "grace",
                                 "minimum_rows"),
    )  # fmt: skip
    if data is None:
        return WindowSpec(rows=1000)
    by = [key for key in ("rows", "time", "snapshot") if key in data]
    if len(by) != 1:
        problems.add(
            where, f"by {' and '.join(by) or 'nothing'}", "one of rows: 500, time: 1h, snapshot"
        )
        return WindowSpec(rows=1000)
    if by[0] == "snapshot":
        return _snapshots(problems, where, data, watch)
    if by[0] == "rows":
        return _counted(problems, where, data)
    return _timed(problems, where, data)


def _snapshots(problems: Problems, where: str, data: Mapping[str, Any], watch: str) -> WindowSpec:
    word = values.one_of(problems, f"{where}.snapshot", data["snapshot"], ("whole", "added"))
    if watch.startswith("endpoint/"):
        problems.add(f"{where}.snapshot", "an endpoint has no snapshots", "rows: or time:")
    for key in ("slide", "offset", "grace"):
        if key in data:
            problems.add(f"{where}.{key}", "is for windows of time or rows")
    return WindowSpec(snapshot=word or "whole", minimum_rows=_minimum(problems, where, data, 1))


def _counted(problems: Problems, where: str, data: Mapping[str, Any]) -> WindowSpec:
    rows = values.whole(problems, f"{where}.rows", data["rows"], 1, 100_000_000) or 1000
    slide = None
    if "slide" in data:
        slide = values.whole(problems, f"{where}.slide", data["slide"], 1, rows)
    for key in ("offset", "grace"):
        if key in data:
            problems.add(f"{where}.{key}", "is for windows of time")
    minimum = _minimum(problems, where, data, min(rows, MINIMUM_ROWS))
    if minimum > rows:
        problems.add(
            f"{where}.minimum_rows", f"{minimum} rows never come to a window of {rows} rows",
            f"at most {rows}",
        )  # fmt: skip
    return WindowSpec(rows=rows, slide=slide, minimum_rows=minimum)


def _timed(problems: Problems, where: str, data: Mapping[str, Any]) -> WindowSpec:
    length = values.seconds(problems, f"{where}.time", data["time"], 1.0) or 3600.0
    slide = None
    if "slide" in data:
        slide = values.seconds(problems, f"{where}.slide", data["slide"], 1.0)
        if slide is not None and slide > length:
            problems.add(
                f"{where}.slide", f"{slide:g} s leave gaps between windows of {length:g} s",
                "at most the window's own length",
            )  # fmt: skip
    offset = values.seconds(problems, f"{where}.offset", data.get("offset", 0)) or 0.0
    grace = values.seconds(problems, f"{where}.grace", data.get("grace", 0)) or 0.0
    return WindowSpec(
        seconds=length,
        slide=slide,
        offset=offset,
        grace=grace,
        minimum_rows=_minimum(problems, where, data, MINIMUM_ROWS),
    )


def _minimum(problems: Problems, where: str, data: Mapping[str, Any], default: int) -> int:
    if "minimum_rows" not in data:
        return default
    given = data["minimum_rows"]
    found = values.whole(problems, f"{where}.minimum_rows", given, 0, 100_000_000)
    return default if found is None else found


def _check(problems: Problems, where: str, found: MonitorDefinition, kind: Kind) -> None:
    """What only shows when keys are seen together."""
    if not kind.needs_rows and found.window.seconds is None:
        problems.add(f"{where}.window", f"a monitor of kind {kind.name} goes by time", "time: 5m")
    if found.target_kind == FEATURES:
        _check_features(problems, where, found, kind)
    if found.target_kind == "dataset":
        if found.window.rows is not None:
            problems.add(
                f"{where}.window.rows", "rows of a dataset have no order",
                "by snapshot: whole or added, or by time: with a column of times",
            )  # fmt: skip
        if found.variant != "champion":
            problems.add(f"{where}.variant", "a dataset has no variants", "leave it out")
        if found.window.seconds is not None and found.time == CAPTURED_TIME:
            problems.add(
                f"{where}.window.time", "windows of time want a column of times",
                "add time: COLUMN, or window: {snapshot: added}",
            )  # fmt: skip
        if found.baseline == "training" and kind.needs_baseline:
            problems.add(
                f"{where}.baseline" if found.baseline else where,
                "a dataset was not trained",
                f"such as baseline: dataset:{found.target}@1",
            )


def _check_features(problems: Problems, where: str, found: MonitorDefinition, kind: Kind) -> None:
    """A feature view has rows with times, and neither requests nor answers."""
    if kind.name not in FEATURE_KINDS:
        problems.add(
            f"{where}.kind",
            f"a feature view has neither requests nor answers for kind {kind.name}",
            f"one of {', '.join(FEATURE_KINDS)}; or watch: endpoint/NAME",
        )
        return
    if found.window.rows is not None:
        problems.add(
            f"{where}.window.rows", "rows of a feature view have no order",
            "by its event time: time: 1d; or by snapshot: whole or added",
        )  # fmt: skip
    for key in ("prediction", "score", "label"):
        if getattr(found, key):
            problems.add(f"{where}.{key}", "a feature view has none", "leave it out")
    if found.variant != "champion":
        problems.add(f"{where}.variant", "a feature view has no variants", "leave it out")
    if found.baseline == "training" and kind.needs_baseline:
        problems.add(
            where,
            "a feature view was not trained",
            f"such as baseline: features:{found.target}@VERSION, of a version of its source",
        )
