"""Which alerts are meant: silences, owners and policies."""

from __future__ import annotations

import json
from collections.abc import Iterable
from fnmatch import fnmatchcase

from core.alerting.settings import AlertSettings, Policy
from core.domain.alert import Alert, Matcher, Severity, Silence


def fits(matcher: Matcher, alert: Alert) -> bool:
    """Whether every part of the matcher that is given fits the alert."""
    return (
        fnmatchcase(alert.target, matcher.target or "*")
        and fnmatchcase(alert.kind, matcher.kind or "*")
        and matcher.severity in ("", alert.severity)
        and all(alert.labels.get(key) == value for key, value in matcher.labels.items())
    )


def silence_of(alert: Alert, silences: Iterable[Silence], now: float) -> Silence | None:
    """Of the silences that hide the alert now, the one that lasts longest."""
    fitting = [each for each in silences if each.active(now) and fits(each.matcher, alert)]
    return max(fitting, key=lambda each: each.ends_at, default=None)


def owner_of(alert: Alert, settings: AlertSettings) -> str | None:
    """Who an alert falls to: whom somebody gave it to, else whom its definition names (the label
    `owner`), else by the file's patterns."""
    named = alert.owner or alert.labels.get("owner")
    if named:
        return named
    return next((rule.owner for rule in settings.owners if fits(rule.matcher, alert)), None)


def policy_of(alert: Alert, settings: AlertSettings) -> Policy | None:
    """The policy that an alert is under. What is only to be known is under one that says so."""
    for policy in settings.policies:
        quiet = alert.severity is Severity.INFO and policy.matcher.severity != Severity.INFO
        if fits(policy.matcher, alert) and not quiet:
            return policy
    return None


def to_json(matcher: Matcher) -> str:
    """A matcher as it is stored."""
    return json.dumps(
        {
            "target": matcher.target,
            "kind": matcher.kind,
            "severity": str(matcher.severity),
            "labels": dict(matcher.labels),
        },
        sort_keys=True,
    )


def from_json(text: str) -> Matcher:
    """A matcher as it was stored."""
    return Matcher(**json.loads(text))
