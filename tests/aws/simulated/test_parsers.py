"""Whatever is written in them, small languages are read or refused in AWS's words."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.simulated.faults import Fault
from core.simulated.handlers.cloudwatch import composite, mathematics
from core.simulated.handlers.codebuild import buildspec
from core.simulated.handlers.logs import insights, patterns

WORDS = {
    "pattern": [
        "{", "}", "$.a", "$.b[0]", "=", "!=", ">", "&&", "||", "(", ")", "ERROR", '"x y"', "?a",
        "-b", "%[0-9]%", "3", "*", "IS", "NULL", "NOT", "EXISTS", "[", '"', "%",
    ],
    "query": [
        "fields", "filter", "stats", "sort", "limit", "parse", "display", "dedup", "|", "@message",
        "count(*)", "avg(x)", "pct(x, 99)", "by", "bin(5m)", "like", "/a|b/", "'x'", "in", "[1, 2]",
        "=", "and", "or", "not", "as", "n", "desc", "10", "(", ")", ",", "\n", "'", "/",
    ],
    "math": [
        "m1", "m2", "e1", "+", "-", "*", "/", "^", "(", ")", "[", "]", ",", "SUM", "IF", "FILL",
        "METRICS()", "RATE", "&&", "||", "AND", "=", "<", "1", "0.5", "'x'", "lambda", ":",
    ],
    "rule": ["ALARM(a)", 'OK("b c")', "AND", "OR", "NOT", "TRUE", "FALSE", "(", ")", "x", "ALARM"],
}  # fmt: skip
READ: dict[str, Callable[[str], object]] = {
    "pattern": lambda text: patterns.compiled(text)('{"a": [1, {"b": "x"}]}'),
    "query": insights.parse,
    "math": lambda text: mathematics.Evaluation(
        {"m1": {0.0: 1.0, 60.0: 0.0}, "m2": {0.0: 2.0}}, {}, [0.0, 60.0], 60.0
    ).value(text),
    "rule": lambda text: composite.holds(text, {"a": "ALARM", "b c": "OK"}),
}


@pytest.mark.parametrize("language", list(READ))
def test_each_language_reads_or_refuses(language: str) -> None:
    written = st.lists(st.sampled_from(WORDS[language]), max_size=12).map(" ".join)

    @given(st.one_of(written, st.text(max_size=30)))
    @example("")
    def run(text: str) -> None:
        with contextlib.suppress(Fault):
            READ[language](text)

    run()


@given(st.text(max_size=80))
@example("phases: {build: {commands: [echo hi, 3, {a: b}]}}\n")
@example("phases: {build: 3}\n")
@example("phases:\n  build:\n    commands: echo one\n")
def test_a_buildspec_is_read_or_fails_its_build(text: str) -> None:
    phases = buildspec.read(text, {})
    assert all(each.seconds > 0 for each in phases)
    assert any(each.name == "BUILD" for each in phases)
