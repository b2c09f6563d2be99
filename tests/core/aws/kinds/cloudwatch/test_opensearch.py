"""OpenSearch: domains of the simulated account, and searching a server on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from core.aws.account import Account
from core.aws.errors import AccessDenied, BadRequest, ResourceNotFound, Unreachable
from core.aws.kinds.cloudwatch import opensearch
from core.aws.registry import kind
from core.errors import BadInput
from tests.support.awsdelivery import Client, listed, text, verb

DOCUMENTS = [
    {"message": "rmse=40", "@timestamp": "2026-11-22T09:00:00Z", "step": 3},
    {"message": "rmse=41", "@timestamp": "2026-11-22T08:59:00Z", "step": 2},
]


class Answers(BaseHTTPRequestHandler):
    """Answers as OpenSearch does; what was asked is kept."""

    asked: ClassVar[list[tuple[str, dict[str, list[str]], str]]] = []

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        signed = self.headers.get("Authorization", "")
        self.asked.append((parts.path, parse_qs(parts.query), signed))
        status, body = self._answer(parts.path)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def _answer(self, path: str) -> tuple[int, Any]:
        if path == "/_cat/indices":
            return 200, [{"index": "logs-1", "health": "yellow", "docs.count": "2"}]
        if path == "/logs-*/_search":
            return 200, {"hits": {"hits": [{"_source": each} for each in DOCUMENTS]}}
        if path == "/secret/_search":
            return 403, {"Message": "User: ann is not authorized to perform: es:ESHttpGet"}
        if path == "/odd/_search":
            cause = [{"reason": "Failed to parse query [(]"}]
            return 400, {"error": {"root_cause": cause}}
        return 404, {"error": {"root_cause": [{"reason": "no such index [gone]"}]}}

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""


@pytest.fixture
def domain(aws: Any) -> Iterator[str]:
    Answers.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_search_is_signed_and_asks_for_a_time(account: Account, domain: str) -> None:
    rows = opensearch.search(account, domain, "logs-*", "rmse", "2h", 10)
    assert list(rows[0])[:2] == ["@timestamp", "message"]
    assert rows[0]["step"] == "3"
    path, query, signed = Answers.asked[0]
    assert path == "/logs-*/_search"
    assert query["q"] == ["(rmse) AND @timestamp:[now-7200s TO now]"]
    assert query["size"] == ["10"]
    assert signed.startswith("AWS4-HMAC-SHA256 Credential=simulated/")
    assert "/eu-west-1/es/aws4_request" in signed
    call = account.calls.list()[-1]
    assert (call.service, call.operation, call.writes) == ("es", "ESHttpGet", False)


@pytest.mark.parametrize(
    ("index", "error", "said"),
    [
        ("secret", AccessDenied, "ann is not authorized"),
        ("odd", BadRequest, "Failed to parse query"),
        ("gone", ResourceNotFound, "no such index"),
    ],
)
def test_what_is_refused_is_said(
    account: Account, domain: str, index: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        opensearch.search(account, domain, index, "*", "1h", 5)


def test_nobody_answers(account: Account, aws: Any) -> None:
    with pytest.raises(Unreachable, match="es:ESHttpGet"):
        opensearch.search(account, "http://127.0.0.1:9", "logs", "*", "1h", 5)
    with pytest.raises(BadInput, match="since=soon"):
        opensearch.search(account, "http://127.0.0.1:9", "logs", "*", "soon", 5)


def test_domains_are_shown_and_the_simulated_one_reaches_nowhere(
    account: Account, client: Client
) -> None:
    client("opensearch").create_domain(
        DomainName="bike-logs", EngineVersion="OpenSearch_2.11",
        ClusterConfig={"InstanceType": "t3.small.search", "InstanceCount": 2},
        EncryptionAtRestOptions={"Enabled": True},
        DomainEndpointOptions={"EnforceHTTPS": True},
    )  # fmt: skip
    (item,) = listed(account, "opensearch")
    assert item.cells[0] == "bike-logs"
    assert item.cells[2:4] == ("OpenSearch_2.11", "2 × t3.small.search")
    shown = text(kind("opensearch").show(account, "bike-logs"))
    assert "encrypted yes" in shown
    assert "between nodes no" in shown
    search = verb("opensearch", "search")
    assert search.reads
    with pytest.raises((Unreachable, BadRequest)):
        search.do(account, "bike-logs", {"index": "logs-*"})
    logs = kind("opensearch").logs
    assert logs is not None
    with pytest.raises(ResourceNotFound, match="prints no log"):
        logs(account, "bike-logs")
