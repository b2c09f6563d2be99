"""The Open Inference Protocol, version 2, over REST: health, metadata, inference
(https://github.com/kserve/open-inference-protocol).

A model's name is the endpoint's, whose routing table then says who answers, or the name of a
routed model; a version is a model version, and asks for the variant that serves it.
"""

from __future__ import annotations

import logging
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import BadInput
from core.serving.http import metrics
from core.serving.http.dialects import Tensors, dump
from core.serving.http.invocations import Invocations
from core.serving.http.shapes import JSON, BadRequest, media_type, parse_json
from core.serving.http.tensors import (
    inputs_of,
    output_name,
    outputs_of,
    parameters_of,
    read_tensors,
    to_scoring,
    write_tensors,
)
from core.serving.model.engines import Engine
from core.serving.process.service import Loaded, Service
from core.serving.records import LoadReport, Variant
from core.serving.routing import RoutingTable, choose

log = logging.getLogger(__name__)


class Infer(Tensors):
    """Inference in the words of the protocol, by the model that a path names."""

    def __init__(self, service: Service, name: str, version: str = "") -> None:
        super().__init__(service)
        self._service = service
        self._name = name
        self._version = version

    def choose(self, table: RoutingTable, session: str, target: str) -> int | None:
        """Among the variants that the path names. Raises `BadRequest` (404) for none."""
        if not table.variants:
            return None
        named = routed(self._service, table, self._name, self._version)
        if not named:
            raise _unknown(self._name, self._version)
        if len(named) < len(table.variants):
            table = _among(named)
        try:
            return choose(table, session, target, self._salt)
        except BadInput as error:
            raise BadRequest(error.message, "not_found", 404) from None

    def take(self, engine: Engine, body: bytes, content_type: str) -> tuple[Any, Any]:
        """The tensors, by the signature; the request's id and what outputs it wants."""
        if media_type(content_type) != JSON:
            raise BadRequest("Send application/json", "unsupported_media_type", 415)
        data = parse_json(body)
        if not isinstance(data, dict):
            raise BadRequest("The body is not a JSON object")
        identity = data.get("id")
        if identity is not None and not isinstance(identity, str):
            raise BadRequest('"id" must be a string')
        parameters_of(data, "The request")
        wanted = _wanted(data.get("outputs"))
        taken = getattr(engine, "taken", engine.signature)  # more, where features are looked up
        scoring = to_scoring(read_tensors(data.get("inputs")), taken)
        name = output_name(engine.signature)
        return engine.prepare(orjson.dumps(scoring), JSON), (identity, wanted, name)

    def reply(self, report: LoadReport, outputs: Any, context: Any) -> bytes:
        """Name, version, id, and the predictions as tensors."""
        identity, wanted, name = context
        tensors = write_tensors(outputs, name)
        if wanted:
            have = {tensor["name"]: tensor for tensor in tensors}
            missing = next((item for item in wanted if item not in have), None)
            if missing is not None:
                raise BadRequest(
                    f"The model has no output {missing[:60]!r}; it has {', '.join(have)}"
                )
            tensors = [have[item] for item in wanted]
        answer: dict[str, Any] = {
            "model_name": report.model, "model_version": str(report.version),
        }  # fmt: skip
        if identity is not None:
            answer["id"] = identity
        return dump({**answer, "outputs": tensors})


class V2:
    """The protocol's routes over a service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._plain = Invocations(service, Infer(service, service.name))

    def routes(self) -> list[Route]:
        """Every route."""
        model, version = "/v2/models/{name}", "/v2/models/{name}/versions/{version}"
        found = [
            Route("/v2", self._server),
            Route("/v2/health/live", self._live),
            Route("/v2/health/ready", self._ready),
        ]
        for base in (model, version):
            found += [
                Route(base, self._metadata),
                Route(f"{base}/ready", self._model_ready),
                Route(f"{base}/infer", _Named(self._plain, self._service), methods=["POST"]),
            ]
        return found

    def fast(self) -> dict[str, ASGIApp]:
        """Exact paths that need no router."""
        return {f"/v2/models/{self._service.name}/infer": self._plain}

    async def _server(self, _: Request) -> Response:
        found = {"name": "opsdeck", "version": metrics.release(), "extensions": []}
        return self._reply(200, found)

    async def _live(self, _: Request) -> Response:
        return self._reply(200, {"live": True})

    async def _ready(self, _: Request) -> Response:
        ready = self._service.ready
        return self._reply(200 if ready else 400, {"ready": ready})

    async def _metadata(self, request: Request) -> Response:
        name, version = _named(request.path_params)
        found = self._find(name, version)
        if not found:
            return self._missing(name, version)
        main = found[0]
        versions = sorted({item.report.version for item in self._find(name, "")})
        signature = main.engine.signature
        return self._reply(
            200,
            {
                "name": name,
                "versions": [str(number) for number in versions],
                "platform": f"mlflow_{main.report.flavour.value.replace('-', '_')}",
                "inputs": inputs_of(signature),
                "outputs": outputs_of(signature),
            },
        )

    async def _model_ready(self, request: Request) -> Response:
        name, version = _named(request.path_params)
        if not self._find(name, version):
            return self._missing(name, version)
        return self._reply(200, {"name": name, "ready": True})

    def _find(self, name: str, version: str) -> list[Loaded]:
        """What answers under a name, that with the greatest weight first."""
        service = self._service
        found = routed(service, service.epoch.table, name, version)
        found.sort(key=lambda variant: (-variant.weight, -variant.revision))
        return [service.loaded[variant.revision] for variant in found]

    def _missing(self, name: str, version: str) -> Response:
        return self._reply(404, {"error": _unknown(name, version).message})

    def _reply(self, status: int, value: Any) -> Response:
        headers = {"connection": "close"} if self._service.draining else None
        return Response(orjson.dumps(value), status, headers, JSON)


class _Named:
    """Inference for the model that the path names."""

    def __init__(self, invocations: Invocations, service: Service) -> None:
        self._invocations = invocations
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        infer = Infer(self._service, *_named(scope["path_params"]))
        await self._invocations.answer(infer, scope, receive, send)


def routed(service: Service, table: RoutingTable, name: str, version: str) -> list[Variant]:
    """The variants in a table that serve a model by this name and, unless "", this version."""
    reports = [(variant, service.loaded[variant.revision].report) for variant in table.variants]
    return [
        variant
        for variant, report in reports
        if name in (service.name, report.model) and version in ("", str(report.version))
    ]


def _among(variants: list[Variant]) -> RoutingTable:
    """The table of some variants alone, in their proportion; the newest where none has weight."""
    total = sum(variant.weight for variant in variants)
    if total <= 0:
        newest = max(variant.revision for variant in variants)
        return RoutingTable.of(
            Variant(v.revision, 100.0 if v.revision == newest else 0.0) for v in variants
        )
    return RoutingTable.of(Variant(v.revision, v.weight / total * 100) for v in variants)


def _named(parameters: dict[str, Any]) -> tuple[str, str]:
    return str(parameters["name"]), str(parameters.get("version", ""))


def _unknown(name: str, version: str) -> BadRequest:
    asked = f"model {name[:100]!r}" + (f" in version {version[:20]!r}" if version else "")
    return BadRequest(f"No {asked} is routed here", "not_found", 404)


def _wanted(value: Any) -> list[str]:
    """The names of the outputs that are asked for; none is all."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadRequest('"outputs" must be a list')
    names: list[str] = []
    for item in value:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise BadRequest('Each of "outputs" must be an object with a "name"')
        if parameters_of(item, "The output").get("binary_data"):
            raise BadRequest("Binary data is not served")
        names.append(item["name"])
    return names
