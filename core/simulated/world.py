"""The simulated account's whole state, and the way of a request through it."""

from __future__ import annotations

import io
import logging
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from moto.core.request import Request

from core.simulated import models, wire
from core.simulated.clock import Clock, Timers
from core.simulated.faults import Cut, Fault, Faults, Injected, as_fault
from core.simulated.inner import Moto, StartResponse, not_simulated, replay
from core.simulated.registry import load
from core.simulated.state import Call, Recorded, State, without_secrets
from core.simulated.validate import check_input, check_output

_LOG = logging.getLogger(__name__)
# So many recorded calls are kept; then the older half is forgotten.
MOST_CALLS = 50_000
_BODY = "opsdeck.body"
# Reading the parameters of these would read a whole upload; moto checks them.
_UNPARSED = {"s3": frozenset({"PutObject", "UploadPart", "PostObject"})}


class World:
    """Everything behind the server. Handlers and timers run under one lock."""

    def __init__(self, speed: float = 1.0) -> None:
        self.clock = Clock(speed)
        self.timers = Timers(self.clock)
        self.faults = Faults()
        self.calls: list[Recorded] = []
        self.lock = threading.RLock()
        self.handlers = load()
        self._states: dict[tuple[str, str], State] = {}
        self._moto = Moto()
        self._configure()

    def _configure(self) -> None:
        self._moto.post("/moto-api/config", {"stepfunctions": {"execute_state_machine": True}})

    def reset(self) -> None:
        """Forget every resource, call, fault and timer, and how far the clock was advanced."""
        with self.lock:
            self.clock.restart()
            self.timers.clear()
            self.faults.clear()
            self.calls.clear()
            self._states.clear()
            self._moto.post("/moto-api/reset")
            self._configure()

    def state(self, account_id: str, region: str, access_key: str = "") -> State:
        """The state of an account in a region."""
        with self.lock:
            found = self._states.get((account_id, region))
            if found is None:
                found = State(self, account_id, region, access_key or "simulated")
                self._states[account_id, region] = found
            return found

    def states(self, account_id: str) -> list[State]:
        """The states of an account in all of its regions."""
        with self.lock:
            return [each for (owner, _), each in self._states.items() if owner == account_id]

    def settle(self) -> None:
        """Fire the timers that are due."""
        with self.lock:
            self.timers.run_due()

    def call(
        self, state: State, service: str, operation: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        """An operation from within, by its handler or else by moto; validated alike."""
        handler = self.handlers.get((service, operation))
        if handler is None:
            return self.moto(state, service, operation, params)
        found = models.model(service).operation_model(operation)
        check_input(params, found)
        with self.lock:
            answer = handler(state, Call(service, operation, params, state))
        check_output(answer, found)
        return answer

    def moto(
        self, state: State, service: str, operation: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        """An operation from within, by moto."""
        return self._moto.call(service, operation, params, state.access_key, state.region)

    # -- requests over HTTP

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """The WSGI application in front of moto's."""
        size = int(environ.get("CONTENT_LENGTH") or 0)
        chunked = bool(environ.get("wsgi.input_terminated"))
        body = environ["wsgi.input"].read(*(() if chunked and not size else (size,)))
        environ = {**environ, "CONTENT_LENGTH": str(len(body)), _BODY: body}
        request = Request(_rewound(environ))
        target = models.identify(request)
        rid = str(uuid.uuid4())
        if target is None:
            answer = self._unknown(environ, request, rid)
        else:
            answer = self._answer(environ, request, target, rid)
        return replay(answer, start_response)

    def _unknown(self, environ: dict[str, Any], request: Request, rid: str) -> wire.Answer:
        name = f"{request.method} {request.path}"
        signed = models.scope(request)
        try:
            if signed is not None and signed[2] != "s3":
                asked = request.headers.get("X-Amz-Target") or name
                raise not_simulated(f"{signed[2]}:{asked}")
            return self._moto.forward(_rewound(environ), name)
        except Fault as fault:
            return wire.error(fault, "", None, "json", rid)

    def _answer(
        self, environ: dict[str, Any], request: Request, target: models.Target, rid: str
    ) -> wire.Answer:
        params: Mapping[str, Any] = {}
        by = "moto"
        state = self.state(account_of(target.access_key), target.region, target.access_key)
        action = f"{target.service}:{target.name}"
        try:
            injected = self.faults.take(action)
            if injected is not None:
                by = "fault"
                self._inject(injected, action, state, target)
                by = "moto"
            params = self._read(request, target)
            handler = self.handlers.get((target.service, target.name))
            self.settle()
            if handler is not None:
                by = "simulated"
                with self.lock:
                    call = Call(target.service, target.name, params, state, caller_of(state), rid)
                    output = handler(state, call)
                check_output(output, target.operation)
                answer = wire.serialize(output, target, rid)
            elif target.protocol == wire.CBOR:
                output = self.moto(state, target.service, target.name, params)
                answer = wire.serialize(output, target, rid)
            else:
                answer = self._moto.forward(_rewound(environ), action)
        except Fault as fault:
            answer = wire.error(fault, target.service, target, target.protocol, rid)
        except Cut:
            self._record(target, params, 0, "fault", state)
            raise
        except Exception as error:  # noqa: BLE001  # a server answers; what broke is in its text
            _LOG.exception("%s", action)
            broken = Fault("InternalFailure", f"{action}: {type(error).__name__}: {error}", 500)
            answer = wire.error(broken, target.service, target, target.protocol, rid)
        self._record(target, params, answer.status, by, state)
        return answer

    def _inject(self, injected: Injected, action: str, state: State, target: models.Target) -> None:
        if injected.delay:
            time.sleep(injected.delay)
        if injected.code == "cut":
            raise Cut
        if injected.code != "slow":
            iam = models.iam_action(target.service, target.name)
            raise as_fault(injected, iam, caller_of(state), target.protocol)

    def _read(self, request: Request, target: models.Target) -> Mapping[str, Any]:
        if target.name in _UNPARSED.get(target.service, ()):
            return dict(target.uri_params)
        params = wire.parse(request, target)
        check_input(params, target.operation)
        return params

    def _record(
        self, target: models.Target, params: Mapping[str, Any], status: int, by: str, state: State
    ) -> None:
        if len(self.calls) >= MOST_CALLS:
            del self.calls[: MOST_CALLS // 2]
        self.calls.append(
            Recorded(
                target.service,
                target.name,
                without_secrets(params),
                status,
                by,
                state.account_id,
                state.region,
                self.clock.now(),
            )
        )


def account_of(access_key: str) -> str:
    """The account an access key belongs to, as moto keeps it (an assumed role has its own)."""
    from moto.iam.models import get_account_id_from

    return str(get_account_id_from(access_key or "simulated"))


def caller_of(state: State) -> str:
    """The caller's ARN, as error messages name it."""
    return f"arn:aws:sts::{state.account_id}:assumed-role/opsdeck/simulated"


def _rewound(environ: dict[str, Any]) -> dict[str, Any]:
    """A copy of a request's environ with its body to be read (again)."""
    return {**environ, "wsgi.input": io.BytesIO(environ[_BODY])}
