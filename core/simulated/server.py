"""The HTTP server of the simulated account."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from core.simulated.clock import Clock
from core.simulated.faults import Cut, Injected
from core.simulated.inner import StartResponse
from core.simulated.state import Recorded
from core.simulated.wire import Answer
from core.simulated.world import World

REGION = "eu-west-1"
_RUNNING = threading.Lock()


class _Handler(MotoRequestHandler):
    """Says nothing on stderr and does not wait for more of a connection for ever."""

    timeout = 120

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        logging.getLogger(__name__).debug("%s %s", self.requestline, code)

    def log(self, type: str, message: str, *args: Any) -> None:
        logging.getLogger(__name__).debug(message, *args)


class SimulatedAccount:
    """A simulated AWS account on a free port of loopback.

    moto keeps its state in the process, so a process runs one at a time; start it in a
    process of its own (`python -m core.simulated`) to have several. Use any access key.
    """

    def __init__(self, world: World, server: BaseWSGIServer, seed: str) -> None:
        self.world = world
        self.seed = seed
        self._server = server
        self._stopped = False
        self._thread = threading.Thread(
            target=server.serve_forever, name="simulated-aws", daemon=True
        )

    @classmethod
    def start(
        cls, seed: str = "", speed: float = 1.0, host: str = "127.0.0.1", port: int = 0
    ) -> SimulatedAccount:
        """Start serving; `seed` names what is there at first ("" = nothing, "demo").

        Raises RuntimeError if one already runs in this process, ValueError for an unknown
        seed or a speed that is not above 0.
        """
        if not _RUNNING.acquire(blocking=False):
            raise RuntimeError("a simulated account already runs in this process")
        try:
            plant = seeding(seed)
            world = World(speed)
            app = _Control(world, plant)
            server = make_server(host, port, app, threaded=True, request_handler=_Handler)
            # moto's state machines call the other services at this port.
            os.environ["MOTO_PORT"] = str(server.server_port)
            world.reset()
            account = cls(world, server, seed)
            account._thread.start()
            plant(world)
        except BaseException:
            _RUNNING.release()
            raise
        return account

    @property
    def endpoint_url(self) -> str:
        return f"http://{self._server.host}:{self._server.server_port}"

    @property
    def calls(self) -> list[Recorded]:
        """The requests that arrived since the last reset, oldest first."""
        return self.world.calls

    @property
    def clock(self) -> Clock:
        return self.world.clock

    def advance(self, seconds: float) -> None:
        """Move the clock on and let happen what is due by then."""
        self.world.clock.advance(seconds)
        self.world.settle()

    def fault(self, operation: str, code: str, times: int = 1, **more: Any) -> None:
        """Answer the next `times` calls of `operation` (a pattern) with this fault."""
        self.world.faults.add(Injected(operation, code, times, **more))

    def reset(self) -> None:
        """Back to nothing: no resources, calls, faults or timers; the clock at real time."""
        self.world.reset()

    def stop(self) -> None:
        """Stop serving; a second call does nothing."""
        if self._stopped:
            return
        self._stopped = True
        self._server.shutdown()
        self._thread.join(timeout=10)
        self._server.server_close()
        self.world.reset()
        _RUNNING.release()

    def __enter__(self) -> SimulatedAccount:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def seeding(seed: str) -> Callable[[World], None]:
    """What plants a seed: `core.simulated.seed.NAME.plant(world)`; ValueError if unknown."""
    if not seed:
        return lambda world: None
    import importlib
    import importlib.util

    name = f"core.simulated.seed.{seed}"
    if not seed.isidentifier() or importlib.util.find_spec("core.simulated.seed") is None:
        raise ValueError(f"no seed is called {seed!r}")
    if importlib.util.find_spec(name) is None:
        raise ValueError(f"no seed is called {seed!r}")
    plant: Callable[[World], None] = importlib.import_module(name).plant
    return plant


class _Control:
    """The WSGI application: /opsdeck/… steers the simulation, all else is AWS."""

    def __init__(self, world: World, plant: Callable[[World], None]) -> None:
        self._world = world
        self._plant = plant

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO", ""))
        if path.startswith("/opsdeck/"):
            answer = self._steer(path.removeprefix("/opsdeck/"), environ)
            start_response(
                f"{answer.status} {'OK' if answer.status == 200 else 'Bad Request'}",
                [*answer.headers, ("Content-Length", str(len(answer.body)))],
            )
            return [answer.body]
        try:
            return self._world(environ, start_response)
        except Cut:
            _hang_up(environ)
            raise

    def _steer(self, what: str, environ: dict[str, Any]) -> Answer:
        size = int(environ.get("CONTENT_LENGTH") or 0)
        raw = environ["wsgi.input"].read(size) if size else b""
        try:
            body = json.loads(raw or b"{}")
            said = self._do(what, body)
        except (ValueError, TypeError, KeyError) as error:
            return _json(400, {"error": f"{what}: {error}"})
        return _json(200, said)

    def _do(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        world = self._world
        if what == "clock":
            if "speed" in body:
                world.clock.set_speed(float(body["speed"]))
            if "advance" in body:
                world.clock.advance(float(body["advance"]))
                world.settle()
        elif what == "reset":
            world.reset()
            if body.get("seed", False):
                self._plant(world)
        elif what == "faults":
            if body.get("clear"):
                world.faults.clear()
            else:
                world.faults.add(Injected(**body))
        elif what == "calls":
            return {"calls": [asdict(call) for call in world.calls]}
        elif what != "health":
            raise ValueError("not one of clock, reset, faults, calls, health")
        clock = world.clock
        return {"simulated": True, "now": clock.now(), "speed": clock.speed}


def _json(status: int, value: dict[str, Any]) -> Answer:
    body = json.dumps(value, default=str).encode()
    return Answer(status, [("Content-Type", "application/json")], body)


def _hang_up(environ: dict[str, Any]) -> None:
    """Close the socket under the server, so that the client sees a broken connection."""
    import socket

    connection = environ.get("werkzeug.socket")
    if connection is not None:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            logging.getLogger(__name__).debug("the client hung up first")
