"""JSON lines between control client, supervisor and server.

A request is `{"op": …, …}`, an answer `{"ok": true, "result": …}` or
`{"ok": false, "error": {"code", "message", "hint"}}`. Errors keep their class over the wire
by their stable code.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Mapping
from typing import Any

from core import errors
from core.errors import EndpointUnavailable, OpsdeckError

MAX_LINE = 4 * 1024 * 1024

_BY_CODE: dict[str, type[OpsdeckError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, OpsdeckError)
}


def encode(message: Mapping[str, Any]) -> bytes:
    """One message as a line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def success(result: Any = None) -> dict[str, Any]:
    """The answer to a request that was carried out."""
    return {"ok": True, "result": result}


def failure(error: OpsdeckError) -> dict[str, Any]:
    """The answer to a request that was refused or failed."""
    return {
        "ok": False,
        "error": {"code": error.code, "message": error.message, "hint": error.hint},
    }


def unwrap(answer: Mapping[str, Any]) -> Any:
    """The result of an answer.

    Raises the `OpsdeckError` subclass that the other side named.
    """
    if answer.get("ok"):
        return answer.get("result")
    error = answer.get("error") or {}
    kind = _BY_CODE.get(str(error.get("code")), OpsdeckError)
    raise kind(str(error.get("message", "no reason given")), str(error.get("hint", "")))


def ask(path: str, message: Mapping[str, Any], timeout: float) -> Any:
    """Send one request to the control socket at `path` and wait for its result.

    `timeout` bounds the whole exchange, in seconds. Raises `EndpointUnavailable` when nobody
    answers, else what the other side raised.
    """
    deadline = time.monotonic() + timeout
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as client:
        try:
            client.settimeout(timeout)
            client.connect(path)
            client.sendall(encode(message))
            line = _read_line(client, deadline)
        except TimeoutError:
            raise EndpointUnavailable(
                f"The endpoint did not answer `{message.get('op')}` within {timeout:g} s",
                "look into supervisor.log in the endpoint's folder",
            ) from None
        except OSError as error:
            raise EndpointUnavailable(
                f"The endpoint's control socket {path} cannot be used: {error.strerror or error}",
                "start the endpoint again",
            ) from None
    return unwrap(json.loads(line))


def _read_line(client: socket.socket, deadline: float) -> bytes:
    """Bytes up to the first newline; raises TimeoutError, or OSError when the peer leaves."""
    buffer = bytearray()
    while not buffer.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        client.settimeout(left)
        chunk = client.recv(65536)
        if not chunk:
            raise ConnectionResetError("closed before it answered")
        buffer += chunk
    return bytes(buffer)
