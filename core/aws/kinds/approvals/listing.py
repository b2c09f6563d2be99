"""The kind `approvals`: all that waits for a person in the account."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from core.aws import words
from core.aws.inbox import AwsInbox, check, pages_of
from core.aws.kind import Column, Detail, Field, Item, Kind, Line, Section, Values, Verb
from core.aws.kinds.approvals.waiting import Waiting
from core.domain.gate import Approval, ApprovalStatus
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

_TONES = {
    ApprovalStatus.OPEN: "wait",
    ApprovalStatus.APPROVED: "ok",
    ApprovalStatus.REJECTED: "bad",
    ApprovalStatus.EXPIRED: "dim",
    ApprovalStatus.VOID: "dim",
}
MOST_LINES = 60
_shown: WeakKeyDictionary[Account, dict[str, str]] = WeakKeyDictionary()
"""The hash of the evidence that was last shown of each request, in this process."""


def _item(waiting: Waiting, status: ApprovalStatus = ApprovalStatus.OPEN) -> Item:
    return Item(
        id=waiting.id,
        cells=(
            waiting.what,
            waiting.source,
            status.value,
            waiting.by,
            words.clock(waiting.asked_at),
            words.clock(waiting.expires_at),
        ),
        tone=_TONES[status],
        changed=waiting.asked_at,
        raw={"status": status.value},
    )


def _list(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for found, trouble in pages_of(account):
        newest = sorted(found, key=lambda each: each.asked_at, reverse=True)
        rows = [_item(each) for each in newest]
        if trouble:
            rows.append(Item("", (trouble, "", "", "", "", ""), tone="bad"))
        yield rows


def _show(account: Account, ref: str) -> Detail:
    found = AwsInbox(account).get(ref)
    _shown.setdefault(account, {})[ref] = found.evidence_hash
    sections = [_about(found), *_evidence(found.evidence)]
    item = _item(
        Waiting(ref, found.gate, _what(found), found.opened_at, found.expires_at,
                found.requested_by),
        found.status,
    )  # fmt: skip
    tone = _TONES[found.status]
    return Detail(_what(found), tone, tuple(sections), item=item, raw=dict(found.evidence))


def _what(found: Approval) -> str:
    if found.step:
        return f"{found.pipeline} {found.step}"
    return f"{found.model} version {found.version}" if found.version else found.model


def _about(found: Approval) -> Section:
    lines: list[Line] = [("State", found.status.value, _TONES[found.status])]
    lines.append(("Asked", words.clock(found.opened_at)))
    lines.append(("Asked by", found.requested_by or "AWS does not tell"))
    if found.expires_at is not None:
        lines.append(("Expires", words.clock(found.expires_at)))
    lines.append(("Evidence", found.evidence_hash[:16]))
    return Section("Request", tuple(lines))


def _evidence(evidence: Mapping[str, Any]) -> Iterator[Section]:
    """A section for each part; metrics stand beside those of the version approved last."""
    champion = evidence.get("champion", {})
    short = {key: value for key, value in evidence.items() if isinstance(value, str)}
    if short:
        yield Section("Question", tuple(short.items()))
    for key, value in evidence.items():
        if key == "metrics" and isinstance(value, Mapping):
            yield Section(_compared_with(champion), tuple(_metrics(value, champion)))
        elif key != "champion" and key not in short:
            yield Section(key.capitalize(), tuple(_lines(value))[:MOST_LINES])


def _compared_with(champion: Mapping[str, Any]) -> str:
    version = champion.get("version")
    return f"Metrics, version {version} is approved" if version else "Metrics, none is approved yet"


def _metrics(metrics: Mapping[str, float], champion: Mapping[str, Any]) -> Iterator[Line]:
    other = champion.get("metrics", {})
    for name, value in metrics.items():
        beside = ""
        if name in other:
            beside = f"  (approved: {words.number(other[name])}, {value - other[name]:+.4g})"
        yield name, words.number(value) + beside


def _lines(value: Any) -> Iterator[Line]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            text = inner if isinstance(inner, str) else json.dumps(inner, ensure_ascii=False)
            yield str(key), words.short(text, 400)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            if isinstance(inner, Mapping):
                yield ", ".join(f"{key} {each}" for key, each in inner.items() if each)
            else:
                yield str(inner)
    else:
        yield str(value)


# deciding


def _approve(account: Account, ref: str, values: Values) -> str:
    comment = _comment(values)
    decided = AwsInbox(account).approve(
        ref, comment, evidence_hash=_seen(account, ref, values), output=values.get("output", "")
    )
    return f"{_what(decided)}: {decided.status}"


def _reject(account: Account, ref: str, values: Values) -> str:
    decided = AwsInbox(account).reject(
        ref, _comment(values), evidence_hash=_seen(account, ref, values)
    )
    return f"{_what(decided)}: {decided.status}"


def _comment(values: Values) -> str:
    comment = values.get("comment", "").strip()
    if not comment:
        raise BadInput("comment: say why", "add comment='…'")
    return comment


def _seen(account: Account, ref: str, values: Values) -> str | None:
    """The hash that is decided on: the one that is given, else that of what was shown last."""
    return values.get("evidence", "").strip() or _shown.get(account, {}).get(ref)


def _does(verdict: str) -> Any:
    def consequence(account: Account, ref: str, values: Values) -> tuple[str, ...]:
        found = AwsInbox(account).get(ref)
        # Seen already: then it must be the same; not yet: these lines are what is seen.
        check(found, _seen(account, ref, values))
        _shown.setdefault(account, {})[ref] = found.evidence_hash
        me = account.identity["Arn"]
        own = found.requested_by and me.endswith(found.requested_by)
        who = "you have asked for it yourself" if own else "AWS does not know for sure who asked"
        lines = [
            f"{_what(found)} ({found.gate}): {verdict}",
            _then(found, verdict),
            f"evidence {found.evidence_hash[:16]}",
            f"{who}: that nobody decides on their own request is not checked here",
        ]
        return tuple(line for line in lines if line)

    return consequence


def _then(found: Approval, verdict: str) -> str:
    if found.gate == "registry":
        if verdict == "approved":
            return "whatever listens for an approved version (EventBridge, CodePipeline) starts"
        return "endpoints that serve it already go on serving it"
    if found.gate == "codepipeline":
        return "its execution goes on" if verdict == "approved" else "its execution fails"
    if verdict == "approved":
        return "its execution goes on"
    return f"a rejection {found.evidence.get('a rejection', '')}"


def _decided(item: Item) -> str | None:
    status = item.raw.get("status", "open")
    return None if status == "open" else f"it is {status} already"


_COMMENT = Field("comment", "Why", required=True)
_EVIDENCE = Field("evidence", "Hash of the evidence that was seen (empty: what was shown)")

KIND = Kind(
    name="approvals",
    title="Approvals",
    service="AWS",
    about="Model versions, manual approvals of pipelines and waiting tasks that ask a person.",
    columns=(
        Column("What", 28, grow=2),
        Column("From", 13),
        Column("State", 9, drop=4),
        Column("Asked by", 14, grow=1, drop=3),
        Column("Asked", 19, drop=2),
        Column("Expires", 19, drop=1),
    ),
    list=_list,
    show=_show,
    operations=(
        "sagemaker:ListModelPackages", "sagemaker:DescribeModelPackage", "s3:GetObject",
        "codepipeline:ListPipelines", "codepipeline:GetPipelineState", "codepipeline:GetPipeline",
        "codepipeline:GetPipelineExecution", "codepipeline:ListPipelineExecutions",
        "states:ListStateMachines", "states:DescribeStateMachine", "states:ListExecutions",
        "states:GetExecutionHistory", "states:DescribeExecution",
        "states:DescribeStateMachineForExecution",
    ),
    verbs=(
        Verb(
            "approve", "a", "Approve", "Approve it, with a comment.",
            (
                "sagemaker:UpdateModelPackage", "codepipeline:PutApprovalResult",
                "states:SendTaskSuccess", "sqs:ReceiveMessage",
            ),
            _approve,
            _does("approved"),
            fields=(
                _COMMENT, _EVIDENCE, Field("output", "What a waiting task goes on with (JSON)"),
            ),
            dangerous=True,
            blocked=_decided,
        ),
        Verb(
            "reject", "X", "Reject", "Reject it, with a comment.",
            (
                "sagemaker:UpdateModelPackage", "codepipeline:PutApprovalResult",
                "states:SendTaskFailure", "states:SendTaskSuccess", "sqs:ReceiveMessage",
            ),
            _reject,
            _does("rejected"),
            fields=(_COMMENT, _EVIDENCE),
            blocked=_decided,
        ),
    ),
    every=15.0,
)  # fmt: skip
