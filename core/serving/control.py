"""The client of one endpoint: start it, load, route, roll back, ask, stop.

Standard library only: the front end imports this. Any number of clients may talk to one
endpoint at once; the supervisor puts changes of the routing table in order.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.domain.analysis import AnalysisStatus, DisagreementSummary
from core.domain.touched import Consumer
from core.errors import BadInput, DiskFull, EndpointUnavailable, NotFound, RequestFailed, WrongState
from core.processes import is_alive
from core.quiet import QUIET_ENVIRONMENT
from core.serving import wire
from core.serving.config import EndpointConfig
from core.serving.folder import EndpointFolder
from core.serving.records import (
    CaptureStatus,
    EndpointInfo,
    EndpointState,
    EndpointStats,
    EndpointStatus,
    GaveUp,
    InvokeReply,
    LoadReport,
    RollbackReport,
    SwapReport,
    Variant,
)
from core.serving.watchrecords import analysis_from_json, disagreements_from_json

TOKEN_VARIABLE = "OPSDECK_ENDPOINT_TOKEN"  # whence `endpoints invoke` has a client's token
REVISION_HEADER = "x-amzn-invoked-production-variant"


class EndpointControl:
    """One endpoint, by its folder. Holds no connection and no state; safe to share."""

    def __init__(self, directory: Path) -> None:
        self.folder = EndpointFolder(directory)

    def ensure_running(self, name: str, port: int = 0, timeout: float = 60) -> EndpointInfo:
        """The endpoint's address, after starting a supervisor if none is alive.

        Port 0 takes the port of the last time, else a free one. A supervisor that starts
        loads what it was last told and routes as it was last told. Raises `PortTaken`,
        `WrongState` (it runs on another port), `EndpointUnavailable` (with the reason).
        """
        deadline = time.monotonic() + timeout
        while True:
            found = self.info()
            if found is not None and found.alive:
                if port not in (0, found.port):
                    raise WrongState(
                        f"Endpoint {name} already runs on port {found.port}, not {port}",
                        "stop it first to move it",
                    )
                if found.state is not EndpointState.STARTING:
                    return found
            else:
                _start_supervisor(self.folder, name, port, deadline)
            if time.monotonic() > deadline:
                raise EndpointUnavailable(
                    f"Endpoint {name} was not ready within {timeout:g} s",
                    f"look into {self.folder.supervisor_log}",
                )
            time.sleep(0.05)

    def info(self) -> EndpointInfo | None:
        """What `endpoint.json` says, checked against the processes; None when there is none."""
        data = self.folder.read()
        if data is None:
            return None
        alive = is_alive(data.get("supervisor_pid"), data.get("supervisor_start"))
        state = EndpointState(data["state"])
        if not alive and state is not EndpointState.STOPPED:
            state = EndpointState.LOST
        return EndpointInfo(
            name=data["name"],
            directory=self.folder.root,
            host=data["host"],
            port=data["port"],
            state=state,
            alive=alive,
            pid=data.get("supervisor_pid"),
            server_pid=data.get("server_pid"),
            variants=tuple(Variant.from_json(row) for row in data["variants"]),
            updated_at=data["updated_at"],
            loads=tuple(row["revision"] for row in data.get("loads", ())),
            server_pids=tuple(data.get("server_pids", ())),
            gave_up=GaveUp.from_json(data["gave_up"]) if data.get("gave_up") else None,
        )

    def load(
        self, revision: int, model_path: Path, model: str, version: int, timeout: float = 180
    ) -> LoadReport:
        """Load a model directory (MLflow format) under a revision, beside the traffic.

        Loading the same again returns the same report. Raises `ModelUnusable`, `WrongState`
        (the revision is another model), `EndpointUnavailable`.
        """
        path = str(model_path.absolute())
        answer = self._ask(
            "load", timeout, revision=revision, model_path=path, model=model, version=version
        )
        return LoadReport.from_json(answer)

    def unload(self, revision: int) -> None:
        """Free a revision. Raises `WrongState` while it is routed, `NotFound`."""
        self._ask("unload", 30, revision=revision)

    def set_table(self, weights: Mapping[int, float], reason: str = "") -> SwapReport:
        """Route by these weights (percent by revision, summing to 100) from the next request.

        Returns once the server has swapped. Raises `BadInput`, `NotFound` (not loaded), and
        `WrongState` for a candidate that the supervisor has rolled back by itself.
        """
        variants = [asdict(Variant(revision, weight)) for revision, weight in weights.items()]
        return SwapReport.from_json(self._ask("set_table", 30, variants=variants, reason=reason))

    def clear_table(self, reason: str = "") -> SwapReport:
        """Route to nothing: from the next request on the answer is 503."""
        return SwapReport.from_json(self._ask("clear_table", 30, reason=reason))

    def rollback(self, to_revision: int, reason: str = "") -> RollbackReport:
        """Send every new request to one loaded revision at once, then wait (at most 5 s) for
        the requests that the old table still had. Idempotent. Raises `NotFound`."""
        return RollbackReport.from_json(
            self._ask("rollback", 40, to_revision=to_revision, reason=reason)
        )

    def status(self, timeout: float = 10) -> EndpointStatus:
        """Desired and actual state; without the actual where the server is silent for two
        thirds of `timeout`. Raises `EndpointUnavailable` when the supervisor is."""
        return EndpointStatus.from_json(self._ask("status", timeout, patience=timeout / 1.5))

    def stats(self, timeout: float = 10) -> EndpointStats:
        """Traffic by revision. Raises `EndpointUnavailable`, also when only the server is."""
        return EndpointStats.from_json(self._ask("stats", timeout, patience=timeout / 1.5))

    def consumers(self, timeout: float = 10) -> tuple[Consumer, ...]:
        """Who has called since the supervisor started, the busiest of the last quarter of an hour
        first; of a server that is silent for two thirds of `timeout` what it last said. Raises
        `EndpointUnavailable`, and `BadInput` where an older supervisor does not count them."""
        rows = self._ask("consumers", timeout, patience=timeout / 1.5)
        return tuple(Consumer(**row) for row in rows)

    def samples(self, life: int, after: int, timeout: float = 3) -> dict[str, Any]:
        """What was done in each slot of ten seconds after that number (see `Sampler.samples`).
        Raises `EndpointUnavailable`, and `BadInput` where an older supervisor keeps none."""
        found: dict[str, Any] = self._ask("samples", timeout, life=life, after=after)
        return found

    def set_capture(self, rate: float) -> CaptureStatus:
        """Capture this share (0–1) of the requests from now on."""
        return CaptureStatus.from_json(self._ask("capture", 10, rate=rate))

    def arm(
        self, deployment: str, candidate: int, champion: int | None, plan: Mapping[str, Any]
    ) -> None:
        """Have the supervisor watch a deployment by itself: the alarms, analysis and on_breach
        of its `ReleasePlan`, as `dataclasses.asdict` gives them. From then on it sends all
        requests to the champion (or freezes) when an alarm goes off or the candidate is surely
        worse. Watching it already, it goes on as it was. Raises `BadInput`."""
        self._ask(
            "arm", 10, deployment=deployment, candidate=candidate, champion=champion, plan=plan
        )

    def disarm(self, deployment: str) -> None:
        """Watch a deployment no more; nothing when it is not watched."""
        self._ask("disarm", 10, deployment=deployment)

    def analysis(self, timeout: float = 10) -> AnalysisStatus | None:
        """How the deployment that is watched stands; None when none is."""
        found = self._ask("analysis", timeout)
        return None if found is None else analysis_from_json(found)

    def observe(
        self,
        deployment: str,
        losses: Mapping[int, Sequence[float]],
        paired: Sequence[int] = (),
        batch: int = 0,
    ) -> None:
        """Tell of ground truth that has come in since the last time: by revision the count,
        sum and sum of squares of the losses of its rows; and for rows that both arms of a
        shadow answered [only the candidate was wrong, only the champion was, rows in all].
        What is told again under the number of a batch counts once. Nothing when another
        deployment is watched. Raises `BadInput`."""
        rows = {str(revision): list(sums) for revision, sums in losses.items()}
        more = {"paired": list(paired), "batch": batch}
        self._ask("observe", 10, deployment=deployment, losses=rows, **more)

    def shadow(self, revision: int | None, percent: float, tolerance: float = 0.01) -> None:
        """Mirror this share (0-100) of the requests to a loaded revision that answers nobody;
        None for no more. Numbers that differ by less than `tolerance` (a share of the larger
        one) agree. Raises `NotFound`, `BadInput`."""
        self._ask("shadow", 10, revision=revision, percent=percent, tolerance=tolerance)

    def disagreements(
        self, timeout: float = 10, revision: int | None = None
    ) -> DisagreementSummary:
        """Where a shadow and the champion disagree, by segment, and the last such rows: of this
        revision, else of the one that is, or was last, mirrored to."""
        return disagreements_from_json(self._ask("disagreements", timeout, revision=revision))

    def config(self) -> EndpointConfig:
        """The endpoint's settings. Raises `StateCorrupt`."""
        return EndpointConfig.read(self.folder.root)

    def configure(self, config: EndpointConfig, timeout: float = 30) -> None:
        """Take other settings, at once where the endpoint runs. Raises `BadInput`, `DiskFull`,
        and `WrongState` when another host is asked for while it runs."""
        config.check()
        found = self.info()
        if found is not None and found.alive:
            self._ask("configure", timeout, config=asdict(config))
            return
        try:
            config.write(self.folder.root)
        except OSError as error:
            raise DiskFull(
                f"The settings cannot be written: {error.strerror} at {self.folder.root}",
                "make room there, or let us write there",
            ) from None

    def reconfigure(self, change: Callable[[EndpointConfig], EndpointConfig]) -> EndpointConfig:
        """Take the settings that `change` makes of those in force, which nobody else changes
        meanwhile; returns them. Raises what `change` and `configure` raise, and `WrongState`."""
        with self.folder.changing_settings():
            wanted = change(self.config())
            self.configure(wanted)
        return wanted

    def set_workers(self, revision: int, bounds: tuple[int, int] | None) -> EndpointConfig:
        """Give a variant bounds of its own for its workers in each server, at once and for good,
        whether it is loaded yet or not; `None`: the endpoint's again. Raises as `reconfigure`."""
        return self.reconfigure(lambda config: config.with_workers(revision, bounds))

    def replace_server(self, timeout: float = 120) -> EndpointInfo:
        """Put a fresh server process in place of the running one, without losing a request."""
        self._ask("replace_server", timeout)
        return self._info()

    def stop(self, timeout: float = 30) -> None:
        """Stop accepting, answer what is in flight, leave. No error when it does not run."""
        found = self.info()
        if found is None or not found.alive:
            return
        with contextlib.suppress(EndpointUnavailable):  # it may leave before it answers
            self._ask("stop", timeout)
        deadline = time.monotonic() + timeout
        while (found := self.info()) is not None and found.alive:
            if time.monotonic() > deadline:
                raise EndpointUnavailable(
                    f"Endpoint {found.name} did not stop within {timeout:g} s",
                    f"end process {found.pid} by hand",
                )
            time.sleep(0.02)

    def invoke(
        self,
        payload: bytes,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        timeout: float = 30,
    ) -> InvokeReply:
        """Send one request to `/invocations`; any HTTP status is an answer, not an error.

        Raises `RequestFailed` when there is no HTTP answer at all, `EndpointUnavailable` when
        the endpoint is not running.
        """
        info = self._info()
        begun = time.perf_counter()
        connection = http.client.HTTPConnection(info.host, info.port, timeout=timeout)
        try:
            own = {"Content-Type": content_type, "Connection": "close"}
            sent = {"User-Agent": "opsdeck", **(headers or {}), **own}
            connection.request("POST", "/invocations", body=payload, headers=sent)
            reply = connection.getresponse()
            body = reply.read()
        except (OSError, http.client.HTTPException) as error:
            raise RequestFailed(
                f"{info.url}/invocations gave no answer: {error or type(error).__name__}",
                "see the endpoint's status",
            ) from None
        finally:
            connection.close()
        found = {key.lower(): value for key, value in reply.getheaders()}
        revision = found.get(REVISION_HEADER, "").removeprefix("r")
        return InvokeReply(
            status=reply.status,
            body=body,
            headers=found,
            revision=int(revision) if revision.isdigit() else None,
            milliseconds=(time.perf_counter() - begun) * 1000,
        )

    def _info(self) -> EndpointInfo:
        found = self.info()
        if found is None:
            raise NotFound(f"No endpoint at {self.folder.root}", "deploy one first")
        if not found.alive:
            raise EndpointUnavailable(
                f"Endpoint {found.name} is {found.state}",
                f"start it with: opsdeck endpoints start {found.name}",
            )
        return found

    def _ask(self, operation: str, timeout: float, **arguments: Any) -> Any:
        self._info()
        data = self.folder.read() or {}
        path = str(data.get("control") or self.folder.socket_path())
        return wire.ask(path, {"op": operation, **arguments}, timeout)


def _without_token(environment: Mapping[str, str]) -> dict[str, str]:
    """A client's token is none of the business of models, whose code sees the environment."""
    return {key: value for key, value in environment.items() if key != TOKEN_VARIABLE}


def _start_supervisor(folder: EndpointFolder, name: str, port: int, deadline: float) -> None:
    """Start a supervisor and wait for the line it writes when it is ready or has failed.

    Returns also when another process won the race to start one. Raises what the supervisor
    reported, or `EndpointUnavailable`.
    """
    if not 0 <= port <= 65535:
        raise BadInput(f"Port {port} is not between 0 and 65535")
    try:
        # Only for its owner: the capture holds what people sent.
        folder.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = folder.supervisor_log.open("ab")
    except OSError as error:
        raise (DiskFull if error.errno == errno.ENOSPC else EndpointUnavailable)(
            f"The folder of endpoint {name} cannot be used: {error.strerror} at {folder.root}",
            "make room there, or let us write there",
        ) from None
    read_end, write_end = os.pipe()
    try:
        command = [sys.executable, "-P", "-m", "core.serving.supervision.supervisor"]
        command += ["--dir", str(folder.root), "--name", name, "--port", str(port)]
        command += ["--ready-fd", str(write_end)]
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(write_end,),
            start_new_session=True,
            cwd="/",
            env={**_without_token(os.environ), **QUIET_ENVIRONMENT},
        )
    finally:
        os.close(write_end)
        log.close()
    try:
        line = _read_report(read_end, deadline)
    finally:
        os.close(read_end)
        # It has forked itself away by now, or failed: this never waits for the endpoint.
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=5)
    if not line:
        raise EndpointUnavailable(
            f"The supervisor of endpoint {name} did not report in",
            f"look into {folder.supervisor_log}",
        )
    report = json.loads(line)
    if report.get("ok") or report.get("error", {}).get("code") != WrongState.code:
        wire.unwrap(report)


def _read_report(read_end: int, deadline: float) -> bytes:
    """What the supervisor wrote on its ready pipe; empty at the deadline or when it died."""
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([read_end], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(read_end, 65536) if ready else b""
        if not chunk:
            return b""
        line += chunk
    return line
