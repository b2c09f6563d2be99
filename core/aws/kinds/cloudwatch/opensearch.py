"""The kind `opensearch`: domains as a source of logs, asked over HTTP by a signed request.

Searching is OpenSearch's own `_search` with a query in Lucene's syntax; a domain inside a VPC is
reached only from there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from core.aws.calls import Call
from core.aws.errors import (
    AccessDenied,
    AwsError,
    AwsFault,
    BadRequest,
    ResourceNotFound,
    Unreachable,
    translated,
)
from core.aws.kind import Column, Detail, Field, Item, Kind, Line, Section, Verb
from core.aws.kinds.cloudwatch.loggroups import CELL, seconds_of
from core.aws.kinds.shared import found, needed, whole
from core.aws.logs import LogSource
from core.aws.partial import section, side_by_side
from core.aws.rows import row_lines
from core.aws.words import short

if TYPE_CHECKING:
    from core.aws.account import Account

AT_ONCE = 5
"""The most that DescribeDomains takes."""
CONNECT_SECONDS = 5
READ_SECONDS = 20
MOST_ROWS = 500
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    told = account.call("opensearch", "list_domain_names")
    names = [each["DomainName"] for each in told.get("DomainNames", ())]
    parts = [names[first : first + AT_ONCE] for first in range(0, len(names), AT_ONCE)]

    def reading(part: list[str]) -> Any:
        return lambda: account.call("opensearch", "describe_domains", DomainNames=part)

    for answer in side_by_side([reading(part) for part in parts]):
        yield tuple(_item(each) for each in answer.get("DomainStatusList", ()))


def _status(told: Mapping[str, Any]) -> tuple[str, str]:
    """A domain's state in a word, and its tone."""
    if told.get("Deleted"):
        return "deleting", "run"
    if told.get("UpgradeProcessing"):
        return "upgrading", "run"
    if not told.get("Created", True):
        return "creating", "run"
    return ("changing", "run") if told.get("Processing") else ("active", "ok")


def _item(told: Mapping[str, Any]) -> Item:
    status, shade = _status(told)
    cluster = told.get("ClusterConfig") or {}
    nodes = f"{cluster.get('InstanceCount', '?')} × {cluster.get('InstanceType', '?')}"
    return Item(
        id=told["DomainName"],
        cells=(
            told["DomainName"],
            status,
            told.get("EngineVersion", ""),
            nodes,
            "VPC" if told.get("VPCOptions") else "public",
        ),
        tone=shade,
        raw={**told, "state": status},
    )


def _one(account: Account, name: str) -> Mapping[str, Any]:
    told: Mapping[str, Any] = account.call("opensearch", "describe_domain", DomainName=name)
    return dict(told["DomainStatus"])


def address(told: Mapping[str, Any]) -> str:
    """Where a domain answers; raises `BadRequest` where it has no address yet."""
    host = told.get("Endpoint") or (told.get("Endpoints") or {}).get("vpc")
    if not host:
        raise BadRequest(f"{told['DomainName']}: has no address yet", "wait until it is active")
    return str(host) if "://" in str(host) else f"https://{host}"


def _shown(account: Account, name: str) -> Detail:
    told = _one(account, name)
    item = _item(told)
    rest = told.get("EncryptionAtRestOptions") or {}
    https = (told.get("DomainEndpointOptions") or {}).get("EnforceHTTPS")
    between = (told.get("NodeToNodeEncryptionOptions") or {}).get("Enabled")
    storage = told.get("EBSOptions") or {}
    about = Section(
        "Domain",
        (
            ("status", item.cells[1], item.tone),
            ("version", item.cells[2]),
            ("nodes", item.cells[3]),
            *found("storage", f"{storage['VolumeSize']} GiB a node" if storage.get("VolumeSize")
                   else ""),
            *found("address", told.get("Endpoint") or (told.get("Endpoints") or {}).get("vpc")),
            ("network", item.cells[4]),
            _yes("encrypted", rest.get("Enabled"), rest.get("KmsKeyId", "")),
            _yes("between nodes", between),
            _yes("HTTPS only", https),
            ("arn", told.get("ARN", "")),
        ),
    )  # fmt: skip
    sections = (about, section("Indices", lambda: _indices(account, told)))
    return Detail(name, item.tone, sections, item=item, raw=told)


def _yes(label: str, value: Any, more: str = "") -> Line:
    return (label, f"yes {more}".rstrip()) if value else (label, "no", "wait")


def _indices(account: Account, told: Mapping[str, Any]) -> Section:
    rows = asked(account, address(told), "/_cat/indices", {"format": "json", "s": "index"})
    lines = tuple(
        (
            str(each.get("index", "")),
            f"{each.get('docs.count') or 0} documents  {each.get('store.size') or ''}".rstrip(),
            {"green": "ok", "yellow": "wait", "red": "bad"}.get(each.get("health", ""), ""),
        )
        for each in rows
        if not str(each.get("index", "")).startswith(".")
    )
    return Section("Indices", lines or ("none",))


def asked(account: Account, base: str, path: str, query: Mapping[str, str]) -> Any:
    """What a domain answers to a signed GET, as JSON.

    Raises `AccessDenied`, `BadRequest`, `ResourceNotFound`, `Unreachable`, `AwsFault`. From the
    simulated account only this machine is asked: no key leaves it.
    """
    host = urlsplit(base).hostname or ""
    if account.simulated and host not in LOOPBACK:
        raise Unreachable(
            f"es:ESHttpGet of {host}: the simulated account has no OpenSearch behind its domains"
        )
    begun, sent, error = time.monotonic(), time.time(), ""
    try:
        return _read(account, f"{base}{path}?{urlencode(query, quote_via=quote)}", host)
    except AwsError as refused:
        error = refused.code
        raise
    finally:
        took = time.monotonic() - begun
        account.calls.add(Call(sent, "es", "ESHttpGet", f"{host}{path}", took, error))


def _read(account: Account, url: str, host: str) -> Any:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.exceptions import BotoCoreError
    from botocore.httpsession import URLLib3Session

    request = AWSRequest(method="GET", url=url, headers={"accept": "application/json"})
    # A client holds the account's keys, which for the simulated account are nobody's.
    keys = account.client("opensearch")._request_signer._credentials
    SigV4Auth(keys.get_frozen_credentials(), "es", account.region).add_auth(request)
    session = URLLib3Session(timeout=(CONNECT_SECONDS, READ_SECONDS))
    try:
        answer = session.send(request.prepare())
        body = answer.content
    except BotoCoreError as error:
        raise translated(error, f"es:ESHttpGet {host}", account.context) from error
    finally:
        session.close()
    if answer.status_code >= 300:
        raise _refused(answer.status_code, body, host)
    try:
        return json.loads(body)
    except ValueError as error:
        raise AwsFault(f"es:ESHttpGet of {host}: the answer is no JSON") from error


def _refused(status: int, body: bytes, host: str) -> AwsError:
    said = _said(body) or f"HTTP status {status}"
    if status in (401, 403):
        return AccessDenied(
            f"es:ESHttpGet of {host}: {said}",
            "the domain's access policy, or its own roles, don't let this identity in",
        )
    if status == 404:
        return ResourceNotFound(f"es:ESHttpGet of {host}: {said}", "look at its indices")
    if status >= 500:
        return AwsFault(f"es:ESHttpGet of {host}: {said}")
    return BadRequest(f"es:ESHttpGet of {host}: {said}")


def _said(body: bytes) -> str:
    try:
        told = json.loads(body)
    except ValueError:
        return short(body.decode("utf-8", "replace"), 160)
    error = told.get("error") or {} if isinstance(told, dict) else {}
    if isinstance(error, str):
        return error
    causes = error.get("root_cause") or [{}]
    said = causes[0].get("reason") or error.get("reason") or told.get("Message") or ""
    return short(str(said or told.get("message") or ""), 160)


def search(
    account: Account, base: str, index: str, query: str, since: str, most: int
) -> list[dict[str, str]]:
    """The newest documents of an index that fit: a mapping a row, the time first."""
    seconds = seconds_of(since)
    text = f"({query}) AND @timestamp:[now-{seconds}s TO now]"
    told = asked(
        account, base, f"/{quote(index, safe='*,-_.')}/_search",
        {"q": text, "size": str(most), "sort": "@timestamp:desc", "default_operator": "AND"},
    )  # fmt: skip
    return [_row(each.get("_source") or {}) for each in told.get("hits", {}).get("hits", ())]


def _row(source: Mapping[str, Any]) -> dict[str, str]:
    first = {key: source[key] for key in ("@timestamp", "level", "message") if key in source}
    return {key: _text(value) for key, value in {**first, **source}.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _search(account: Account, name: str, values: Mapping[str, str]) -> str:
    rows = search(
        account, address(_one(account, name)), needed(values, "index"),
        values.get("query") or "*", values.get("since") or "1h",
        min(MOST_ROWS, whole(values, "most", 50)),
    )  # fmt: skip
    return "\n".join(row_lines(rows, cell=CELL, most=MOST_ROWS))


def _logs(account: Account, name: str) -> LogSource:
    """What the domain itself prints, where it does so into CloudWatch."""
    kept = _one(account, name).get("LogPublishingOptions") or {}
    for key in ("ES_APPLICATION_LOGS", "SEARCH_SLOW_LOGS", "INDEX_SLOW_LOGS", "AUDIT_LOGS"):
        option = kept.get(key) or {}
        group = option.get("CloudWatchLogsLogGroupArn", "").partition(":log-group:")[2]
        if option.get("Enabled") and group:
            return LogSource(group.removesuffix(":*"), since=time.time() - 3600)
    raise ResourceNotFound(f"{name}: prints no log into CloudWatch", "s searches its indices")


SEARCH = Verb(
    name="search",
    key="s",
    label="Search",
    help="the newest documents of an index that fit a query",
    operations=("es:ESHttpGet",),
    do=_search,
    consequence=lambda _account, name, values: (
        f"searches {values.get('index', '')} of {name}; nothing changes",
    ),
    fields=(
        Field("index", "index or pattern", "logs-*", required=True),
        Field("query", "query (Lucene)", "*"),
        Field("since", "how far back", "1h"),
        Field("most", "at most", "50"),
    ),
)
KIND = Kind(
    name="opensearch",
    title="OpenSearch",
    service="opensearch",
    about="domains as a source of logs; s searches an index",
    columns=(
        Column("DOMAIN", 18, grow=2),
        Column("STATE", 9),
        Column("VERSION", 16, drop=1),
        Column("NODES", 20, grow=1, drop=2),
        Column("NETWORK", 7, drop=3),
    ),
    list=_listed,
    show=_shown,
    operations=(
        "es:ListDomainNames",
        "es:DescribeDomains",
        "es:DescribeDomain",
        "es:ESHttpGet",
        "logs:FilterLogEvents",
    ),
    verbs=(SEARCH,),
    logs=_logs,
    every=30.0,
)
