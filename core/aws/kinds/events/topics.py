"""The kind `topics`: SNS' topics with who is told; a test message, a new subscription."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.kind import Column, Detail, Field, Item, Kind, Line, Section, Verb
from core.aws.kinds.shared import found, needed, one_of
from core.aws.partial import section, side_by_side, tried
from core.aws.words import last_of, pretty
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

AT_ONCE = 24
MOST_SUBJECT = 100
PENDING = "PendingConfirmation"
PROTOCOLS = ("email", "email-json", "sqs", "lambda", "https", "http", "sms", "firehose")


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages("sns", "list_topics"):
        arns = [each["TopicArn"] for each in page.get("Topics", ())]
        for first in range(0, len(arns), AT_ONCE):
            part = arns[first : first + AT_ONCE]
            told = side_by_side([_reader(account, each) for each in part])
            yield tuple(
                _item(arn, attributes, why)
                for arn, (attributes, why) in zip(part, told, strict=True)
            )


def _reader(account: Account, arn: str) -> Any:
    none: Mapping[str, str] = {}
    return lambda: tried(lambda: _attributes(account, arn), none)


def _attributes(account: Account, arn: str) -> Mapping[str, str]:
    found_: Mapping[str, str] = account.call("sns", "get_topic_attributes", TopicArn=arn)[
        "Attributes"
    ]
    return found_


def _item(arn: str, attributes: Mapping[str, str], why: str) -> Item:
    told = int(attributes.get("SubscriptionsConfirmed") or 0)
    pending = int(attributes.get("SubscriptionsPending") or 0)
    people = f"{told}" + (f", {pending} not confirmed" if pending else "")
    return Item(
        id=arn,
        cells=(
            last_of(arn),
            why or people,
            "KMS" if attributes.get("KmsMasterKeyId") else "not encrypted" if attributes else "",
            attributes.get("DisplayName", ""),
        ),
        tone="bad" if why else "ok" if told else "wait",
        raw={"TopicArn": arn, **attributes},
    )


def subscriptions(account: Account, arn: str) -> list[Mapping[str, str]]:
    """Who is told of what is published."""
    return [
        each
        for page in account.pages("sns", "list_subscriptions_by_topic", TopicArn=arn)
        for each in page.get("Subscriptions", ())
    ]


def _shown(account: Account, arn: str) -> Detail:
    attributes = _attributes(account, arn)
    item = _item(arn, attributes, "")
    about = Section(
        "Topic",
        (
            ("told", item.cells[1], item.tone),
            ("encryption", attributes.get("KmsMasterKeyId") or "none"),
            *found("shown as", attributes.get("DisplayName")),
            *found("order", "first in, first out" if attributes.get("FifoTopic") == "true" else ""),
            ("arn", arn),
        ),
    )
    sections = [about, section("Subscriptions", lambda: _subscriptions(account, arn))]
    if attributes.get("Policy"):
        sections.append(Section("Policy", pretty(json.loads(attributes["Policy"]))))
    return Detail(last_of(arn), item.tone, tuple(sections), item=item, raw=dict(attributes))


def _subscriptions(account: Account, arn: str) -> Section:
    lines: list[Line] = []
    for each in subscriptions(account, arn):
        waits = each.get("SubscriptionArn") == PENDING
        text = f"{each.get('Endpoint', '')}{'  not confirmed yet' if waits else ''}"
        lines.append((each.get("Protocol", ""), text, "wait" if waits else ""))
    return Section("Subscriptions", tuple(lines) or (("", "none: nobody is told", "wait"),))


def _publish(account: Account, arn: str, values: Mapping[str, str]) -> str:
    subject = values.get("subject", "").strip()
    if len(subject) > MOST_SUBJECT:
        raise BadInput(f"subject: has {len(subject)} characters, SNS takes {MOST_SUBJECT}")
    more: dict[str, str] = {"Subject": subject} if subject else {}
    if arn.endswith(".fifo"):
        more |= {"MessageGroupId": "opsdeck"}
    sent = account.call(
        "sns", "publish", TopicArn=arn, Message=needed(values, "message"), **more
    )["MessageId"]  # fmt: skip
    return f"{last_of(arn)}: message {sent} is sent"


def _publish_consequence(account: Account, arn: str, _values: Mapping[str, str]) -> tuple[str, ...]:
    told = [each for each in subscriptions(account, arn) if each.get("SubscriptionArn") != PENDING]
    if not told:
        return (f"nobody subscribes to {last_of(arn)}: nobody will hear of it",)
    names = ", ".join(
        f"{each.get('Protocol')} {last_of(each.get('Endpoint', ''))}" for each in told
    )
    return (f"sends a message to {len(told)}: {names}",)


def _subscribe(account: Account, arn: str, values: Mapping[str, str]) -> str:
    told = account.call(
        "sns", "subscribe", TopicArn=arn, Protocol=one_of(values, "protocol", PROTOCOLS, "email"),
        Endpoint=needed(values, "endpoint"), ReturnSubscriptionArn=True,
    )  # fmt: skip
    confirms = values.get("protocol", "email").startswith(("email", "http"))
    then = "; it has to be confirmed there" if confirms else ""
    return f"{last_of(told['SubscriptionArn'])}: {values['endpoint']} is subscribed{then}"


PUBLISH = Verb(
    name="publish",
    key="s",
    label="Publish",
    help="send a message to all who subscribe, for example to try them",
    operations=("sns:Publish",),
    do=_publish,
    consequence=_publish_consequence,
    fields=(
        Field("subject", "subject", "A test from opsdeck"),
        Field("message", "message", "A test: nothing has happened.", required=True),
    ),
)
SUBSCRIBE = Verb(
    name="subscribe",
    key="n",
    label="Subscribe",
    help="have somebody or something told too",
    operations=("sns:Subscribe",),
    do=_subscribe,
    consequence=lambda _account, arn, values: (
        f"from now on {values.get('endpoint', '')} is told of what {last_of(arn)} tells",
    ),
    fields=(
        Field("protocol", "by", "email", choices=PROTOCOLS),
        Field("endpoint", "address or ARN", required=True),
    ),
)
KIND = Kind(
    name="topics",
    title="Topics",
    service="sns",
    about="SNS: who is told of alarms, approvals and runs",
    columns=(
        Column("TOPIC", 24, grow=2),
        Column("TOLD", 18, grow=1),
        Column("ENCRYPTED", 13, drop=1),
        Column("SHOWN AS", 12, grow=1, drop=2),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "sns:ListTopics",
        "sns:GetTopicAttributes",
        "sns:ListSubscriptionsByTopic",
    ),
    verbs=(PUBLISH, SUBSCRIBE),
    every=30.0,
)
