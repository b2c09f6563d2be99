"""Who calls and what a change touches, as people and programs read it."""

from __future__ import annotations

from dataclasses import replace

from console.endpoint_text import endpoint_text, preview_text
from console.output import to_json
from console.release_text import change_text
from console.session import Session
from console.touched_text import consumers_text
from core.domain.preview import ChangePreview
from core.domain.release import Endpoint, Receipt
from core.domain.rollback import RollbackPreview
from core.domain.touched import Consumer, FeatureChange

NOW = 1_780_000_000.0
CALLERS = (
    Consumer("checkout", "10.0.3.4", 812, 9000, NOW),
    Consumer("curl/8.5.0", "10.0.0.9", 3, 3, NOW - 60),
    Consumer("nightly", "10.0.0.7", 0, 40, NOW - 7200),
)
FEATURES = FeatureChange.between({"hour": "long"}, {"hour": "long", "wind": "double"})
PREVIEW = RollbackPreview(
    "bike", "production", "demand", 3, 3, "demand", 2, 2, ((3, 100.0),), (), True, None, None,
    "opsdeck endpoints deploy bike --model demand --version 3", FEATURES, CALLERS,
)  # fmt: skip


def test_a_rollbacks_preview() -> None:
    sentence, features, refused, consumers = preview_text(PREVIEW).splitlines()
    assert sentence.startswith("bike (production) goes from demand version 3 to demand version 2")
    assert features == "features: 1 input the same; new: wind"
    assert refused == "refused: requests without wind"
    assert consumers == (
        "consumers: 2 in the last 15 min: checkout from 10.0.3.4 (812), curl/8.5.0 from"
        " 10.0.0.9 (3)"
    )
    silent = replace(PREVIEW, consumers=None, features=FeatureChange(unknown="no signature"))
    assert preview_text(silent).splitlines()[1:] == [
        "features: not known: no signature",
        "consumers: not known: the endpoint does not say",
    ]


def test_the_same_as_json() -> None:
    found = to_json(PREVIEW)
    assert found["features"]["needed"] == ["wind"]
    assert found["consumers"][0] == {
        "name": "checkout",
        "address": "10.0.3.4",
        "requests": 812,
        "total": 9000,
        "last_at": "2026-05-28T20:26:40.000Z",
        "title": "checkout from 10.0.3.4",
    }


def test_a_changes_preview() -> None:
    preview = ChangePreview(
        "abort", "bike", "production", "demand", 3, 2, ("it ends",), features=FEATURES,
        consumers=CALLERS,
    )  # fmt: skip
    lines = change_text(Session(), preview).splitlines()
    assert any(line.split() == ["refused", "requests", "without", "wind"] for line in lines)
    assert any(line.startswith("consumers  2 in the last 15 min") for line in lines)
    assert "consumers" not in change_text(Session(), replace(preview, from_version=None))


def test_an_endpoint_lists_who_calls_and_its_receipts() -> None:
    receipt = Receipt(
        "back-1", "bike", "opsdeck", "deployment failed: no good", "demand", 1, "", 0, 2, 3, 1.5,
        NOW,
    )  # fmt: skip
    endpoint = Endpoint(
        "bike", "production", "in_service", "127.0.0.1", 80, (), NOW, NOW, consumers=CALLERS,
        receipts=(receipt,),
    )  # fmt: skip
    text = endpoint_text(Session(), endpoint)
    block = consumers_text(Session(), CALLERS)
    assert block in text
    assert [line.split()[:4] for line in block.splitlines()[2:]] == [
        ["checkout", "10.0.3.4", "812", "9000"],
        ["curl/8.5.0", "10.0.0.9", "3", "3"],
    ]
    assert text.splitlines()[-1].split()[1:5] == ["v1", "none", "2", "1.500ms"]
    quiet = replace(endpoint, consumers=CALLERS[2:])
    assert "consumers" not in endpoint_text(Session(), quiet)
