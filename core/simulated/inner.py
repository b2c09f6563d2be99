"""Calls of moto from within: no socket, botocore's serialisers and parsers on both ends."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from moto import backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import EnvironBuilder, run_wsgi_app

from core.simulated import models
from core.simulated.faults import Fault
from core.simulated.wire import Answer

_LOG = logging.getLogger(__name__)
# moto lists its folder at every request to see which services there are; once is enough.
_SERVICES = tuple(backends.list_of_moto_modules())
backends.list_of_moto_modules = lambda: _SERVICES
Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class Moto:
    """moto's own application, in this process. Its state is the process's: one at a time."""

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)

    def forward(self, environ: Environ, action: str) -> Answer:
        """A request as it came; raises `Fault` NotSimulated where moto has no answer."""
        try:
            body, status, headers = run_wsgi_app(self._app, environ, buffered=True)
        except NotImplementedError as error:
            raise not_simulated(action) from error
        except Exception as error:
            # moto stumbles over much that AWS would refuse, mostly what is not there.
            _LOG.warning("moto failed at %s", action, exc_info=True)
            text = f"{action}: moto failed: {type(error).__name__}: {error}"
            raise Fault("InternalFailure", text, 500) from error
        answer = Answer(int(status.split()[0]), list(headers.items()), b"".join(body))
        if answer.status in (404, 405, 500) and _is_page(answer):
            raise not_simulated(action)
        return answer

    def call(
        self, service: str, operation: str, params: Mapping[str, Any], key: str, region: str
    ) -> dict[str, Any]:
        """An operation in moto; its output, or `Fault` with moto's error."""
        service_model = models.model(service)
        operation_model = service_model.operation_model(operation)
        protocol = str(service_model.metadata["protocol"])
        if protocol == "smithy-rpc-v2-cbor":
            protocol = "json"  # moto knows no CBOR; both services that speak it have JSON too
        request = create_serializer(protocol, include_validation=False).serialize_to_request(
            dict(params), operation_model
        )
        answer = self.forward(
            _environ(request, models.signing_name(service), key, region),
            f"{service}:{operation}",
        )
        parsed: dict[str, Any] = create_parser(protocol).parse(
            {
                "status_code": answer.status,
                "headers": HeadersDict(dict(answer.headers)),
                "body": _body(answer, operation_model),
            },
            operation_model.output_shape,
        )
        if answer.status >= 300:
            said = parsed.get("Error", {})
            raise Fault(
                str(said.get("Code", answer.status)), str(said.get("Message", "")), answer.status
            )
        parsed.pop("ResponseMetadata", None)
        return parsed

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> None:
        """moto's own control API, such as /moto-api/reset."""
        builder = EnvironBuilder(path=path, method="POST", data=json.dumps(body or {}))
        self.forward(builder.get_environ(), path)


def not_simulated(action: str) -> Fault:
    """The answer to an operation that nothing here knows; 501, so that nobody retries."""
    return Fault(
        "NotSimulated", f"{action} is not simulated: neither moto nor a handler has it", 501
    )


def _is_page(answer: Answer) -> bool:
    kind = {name.lower(): value for name, value in answer.headers}.get("content-type", "")
    return (
        kind.startswith("text/html")
        and re.search(rb"<title>(404|405|500)", answer.body) is not None
    )


def _body(answer: Answer, operation: Any) -> Any:
    streams = operation.has_streaming_output and answer.status < 300
    return io.BytesIO(answer.body) if streams else answer.body


def _environ(request: Mapping[str, Any], signed_as: str, key: str, region: str) -> Environ:
    headers = dict(request["headers"])
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={key or 'simulated'}/20260101/{region}/{signed_as}"
        "/aws4_request, SignedHeaders=host, Signature=0"
    )
    body = request["body"]
    if isinstance(body, dict):  # the query protocols: a form
        body = urlencode(body)
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
    if hasattr(body, "read"):
        body = body.read()
    query = request.get("query_string") or {}
    pairs = [
        (name, str(inner))
        for name, value in query.items()
        for inner in (value if isinstance(value, (list, tuple)) else [value])
    ]
    path, _, literal = str(request["url_path"]).partition("?")
    asked = "&".join(part for part in (literal, urlencode(pairs, quote_via=quote)) if part)
    builder = EnvironBuilder(
        path=path,
        method=request["method"],
        base_url="http://127.0.0.1",
        headers=headers,
        input_stream=io.BytesIO(_bytes(body)),
        query_string=asked,
    )
    environ: Environ = builder.get_environ()
    environ["CONTENT_LENGTH"] = str(len(_bytes(body)))
    environ["RAW_URI"] = f"{path}?{asked}" if asked else path
    return environ


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    return body if isinstance(body, bytes) else str(body).encode()


def replay(answer: Answer, start_response: StartResponse) -> Iterable[bytes]:
    """An answer, said to a WSGI server."""
    from http.client import responses

    reason = responses.get(answer.status, "Unknown")
    headers = [(k, v) for k, v in answer.headers if k.lower() != "content-length"]
    length = {k.lower(): v for k, v in answer.headers}.get("content-length")
    size = length if length is not None and not answer.body else str(len(answer.body))
    start_response(f"{answer.status} {reason}", [*headers, ("Content-Length", size)])
    return [answer.body]
