"""Strategies by name. Every preset is a plan whose numbers can be changed one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from core.domain.release import ReleasePlan, StrategyStep
from core.errors import NotFound
from core.releases import values
from core.releases.values import Problems
from core.releases.watching import DEFAULT_ALARMS, DEFAULT_ANALYSIS

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
_ALL = StrategyStep("set_weight", weight=100.0)


@dataclass(frozen=True, slots=True)
class Option:
    """One number of a preset: its form, what it is when nothing is said, and what it means."""

    form: Literal["percent", "seconds", "whole"]
    default: float
    doc: str


@dataclass(frozen=True, slots=True)
class Preset:
    """A strategy with a name: `options` can be set, `build` makes the steps from them."""

    name: str
    doc: str
    options: Mapping[str, Option]
    build: Callable[[Mapping[str, float]], tuple[StrategyStep, ...]]

    def steps(self, problems: Problems, where: str, given: Mapping[str, Any]) -> Any:
        """The steps with these options in place of the defaults; what is wrong is noted."""
        chosen = {name: option.default for name, option in self.options.items()}
        for name, value in given.items():
            read = _read(problems, f"{where}.{name}", self.options[name], value)
            if read is not None:
                chosen[name] = read
        return self.build(chosen)


def _read(problems: Problems, where: str, option: Option, value: Any) -> float | None:
    match option.form:
        case "percent":
            found = values.percent(problems, where, value)
            if found == 0:
                problems.add(where, "more than 0")
            return found
        case "seconds":
            return values.seconds(problems, where, value)
        case "whole":
            return values.whole(problems, where, value, 1, 10**9)


def _weight(percent: float) -> StrategyStep:
    return StrategyStep("set_weight", weight=percent)


def _bake(seconds: float) -> StrategyStep:
    return StrategyStep("bake", seconds=seconds)


def _climb(first: float, step: float, every: float) -> tuple[StrategyStep, ...]:
    """From `first` percent up by `step`, baking each time, to all of the traffic."""
    found: list[StrategyStep] = []
    weight = first
    while weight < 100:
        found += [_weight(weight), _bake(every)]
        weight += step
    return (*found, _ALL)


def _all_at_once(_: Mapping[str, float]) -> tuple[StrategyStep, ...]:
    return (_ALL,)


def _canary(chosen: Mapping[str, float]) -> tuple[StrategyStep, ...]:
    return (_weight(chosen["weight"]), _bake(chosen["bake"]), _ALL)


def _linear(chosen: Mapping[str, float]) -> tuple[StrategyStep, ...]:
    return _climb(chosen["step"], chosen["step"], chosen["every"])


def _blue_green(chosen: Mapping[str, float]) -> tuple[StrategyStep, ...]:
    return (_ALL, _bake(chosen["bake"]))


def _ab(chosen: Mapping[str, float]) -> tuple[StrategyStep, ...]:
    return (
        _weight(chosen["weight"]),
        StrategyStep("analyse", seconds=chosen["analyse"]),
        StrategyStep("ask", message="B is no worse than A. Give it all of the traffic?"),
        _ALL,
    )


def _mirror(chosen: Mapping[str, float]) -> StrategyStep:
    return StrategyStep(
        "shadow",
        weight=chosen["percent"],
        seconds=chosen["for"],
        requests=int(chosen["requests"]),
    )


def _shadow(chosen: Mapping[str, float]) -> tuple[StrategyStep, ...]:
    ask = StrategyStep("ask", message="The shadow has been compared. Give it the traffic?")
    return (_mirror(chosen), ask, _ALL)


def _progressive(chosen: Mapping[str, float]) -> tuple[StrategyStep, ...]:
    return (
        _mirror(chosen),
        _weight(chosen["weight"]),
        _bake(chosen["bake"]),
        StrategyStep("analyse", seconds=chosen["analyse"]),
        *_climb(chosen["weight"] + chosen["step"], chosen["step"], chosen["every"]),
    )


_MIRROR = {
    "percent": Option("percent", 100.0, "share of the requests that is mirrored"),
    "for": Option("seconds", 10 * MINUTE, "how long they are mirrored"),
    "requests": Option("whole", 500, "or until so many have been compared"),
}

CATALOGUE: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset("all-at-once", "All of the traffic at once; alarms stay armed.", {}, _all_at_once),
        Preset(
            "canary",
            "A part of the traffic, a bake, then all of it.",
            {
                "weight": Option("percent", 10.0, "the canary's share"),
                "bake": Option("seconds", 5 * MINUTE, "how long it must do without an alarm"),
            },
            _canary,
        ),
        Preset(
            "linear",
            "Equal steps, with a bake after each.",
            {
                "step": Option("percent", 10.0, "by how much each step rises"),
                "every": Option("seconds", 5 * MINUTE, "the bake after each step"),
            },
            _linear,
        ),
        Preset(
            "blue-green",
            "All of the traffic at once, then a bake during which one alarm brings it back.",
            {"bake": Option("seconds", 10 * MINUTE, "how long it must do without an alarm")},
            _blue_green,
        ),
        Preset(
            "ab",
            "Two arms, sessions stay with theirs; compared, then a person decides.",
            {
                "weight": Option("percent", 50.0, "the share of the new version"),
                "analyse": Option("seconds", 7 * DAY, "how long they are compared at most"),
            },
            _ab,
        ),
        Preset(
            "shadow",
            "Requests are mirrored and not answered by it; then a person decides.",
            {**_MIRROR, "for": Option("seconds", HOUR, "how long they are mirrored")},
            _shadow,
        ),
        Preset(
            "progressive",
            "Shadow, then a canary that is compared, then equal steps.",
            {
                **_MIRROR,
                "weight": Option("percent", 10.0, "the canary's share"),
                "bake": Option("seconds", 5 * MINUTE, "how long it must do without an alarm"),
                "analyse": Option("seconds", 30 * MINUTE, "how long it is compared at most"),
                "step": Option("percent", 30.0, "by how much each further step rises"),
                "every": Option("seconds", 5 * MINUTE, "the bake after each further step"),
            },
            _progressive,
        ),
    )
}


def preset(name: str) -> Preset:
    """A preset by its name; raises `NotFound`."""
    if name not in CATALOGUE:
        raise NotFound(f"no strategy {name}", "known: " + ", ".join(CATALOGUE))
    return CATALOGUE[name]


def _plan(preset: Preset) -> ReleasePlan:
    return ReleasePlan(
        steps=preset.steps(Problems(), preset.name, {}),
        name=preset.name,
        alarms=DEFAULT_ALARMS,
        analysis=DEFAULT_ANALYSIS,
    )


PRESETS: Mapping[str, ReleasePlan] = {name: _plan(each) for name, each in CATALOGUE.items()}
"""Every preset as it is when nothing is said."""
