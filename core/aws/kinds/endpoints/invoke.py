"""Asking an endpoint for a prediction."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.aws import words
from core.aws.kind import Field, Verb
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

JSON, CSV = "application/json", "text/csv"
MOST_BODY = 6_291_456


@dataclass(frozen=True, slots=True)
class Prediction:
    """An answer: its body, its type, which variant gave it, and how long it took (ms)."""

    body: bytes
    content_type: str
    variant: str
    milliseconds: float


def ask(
    account: Account, endpoint: str, body: str, content_type: str = "", variant: str = ""
) -> Prediction:
    """One request; the type is JSON where the body is, else CSV. Raises `BadInput` for a body
    that is none of what it is said to be, and the errors of `core.aws.errors`."""
    sort = content_type or (JSON if _is_json(body) else CSV)
    if sort == JSON and not _is_json(body):
        raise BadInput("body: is not JSON", "say type=text/csv, or write JSON")
    data = body.encode()
    if not 0 < len(data) <= MOST_BODY:
        raise BadInput(f"body: has {len(data):,} bytes, SageMaker takes 1 to {MOST_BODY:,}")
    target = {"TargetVariant": variant} if variant else {}
    begun = time.monotonic()
    answer = account.call(
        "sagemaker-runtime",
        "invoke_endpoint",
        EndpointName=endpoint,
        Body=data,
        ContentType=sort,
        Accept=sort if sort in (JSON, CSV) else JSON,
        **target,
    )
    found = answer["Body"].read()
    took = (time.monotonic() - begun) * 1000
    return Prediction(
        found, answer.get("ContentType", ""), answer.get("InvokedProductionVariant", ""), took
    )


def _is_json(body: str) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def _do(account: Account, endpoint: str, values: Mapping[str, str]) -> str:
    found = ask(
        account, endpoint, values["body"], values.get("type", ""), values.get("variant", "")
    )
    text = words.short(found.body.decode("utf-8", "replace"), 400)
    return f"{text} ({found.milliseconds:.0f} ms, variant {found.variant or '-'})"


INVOKE = Verb(
    "invoke", "", "Ask for a prediction", "Send one request, JSON or CSV.",
    ("sagemaker:InvokeEndpoint",),
    _do,
    lambda _account, endpoint, values: (
        f"one request of {len(values.get('body', '').encode()):,} bytes goes to {endpoint}; it is"
        " counted and captured as any other",
    ),
    fields=(
        Field("body", "Body, JSON or CSV", required=True),
        Field("type", "Type", "", choices=("", JSON, CSV)),
        Field("variant", "Variant that is to answer"),
    ),
)  # fmt: skip
