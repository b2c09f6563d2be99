"""Whether a context works: identity, region, clock, and a reading call of each service."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from console.session import Session
from console.tables import Column, table
from console.words import Cell
from core.aws.account import Account
from core.aws.partial import side_by_side
from core.errors import OpsdeckError

MOST_SKEW = 240.0
"""Seconds by which this clock may differ: AWS refuses signatures five minutes off."""

_SERVICES: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("sagemaker", "list_endpoints", {"MaxResults": 1}),
    ("stepfunctions", "list_state_machines", {"maxResults": 1}),
    ("s3", "list_buckets", {}),
    ("glue", "get_databases", {"MaxResults": 1}),
    ("lakeformation", "list_resources", {"MaxResults": 1}),
    ("firehose", "list_delivery_streams", {"Limit": 1}),
    ("cloudwatch", "describe_alarms", {"MaxRecords": 1}),
    ("logs", "describe_log_groups", {"limit": 1}),
    ("events", "list_rules", {"Limit": 1}),
    ("sns", "list_topics", {}),
    ("codepipeline", "list_pipelines", {"maxResults": 1}),
    ("codebuild", "list_projects", {}),
    ("codedeploy", "list_applications", {}),
    ("cloudformation", "list_stacks", {}),
    ("ecr", "describe_repositories", {"maxResults": 1}),
    ("kms", "list_keys", {"Limit": 1}),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, and what to do where it is not well."""

    what: str
    ok: bool
    found: str
    hint: str = ""


def check_account(account: Account) -> list[Check]:
    """All checks; where there is no identity the services are not asked."""
    checks: list[Check] = []
    region = _tried("region", lambda: account.region)
    checks.append(region)
    if not region.ok:
        return checks
    skew: list[float] = []

    def who() -> str:
        begun = time.time()
        answer = account.call("sts", "get_caller_identity")
        told = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
        if told:
            between = (begun + time.time()) / 2
            skew.append(parsedate_to_datetime(told).timestamp() - between)
        return f"{answer['Arn']} in account {answer['Account']}"

    identity = _tried("identity", who)
    checks.append(identity)
    if skew:
        off = abs(skew[0])
        found = f"{off:.0f} s {'behind' if skew[0] > 0 else 'ahead of'} AWS's"
        hint = "" if off < MOST_SKEW else "set this machine's clock, for example by NTP"
        checks.append(Check("clock", off < MOST_SKEW, found, hint))
    if not identity.ok:
        return checks
    return checks + side_by_side([_service(account, *each) for each in _SERVICES])


def _service(
    account: Account, service: str, operation: str, parameters: Mapping[str, Any]
) -> Callable[[], Check]:
    def ask() -> str:
        begun = time.monotonic()
        account.call(service, operation, **parameters)
        return f"answers in {(time.monotonic() - begun) * 1000:.0f} ms"

    return lambda: _tried(service, ask)


def _tried(what: str, ask: Callable[[], str]) -> Check:
    try:
        return Check(what, True, ask())
    except OpsdeckError as error:
        return Check(what, False, f"{error.code} {error.message}", error.hint)


def checks_text(session: Session, name: str, checks: Sequence[Check]) -> str:
    """The checks as a table, and what is missing."""
    rows = [
        (
            Cell("ok" if check.ok else "FAILED", "green" if check.ok else "red"),
            check.what,
            check.found,
            check.hint,
        )
        for check in checks
    ]
    columns = [Column(""), Column("what"), Column("found", flexible=True), Column("what to do")]
    missing = [check.what for check in checks if not check.ok]
    verdict = f"{name}: {', '.join(missing)} not well" if missing else f"{name}: all well"
    return f"{table(session, columns, rows)}\n{verdict}"
