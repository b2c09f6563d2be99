"""The language of composite alarms: what is written is read back, and means what it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.alarms.definitions import check_together, read_alarms
from core.alarms.errors import AlarmRuleInvalid
from core.alarms.order import children, cycles, in_order
from core.alarms.rules import (
    And,
    AtLeast,
    Const,
    Is,
    Not,
    Or,
    Rule,
    holds,
    names_in,
    parse,
    render,
)
from core.domain.alarm import AlarmDefinition
from core.domain.analysis import AlarmState
from core.releases.values import Problems

NAMES = ["errors", "slow-2", "AND", "TRUE", "a b", "ALARM", "x_y"]
names = st.sampled_from(NAMES)
states = st.sampled_from(list(AlarmState))


@st.composite
def at_least(draw: st.DrawFn) -> Rule:
    of = draw(st.lists(names, min_size=1, max_size=4))
    percent = draw(st.booleans())
    count = draw(st.integers(1, 100 if percent else len(of)))
    return AtLeast(count, percent, draw(st.booleans()), draw(states), tuple(of))


def _joined(rules: st.SearchStrategy[Rule]) -> st.SearchStrategy[Rule]:
    parts = st.lists(rules, min_size=2, max_size=4).map(tuple)
    return st.one_of(
        rules.map(Not),
        parts.map(lambda of: And(_flat(And, of))),
        parts.map(lambda of: Or(_flat(Or, of))),
    )


def _flat(kind: type[And] | type[Or], parts: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """An AND of ANDs without brackets is one AND: `render` would put them, so take them out."""
    return tuple(part for part in parts if not isinstance(part, kind)) or (Const(True), Const(True))


leaves: st.SearchStrategy[Rule] = st.one_of(
    st.builds(Is, states, names), st.booleans().map(Const), at_least()
)
rules = st.recursive(leaves, _joined, max_leaves=12)


def _sound(rule: Rule) -> Rule:
    """AND and OR have two parts or more; one alone is that part."""
    match rule:
        case Not(inner):
            return Not(_sound(inner))
        case And(parts) if len(parts) == 1:
            return _sound(parts[0])
        case Or(parts) if len(parts) == 1:
            return _sound(parts[0])
        case And(parts):
            return And(tuple(_sound(part) for part in parts))
        case Or(parts):
            return Or(tuple(_sound(part) for part in parts))
    return rule


@given(rules)
def test_what_is_rendered_is_parsed_to_the_same(rule: Rule) -> None:
    sound = _sound(rule)
    assert parse(render(sound)) == sound


@given(rules, st.dictionaries(names, states))
def test_it_means_what_python_would_say(rule: Rule, now: dict[str, AlarmState]) -> None:
    def value(of: Rule) -> bool:
        match of:
            case Is(state, name):
                return now.get(name, AlarmState.INSUFFICIENT_DATA) == state
            case Const(constant):
                return constant
            case Not(inner):
                return not value(inner)
            case And(parts):
                return False not in [value(part) for part in parts]
            case Or(parts):
                return True in [value(part) for part in parts]
            case AtLeast(count, percent, negated, state, of_names):
                hits = sum(value(Is(state, name)) != negated for name in of_names)
                return hits * 100 >= count * len(of_names) if percent else hits >= count

    assert holds(rule, now) == value(rule)
    assert set(names_in(rule)) <= set(NAMES)


@given(st.text(alphabet='ALARMOKNDT() ",%2ab\n', max_size=60))
def test_whatever_is_written_is_a_rule_or_refused_in_one_line(text: str) -> None:
    try:
        rule = parse(text)
    except AlarmRuleInvalid as error:
        assert "\n" not in error.message
    else:
        assert parse(render(rule)) == rule


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("ALARM(a) and OK(b)", "expected AND, OR or the end, found “and” at character 10", "AND"),
        ("ALARM(a", "expected “)”, found the end", ""),
        ("", "expected ALARM(name)", ""),
        ("ALARM()", "expected the name of an alarm, found “)”", ""),
        ("NOT", "found the end", ""),
        ("ALARM(a) & OK(b)", "a rule cannot hold “&” (character 10)", ""),
        ("AT_LEAST(3, ALARM, (a, b))", "AT_LEAST(3, …) of 2 alarms never holds", "fewer"),
        ("AT_LEAST(0, ALARM, (a))", "a number or a percentage", ""),
        ("(" * 60 + "TRUE" + ")" * 60, "nested deeper", ""),
        ("NOT " * 60 + "TRUE", "nested deeper", ""),
        ("TRUE OR " * 5000 + "TRUE", "a rule of 40,004 characters", ""),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, words: str, hint: str) -> None:
    with pytest.raises(AlarmRuleInvalid) as caught:
        parse(text)
    assert words in caught.value.message
    assert hint in caught.value.hint


def test_and_binds_closer_than_or_and_not_closer_than_and() -> None:
    assert parse("NOT ALARM(a) AND OK(b) OR TRUE") == Or(
        (And((Not(Is(AlarmState.ALARM, "a")), Is(AlarmState.OK, "b"))), Const(True))
    )


def composite(name: str, rule: str, suppress_with: str = "") -> AlarmDefinition:
    return AlarmDefinition(name, rule=rule, suppress_with=suppress_with)


@given(st.dictionaries(st.sampled_from("abcdefg"), st.sets(st.sampled_from("abcdefgh"))))
def test_cycles_are_found_exactly_where_there_are_some(graph: dict[str, set[str]]) -> None:
    alarms = {
        name: composite(name, " OR ".join(f"ALARM({one})" for one in sorted(of)) or "TRUE")
        for name, of in graph.items()
    }

    def reaches(start: str, goal: str) -> bool:
        seen: set[str] = set()
        todo = [start]
        while todo:
            for one in graph.get(todo.pop(), ()):
                if one == goal:
                    return True
                if one not in seen:
                    seen.add(one)
                    todo.append(one)
        return False

    circular = {name for name in graph if reaches(name, name)}
    found = cycles(alarms)
    assert bool(found) == bool(circular)
    for cycle in found:
        assert set(cycle) <= circular
        for one, following in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
            assert following in children(alarms[one])
    order = in_order(alarms)
    assert sorted(order) == sorted(graph)
    if not circular:
        for name in graph:
            assert all(order.index(one) < order.index(name) for one in graph[name] if one in graph)


def test_a_suppressor_can_close_a_circle_and_it_is_told_with_its_path() -> None:
    alarms = {
        "a": composite("a", "ALARM(b)"),
        "b": composite("b", "TRUE", suppress_with="a"),
        "c": composite("c", "ALARM(a)"),
    }
    problems = Problems()
    assert check_together(problems, "alarms", alarms) == {"a", "b"}
    assert problems.found[0].words() == "alarms.a: the alarm looks at itself: a → b → a"


def test_a_rule_that_cannot_be_read_is_noted_beside_whatever_else_is_wrong() -> None:
    problems = Problems()
    data = {
        "Bad": {"rule": "TRUE"},
        "both": {"rule": "TRUE", "metric": "endpoint/a:errors"},
        "rule": {"rule": "ALARM(", "period": 60},
        "good": {"rule": "ALARM(rule)"},
    }
    found = read_alarms(problems, "alarms", data)
    assert [alarm.name for alarm in found] == ["good"]
    said = "\n".join(problem.words() for problem in problems.found)
    for words in (
        "alarms.Bad: not a name",
        "alarms.both: metric or rule, one of them",
        "alarms.rule.period: of no use beside a rule",
        "alarms.rule.rule: expected the name of an alarm",
    ):
        assert words in said
