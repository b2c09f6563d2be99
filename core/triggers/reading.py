"""The section `triggers:` of the files in `monitors/`: what is written, checked key by key.

Here only the form is checked; whether there is such a pipeline, dataset or alarm is
`core.triggers.checking`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.cron import parse_cron
from core.domain.trigger import (
    Augment,
    Budget,
    CauseKind,
    Condition,
    Relapse,
    TriggerDefinition,
)
from core.releases import values as v
from core.triggers.templates import template_problems

NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
DATASET = re.compile(r"[a-z][a-z0-9_]{0,62}")
_KEYS = (
    "on", "pipeline", "params", "model", "endpoint", "cool_down", "budget", "priority", "relapse",
    "augment", "enabled", "cache", "description",
)  # fmt: skip
_MORE: Mapping[CauseKind, tuple[str, ...]] = {
    CauseKind.SCHEDULE: ("zone",),
    CauseKind.NEW_DATA: ("rows", "snapshots"),
    CauseKind.MONITOR: ("state", "windows"),
    CauseKind.METRIC: ("dims", "above", "below", "datapoints", "of"),
    CauseKind.ALARM: (),
}
_STATES = ("violated", "insufficient", "failed")
_METRIC = re.compile(r"([a-z]+/[^\s:]+):([^\s:]+)")
DRAWS = ("newest", "random")
REASONS = ("uncertain", "disagreeing", "drifted", "random", "other")
"""Why a row was labelled; `other`: not by way of the labelling queue."""


def read_triggers(
    problems: v.Problems, where: str, mapping: Mapping[str, Any]
) -> tuple[TriggerDefinition, ...]:
    """The triggers of one section that are right; what is wrong with the others is noted."""
    found: list[TriggerDefinition] = []
    if not isinstance(mapping, Mapping):
        problems.add(where, f"a mapping of names to triggers, not {v.shown(mapping)}")
        return ()
    for name, data in mapping.items():
        known = len(problems.found)
        place = f"{where}.{name}"
        if not isinstance(name, str) or not NAME.fullmatch(name):
            problems.add(place, "not a name", "small letters, digits, _ and -")
            continue
        definition = _trigger(problems, place, name, data)
        if definition is not None and len(problems.found) == known:
            found.append(definition)
    return tuple(found)


def _trigger(problems: v.Problems, where: str, name: str, data: Any) -> TriggerDefinition | None:
    given = v.known_keys(problems, where, data, _KEYS)
    if given is None:
        return None
    pipeline = v.text(problems, f"{where}.pipeline", given.get("pipeline"))
    budget = _budget(problems, f"{where}.budget", given["budget"]) if "budget" in given else None
    conditions = _conditions(problems, f"{where}.on", given.get("on", ()))
    texts = {
        key: v.text(problems, f"{where}.{key}", given[key]) or ""
        for key in ("model", "endpoint", "description")
        if key in given
    }
    made: dict[str, Any] = {**texts}
    if "cool_down" in given:
        made["cool_down"] = v.seconds(problems, f"{where}.cool_down", given["cool_down"])
    if "priority" in given:
        made["priority"] = v.whole(problems, f"{where}.priority", given["priority"], -100, 100)
    for key, name_of in (("enabled", "enabled"), ("cache", "use_cache")):
        if key in given:
            made[name_of] = v.flag(problems, f"{where}.{key}", given[key])
    if "relapse" in given:
        made["relapse"] = _relapse(problems, f"{where}.relapse", given["relapse"])
    if "augment" in given:
        made["augment"] = _augment(problems, f"{where}.augment", given["augment"])
    augmented = made.get("augment") is not None
    made["params"] = _params(problems, f"{where}.params", given.get("params", {}), augmented)
    return TriggerDefinition(
        name=name,
        pipeline=pipeline or "",
        conditions=conditions,
        budget=budget or Budget(),
        where=where,
        **made,
    )


def _conditions(problems: v.Problems, where: str, data: Any) -> tuple[Condition, ...]:
    items = [data] if isinstance(data, Mapping) else data
    if not isinstance(items, list | tuple):
        hint = "for example: [{schedule: 7d}, {alarm: NAME}]; by hand always goes"
        problems.add(where, f"a list of conditions, not {v.shown(data)}", hint)
        return ()
    found: list[Condition] = []
    for index, item in enumerate(items):
        place = where if isinstance(data, Mapping) else f"{where}[{index}]"
        condition = _condition(problems, place, item)
        if condition is None:
            continue
        if any(condition.key == other.key for other in found):
            problems.add(place, f"given twice: {condition.words()}", "keep one")
        found.append(condition)
    return tuple(found)


def _condition(problems: v.Problems, where: str, data: Any) -> Condition | None:
    words = [kind.value for kind in _MORE]
    if not isinstance(data, Mapping):
        hint = f"such as {{schedule: 7d}}; known: {', '.join(words)}"
        problems.add(where, f"a mapping, not {v.shown(data)}", hint)
        return None
    kinds = [kind for kind in _MORE if kind.value in data]
    if len(kinds) != 1:
        keys = ", ".join(map(str, data)) or "nothing"
        problems.add(where, f"one of {', '.join(words)}, not {keys}")
        return None
    kind = kinds[0]
    given = v.known_keys(problems, where, data, (kind.value, *_MORE[kind]))
    if given is None:
        return None
    read = {
        CauseKind.SCHEDULE: _schedule,
        CauseKind.NEW_DATA: _new_data,
        CauseKind.MONITOR: _monitor,
        CauseKind.METRIC: _metric,
        CauseKind.ALARM: _alarm,
    }[kind]
    return read(problems, where, given)


def _schedule(problems: v.Problems, where: str, given: Mapping[str, Any]) -> Condition | None:
    value, zone = given["schedule"], "UTC"
    if "zone" in given:
        zone = v.text(problems, f"{where}.zone", given["zone"]) or "UTC"
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            problems.add(f"{where}.zone", f"no time zone {zone[:40]}", "such as Europe/Berlin")
            return None
    if isinstance(value, str) and (value.count(" ") >= 2 or value.startswith("@")):
        try:
            cron = parse_cron(value)
        except ValueError as error:
            hint = 'such as "0 3 * * mon": minute hour day month weekday'
            problems.add(f"{where}.schedule", f"not a cron line: {error}", hint)
            return None
        return Condition(CauseKind.SCHEDULE, where, cron=cron.text, zone=zone)
    known = len(problems.found)
    every = v.seconds(problems, f"{where}.schedule", value, 1.0)
    if len(problems.found) > known:
        last = problems.found.pop()
        hint = 'a duration such as 7d, or a cron line such as "0 3 * * mon"'
        problems.add(last.where, last.message, hint)
    return None if every is None else Condition(CauseKind.SCHEDULE, where, every=every, zone=zone)


def _new_data(problems: v.Problems, where: str, given: Mapping[str, Any]) -> Condition | None:
    name = v.text(problems, f"{where}.new_data", given["new_data"])
    if name is None:
        return None
    name = name.removeprefix("dataset/")
    if not DATASET.fullmatch(name):
        hint = "small letters, digits and _"
        problems.add(f"{where}.new_data", f"no name of a dataset: {v.shown(name)}", hint)
        return None
    rows, snapshots = (
        v.whole(problems, f"{where}.{key}", given[key], 1, 10**12) if key in given else None
        for key in ("rows", "snapshots")
    )
    if rows is None and snapshots is None:
        snapshots = 1
    return Condition(CauseKind.NEW_DATA, where, dataset=name, rows=rows, snapshots=snapshots)


def _monitor(problems: v.Problems, where: str, given: Mapping[str, Any]) -> Condition | None:
    name = v.text(problems, f"{where}.monitor", given["monitor"])
    state = v.one_of(problems, f"{where}.state", given.get("state", "violated"), _STATES)
    windows = v.whole(problems, f"{where}.windows", given.get("windows", 1), 1, 100)
    if name is None or state is None or windows is None:
        return None
    name = name.removeprefix("monitor/")
    return Condition(CauseKind.MONITOR, where, monitor=name, state=state, windows=windows)


def _metric(problems: v.Problems, where: str, given: Mapping[str, Any]) -> Condition | None:
    text = v.text(problems, f"{where}.metric", given["metric"])
    named = _METRIC.fullmatch(text or "")
    if text is not None and named is None:
        hint = "SOURCE:METRIC, such as monitor/demand-quality:mae"
        problems.add(f"{where}.metric", f"no metric: {v.shown(text)}", hint)
    sides = [key for key in ("above", "below") if key in given]
    if len(sides) != 1:
        problems.add(where, "either above: or below:", "say which side is bad: above: 60")
        return None
    limit = v.number(problems, f"{where}.{sides[0]}", given[sides[0]], -1e300, 1e300)
    of = v.whole(problems, f"{where}.of", given.get("of", given.get("datapoints", 1)), 1, 100)
    points = v.whole(problems, f"{where}.datapoints", given.get("datapoints", of or 1), 1, 100)
    if of is not None and points is not None and points > of:
        problems.add(f"{where}.datapoints", f"{points} of the last {of}", "at most as many as of:")
    dims = given.get("dims", {})
    if not isinstance(dims, Mapping):
        problems.add(f"{where}.dims", f"a mapping, not {v.shown(dims)}")
        return None
    if named is None or limit is None or of is None or points is None:
        return None
    return Condition(
        CauseKind.METRIC,
        where,
        source=named[1],
        metric=named[2],
        dims={str(key): str(value) for key, value in dims.items()},
        above=limit if sides[0] == "above" else None,
        below=limit if sides[0] == "below" else None,
        datapoints=points,
        of=of,
    )


def _alarm(problems: v.Problems, where: str, given: Mapping[str, Any]) -> Condition | None:
    name = v.text(problems, f"{where}.alarm", given["alarm"])
    if name is None:
        return None
    return Condition(CauseKind.ALARM, where, alarm=name.removeprefix("alarm/"))


def _params(problems: v.Problems, where: str, data: Any, augmented: bool) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        problems.add(where, f"a mapping of parameters, not {v.shown(data)}")
        return {}
    for key, value in data.items():
        if not isinstance(value, str | int | float):
            problems.add(f"{where}.{key}", f"text, a number, true or false, not {v.shown(value)}")
        elif isinstance(value, str):
            for message, hint in template_problems(value, augmented=augmented):
                problems.add(f"{where}.{key}", message, hint)
    return dict(data)


def _budget(problems: v.Problems, where: str, data: Any) -> Budget | None:
    keys = ("runs", "cpu_time", "cost", "cost_per_cpu_hour", "per")
    given = v.known_keys(problems, where, data, keys)
    if given is None:
        return None
    runs = cpu = cost = None
    price = 0.0
    nothing = "set enabled: false to switch the trigger off"
    if "runs" in given:
        runs = v.whole(problems, f"{where}.runs", given["runs"], 0, 10**6)
        if runs == 0:
            problems.add(f"{where}.runs", "a budget of 0 lets nothing run", nothing)
    if "cpu_time" in given:
        cpu = v.seconds(problems, f"{where}.cpu_time", given["cpu_time"])
        if cpu == 0:
            problems.add(f"{where}.cpu_time", "a budget of 0 lets nothing run", nothing)
    if "cost" in given:
        cost = v.number(problems, f"{where}.cost", given["cost"], 0, 1e12)
        if cost == 0:
            problems.add(f"{where}.cost", "a budget of 0 lets nothing run", nothing)
        if "cost_per_cpu_hour" not in given:
            hint = "add cost_per_cpu_hour:, what an hour of processor time costs"
            problems.add(f"{where}.cost", "a cost, and no price", hint)
    if "cost_per_cpu_hour" in given:
        key = f"{where}.cost_per_cpu_hour"
        price = v.number(problems, key, given["cost_per_cpu_hour"], 0, 1e9) or 0.0
    per = v.one_of(problems, f"{where}.per", given.get("per", "week"), ("day", "week"))
    return Budget(runs, cpu, cost, price, per or "week")


def _relapse(problems: v.Problems, where: str, data: Any) -> Relapse:
    given = v.known_keys(problems, where, data, ("retrainings", "within")) or {}
    plain = Relapse()
    times = v.whole(problems, f"{where}.retrainings", given.get("retrainings", 1), 1, 100)
    within = v.seconds(problems, f"{where}.within", given.get("within", plain.within), 1.0)
    return Relapse(times or 1, within or plain.within)


def _augment(problems: v.Problems, where: str, data: Any) -> Augment | None:
    keys = (
        "dataset", "endpoint", "label", "since", "hold_back", "most", "least", "draw", "weights",
        "weight_column", "columns", "keep", "needed",
    )  # fmt: skip
    given = v.known_keys(problems, where, data, keys)
    if given is None:
        return None
    dataset = v.text(problems, f"{where}.dataset", given.get("dataset"))
    if dataset is not None and not DATASET.fullmatch(dataset):
        hint = "small letters, digits and _, such as captured_bike_demand"
        problems.add(f"{where}.dataset", f"no name of a dataset: {v.shown(dataset)}", hint)
    made: dict[str, Any] = {}
    for key in ("endpoint", "label", "weight_column"):
        if key in given:
            made[key] = v.text(problems, f"{where}.{key}", given[key]) or ""
    for key in ("since", "hold_back"):
        if key in given:
            made[key] = v.seconds(problems, f"{where}.{key}", given[key])
    for key in ("most", "least"):
        if key in given:
            made[key] = v.whole(problems, f"{where}.{key}", given[key], 1, 10**8)
    if "draw" in given:
        made["draw"] = v.one_of(problems, f"{where}.draw", given["draw"], DRAWS)
    if "needed" in given:
        made["needed"] = v.flag(problems, f"{where}.needed", given["needed"])
    if "weights" in given:
        made["weights"] = _weights(problems, f"{where}.weights", given["weights"])
    made["columns"] = _names(problems, f"{where}.columns", given.get("columns", {}))
    keep = given.get("keep", ())
    if not isinstance(keep, list | tuple) or not all(isinstance(each, str) for each in keep):
        problems.add(f"{where}.keep", f"a list of inputs, not {v.shown(keep)}")
        keep = ()
    return None if dataset is None else Augment(dataset=dataset, keep=tuple(keep), **made)


def _weights(problems: v.Problems, where: str, data: Any) -> Mapping[str, float]:
    given = v.known_keys(problems, where, data, REASONS) or {}
    found = {key: v.number(problems, f"{where}.{key}", each, 0, 1e6) for key, each in given.items()}
    return {key: each for key, each in found.items() if each is not None}


def _names(problems: v.Problems, where: str, data: Any) -> Mapping[str, str]:
    if isinstance(data, Mapping) and all(isinstance(each, str) for each in data.values()):
        return {str(key): str(value) for key, value in data.items()}
    problems.add(where, "a mapping of a new name to an input", "such as {ts: timestamp}")
    return {}
