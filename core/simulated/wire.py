"""Requests into parameters and answers into bytes, for each of AWS's protocols."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from botocore.parsers import RpcV2CBORParser
from botocore.serialize import RpcV2CBORSerializer
from botocore.utils import parse_timestamp
from moto.core.errors import ErrorLookupFactory
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request
from moto.core.serialize import SerializationContext, get_serializer_class

from core.simulated.faults import Fault
from core.simulated.models import Target

CBOR = "smithy-rpc-v2-cbor"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def _aware(value: Any) -> dt.datetime:
    parsed: dt.datetime = parse_timestamp(value)
    return parsed.astimezone(dt.UTC)


def body_of(request: Request) -> bytes:
    """The request's body, unpacked if botocore compressed it."""
    data: bytes = request.get_data(parse_form_data=False)
    return gzip.decompress(data) if request.headers.get("Content-Encoding") == "gzip" else data


def parse(request: Request, target: Target) -> dict[str, Any]:
    """The parameters of a request, by the protocol of `target`.

    Raises `Fault` SerializationException for what cannot be read at all.
    """
    body = body_of(request)
    if target.protocol == CBOR:
        return _parse_cbor(body)
    parser = PROTOCOL_PARSERS[target.protocol](target.operation, timestamp_parser=_aware)
    try:
        parsed = parser.parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": body,
                "url_path": request.path,
                "url_params": target.uri_params,
            }
        )
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise Fault("SerializationException", f"{target.name}: {error}", 400) from error
    absent = _absent(target.operation.input_shape, parsed)
    return {k: v for k, v in parsed.items() if v is not None and k not in absent}


def _absent(shape: Any, parsed: Mapping[str, Any]) -> set[str]:
    """Lists in a query string that moto's parser says are empty where they are not there."""
    members = shape.members if shape is not None else {}
    return {
        name
        for name, value in parsed.items()
        if value in ([], {}) and members[name].serialization.get("location") == "querystring"
    }


def _parse_cbor(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    parser = RpcV2CBORParser()
    parsed = parser.parse_data_item(parser.get_peekable_stream_from_bytes(body))
    return dict(parsed)


def serialize(answer: Mapping[str, Any], target: Target, request_id: str) -> Answer:
    """A handler's answer as the protocol of `target` says it."""
    operation = target.operation
    if target.protocol == CBOR:
        return Answer(200, _cbor_headers(request_id), _cbor(answer, operation.output_shape))
    serializer = get_serializer_class(target.service, target.protocol)(
        operation, context=SerializationContext(request_id)
    )
    said = serializer.serialize(_filled(answer, operation.output_shape))
    headers = dict(said["headers"])
    shape = operation.output_shape
    for name, member in (shape.members if shape is not None else {}).items():
        # moto says its own content type last; an operation that models it knows better.
        if member.serialization.get("name") == "Content-Type" and name in answer:
            headers["Content-Type"] = str(answer[name])
    headers["x-amzn-RequestId"] = request_id
    body = said["body"]
    raw = body if isinstance(body, bytes) else str(body).encode()
    return Answer(said["status_code"], [(k, str(v)) for k, v in headers.items()], raw)


def _filled(answer: Mapping[str, Any], shape: Any) -> Mapping[str, Any]:
    """A streaming payload that is missing is empty, not absent."""
    payload = shape.serialization.get("payload") if shape is not None else None
    if payload and payload not in answer and shape.members[payload].type_name == "blob":
        return {**answer, payload: b""}
    return answer


def _cbor(answer: Mapping[str, Any], shape: Any) -> bytes:
    if shape is None:
        return b""
    out = bytearray()
    RpcV2CBORSerializer()._serialize_data_item(out, dict(answer), shape)
    return bytes(out)


def _cbor_headers(request_id: str) -> list[tuple[str, str]]:
    return [
        ("Content-Type", "application/cbor"),
        ("smithy-protocol", "rpc-v2-cbor"),
        ("x-amzn-RequestId", request_id),
    ]


def error(fault: Fault, service: str, target: Target | None, protocol: str, rid: str) -> Answer:
    """A fault as the protocol says it, with the status its model gives it."""
    status, code = fault.status, fault.code
    shape = None
    if target is not None:
        shape = ErrorLookupFactory().for_service(target.operation.service_model).from_code(code)
    if shape is not None:
        said = shape.metadata.get("error", {})
        if protocol in ("query", "ec2", "rest-xml"):
            code = said.get("code", code)
        status = status or said.get("httpStatusCode")
    status = status or 400
    if status == 599:
        status = 500
    headers = [("x-amzn-RequestId", rid)]
    if protocol == CBOR:
        members = {"__type": code, "message": fault.message}
        out = bytearray()
        _write_cbor(out, members)
        return Answer(status, _compatible(target, code, _cbor_headers(rid)), bytes(out))
    if protocol in ("query", "ec2", "rest-xml"):
        return Answer(
            status,
            [*headers, ("Content-Type", "text/xml")],
            _xml(fault, code, protocol, service, rid),
        )
    body = {"__type": code, "message": fault.message, "Message": fault.message, **fault.members}
    if protocol == "rest-json":
        headers.append(("x-amzn-ErrorType", code))
    headers.append(("Content-Type", "application/x-amz-json-1.1"))
    return Answer(
        status, _compatible(target, code, headers), json.dumps(body, default=str).encode()
    )


def _compatible(
    target: Target | None, code: str, headers: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Services that once spoke query still say the old code in a header."""
    if target is not None and "awsQueryCompatible" in target.operation.service_model.metadata:
        return [*headers, ("x-amzn-query-error", f"{code};Sender")]
    return headers


def _write_cbor(out: bytearray, members: Mapping[str, str]) -> None:
    writer = RpcV2CBORSerializer()
    out.extend(writer._get_initial_byte(writer.MAP_MAJOR_TYPE, len(members)))
    for name, value in members.items():
        writer._serialize_type_string(out, name, None, None)
        writer._serialize_type_string(out, value, None, None)


def _xml(fault: Fault, code: str, protocol: str, service: str, rid: str) -> bytes:
    inner = f"<Code>{escape(code)}</Code><Message>{escape(fault.message)}</Message>"
    extra = "".join(f"<{k}>{escape(str(v))}</{k}>" for k, v in fault.members.items())
    if service == "s3":
        text = f"<Error>{inner}{extra}<RequestId>{rid}</RequestId></Error>"
    elif protocol == "ec2":
        text = (
            f"<Response><Errors><Error>{inner}</Error></Errors>"
            f"<RequestID>{rid}</RequestID></Response>"
        )
    else:
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type>{inner}{extra}</Error>"
            f"<RequestId>{rid}</RequestId></ErrorResponse>"
        )
    return text.encode()


def stream(body: bytes) -> io.BytesIO:
    """A body as botocore's parsers want a streaming one."""
    return io.BytesIO(body)
