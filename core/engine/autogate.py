"""Whether a gate's own rule lets a candidate go: better than the champion by a margin, overall
and on every segment.

The figures are part of the evidence, and so of the hash that the decision is bound to. Where
the rule does not say yes, people decide as ever.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

SWITCH = "OPSDECK_AUTO_GATES"
"""Environment variable of the worker: `off` keeps every gate from deciding by itself."""


def judge(rule: Mapping[str, Any], evidence: Mapping[str, Any]) -> dict[str, Any]:
    """The rule held against the evidence: `passed`, the `reason` in words, the `overall` figures
    and those of each of the `segments`."""
    made: dict[str, Any] = {"rule": dict(rule), "passed": False}
    champion = evidence["champion"]
    if champion.get("version") is None:
        return made | {"reason": "there is no champion to beat"}
    compared = evidence["metrics"].get("champion_version", champion["version"])
    if str(compared) != str(champion["version"]):
        return made | {"reason": f"compared with version {compared}, which is not the champion"}
    overall = _figures(rule, evidence["metrics"], champion["metrics"])
    if overall is None:
        return made | {"reason": f"no {rule['on']} of both on the same rows"}
    made["overall"] = overall
    segments = list(_segments(rule, evidence))
    made["segments"] = segments
    return made | _verdict(rule, overall, segments)


def _verdict(
    rule: Mapping[str, Any], overall: Mapping[str, Any], segments: list[dict[str, Any]]
) -> dict[str, Any]:
    words = margin_words(rule)
    if not segments:
        return {"passed": False, "reason": f"no segment has {rule['on']} of both"}
    lost = [each for each in segments if not each["passed"]]
    if not overall["passed"]:
        return {"passed": False, "reason": f"not better by {words} overall"}
    if lost:
        first = lost[0]
        why = "too few rows" if first.get("few") else f"not better by {words}"
        more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
        return {"passed": False, "reason": f"{first['segment']}: {why}{more}"}
    reason = f"{rule['on']} better by {words} overall and on all {len(segments)} segments"
    return {"passed": True, "reason": reason}


def margin_words(rule: Mapping[str, Any]) -> str:
    """The margin for people: `2 %`, `1.5`."""
    return f"{100 * rule['margin']:g} %" if rule["relative"] else f"{rule['margin']:g}"


def _segments(rule: Mapping[str, Any], evidence: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every row of the tables by segment, judged."""
    name = rule["on"]
    for table in rule["segments"]:
        rows = evidence["documents"].get(table)
        for row in rows if isinstance(rows, list) else ():
            if not isinstance(row, Mapping):
                continue
            words = [str(value) for value in row.values() if isinstance(value, str)]
            segment = ", ".join(words) or table
            figures = _figures(
                rule, {name: row.get(f"candidate_{name}")}, {name: row.get(f"champion_{name}")}
            )
            if figures is None:
                yield {"segment": segment, "passed": False, "few": True}
                continue
            count = row.get("rows")
            few = not isinstance(count, int) or count < rule["minimum_rows"]
            passed = figures["passed"] and not few
            yield {"segment": segment, "rows": count, **figures, "passed": passed, "few": few}


def _figures(
    rule: Mapping[str, Any], mine: Mapping[str, Any], theirs: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Both values of the metric, the gain and whether it is enough."""
    new, old = mine.get(rule["on"]), theirs.get(rule["on"])
    if not _number(new) or not _number(old):
        return None
    assert new is not None
    assert old is not None
    gain = old - new if rule["better"] == "lower" else new - old
    needed = rule["margin"] * abs(old) if rule["relative"] else rule["margin"]
    return {
        "candidate": new,
        "champion": old,
        "gain": round(gain, 12),
        "passed": gain > 0 and gain >= needed,
    }


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def may_decide(gates: Mapping[str, Any], environment: str) -> str:
    """ "" where gates of this environment may decide by themselves, else why not. `gates` is
    that section of opsdeck.yaml: `auto: false`, or a list of environments where they may."""
    if os.environ.get(SWITCH, "").lower() in ("off", "0", "false", "no"):
        return f"{SWITCH} is off"
    allowed = gates.get("auto", True)
    if allowed is True or (isinstance(allowed, list) and environment in allowed):
        return ""
    return f"opsdeck.yaml lets no gate to {environment} decide by itself"
