"""The rungs of a strategy, read from what people write: `{set_weight: 10}`, `{bake: 5m}`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.domain.release import StrategyStep
from core.errors import BadInput
from core.releases import values
from core.releases.values import Problems
from core.windows import parse_window

ALL = 100.0


def read_steps(problems: Problems, items: Any) -> tuple[StrategyStep, ...]:
    """The steps of a list, ending with all of the traffic; what is wrong is noted.

    Weights must not fall, and where the last one is not 100 that step is added.
    """
    if not isinstance(items, Sequence) or isinstance(items, str):
        problems.add("strategy", f"a list of steps, not {values.shown(items)}")
        return ()
    before = len(problems.found)
    found = [_step(problems, item, number) for number, item in enumerate(items, start=1)]
    steps = [step for step in found if step is not None]
    weights = [step.weight for step in steps if step.kind == "set_weight"]
    if len(problems.found) == before and sorted(weights) != weights:  # type: ignore[type-var]
        listed = ", ".join(f"{weight:g}" for weight in weights)
        problems.add("strategy", f"weights must not fall: {listed}")
    if not weights or weights[-1] != ALL:
        steps.append(StrategyStep("set_weight", weight=ALL))
    return tuple(steps)


def _step(problems: Problems, item: Any, number: int) -> StrategyStep | None:
    where = f"strategy step {number}"
    if not isinstance(item, Mapping) or len(item) != 1:
        problems.add(where, f"one of {', '.join(_READ)}, not {values.shown(item)}")
        return None
    ((kind, value),) = item.items()
    if kind not in _READ:
        values.one_of(problems, where, kind, _READ)
        return None
    return _READ[kind](problems, f"{where}: {kind}", value)


def _set_weight(problems: Problems, where: str, value: Any) -> StrategyStep | None:
    weight = values.number(problems, where, value, 0, ALL, "a percentage")
    return None if weight is None else StrategyStep("set_weight", weight=weight)


def _pause(problems: Problems, where: str, value: Any) -> StrategyStep | None:
    if value is None or value == {}:
        return StrategyStep("pause")
    seconds = values.seconds(problems, where, value)
    return None if seconds is None else StrategyStep("pause", seconds=seconds)


def _bake(problems: Problems, where: str, value: Any) -> StrategyStep | None:
    seconds = values.seconds(problems, where, value)
    return None if seconds is None else StrategyStep("bake", seconds=seconds)


def _analyse(problems: Problems, where: str, value: Any) -> StrategyStep | None:
    if value is None:
        return StrategyStep("analyse")
    seconds = values.seconds(problems, where, value)
    return None if seconds is None else StrategyStep("analyse", seconds=seconds)


def _shadow(problems: Problems, where: str, value: Any) -> StrategyStep | None:
    if not isinstance(value, Mapping):
        value = {"for": value}
    data = values.known_keys(problems, where, value, ("percent", "for", "requests"))
    if data is None:
        return None
    if data.get("for") is None and data.get("requests") is None:
        problems.add(where, "it would never end", "say how long: {for: 10m}, {requests: 500}")
    before = len(problems.found)
    share = values.percent(problems, f"{where}.percent", data.get("percent", ALL))
    seconds = requests = None
    if data.get("for") is not None:
        seconds = values.seconds(problems, f"{where}.for", data["for"])
    if data.get("requests") is not None:
        requests = values.whole(problems, f"{where}.requests", data["requests"], 1, 10**9)
    if share == 0:
        problems.add(f"{where}.percent", "nothing would be mirrored")
    if len(problems.found) > before:
        return None
    return StrategyStep("shadow", weight=share, seconds=seconds, requests=requests)


def _ask(problems: Problems, where: str, value: Any) -> StrategyStep | None:
    message = "" if value is None else values.text(problems, where, value)
    return None if message is None else StrategyStep("ask", message=message)


def _window(problems: Problems, where: str, value: Any) -> StrategyStep | None:
    window = values.text(problems, where, value)
    if window is None:
        return None
    try:
        parse_window(window)
    except BadInput as error:
        problems.add(where, error.message, error.hint)
        return None
    return StrategyStep("window", window=window)


_READ: Mapping[str, Callable[[Problems, str, Any], StrategyStep | None]] = {
    "set_weight": _set_weight,
    "pause": _pause,
    "bake": _bake,
    "analyse": _analyse,
    "shadow": _shadow,
    "ask": _ask,
    "window": _window,
}
STEP_KINDS = tuple(_READ)
