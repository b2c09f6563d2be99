"""Picking rows for people: by reasons with a share each, unlike each other, once each."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.domain.labelling import LabelKind, PickPolicy, PickReason
from core.labelling import scoring
from core.labelling.candidates import Candidate, Found
from core.labelling.values import kind_of
from core.state.reading import Reader

_ORDER = (PickReason.DISAGREEING, PickReason.UNCERTAIN, PickReason.DRIFTED)
_WINDOWS = 20


@dataclass(frozen=True, slots=True)
class Picked:
    """One row with why it was picked."""

    candidate: Candidate
    reason: PickReason
    score: float
    why: str


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of one reason for every candidate, and how to say one in words."""

    values: scoring.Floats
    words: Callable[[int], str]


def pick(
    found: Found, policy: PickPolicy, atypical: Mapping[str, tuple[float, str]]
) -> list[Picked]:
    """At most `policy.rows` rows, in the order in which they are to be labelled.

    `atypical` are rows that a drift monitor found unlike its baseline: how sure it is, and which
    monitor. What one reason cannot fill is filled by lot.
    """
    rows = found.open
    if not rows:
        return []
    points = scoring.encoded([each.inputs for each in (*rows, *found.labelled)])
    here, known = points[: len(rows)], points[len(rows) :]
    scores = {
        PickReason.UNCERTAIN: _uncertain(rows, found.labelled, here, known),
        PickReason.DISAGREEING: _disagreeing(rows),
        PickReason.DRIFTED: _drifted(rows, here, known, atypical),
    }
    chosen: dict[int, Picked] = {}
    for reason in _ORDER:
        quota = _quota(policy, reason)
        scored = scores[reason]
        order = _best(scored.values, chosen)
        for place in scoring.diverse(here, order, quota, list(chosen)) if quota else ():
            value = float(scored.values[place])
            chosen[place] = Picked(rows[place], reason, round(value, 6), scored.words(place))
    left = [place for place in range(len(rows)) if place not in chosen]
    lot = random.Random(policy.seed)
    for place in lot.sample(left, min(len(left), policy.rows - len(chosen))):
        chosen[place] = Picked(rows[place], PickReason.RANDOM, 0.0, "by lot")
    mixed = list(chosen.values())
    lot.shuffle(mixed)  # so that whoever stops half-way has labelled of every kind
    return mixed


def _quota(policy: PickPolicy, reason: PickReason) -> int:
    total = math.fsum(policy.shares.values())
    return int(policy.rows * policy.shares.get(reason.value, 0.0) / total) if total > 0 else 0


def _best(values: scoring.Floats, chosen: Mapping[int, Any]) -> list[int]:
    """Places with a score above 0, the largest first, without those that are chosen."""
    order = np.argsort(-np.nan_to_num(values, nan=-1.0), kind="stable")
    return [int(at) for at in order if values[at] > 0 and int(at) not in chosen]


def _uncertain(
    rows: Sequence[Candidate],
    labelled: Sequence[Candidate],
    here: scoring.Floats,
    known: scoring.Floats,
) -> Scored:
    outputs = [each.output for each in rows]
    chances = scoring.are_probabilities(outputs)
    values = scoring.unsure(outputs, probabilities=chances)
    if np.isfinite(values).any():
        return Scored(values, lambda at: _unsure_words(outputs[at]))
    pairs = [
        (place, abs(each.output - each.label))
        for place, each in enumerate(labelled)
        if isinstance(each.output, float) and _is_number(each.label)
    ]
    places = [place for place, _ in pairs]
    errors = np.array([error for _, error in pairs], dtype=float)
    expected = scoring.expected_error(here, known[places], errors)
    return Scored(
        scoring.ranks(expected),
        lambda at: f"an error of about {expected[at]:.3g} is expected, by labelled rows like it",
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unsure_words(output: Any) -> str:
    if isinstance(output, float):
        return f"probability {output:.3f}"
    if isinstance(output, list):
        return "probabilities " + ", ".join(f"{each:.2f}" for each in sorted(output)[::-1][:3])
    return "a wide interval"


def _disagreeing(rows: Sequence[Candidate]) -> Scored:
    values = scoring.differing([each.output for each in rows], [each.other for each in rows])
    return Scored(
        values,
        lambda at: f"the shadow says {_short(rows[at].other)}, not {_short(rows[at].output)}",
    )


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:30]


def _drifted(
    rows: Sequence[Candidate],
    here: scoring.Floats,
    known: scoring.Floats,
    atypical: Mapping[str, tuple[float, str]],
) -> Scored:
    """What a drift monitor found comes first, then what is far from the labelled rows (or from
    the middle of all, where few are labelled)."""
    reference = known if len(known) >= 50 else here
    far = scoring.unlike(here, reference) * 0.5
    words = [""] * len(rows)
    for place, each in enumerate(rows):
        if each.inference_id in atypical:
            chance, monitor = atypical[each.inference_id]
            far[place] = 0.5 + 0.5 * chance
            words[place] = f"monitor {monitor}: {100 * chance:.0f} % sure that it is new"
    return Scored(far, lambda at: words[at] or "far from the rows that are known")


def atypical_rows(reader: Reader, endpoint: str) -> dict[str, tuple[float, str]]:
    """Rows that monitors of the endpoint found most unlike their baseline in their newest
    windows, by inference id: the classifier's chance, and the monitor's name."""
    rows = reader.rows(
        "SELECT m.monitor, m.detail FROM monitor_measurements m JOIN monitors w"
        " ON w.name = m.monitor JOIN monitor_runs r ON r.id = m.run"
        " WHERE w.watch = :watch AND m.metric = 'c2st_auc' AND m.state = 'violated'"
        " ORDER BY r.window_end DESC LIMIT :most",
        watch=f"endpoint/{endpoint}",
        most=_WINDOWS,
    )
    found: dict[str, tuple[float, str]] = {}
    for row in rows:
        for each in json.loads(row["detail"]).get("atypical", ()):
            if each.get("inference_id") and _is_number(each.get("chance")):
                chance = min(1.0, max(0.0, float(each["chance"])))
                known = found.get(each["inference_id"], (0.0, ""))
                found[each["inference_id"]] = max(known, (chance, row["monitor"]))
    return found


def facts_of(found: Found, picked: Sequence[Picked]) -> dict[str, Any]:
    """What a batch keeps: how many could have been picked, and how many were by which reason;
    what labels are here, and which classes there are."""
    outputs = [each.output for each in (*found.open, *found.labelled)]
    kind = kind_of([each for each in outputs if not isinstance(each, list | dict)])
    values = [each.label for each in found.labelled if not isinstance(each.label, list)]
    if scoring.are_probabilities(outputs) and all(value in (0, 1) for value in values):
        return _facts(found, picked, LabelKind.CLASS, {"0", "1"})
    classes = {
        str(int(v)) if isinstance(v, bool) else str(v)
        for v in (*values, *outputs)
        if kind == "class" and v is not None and not isinstance(v, list | dict)
    }
    return _facts(found, picked, kind, classes)


def _facts(
    found: Found, picked: Sequence[Picked], kind: LabelKind, classes: set[str]
) -> dict[str, Any]:
    by_reason = {reason.value: 0 for reason in PickReason}
    for each in picked:
        by_reason[each.reason.value] += 1
    return {
        "could": len(found.open),
        "several_rows": found.several,
        "by_reason": by_reason,
        "kind": kind.value,
        "classes": sorted(classes)[:200],
    }
