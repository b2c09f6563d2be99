"""Which alarm depends on which: cycles are refused, and what depends comes after."""

from __future__ import annotations

from collections.abc import Mapping

from core.alarms.errors import AlarmRuleInvalid
from core.alarms.rules import names_in, parse
from core.domain.alarm import AlarmDefinition


def children(alarm: AlarmDefinition) -> tuple[str, ...]:
    """The alarms that this one looks at: in its rule, and as its suppressor. None where its
    rule cannot be read: whoever reads the file has said so."""
    found: tuple[str, ...] = ()
    if alarm.rule:
        try:
            found = names_in(parse(alarm.rule))
        except AlarmRuleInvalid:
            found = ()
    return (*found, alarm.suppress_with) if alarm.suppress_with else found


def in_order(alarms: Mapping[str, AlarmDefinition]) -> tuple[str, ...]:
    """All names, each after those that it looks at; of a cycle in the order of the mapping."""
    done: dict[str, None] = {}
    for start in alarms:
        stack = [(start, iter(children(alarms[start])))]
        path = {start}
        while stack:
            name, rest = stack[-1]
            following = next((c for c in rest if c in alarms), None)
            if following is None:
                stack.pop()
                path.discard(name)
                done.setdefault(name)
            elif following not in done and following not in path:
                stack.append((following, iter(children(alarms[following]))))
                path.add(following)
    return tuple(done)


def cycles(alarms: Mapping[str, AlarmDefinition]) -> tuple[tuple[str, ...], ...]:
    """Alarms that look at themselves by way of others: each cycle once, as its path."""
    found: dict[frozenset[str], tuple[str, ...]] = {}
    clean: set[str] = set()
    for start in alarms:
        path: list[str] = []
        stack = [(start, iter(children(alarms[start])))] if start not in clean else []
        if stack:
            path.append(start)
        while stack:
            _, rest = stack[-1]
            following = next((c for c in rest if c in alarms and c not in clean), None)
            if following is None:
                stack.pop()
                clean.add(path.pop())
            elif following in path:
                cycle = tuple(path[path.index(following) :])
                found.setdefault(frozenset(cycle), cycle)
            else:
                path.append(following)
                stack.append((following, iter(children(alarms[following]))))
    return tuple(found.values())
