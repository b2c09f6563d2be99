"""Gates: what several people's answers add up to, against a model that is easy to check."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.domain.gate import ApprovalStatus, Decision, Verdict, evidence_hash, verdict_of

PEOPLE = ("author", "reviewer", "second", "third")


class Gate(RuleBasedStateMachine):
    """A request as the service runs it: it is asked anew after each answer or tick, decisions
    are only taken while it is open, and an ended one stays as it ended."""

    @initialize(needed=st.integers(1, 3), lifetime=st.none() | st.integers(1, 20))
    def open(self, needed: int, lifetime: int | None) -> None:
        self.needed = needed
        self.expires = None if lifetime is None else float(lifetime)
        self.now = 0.0
        self.evidence = 0
        self.decisions: list[Decision] = []
        self.approved: set[str] = set()  # the model: who approved of the present evidence
        self.expected = ApprovalStatus.OPEN
        self.status = ApprovalStatus.OPEN

    def ask(self) -> None:
        if not self.status.ended:
            self.status = verdict_of(
                self.needed, self.expires, self.decisions, str(self.evidence), self.now
            )

    @property
    def late(self) -> bool:
        return self.expires is not None and self.now >= self.expires

    @precondition(lambda self: not self.status.ended and not self.late)
    @rule(actor=st.sampled_from(PEOPLE))
    def approve(self, actor: str) -> None:
        self.answer(actor, Verdict.APPROVE)
        self.approved.add(actor)
        if len(self.approved) >= self.needed:
            self.expected = ApprovalStatus.APPROVED
        self.ask()

    @precondition(lambda self: not self.status.ended and not self.late)
    @rule(actor=st.sampled_from(PEOPLE))
    def reject(self, actor: str) -> None:
        self.answer(actor, Verdict.REJECT)
        self.expected = ApprovalStatus.REJECTED
        self.ask()

    def answer(self, actor: str, verdict: Verdict) -> None:
        self.decisions.append(
            Decision("x", actor, verdict, "", str(self.evidence), self.now + 0.001)
        )

    @precondition(lambda self: not self.status.ended)
    @rule()
    def evidence_changes(self) -> None:
        self.evidence += 1
        self.approved = set()
        self.ask()

    @rule(seconds=st.integers(1, 8))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        if self.late and not self.expected.ended:
            self.expected = ApprovalStatus.EXPIRED
        self.ask()

    @invariant()
    def as_the_model_says(self) -> None:
        if hasattr(self, "status"):
            if self.late and not self.expected.ended:
                self.expected = ApprovalStatus.EXPIRED
            assert self.status is self.expected

    @invariant()
    def order_of_arrival_does_not_matter(self) -> None:
        if hasattr(self, "status"):
            backwards = verdict_of(
                self.needed, None, self.decisions[::-1], str(self.evidence), self.now
            )
            assert backwards is verdict_of(
                self.needed, None, self.decisions, str(self.evidence), self.now
            )


Gate.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestGate = Gate.TestCase


def test_a_decision_made_in_time_stands_after_the_expiry() -> None:
    yes = [Decision("x", "author", Verdict.APPROVE, "", "h", 9.0)]
    assert verdict_of(1, 10.0, yes, "h", 1e9) is ApprovalStatus.APPROVED
    assert verdict_of(2, 10.0, yes, "h", 9.99) is ApprovalStatus.OPEN
    assert verdict_of(2, 10.0, yes, "h", 10.0) is ApprovalStatus.EXPIRED


def test_one_person_is_one_vote_however_often_they_say_it() -> None:
    yes = [Decision("x", "author", Verdict.APPROVE, "", "h", float(at)) for at in range(5)]
    assert verdict_of(2, None, yes, "h", 9.0) is ApprovalStatus.OPEN


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), json_values))
def test_the_hash_of_the_evidence_does_not_hang_on_the_order_of_its_keys(
    evidence: dict[str, object],
) -> None:
    try:
        wanted = evidence_hash(evidence)
    except UnicodeEncodeError:
        return  # half a surrogate pair is no text
    assert evidence_hash(dict(reversed(evidence.items()))) == wanted
    assert evidence_hash({**evidence, "one more": 1}) != wanted
