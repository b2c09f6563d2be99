"""JSON over HTTP with the standard library: one kept connection a thread, time limits."""

from __future__ import annotations

import base64
import http.client
import json
import os
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from core.errors import BadInput, TrackingUnavailable

_SECONDS = 10.0
_MAX_BODY = 256 * 1024 * 1024
_MISSING = "RESOURCE_DOES_NOT_EXIST"
_INVALID = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")


class NoSuchEndpoint(TrackingUnavailable):
    """The server does not know the path: it is of another version, or no MLflow at all."""


class HttpClient:
    """Requests to one MLflow server. Thread-safe.

    Credentials come from the URI or from MLflow's own `MLFLOW_TRACKING_USERNAME` with
    `_PASSWORD`, or `_TOKEN`; `MLFLOW_TRACKING_INSECURE_TLS=true` leaves certificates unread.
    """

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        try:
            port = parts.port
        except ValueError as error:
            raise BadInput(f"tracking URI: {error}") from error
        if not parts.hostname:
            raise BadInput("tracking URI: no host", "write http://HOST:PORT")
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, port
        self._prefix = parts.path.rstrip("/")
        self._shown = f"{parts.scheme}://{self._host}" + (f":{port}" if port else "")
        self._headers = {"Accept": "application/json", "User-Agent": "opsdeck"}
        user, password = parts.username, parts.password
        authorization = _authorization(user and unquote(user), password and unquote(password))
        if authorization:
            self._headers["Authorization"] = authorization
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: list[http.client.HTTPConnection] = []

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
    ) -> dict[str, Any] | None:
        """The answer's JSON object, or None when the server says that the thing isn't there.

        Raises `BadInput` when it refuses the arguments, else `TrackingUnavailable`.
        """
        # Spaces as %20: a signed query is compared in that form.
        target = self._prefix + path + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        payload = None if body is None else json.dumps(body).encode()
        headers = dict(self._headers)
        if payload is not None:
            headers["Content-Type"] = "application/json"
        headers = self._signed(method, target, payload, headers)
        status, data = self._exchange(method, target, payload, headers)
        try:
            answer = json.loads(data)
        except ValueError:
            answer = None
        if status == 200 and isinstance(answer, dict):
            return answer
        code = answer.get("error_code") if isinstance(answer, dict) else None
        if code == _MISSING:
            return None
        said = answer.get("message") if isinstance(answer, dict) else None
        text = " ".join(str(said or f"HTTP {status}, no JSON from MLflow").split())[:300]
        if code in _INVALID:
            raise BadInput(f"{self._shown}: {text}")
        hint = "check the credentials" if status in (401, 403) else "is it an MLflow server?"
        kind = NoSuchEndpoint if status in (404, 405) else TrackingUnavailable
        raise kind(f"{self._shown}{path}: {text} (HTTP {status})", hint)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()
            self._local = threading.local()

    def _signed(
        self, _method: str, _target: str, _payload: bytes | None, headers: dict[str, str]
    ) -> dict[str, str]:
        """The headers that a request is sent with."""
        return headers

    def _exchange(
        self, method: str, target: str, payload: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        for last in (False, True):
            connection, used = self._connection()
            try:
                connection.request(method, target, payload, headers)
                response = connection.getresponse()
                data = response.read(_MAX_BODY)
                return response.status, data
            except (http.client.HTTPException, OSError) as error:
                connection.close()  # http.client opens it again at the next request
                # A kept connection that the server has closed meanwhile says nothing about it.
                if last or not used or isinstance(error, TimeoutError):
                    raise self._unavailable(error) from error
        raise AssertionError("unreachable")

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        known: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if known is not None:
            return known, known.sock is not None
        fresh: http.client.HTTPConnection
        if self._secure:
            fresh = http.client.HTTPSConnection(
                self._host, self._port, timeout=_SECONDS, context=_tls()
            )
        else:
            fresh = http.client.HTTPConnection(self._host, self._port, timeout=_SECONDS)
        self._local.connection = fresh
        with self._lock:
            self._open.append(fresh)
        return fresh, False

    def _unavailable(self, error: Exception) -> TrackingUnavailable:
        if isinstance(error, TimeoutError):
            return TrackingUnavailable(
                f"{self._shown}: no answer within {_SECONDS:g} s", "is the server overloaded?"
            )
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return TrackingUnavailable(f"{self._shown}: {reason}", "is the server up?")


def _authorization(user: str | None, password: str | None) -> str:
    user = user or os.environ.get("MLFLOW_TRACKING_USERNAME")
    password = password or os.environ.get("MLFLOW_TRACKING_PASSWORD")
    if user and password:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    return f"Bearer {token}" if token else ""


def _tls() -> Any:
    import ssl

    context = ssl.create_default_context()
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() == "true":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
