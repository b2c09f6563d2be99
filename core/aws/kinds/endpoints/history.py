"""Which endpoint config was asked for, which one serves, and which one served before.

SageMaker keeps no such history and says nothing when it has rolled an update back: the endpoint
is InService again, by its older config. CloudTrail knows what was asked (90 days); where it may
not be read, there is what this session has asked or has seen pending.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from core.aws import words
from core.aws.errors import AwsError
from core.aws.partial import why

if TYPE_CHECKING:
    from core.aws.account import Account

MOST_PAGES = 6
WATCHED = 2 * 3600.0
"""Seconds after an update in which an alarm of it is taken to have brought it back, where it set
itself no time limit."""
ALIKE_READ = 30
_EVENTS = ("UpdateEndpoint", "CreateEndpoint")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for an endpoint config: when (epoch s), which, by whom, the alarms that were
    to bring it back, and for how long they were watched (s)."""

    at: float
    config: str
    by: str = ""
    alarms: tuple[str, ...] = ()
    watched: float = WATCHED


@dataclass(frozen=True, slots=True)
class History:
    """What was asked of an endpoint, newest first; `source` says how that is known, `trouble`
    why CloudTrail does not tell."""

    asked: tuple[Asked, ...] = ()
    source: str = "CloudTrail"
    trouble: str = ""


_seen: WeakKeyDictionary[Account, dict[str, list[Asked]]] = WeakKeyDictionary()
_failed: WeakKeyDictionary[Account, set[tuple[str, str]]] = WeakKeyDictionary()
_lock = threading.Lock()


def remember(account: Account, endpoint: str, asked: Asked) -> None:
    """This session has asked for a config, or has seen that it is pending."""
    with _lock:
        known = _seen.setdefault(account, {}).setdefault(endpoint, [])
        if not known or known[0].config != asked.config:
            known.insert(0, asked)


def remember_rolled_back(account: Account, endpoint: str, config: str) -> None:
    """SageMaker has rolled an update to this config back: it is nothing to go back to."""
    with _lock:
        _failed.setdefault(account, set()).add((endpoint, config))


def history(account: Account, endpoint: str) -> History:
    """What was asked of an endpoint, by CloudTrail and by this session."""
    with _lock:
        own = list(_seen.get(account, {}).get(endpoint, ()))
    try:
        trail = list(_trail(account, endpoint))
    except AwsError as error:
        return History(tuple(own), "this session", why(error))
    # CloudTrail is some minutes behind: what this session has asked since is added.
    newest = max((each.at for each in trail), default=0.0)
    fresh = [each for each in own if each.at > newest and each.config not in _configs(trail[:1])]
    return History((*fresh, *trail))


def rolled_back(found: Mapping[str, Any], known: History) -> Asked | None:
    """The request that SageMaker has silently taken back, if it has: the endpoint is in service,
    nothing is pending, and it serves another config than was asked for last."""
    if found["EndpointStatus"] != "InService" or found.get("PendingDeploymentSummary"):
        return None
    last = known.asked[0] if known.asked else None
    return last if last and last.config != found.get("EndpointConfigName") else None


def silent_rollback(found: Mapping[str, Any], known: History) -> str:
    """What to say where an endpoint does not serve what was last asked for, "" where it does.

    `found` is what DescribeEndpoint answered.
    """
    status, serves = found["EndpointStatus"], found.get("EndpointConfigName", "")
    reason = words.short(found.get("FailureReason", ""), 200)
    because = f": {reason}" if reason else ""
    if status == "UpdateRollbackFailed":
        return f"the update failed and so did the rollback{because}"
    if status == "RollingBack":
        return f"rolling back to {serves}{because}"
    if last := rolled_back(found, known):
        who = f" by {last.by}" if last.by else ""
        return (
            f"rolled back by SageMaker: {last.config} was asked for {words.clock(last.at)}{who},"
            f" {serves} serves{because}"
        )
    if status == "InService" and reason and not known.asked:
        return f"its last update may have been rolled back{because}"
    return ""


def previous_config(account: Account, endpoint: str, serves: str) -> tuple[str, str]:
    """The config that served before `serves`, and how that is known; ("", why) if it isn't.

    One that SageMaker has rolled back is passed over: this session has seen it, or an alarm of
    its deployment went off.
    """
    known = history(account, endpoint)
    passed: list[str] = []
    for asked, until in _before(known.asked, serves):
        why_not = _why_not(account, endpoint, asked, until)
        if not why_not:
            how = f"asked for {words.clock(asked.at)}, by {known.source}"
            return asked.config, "; ".join([how, *passed])
        passed.append(f"passed over {asked.config}: {why_not}")
    name = "" if passed else _like(account, endpoint, serves)
    if name:
        blind = known.trouble or "CloudTrail tells of none before it"
        return name, f"the newest older config with the same variants and name ({blind})"
    told = "; ".join(passed)
    return "", told or known.trouble or "neither CloudTrail nor this session knows of one before it"


def _before(asked: Sequence[Asked], serves: str) -> list[tuple[Asked, float]]:
    """Requests before the one that serves, newest first, each config once, and until when each
    could have been rolled back: the next request ends that."""
    places = [place for place, each in enumerate(asked) if each.config == serves]
    found: dict[str, tuple[Asked, float]] = {}
    for place in range(places[0] + 1 if places else len(asked), len(asked)):
        each = asked[place]
        if each.config != serves:
            until = min(asked[place - 1].at, each.at + each.watched)
            found.setdefault(each.config, (each, until))
    return list(found.values())


def _why_not(account: Account, endpoint: str, asked: Asked, until: float) -> str:
    """Why a config is nothing to go back to, "" where it is."""
    if not _exists(account, asked.config):
        return "it is deleted"
    with _lock:
        if (endpoint, asked.config) in _failed.get(account, ()):
            return "SageMaker rolled it back"
    for alarm in asked.alarms:
        if _went_off(account, alarm, asked.at, until):
            return f"alarm {alarm} went off while it was deployed"
    return ""


def _went_off(account: Account, alarm: str, since: float, until: float) -> bool:
    try:
        page = account.call(
            "cloudwatch",
            "describe_alarm_history",
            AlarmName=alarm,
            HistoryItemType="StateUpdate",
            StartDate=datetime.fromtimestamp(since, UTC),
            EndDate=datetime.fromtimestamp(until, UTC),
        )
    except AwsError:
        return False  # whether it went off is not known; the config is proposed, and can be named
    return any(
        each.get("HistorySummary", "").endswith("to ALARM")
        for each in page.get("AlarmHistoryItems", ())
    )


def _configs(asked: Sequence[Asked]) -> set[str]:
    return {each.config for each in asked}


def _trail(account: Account, endpoint: str) -> Iterator[Asked]:
    found: list[Asked] = []
    for event in _EVENTS:
        pages = account.pages(
            "cloudtrail",
            "lookup_events",
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": event}],
        )
        for number, page in enumerate(pages, start=1):
            found += [asked for each in page.get("Events", ()) if (asked := _of(each, endpoint))]
            if number >= MOST_PAGES:
                break
    yield from sorted(found, key=lambda asked: asked.at, reverse=True)


def _of(event: Mapping[str, Any], endpoint: str) -> Asked | None:
    """A request for this endpoint; None for another one's, and for one that was refused."""
    try:
        told = json.loads(event.get("CloudTrailEvent") or "{}")
    except ValueError:
        return None
    asked = told.get("requestParameters") or {}
    if told.get("errorCode") or asked.get("endpointName") != endpoint:
        return None
    config = {key[:1].lower() + key[1:]: value
              for key, value in (asked.get("deploymentConfig") or {}).items()}  # fmt: skip
    return Asked(
        words.epoch(event.get("EventTime")) or 0.0,
        str(asked.get("endpointConfigName", "")),
        str(event.get("Username", "")),
        tuple(_values(config.get("autoRollbackConfiguration"), "alarmname")),
        next(
            (float(each) for each in _values(config, "maximumexecutiontimeoutinseconds")), WATCHED
        ),
    )


def _values(value: Any, key: str) -> Iterator[Any]:
    """The values under a key anywhere below; CloudTrail writes keys in camel case or as sent."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name.lower() == key:
                yield inner
            else:
                yield from _values(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner, key)


def _exists(account: Account, config: str) -> bool:
    from core.aws.errors import ResourceNotFound

    try:
        account.call("sagemaker", "describe_endpoint_config", EndpointConfigName=config)
    except ResourceNotFound:
        return False
    return True


def _like(account: Account, endpoint: str, serves: str) -> str:
    """The newest config made before the one that serves, of the same variants, whose name begins
    as the endpoint's or the config's does."""
    now = account.call("sagemaker", "describe_endpoint_config", EndpointConfigName=serves)
    variants = sorted(each["VariantName"] for each in now["ProductionVariants"])
    stem = serves.rstrip("0123456789").rstrip("-v")
    page = account.call(
        "sagemaker",
        "list_endpoint_configs",
        SortBy="CreationTime",
        SortOrder="Descending",
        CreationTimeBefore=now["CreationTime"],
        MaxResults=ALIKE_READ,
    )
    for each in page["EndpointConfigs"]:
        name = each["EndpointConfigName"]
        if name == serves or not name.startswith((endpoint, stem or endpoint)):
            continue
        found = account.call("sagemaker", "describe_endpoint_config", EndpointConfigName=name)
        if sorted(v["VariantName"] for v in found["ProductionVariants"]) == variants:
            return str(name)
    return ""
