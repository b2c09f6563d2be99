"""Errors as AWS says them, and faults that are put in on purpose."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any


class Fault(Exception):
    """An error answer: AWS's code and message; `status` None takes the service model's."""

    def __init__(
        self,
        code: str,
        message: str,
        status: int | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members = dict(members or {})


class Cut(ConnectionError):
    """Cut the connection without an answer."""


def invalid(message: str) -> Fault:
    """What SageMaker and most JSON services say of a bad value."""
    return Fault("ValidationException", message, 400)


def not_found(message: str) -> Fault:
    """SageMaker's answer for a name that is not there."""
    return Fault("ResourceNotFound", message, 400)


@dataclass
class Injected:
    """A fault put in on purpose: for `times` calls whose operation matches.

    `operation` is a pattern of `service:Operation` (`sagemaker:List*`, `*`). `code` is an
    AWS code, or "cut" for a connection that breaks, or "slow" for nothing but the delay.
    """

    operation: str
    code: str
    times: int = 1
    delay: float = 0.0
    message: str = ""
    status: int | None = None
    resource: str = "*"
    seen: int = field(default=0)

    def matches(self, action: str) -> bool:
        return self.seen < self.times and fnmatchcase(action, self.operation)


class Faults:
    """The faults that are waiting; the first that matches an action is taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Injected] = []

    def add(self, injected: Injected) -> None:
        with self._lock:
            self._waiting.append(injected)

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def take(self, action: str) -> Injected | None:
        """The fault for this call, counted as used."""
        with self._lock:
            for injected in self._waiting:
                if injected.matches(action):
                    injected.seen += 1
                    return injected
        return None


# Codes of the query protocol and S3 differ from those of the JSON protocols.
_XML = {
    "ThrottlingException": "Throttling",
    "ExpiredTokenException": "ExpiredToken",
    "AccessDeniedException": "AccessDenied",
}
_JSON = {code: name for name, code in _XML.items()}


def as_fault(injected: Injected, action: str, caller: str, protocol: str) -> Fault:
    """The error an injected fault answers with, in the words AWS uses."""
    code = injected.code
    xml = protocol in ("query", "rest-xml", "ec2")
    code = _XML.get(code, code) if xml else _JSON.get(code, code)
    message, status = injected.message, injected.status
    kind = _JSON.get(code, code)
    if kind == "ThrottlingException":
        message, status = message or "Rate exceeded", status or 400
    elif kind == "ExpiredTokenException":
        message = message or "The security token included in the request is expired"
        status = status or (403 if xml else 400)
    elif kind == "AccessDeniedException":
        message = message or (
            f"User: {caller} is not authorized to perform: {action} on resource: "
            f"{injected.resource} because no identity-based policy allows the {action} action"
        )
        status = status or (403 if xml else 400)
    elif kind == "RequestTimeTooSkewed":
        message = message or (
            "The difference between the request time and the current time is too large."
        )
        status = status or 403
    elif kind == "InvalidSignatureException":
        message = message or (
            "Signature expired: 20261122T090000Z is now earlier than 20261122T100000Z "
            "(20261122T101500Z - 15 min.)"
        )
        status = status or 400
    return Fault(code, message or code, status)
