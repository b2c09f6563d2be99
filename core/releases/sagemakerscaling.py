"""A variant's workers in SageMaker's words: instances that Application Auto Scaling adds.

Requests for `RegisterScalableTarget`, `PutScalingPolicy` and `PutScheduledAction` of
https://docs.aws.amazon.com/autoscaling/application/APIReference/Welcome.html. What is aimed at is
requests at once for each, there as here: the predefined metric
`SageMakerVariantConcurrentRequestsPerModelHighResolution`. The other one for a variant,
`SageMakerVariantInvocationsPerInstance`, counts requests a minute, which say nothing about how
long one takes.
"""

from __future__ import annotations

import re
from typing import Any

from core.errors import BadInput
from core.serving.bounds import ScheduledBounds, named
from core.serving.config import EndpointConfig
from core.windows import DAYS, Window, parse_window

METRIC = "SageMakerVariantConcurrentRequestsPerModelHighResolution"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_DAY = 24 * 60
Bounds = tuple[int, int]


def scaling(
    own: Bounds | None,
    config: EndpointConfig,
    endpoint: str,
    variant: str,
    revision: int | None = None,
) -> dict[str, Any] | None:
    """The requests, by what takes them; `None` for a variant that always has one worker.

    `own` are bounds that the variant is to have by name; without them it has those that the
    settings give to `revision`, or to all. Raises `BadInput` for names that SageMaker does not
    take, and for windows that overlap: there one that ends puts the bounds back, whichever else
    is open.
    """
    own = own or (None if revision is None else named(config.variants, revision))
    low, high = own or (config.min_workers, config.max_workers)
    found = [_inside(item, own, revision) for item in config.schedule]
    if (low, high) == (1, 1) and not any(found):
        return None
    for what, name in (("endpoint", endpoint), ("variant", variant)):
        if not _NAME.fullmatch(name):
            raise BadInput(
                f"{what} {name!r}: SageMaker takes no such name",
                "up to 63 letters, digits, and hyphens between them",
            )
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/{variant}",
        "ScalableDimension": DIMENSION,
    }
    # Its cooldowns are left to it: an instance takes minutes to start, a thread does not.
    policy = {
        "TargetValue": float(config.target_per_worker),
        "PredefinedMetricSpecification": {"PredefinedMetricType": METRIC},
    }
    actions = _actions(config.schedule, found, (low, high))
    return {
        "RegisterScalableTarget": {**target, "MinCapacity": low, "MaxCapacity": high},
        "PutScalingPolicy": {
            "PolicyName": f"{endpoint}-{variant}-workers",
            **target,
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": policy,
        },
        "PutScheduledAction": [{**action, **target} for action in actions],
    }


def _inside(item: ScheduledBounds, own: Bounds | None, revision: int | None) -> Bounds | None:
    """The variant's bounds while a window is open, where that says any."""
    by_name = None if revision is None else named(item.variants, revision)
    return by_name or (None if own is not None else item.workers)


def _actions(
    schedule: tuple[ScheduledBounds, ...], inside: list[Bounds | None], outside: Bounds
) -> list[dict[str, Any]]:
    """Two for each window that says something of the variant: when it opens and closes."""
    windows = [parse_window(item.window) for item in schedule]
    for number, window in enumerate(windows):
        for before, other in enumerate(windows[:number]):
            if (inside[number] or inside[before]) and _meet(window, other):
                raise BadInput(
                    f"schedule: {other.text} and {window.text} meet: SageMaker would put the"
                    " bounds back when either ends",
                    "make one of them, or leave a minute between them",
                )
    found: list[dict[str, Any]] = []
    for number, (window, bounds) in enumerate(zip(windows, inside, strict=True), start=1):
        if bounds is None:
            continue
        for when, cron, (low, high) in (
            ("opens", _opens(window), bounds),
            ("closes", _closes(window), outside),
        ):
            found.append(
                {
                    "ScheduledActionName": f"window-{number}-{when}",
                    "Schedule": cron,
                    "Timezone": window.zone.key,
                    "ScalableTargetAction": {"MinCapacity": low, "MaxCapacity": high},
                }
            )
    return found


def _opens(window: Window) -> str:
    days = window.days
    if _whole_days(window):  # it goes on at midnight from one of them to the next
        days = frozenset(day for day in days if (day - 1) % 7 not in days)
    if not days:
        raise BadInput(
            f"schedule: {window.text} is always open", "make its bounds those of the endpoint"
        )
    return _cron(days, window.start)


def _closes(window: Window) -> str:
    days = window.days
    if _whole_days(window):
        days = frozenset(day for day in days if (day + 1) % 7 not in days)
    if window.end <= window.start or window.end == _DAY:
        days = frozenset((day + 1) % 7 for day in days)
    return _cron(days, window.end % _DAY)


def _whole_days(window: Window) -> bool:
    return (window.start, window.end) == (0, _DAY)


def _cron(days: frozenset[int], minute: int) -> str:
    listed = "*" if len(days) == 7 else ",".join(DAYS[day].upper() for day in sorted(days))
    return f"cron({minute % 60} {minute // 60} ? * {listed} *)"


def _meet(one: Window, other: Window) -> bool:
    """Whether two windows are ever open at once, or one opens as the other closes. Those of
    different zones are taken to, since they move against each other."""
    if one.zone.key != other.zone.key:
        return True
    week = 7 * _DAY
    return any(
        (start - begin) % week <= first or (begin - start) % week <= second
        for begin, first in _spans(one)
        for start, second in _spans(other)
    )


def _spans(window: Window) -> list[tuple[int, int]]:
    """When in the week it opens, and for how long; in minutes."""
    lasts = window.end - window.start + (_DAY if window.end <= window.start else 0)
    return [(day * _DAY + window.start, lasts) for day in window.days]
