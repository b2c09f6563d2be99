"""`--json`: one document with stable keys, wherever the option stands."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.output import iso, to_json
from tests.console.conftest import Cli

RUN = {
    "id", "number", "pipeline", "status", "params", "created_at", "requested_by", "started_at",
    "ended_at", "reason", "message", "parent_run_id", "from_step", "use_cache", "generation",
    "cancel_requested", "git_commit", "git_dirty", "mlflow_run_id", "steps_done", "steps_total",
    "label",
}  # fmt: skip
APPROVAL = {
    "id", "gate", "run_id", "step", "model", "version", "environment", "status", "evidence",
    "evidence_hash", "requested_by", "opened_at", "expires_at", "decided_at",
    "approvals_needed", "requester_may_decide", "decisions", "run_number", "pipeline",
}  # fmt: skip
SHAPES = [
    (["runs", "list"], {"runs", "total"}),
    (["runs", "show", "2"], {"run", "steps", "spec", "lineage"}),
    (["runs", "logs", "1"], {"lines", "complete"}),
    (["runs", "trials", "2"], {"trials"}),
    (["runs", "start", "hello"], RUN),
    (["runs", "resume", "2"], RUN),
    (["pipelines", "list"], {"pipelines"}),
    (["pipelines", "show", "hello"], {"name", "path", "steps", "params", "description", "env"}),
    (["pipelines", "validate"], {"valid", "problems"}),
    (["models", "list"], {"models"}),
    (["models", "show", "demand"], {"name", "versions"}),
    (["approvals", "list"], {"approvals"}),
    (["approvals", "show", "a1"], APPROVAL),
    (["approvals", "approve", "d4"], APPROVAL),
    (["approvals", "reject", "a1", "-m", "no"], APPROVAL),
    (["endpoints", "list"], {"endpoints"}),
    (["audit", "list"], {"entries", "total"}),
    (["audit", "verify"], {"ok", "entries", "head", "broken_seq", "reason"}),
    (["doctor"], {"ok", "checks"}),
]


@pytest.mark.parametrize(("args", "keys"), SHAPES, ids=[" ".join(args) for args, _ in SHAPES])
@pytest.mark.parametrize("last", [True, False], ids=["after the verb", "at the root"])
def test_one_document(cli: Cli, seeded: Path, args: list[str], keys: set[str], last: bool) -> None:
    result = cli(*args, "--json") if last else cli("--json", *args)
    assert (result.status, result.err) == (0, "")
    assert set(result.json()) >= keys
    assert result.out.count("\n") == 1


def test_runs_carry_times_in_utc_and_states_as_words(cli: Cli, seeded: Path) -> None:
    document = cli("runs", "list", "--json", "--limit", "2").json()
    assert document["total"] == 4
    assert [run["number"] for run in document["runs"]] == [4, 3]
    assert set(document["runs"][0]) == RUN
    assert document["runs"][0]["status"] == "waiting"
    assert document["runs"][0]["created_at"] == "2026-05-28T20:26:40.000Z"
    assert document["runs"][0]["ended_at"] is None


def test_evidence_is_handed_on_as_it_was_hashed(cli: Cli, seeded: Path) -> None:
    document = cli("approvals", "show", "a1b2c3", "--json").json()
    from core.domain.gate import evidence_hash

    assert evidence_hash(document["evidence"]) == document["evidence_hash"]


def test_json_is_never_coloured(cli: Cli, seeded: Path) -> None:
    assert "\x1b" not in cli("runs", "list", "--json").out


@dataclass(frozen=True)
class _Record:
    at: float
    opened_at: float | None
    value: float
    inner: tuple[object, ...]

    @property
    def double(self) -> float:
        return self.value * 2


def test_records_become_fields_and_properties() -> None:
    record = _Record(0.0, None, 1.5, ({"at": 3.0}, Path("x"), {"b", "a"}, b"c"))
    assert to_json(record) == {
        "at": "1970-01-01T00:00:00.000Z",
        "opened_at": None,
        "value": 1.5,
        "inner": [{"at": 3.0}, "x", ["a", "b"], "c"],
        "double": 3.0,
    }


def test_what_json_has_no_word_for() -> None:
    assert to_json([math.nan, math.inf, -math.inf]) == [None, None, None]
    with pytest.raises(TypeError):
        to_json(object())


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)


@given(_VALUES)
def test_anything_stored_becomes_strict_json(value: object) -> None:
    text = json.dumps(to_json(value), allow_nan=False)
    assert json.loads(text) == json.loads(json.dumps(to_json(json.loads(text))))


@given(st.floats(min_value=0, max_value=32_503_680_000))
def test_times_have_one_width_and_order(at: float) -> None:
    assert len(iso(at)) == len("2026-11-21T23:51:00.000Z")
    assert iso(at) <= iso(at + 1)
