"""Intakes: ways into a dataset that stay open, over HTTP or standard input."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from core.domain.ingest import Intake
from core.errors import BadInput, NotFound, WrongState
from core.ingest import intakes as _intakes
from core.session import Session

if TYPE_CHECKING:
    from core.ingest.intake import IntakeProcess, IntakeSettings
    from core.ingest.intakestdin import StdinReport

T = TypeVar("T")


class IntakesService:
    """The workspace's intakes. One process an intake; whoever runs it blocks."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(self) -> tuple[Intake, ...]:
        """Intakes by name, with what waits in their spools."""
        return _intakes.list_intakes(self._session)

    def get(self, name: str) -> Intake:
        """One intake; raises `NotFound`."""
        return _intakes.find_intake(self._session, name)

    def serve(
        self,
        name: str,
        dataset: str | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token_env: str | None = None,
        evolve: bool = False,
        flush_bytes: int = 16 << 20,
        flush_seconds: float = 10.0,
        body_bytes: int = 8 << 20,
        spool_bytes: int = 1 << 30,
        ready: Callable[[str], None] = lambda _url: None,
    ) -> bool:
        """Take records over HTTP until SIGTERM or SIGINT; `ready` is told the address.

        Returns whether all that was accepted is in the dataset. `dataset` may be left out for an
        intake that was there before. Raises `NotFound`, `BadInput`, `IntakeRunning`,
        `PortTaken`, `Refused`, `ReadOnly`.
        """
        from core.ingest.intake import check_address

        token = _token(token_env)
        check_address(host, token)
        settings = _settings(
            host, port, token, evolve, flush_bytes, flush_seconds, body_bytes, spool_bytes
        )

        def run(process: IntakeProcess) -> bool:
            return process.serve(ready)

        return self._run(name, dataset, settings, run)

    def read(
        self,
        name: str,
        stream: BinaryIO,
        dataset: str | None = None,
        *,
        kind: str = "jsonl",
        on_error: str = "fail",
        evolve: bool = False,
        flush_bytes: int = 16 << 20,
        flush_seconds: float = 10.0,
        spool_bytes: int = 1 << 30,
        stopper: Callable[[Callable[[], None]], None] = lambda _stop: None,
    ) -> StdinReport:
        """Take records from a stream to its end; `stopper` is given what ends it before."""
        from core.ingest.intakestdin import StdinIntake, check_kind

        check_kind(kind)
        settings = _settings(
            "127.0.0.1", 0, "", evolve, flush_bytes, flush_seconds, 8 << 20, spool_bytes
        )

        def run(process: IntakeProcess) -> StdinReport:
            reading = StdinIntake(process, stream, kind, on_error)
            stopper(reading.stop)
            return reading.run()

        return self._run(name, dataset, settings, run)

    def flush(self, name: str) -> bool:
        """Bring what a process that died has left in the spool into the dataset."""
        self._session.refuse_when_read_only(f"data intake {name} --flush")
        settings = _settings("127.0.0.1", 0, "", False, 16 << 20, 0.0, 8 << 20, 1 << 30)
        found = self.get(name)
        if found.settings.get("evolve"):
            settings = _settings("127.0.0.1", 0, "", True, 16 << 20, 0.0, 8 << 20, 1 << 30)
        return self._run(name, None, settings, lambda process: process.close())

    def remove(self, name: str) -> None:
        """Take an intake off the list. Raises `WrongState` where it runs or its spool is not
        empty."""
        self._session.refuse_when_read_only("data intake --remove")
        found = self.get(name)
        if found.running:
            raise WrongState(f"intake {name}: its process runs", f"end it: kill {found.pid or ''}")
        if found.counts.segments:
            raise WrongState(
                f"intake {name}: {found.counts.waiting_bytes:,} bytes wait in its spool",
                f"flush them: opsdeck data intake {name} --flush",
            )
        from core.state.lake_tables import intakes

        with self._session.change("data intake --remove") as tx:
            tx.execute(intakes.update().where(intakes.c.name == name).values(closed_at=tx.now))
            tx.journal("intake.remove", f"intake/{name}", dataset=found.dataset)

    def _run(
        self,
        name: str,
        dataset: str | None,
        settings: IntakeSettings,
        run: Callable[[IntakeProcess], T],
    ) -> T:
        from core.ingest.intake import IntakeProcess, held, intake_folder
        from core.ingest.targets import check_target
        from core.lake.names import check_name

        self._session.refuse_when_read_only("data intake")
        check_name(name)
        with held(intake_folder(self._session, name)):
            target = self._dataset(name, dataset)
            check_target(self._session, target)
            process = IntakeProcess(self._session, name, target, settings)
            self._note(name, target, settings)
            return run(process)

    def _dataset(self, name: str, given: str | None) -> str:
        from core.lake.names import check_name

        try:
            before: str | None = self.get(name).dataset
            waits = self.get(name).counts.segments
        except NotFound:
            before, waits = None, 0
        if given is not None:
            check_name(given)
        if given is None and before is None:
            raise BadInput(f"intake {name}: into which dataset?", "add --dataset NAME")
        if given is not None and before not in (None, given) and waits:
            raise BadInput(
                f"intake {name}: its spool has records for {before}",
                f"flush them first: opsdeck data intake {name} --flush",
            )
        found = given or before
        assert found is not None
        return found

    def _note(self, name: str, dataset: str, settings: IntakeSettings) -> None:
        from core.state.lake_tables import intakes

        kept = {key: value for key, value in asdict(settings).items() if key != "token"}
        kept["with_token"] = bool(settings.token)
        with self._session.change("data intake") as tx:
            tx.execute(intakes.delete().where(intakes.c.name == name))
            tx.execute(
                intakes.insert().values(
                    name=name,
                    dataset=dataset,
                    settings=json.dumps(kept),
                    created_at=tx.now,
                    by=tx.actor,
                )
            )
            tx.journal("intake.start", f"intake/{name}", dataset=dataset, host=settings.host)


def _token(variable: str | None) -> str:
    if variable is None:
        return ""
    token = os.environ.get(variable, "")
    if len(token) < 8:
        raise BadInput(
            f"--token-env {variable}: {'not set' if not token else 'shorter than 8 characters'}",
            f"export {variable}=…",
        )
    return token


def _settings(
    host: str,
    port: int,
    token: str,
    evolve: bool,
    flush_bytes: int,
    flush_seconds: float,
    body_bytes: int,
    spool_bytes: int,
) -> IntakeSettings:
    from core.ingest.flushing import FlushPolicy
    from core.ingest.intake import IntakeSettings
    from core.ingest.intakehttp import Limits

    if not 0 <= port <= 65535:
        raise BadInput(f"--port {port}: not between 0 and 65535")
    if not 0 <= flush_seconds <= 3600:
        raise BadInput(f"--flush-seconds {flush_seconds:g}: not between 0 and 3600")
    if flush_bytes < 1024 or body_bytes < 1024 or spool_bytes < body_bytes:
        raise BadInput("sizes: at least 1 KiB, and the spool at least as large as a body")
    return IntakeSettings(
        host,
        port,
        evolve,
        FlushPolicy(flush_bytes, flush_seconds),
        Limits(body_bytes, spool_bytes),
        token,
    )
