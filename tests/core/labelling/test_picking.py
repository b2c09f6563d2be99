"""Which rows are picked: unsure, disagreeing, drifted, by lot; and unlike each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.labelling import LabelAnswer, LabelKind, PickPolicy, PickReason, TaskState
from core.errors import BadInput
from core.labelling import scoring
from core.labelling.candidates import Candidate, Found
from core.labelling.errors import NothingToLabel
from core.labelling.picking import facts_of, pick
from core.labelling.values import agreed, agreement, checked, kind_of
from tests.core.labelling.conftest import Traffic


def row(number: int, output: object, other: object = None, **inputs: object) -> Candidate:
    return Candidate(f"id-{number}", float(number), "r1", dict(inputs), output, other)


def test_the_unsure_come_first_and_say_why() -> None:
    rows = [row(n, n / 100, x=float(n)) for n in range(101)]
    found = pick(Found(open=rows), PickPolicy(rows=5, shares={"uncertain": 1.0}), {})
    assert {each.reason for each in found} == {PickReason.UNCERTAIN}
    assert all(0.3 < each.candidate.output < 0.7 for each in found)
    assert found[0].why.startswith("probability 0.")


def test_class_probabilities_go_by_entropy() -> None:
    assert scoring.entropy([0.5, 0.5]) == pytest.approx(1.0)
    assert scoring.entropy([1.0, 0.0]) == 0.0
    assert math.isnan(scoring.entropy([0.0, 0.0]))
    values = scoring.unsure([[0.9, 0.1], [0.4, 0.6], "cat", 0.5], probabilities=False)
    assert values[1] > values[0] > 0
    assert np.isnan(values[2:]).all()


def test_intervals_go_by_their_width() -> None:
    values = scoring.unsure(
        [{"low": 1, "high": 2}, {"low": 1, "high": 9}, {"prediction": 3}], probabilities=False
    )
    assert values[1] > values[0]
    assert math.isnan(values[2])


def test_a_regression_without_intervals_goes_by_the_errors_of_rows_like_it() -> None:
    lot = np.random.default_rng(1)
    labelled = []
    for number in range(200):
        x = float(lot.uniform(0, 10))
        error = 50.0 if x > 8 else 1.0
        labelled.append(Candidate(f"k{number}", 0.0, "r1", {"x": x}, 100.0, label=100.0 + error))
    rows = [row(n, 100.0, x=n / 10) for n in range(100)]
    policy = PickPolicy(rows=8, shares={"uncertain": 1.0})
    found = pick(Found(open=rows, labelled=labelled), policy, {})
    assert sum(each.candidate.inputs["x"] > 7.5 for each in found) >= 7
    assert "an error of about" in found[0].why


def test_disagreeing_rows_and_what_the_shadow_said() -> None:
    rows = [row(n, "cat", "dog" if n % 10 == 0 else "cat", x=float(n)) for n in range(50)]
    found = pick(Found(open=rows), PickPolicy(rows=5, shares={"disagreeing": 1.0}), {})
    assert {each.candidate.other for each in found} == {"dog"}
    assert found[0].why == "the shadow says dog, not cat"
    far = scoring.differing([1.0, 1.0, 1.0], [1.0, 2.0, 9.0])
    assert far[0] == 0
    assert far[2] > far[1] > 0


def test_what_a_drift_monitor_found_comes_before_what_is_merely_far() -> None:
    rows = [row(n, "cat", x=float(n % 5)) for n in range(60)] + [row(99, "cat", x=500.0)]
    policy = PickPolicy(rows=2, shares={"drifted": 1.0})
    found = pick(Found(open=rows), policy, {"id-3": (0.97, "demand-drift")})
    assert {each.candidate.inference_id for each in found} == {"id-3", "id-99"}
    why = {each.candidate.inference_id: each.why for each in found}
    assert why["id-3"] == "monitor demand-drift: 97 % sure that it is new"


def test_what_a_reason_cannot_fill_is_drawn_by_lot_and_the_budget_holds() -> None:
    rows = [row(n, "cat", x=float(n)) for n in range(300)]
    found = pick(Found(open=rows), PickPolicy(rows=40), {})
    assert len(found) == len({each.candidate.inference_id for each in found}) == 40
    reasons = [each.reason for each in found]
    assert reasons.count(PickReason.RANDOM) == 32
    assert reasons.count(PickReason.DRIFTED) == 8


def test_copies_are_not_picked_where_others_are_there() -> None:
    rows = [row(n, 0.5, x=1.0) for n in range(50)] + [
        row(100 + n, 0.45, x=float(n)) for n in range(5)
    ]
    found = pick(Found(open=rows), PickPolicy(rows=6, shares={"uncertain": 1.0}), {})
    assert len({each.candidate.inputs["x"] for each in found}) >= 5


def test_a_row_is_picked_once_and_labelled_ones_never(traffic: Traffic) -> None:
    for number in range(6):
        traffic.put(number, 5.5)
    traffic.put(7, 5.5, rows=2)
    traffic.label(id_0=4)
    policy = PickPolicy(rows=3, shares={"random": 1.0}, twice=0.0)
    status = traffic.ops.labelling.pick("bike", policy)
    assert status.open == 3
    assert status.last_batch is not None
    assert status.last_batch.detail["could"] == 5
    assert status.last_batch.detail["several_rows"] == 1
    assert traffic.ops.labelling.pick("bike", policy).open == 5
    with pytest.raises(NothingToLabel, match="1 have several rows"):
        traffic.ops.labelling.pick("bike", policy)
    ids = {task.inference_id for task in traffic.ops.labelling.queue("bike")}
    assert ids == {f"id-{number}" for number in range(1, 6)}


def test_the_shadows_answers_are_seen(traffic: Traffic) -> None:
    for number in range(4):
        traffic.put(number, 5.5, shadow=9.5 if number == 2 else 5.5)
    traffic.ops.labelling.pick("bike", PickPolicy(rows=1, shares={"disagreeing": 1.0}))
    (task,) = traffic.ops.labelling.queue("bike")
    assert (task.inference_id, task.reason) == ("id-2", PickReason.DISAGREEING)


@pytest.mark.parametrize(
    "policy",
    [PickPolicy(rows=0), PickPolicy(twice=2), PickPolicy(shares={"random": 0.0})],
)
def test_a_policy_that_makes_no_sense_is_refused(traffic: Traffic, policy: PickPolicy) -> None:
    with pytest.raises(BadInput):
        traffic.ops.labelling.pick("bike", policy)


def test_what_labels_are_here() -> None:
    assert kind_of([1.5, 2.0]) is LabelKind.NUMBER
    assert kind_of([1, 2]) is LabelKind.CLASS
    assert kind_of(["cat"]) is LabelKind.CLASS
    chances = Found(open=[row(n, n / 10) for n in range(10)])
    assert facts_of(chances, [])["classes"] == ["0", "1"]
    assert checked("1", LabelKind.CLASS, ("0", "1")) == 1
    assert checked("3.5", LabelKind.NUMBER, ()) == 3.5


def answers(*values: object) -> list[LabelAnswer]:
    return [LabelAnswer(f"p{n}", float(n), value) for n, value in enumerate(values)]


@given(st.lists(st.sampled_from(["cat", "dog", None]), max_size=5), st.integers(1, 2))
def test_answers_come_to_a_label_only_with_a_majority(
    given_: list[str | None], wanted: int
) -> None:
    state, label = agreed(answers(*given_), wanted, LabelKind.CLASS)
    values = [value for value in given_ if value is not None]
    if state is TaskState.DONE:
        assert len(values) >= wanted
        assert values.count(str(label)) > len(values) / 2
    else:
        assert label is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=3), st.integers(1, 2))
def test_numbers_come_to_one_between_them(values: list[float], wanted: int) -> None:
    state, label = agreed(answers(*values), wanted, LabelKind.NUMBER)
    if state is TaskState.DONE:
        assert min(values) - 1e-6 <= label <= max(values) + 1e-6


def test_agreement_by_its_formula() -> None:
    pairs = [answers("a", "a")] * 20 + [answers("a", "b")] * 5 + [answers("b", "a")] * 10
    pairs += [answers("b", "b")] * 15
    found = agreement(pairs, LabelKind.CLASS)
    assert found.share == pytest.approx(0.7)
    # Scott's pi: shares pooled over both raters are 0.55 and 0.45, by chance 0.505.
    assert found.kappa == pytest.approx((0.7 - 0.505) / (1 - 0.505))
    numbers = agreement([answers(10.0, 10.2), answers(10.0, 20.0)], LabelKind.NUMBER)
    assert numbers.share == 0.5
    assert numbers.difference == pytest.approx(5.1)
