"""Windows divide time and rows by rules that hold for any specification."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from core.domain.monitor import WindowSpec
from core.monitors.windowing import (
    closed_after,
    first_at_or_after,
    last_closed,
    row_spans,
    spans_at,
    time_span,
)

lengths = st.sampled_from([1.0, 1.5, 7.0, 60.0, 300.0, 3600.0, 86_400.0])
moments = st.floats(-1e8, 4e9)


@st.composite
def timed(draw: st.DrawFn, sliding: bool | None = None) -> WindowSpec:
    seconds = draw(lengths)
    slides = draw(st.booleans()) if sliding is None else sliding
    slide = draw(st.floats(max(0.5, seconds / 20), seconds)) if slides else None
    offset = draw(st.sampled_from([0.0, 0.25, 30.0, 5000.0]))
    return WindowSpec(
        seconds=seconds, slide=slide, offset=offset, grace=draw(st.sampled_from([0.0, 5.0, 900.0]))
    )


@given(timed(sliding=False), moments)
def test_a_moment_is_in_exactly_one_tumbling_window(spec: WindowSpec, at: float) -> None:
    spans = spans_at(spec, at)
    assert len(spans) == 1
    assert spans[0].start <= at < spans[0].end


@given(timed(), moments)
def test_every_window_that_holds_a_moment_is_found(spec: WindowSpec, at: float) -> None:
    numbers = {span.number for span in spans_at(spec, at)}
    assert numbers
    for number in range(min(numbers) - 2, max(numbers) + 3):
        span = time_span(spec, number)
        assert (number in numbers) == (span.start <= at < span.end)
    assert first_at_or_after(spec, at) == min(numbers)


@given(timed(), moments)
def test_the_last_closed_window_is_over_and_the_next_is_not(spec: WindowSpec, at: float) -> None:
    number = last_closed(spec, at)
    assert time_span(spec, number).end + spec.grace <= at
    assert time_span(spec, number + 1).end + spec.grace > at


@given(timed(), moments, st.floats(0, 1e5))
def test_looking_in_two_steps_finds_what_one_finds(
    spec: WindowSpec, at: float, later: float
) -> None:
    before = last_closed(spec, at) - 3
    middle = closed_after(spec, before, at)
    rest = closed_after(spec, max(before, last_closed(spec, at)), at + later)
    assert [*middle, *rest] == [*closed_after(spec, before, at + later)]


def counted(rows: int, slide: int | None = None) -> WindowSpec:
    return WindowSpec(rows=rows, slide=slide)


sizes = st.lists(st.integers(1, 12), max_size=60)


@given(st.integers(1, 20), sizes)
def test_tumbling_windows_take_each_request_once_and_leave_none_out(
    rows: int, requests: list[int]
) -> None:
    numbered = list(enumerate(requests, start=1))
    spans = list(row_spans(counted(rows), numbered))
    covered = [number for span in spans for number in range(span.first, span.last + 1)]
    assert covered == list(range(1, len(covered) + 1))
    for span in spans:
        inside = requests[span.first - 1 : span.last]
        assert span.rows == sum(inside) >= rows
        assert sum(inside[:-1]) < rows, "it ends with the request that fills it"
        assert span.after == span.last
    assert sum(requests[len(covered) :]) < rows, "nothing full is left"


@given(st.integers(1, 20), st.integers(1, 20), sizes)
def test_sliding_windows_are_full_and_move_on(rows: int, slide: int, requests: list[int]) -> None:
    slide = min(slide, rows)
    numbered = list(enumerate(requests, start=1))
    spans = list(row_spans(counted(rows, slide), numbered))
    for one, other in itertools.pairwise(spans):
        assert one.first < other.first <= one.last + 1
        assert sum(requests[one.first - 1 : other.first - 1]) >= min(slide, one.rows)
    assert all(sum(requests[s.first - 1 : s.last]) == s.rows >= rows for s in spans)


@given(st.integers(1, 20), st.integers(0, 20), sizes, st.integers(0, 60))
def test_going_on_from_a_cursor_finds_the_windows_of_one_pass(
    rows: int, slide: int, requests: list[int], cut: int
) -> None:
    spec = counted(rows, min(slide, rows) or None)
    numbered = list(enumerate(requests, start=1))
    whole = list(row_spans(spec, numbered))
    first = list(row_spans(spec, numbered[:cut]))
    after = first[-1].after if first else 0
    rest = list(row_spans(spec, [each for each in numbered if each[0] > after]))
    assert [*first, *rest] == whole


@given(sizes)
def test_numbers_need_not_be_close_together(requests: list[int]) -> None:
    near = list(row_spans(counted(5), enumerate(requests)))
    far = list(row_spans(counted(5), ((number * 7 + 3, r) for number, r in enumerate(requests))))
    assert [(s.first * 7 + 3, s.last * 7 + 3, s.rows) for s in near] == [
        (s.first, s.last, s.rows) for s in far
    ]


def test_what_is_left_is_a_window_when_asked_for() -> None:
    spans = list(row_spans(counted(10), [(1, 4), (2, 4)], flush=True))
    assert [(s.first, s.last, s.rows) for s in spans] == [(1, 2, 8)]
