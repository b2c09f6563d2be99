"""The OpenAPI 3.1 document of an endpoint (https://spec.openapis.org/oas/v3.1.0), made for
what is routed at the moment of asking."""

from __future__ import annotations

from typing import Any

from core.serving.http import bodies
from core.serving.http.bodies import Schema
from core.serving.http.invocations import MAX_ID
from core.serving.http.metrics import release
from core.serving.model.schema import Signature
from core.serving.process.service import Service

_ERRORS = {
    400: "The request cannot be used: its JSON, columns, types, variant or headers",
    401: "No valid bearer token",
    404: "No such model, version or route",
    405: "Another method is taken here",
    408: "The request did not arrive in time",
    413: "The body is too long",
    415: "Neither JSON nor CSV in UTF-8",
    424: "The model, or what it was given, is at fault: SageMaker's ModelError",
    429: "Too many requests at once; see Retry-After",
    500: "The model raised, or the server failed",
    503: "No model version is routed yet",
    504: "The model did not answer in time",
}
_INVOKE = (400, 408, 413, 415, 429, 500, 503, 504)
_RUNTIME = (400, 408, 413, 424, 429, 500, 503)
_INFER = (400, 404, 408, 413, 415, 429, 500, 503, 504)
_OPEN: list[Schema] = [{}]  # no token even where the others need one


def document(service: Service) -> Schema:
    """The whole document."""
    token = bool(service.digest)
    found: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": f"Endpoint {service.name}",
            "version": release(),
            "description": "Answers with the predictions of the model versions routed behind it.",
        },
        "paths": _paths(service),
        "components": {"schemas": _schemas(service)},
    }
    if token:
        scheme = {"type": "http", "scheme": "bearer"}
        found["components"]["securitySchemes"] = {"token": scheme}
        found["security"] = [{"token": []}]
    return found


def _schemas(service: Service) -> Schema:
    fixed = {
        "Error": bodies.ERROR,
        "RuntimeError": bodies.RUNTIME_ERROR,
        "V2Error": bodies.V2_ERROR,
        "Predictions": bodies.PREDICTIONS,
        "V2Answer": bodies.V2_ANSWER,
        "TensorMetadata": bodies.TENSOR_METADATA,
    }
    signatures = _signatures(service)
    return {
        **fixed,
        "Scoring": _any_of([bodies.scoring(item) for item in signatures]),
        "Table": _any_of([bodies.table(item) for item in signatures]),
        "Inference": _any_of([bodies.inference(item) for item in signatures]),
    }


def _signatures(service: Service) -> list[Signature]:
    """Of what is routed, each once."""
    found: list[Signature] = []
    for variant in service.epoch.table.variants:
        signature = service.loaded[variant.revision].engine.signature
        if signature not in found:
            found.append(signature)
    return found or [Signature()]


def _any_of(schemas: list[Schema]) -> Schema:
    """One schema, or any of those of the variants: the routing decides which one answers."""
    different: list[Schema] = []
    for schema in schemas:
        if schema not in different:
            different.append(schema)
    return different[0] if len(different) == 1 else {"anyOf": different}


def _paths(service: Service) -> Schema:
    table = service.epoch.table.variants
    reports = [service.loaded[variant.revision].report for variant in table]
    names = list(dict.fromkeys([service.name, *(report.model for report in reports)]))
    versions = [str(number) for number in sorted({report.version for report in reports})]
    paths: Schema = {
        "/invocations": {"post": _invoke(service, "invoke", "Error", _INVOKE)},
        f"/endpoints/{service.name}/invocations": {
            "post": _invoke(service, "invokeEndpoint", "RuntimeError", _RUNTIME)
        },
        "/ping": {"get": _get(service, "ping", {"type": "object"}, (503,), is_open=True)},
        "/status": {"get": _get(service, "status", {"type": "object"})},
        "/": {"get": _get(service, "root", {"type": "object"})},
        "/openapi.json": {"get": _get(service, "openapi", {"type": "object"})},
        "/metrics": {"get": _get(service, "metrics", {"type": "string"}, kind="text/plain")},
        "/v2": {"get": _v2_get(service, "v2Server", ("name", "version", "extensions"))},
        "/v2/health/live": {"get": _v2_get(service, "v2Live", ("live",), is_open=True)},
        "/v2/health/ready": {"get": _v2_get(service, "v2Ready", ("ready",), (400,), True)},
    }
    for base, tail in (
        ("/v2/models/{name}", ""),
        ("/v2/models/{name}/versions/{version}", "Version"),
    ):
        parameters = [_path("name", names)]
        if tail:
            parameters.append(_path("version", versions))
        keys = ("name", "versions", "platform", "inputs", "outputs")
        paths |= {
            base: {
                "parameters": parameters,
                "get": _v2_get(service, f"v2Model{tail}", keys, (404,)),
            },
            f"{base}/ready": {
                "parameters": parameters,
                "get": _v2_get(service, f"v2ModelReady{tail}", ("name", "ready"), (404,)),
            },
            f"{base}/infer": {
                "parameters": parameters,
                "post": _infer(service, f"v2Infer{tail}"),
            },
        }
    return paths


def _invoke(service: Service, name: str, error: str, statuses: tuple[int, ...]) -> Schema:
    content = {"application/json": _ref("Scoring")}
    if any(signature.columns is not None for signature in _signatures(service)):
        content["text/csv"] = _ref("Table")
    return {
        "operationId": name,
        "summary": "Predictions for rows",
        "parameters": _headers(service),
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": _answer("Predictions", _named_headers()),
            **_errors(service, error, statuses),
        },
    }


def _infer(service: Service, name: str) -> Schema:
    return {
        "operationId": name,
        "summary": "Predictions for tensors",
        "parameters": _headers(service),
        "requestBody": {"required": True, "content": {"application/json": _ref("Inference")}},
        "responses": {
            "200": _answer("V2Answer", _named_headers()),
            **_errors(service, "V2Error", _INFER),
        },
    }


def _get(
    service: Service,
    name: str,
    schema: Schema,
    statuses: tuple[int, ...] = (),
    error: str = "Error",
    kind: str = "application/json",
    is_open: bool = False,
) -> Schema:
    answer = {"description": "As asked", "content": {kind: {"schema": schema}}}
    failures = _errors(service, error, statuses, is_open)
    found: Schema = {"operationId": name, "responses": {"200": answer, **failures}}
    if is_open and service.digest:
        found["security"] = _OPEN
    return found


def _v2_get(
    service: Service,
    name: str,
    keys: tuple[str, ...],
    statuses: tuple[int, ...] = (),
    is_open: bool = False,
) -> Schema:
    tensors = {"type": "array", "items": {"$ref": "#/components/schemas/TensorMetadata"}}
    of_key: Schema = {
        "live": {"type": "boolean"},
        "ready": {"type": "boolean"},
        "versions": {"type": "array", "items": {"type": "string"}},
        "extensions": {"type": "array", "items": {"type": "string"}},
        "inputs": tensors,
        "outputs": tensors,
    }
    properties = {key: of_key.get(key, {"type": "string"}) for key in keys}
    schema = {"type": "object", "required": list(keys), "properties": properties}
    found = _get(service, name, schema, statuses, "V2Error", is_open=is_open)
    if 400 in statuses:  # of readiness, in the same words
        found["responses"]["400"]["content"]["application/json"]["schema"] = schema
    return found


def _errors(
    service: Service, error: str, statuses: tuple[int, ...], is_open: bool = False
) -> Schema:
    every = {*statuses, *({401} if service.digest and not is_open else ())}
    found: Schema = {}
    for status in sorted(every):
        headers: Schema = {}
        if status == 429:
            headers["Retry-After"] = {"schema": {"type": "string"}}
        if status == 401:
            headers["WWW-Authenticate"] = {"schema": {"type": "string"}}
        if error == "RuntimeError":
            headers["x-amzn-ErrorType"] = {"schema": {"type": "string"}}
        found[str(status)] = _answer(error, headers, _ERRORS[status])
    return found


def _answer(schema: str, headers: Schema, description: str = "The predictions") -> Schema:
    found: Schema = {"description": description, "content": {"application/json": _ref(schema)}}
    return {**found, "headers": headers} if headers else found


def _headers(service: Service) -> list[Schema]:
    variants = [f"r{variant.revision}" for variant in service.epoch.table.variants]
    given: list[tuple[str, str, Schema]] = [
        ("Session-Id", "Requests of one session stay on one variant", {"type": "string"}),
        (
            "Inference-Id",
            "Names the request in the capture, for its ground truth",
            {"type": "string", "pattern": "^[ -~]*$", "maxLength": MAX_ID},
        ),
    ]
    if variants:
        asked = {"type": "string", "enum": variants}
        given.append(("Target-Variant", "Asks for this variant, whatever its weight", asked))
    return [
        {
            "name": f"X-Amzn-SageMaker-{name}",
            "in": "header",
            "required": False,
            "description": meaning,
            "schema": schema,
        }
        for name, meaning, schema in given
    ]


def _named_headers() -> Schema:
    return {
        "x-Amzn-Invoked-Production-Variant": {
            "description": "The variant that answered",
            "required": True,
            "schema": {"type": "string", "pattern": "^r[0-9]+$"},
        },
        "X-Amzn-SageMaker-Inference-Id": {
            "description": "The request's name in the capture",
            "required": True,
            "schema": {"type": "string"},
        },
    }


def _path(name: str, values: list[str]) -> Schema:
    schema: Any = {"type": "string", "enum": values} if values else {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _ref(name: str) -> Schema:
    return {"schema": {"$ref": f"#/components/schemas/{name}"}}
