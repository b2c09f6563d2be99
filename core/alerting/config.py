"""Reading the section `alerts:` of opsdeck.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from core.alerting import _values as values
from core.alerting._values import Place
from core.alerting.settings import (
    OWNER,
    AlertSettings,
    Digest,
    Level,
    Override,
    OwnerRule,
    Policy,
    Schedule,
    Target,
    Throttle,
)
from core.domain.alert import Matcher, Severity
from core.windows import Window
from core.workspace import CONFIG_NAME, Workspace

_KEYS = (
    "grouping", "reopen", "related", "targets", "people", "schedules", "owners", "escalation",
    "quiet_hours", "throttle", "digest", "runbooks",
)  # fmt: skip
_MATCHER = ("target", "kind", "severity", "labels")


def alert_settings(workspace: Workspace) -> AlertSettings:
    """The workspace's alerting; raises `AlertsConfigInvalid`, naming file and key."""
    return _Parser(Place(str(workspace.root / CONFIG_NAME), "alerts"), workspace.alerts).settings()


class _Parser:
    def __init__(self, place: Place, raw: Mapping[str, Any]) -> None:
        self._place = place
        self._raw = raw
        self._known: set[str] = set()
        self._addresses: set[str] = set()

    def settings(self) -> AlertSettings:
        place, raw = self._place, self._raw
        values.refuse_unknown(place, raw, _KEYS)
        default = AlertSettings()
        quiet = values.windows(place / "quiet_hours", raw.get("quiet_hours"))
        throttle = values.throttle(place / "throttle", raw.get("throttle"), Throttle())
        targets = self._targets(quiet, throttle)
        people = self._people(targets)
        schedules = self._schedules(people)
        self._addresses = set(targets)
        self._known = {OWNER, *targets, *people, *(f"oncall/{name}" for name in schedules)}
        return AlertSettings(
            grouping=values.duration(place / "grouping", raw.get("grouping"), default.grouping),
            reopen=values.duration(place / "reopen", raw.get("reopen"), default.reopen),
            related=values.duration(place / "related", raw.get("related"), default.related),
            targets=targets,
            people=people,
            schedules=schedules,
            owners=self._owners(),
            policies=self._policies(),
            quiet=quiet,
            digest=self._digest(),
            runbooks={
                kind: values.text(place / "runbooks" / kind, file)
                for kind, file in values.mapping(place / "runbooks", raw.get("runbooks")).items()
            },
        )

    def _targets(self, quiet: tuple[Window, ...], throttle: Throttle) -> dict[str, Target]:
        found = {}
        for name, raw in values.named(self._place / "targets", self._raw.get("targets")):
            at = self._place / "targets" / name
            given = {"url": raw} if isinstance(raw, str) else values.mapping(at, raw)
            values.refuse_unknown(at, given, ("url", "throttle", "quiet_hours", "time_limit"))
            url = values.text(at / "url", given.get("url"))
            values.refuse_open_secret(at / "url", url)
            own = values.windows(at / "quiet_hours", given.get("quiet_hours"))
            seconds = values.duration(at / "time_limit", given.get("time_limit"), 20.0)
            if not 1.0 <= seconds <= 120.0:
                raise (at / "time_limit").wrong("must be 1s to 2m")
            found[name] = Target(
                name=name,
                url=url,
                throttle=values.throttle(at / "throttle", given.get("throttle"), throttle),
                quiet=own if "quiet_hours" in given else quiet,
                seconds=seconds,
            )
        return found

    def _people(self, targets: Mapping[str, Target]) -> dict[str, tuple[str, ...]]:
        found = {}
        for name, raw in values.named(self._place / "people", self._raw.get("people")):
            at = self._place / "people" / name
            if name in targets or name == OWNER:
                raise at.wrong("is the name of a target too", "give one of them another name")
            given = values.mapping(at, raw)
            values.refuse_unknown(at, given, ("notify",))
            told = values.texts(at / "notify", given.get("notify"))
            for each in told:
                values.refuse_strange(at / "notify", each, targets, "target")
            found[name] = told
        return found

    def _schedules(self, people: Mapping[str, object]) -> dict[str, Schedule]:
        keys = ("people", "every", "starts", "handover", "zone", "overrides")
        found = {}
        for name, raw in values.named(self._place / "schedules", self._raw.get("schedules")):
            at = self._place / "schedules" / name
            given = values.mapping(at, raw)
            values.refuse_unknown(at, given, keys)
            turns = values.texts(at / "people", given.get("people"))
            if not turns:
                raise (at / "people").wrong("missing", "who is on call, in turn")
            for each in turns:
                values.refuse_strange(at / "people", each, people, "person")
            zone = values.zone(at / "zone", given.get("zone"))
            found[name] = Schedule(
                name=name,
                people=turns,
                days=values.whole_days(at / "every", given.get("every", "1w")),
                starts=values.day(at / "starts", given.get("starts")),
                minute=values.minute(at / "handover", given.get("handover", "09:00")),
                zone=zone,
                overrides=self._overrides(at / "overrides", given.get("overrides"), people, zone),
            )
        return found

    def _overrides(
        self, at: Place, given: Any, people: Mapping[str, object], zone: ZoneInfo
    ) -> tuple[Override, ...]:
        found = []
        for where, each in values.items(at, given):
            values.refuse_unknown(where, each, ("from", "until", "who"))
            who = values.text(where / "who", each.get("who"))
            values.refuse_strange(where / "who", who, people, "person")
            start = values.moment(where / "from", each.get("from"), zone)
            end = values.moment(where / "until", each.get("until"), zone)
            if end <= start:
                raise (where / "until").wrong("must be after from")
            found.append(Override(start, end, who))
        return tuple(found)

    def _owners(self) -> tuple[OwnerRule, ...]:
        found = []
        owners = self._known - {OWNER} - self._addresses
        for at, given in values.items(self._place / "owners", self._raw.get("owners")):
            values.refuse_unknown(at, given, (*_MATCHER, OWNER))
            owner = values.text(at / OWNER, given.get(OWNER))
            values.refuse_strange(at / OWNER, owner, owners, "person or schedule")
            found.append(OwnerRule(self._matcher(at, given), owner))
        return tuple(found)

    def _policies(self) -> tuple[Policy, ...]:
        found = []
        for name, raw in values.named(self._place / "escalation", self._raw.get("escalation")):
            at = self._place / "escalation" / name
            given = {"levels": raw} if isinstance(raw, list) else values.mapping(at, raw)
            values.refuse_unknown(at, given, ("for", "levels"))
            wanted = values.mapping(at / "for", given.get("for"))
            values.refuse_unknown(at / "for", wanted, _MATCHER)
            levels = self._levels(at / "levels", given.get("levels"))
            found.append(Policy(name, self._matcher(at / "for", wanted), levels))
        return tuple(found)

    def _levels(self, at: Place, given: Any) -> tuple[Level, ...]:
        levels: list[Level] = []
        for where, each in values.items(at, given):
            values.refuse_unknown(where, each, ("after", "notify"))
            after = values.duration(where / "after", each.get("after"), 0.0)
            if not levels and after:
                raise (where / "after").wrong("the first level is told at once", "leave it out")
            if levels and after <= levels[-1].after:
                raise (where / "after").wrong(
                    "must be later than the level before", "it counts from the alert's opening"
                )
            levels.append(Level(after, self._told(where, each.get("notify"))))
        return tuple(levels)

    def _digest(self) -> Digest | None:
        given = self._raw.get("digest")
        if given is None:
            return None
        at = self._place / "digest"
        given = values.mapping(at, given)
        values.refuse_unknown(at, given, ("at", "zone", "severities", "notify"))
        told = self._told(at, given.get("notify"))
        if OWNER in told:
            raise (at / "notify").wrong("has alerts of several owners", "name a target or person")
        wanted = values.texts(at / "severities", given.get("severities", ["info"]))
        return Digest(
            minute=values.minute(at / "at", given.get("at", "09:00")),
            zone=values.zone(at / "zone", given.get("zone")),
            severities=frozenset(values.severity(at / "severities", each) for each in wanted),
            notify=told,
        )

    def _told(self, at: Place, given: Any) -> tuple[str, ...]:
        told = values.texts(at / "notify", given)
        for each in told:
            values.refuse_strange(at / "notify", each, self._known, "target, person or oncall/NAME")
        return told

    def _matcher(self, at: Place, given: Mapping[str, Any]) -> Matcher:
        severity = given.get("severity")
        return Matcher(
            target=values.text(at / "target", given.get("target", "*")),
            kind=values.text(at / "kind", given.get("kind", "*")),
            severity="" if severity is None else self._severity(at, severity),
            labels={
                key: str(value)
                for key, value in values.mapping(at / "labels", given.get("labels")).items()
            },
        )

    def _severity(self, at: Place, given: Any) -> Severity:
        return values.severity(at / "severity", given)
