"""Rows of the trials of a tune step, and what is derived from them.

They are what a search knows: whoever takes a run up after a crash goes on from them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from core.domain.run import OutputRef
from core.domain.tuning import Trial, TrialStatus
from core.engine import runstate
from core.engine.context import Engine
from core.lineage import redact_secrets
from core.reads.trials import list_trials
from core.state.store import Transaction
from core.state.tune_tables import tune_trials


class TrialRows:
    """The trials of one execution of a tune step. Every change is fenced: it raises `Overtaken`
    where another start or another worker has taken the step over. Thread-safe."""

    def __init__(
        self, engine: Engine, run_id: str, generation: int, step: str, execution_id: str
    ) -> None:
        self._engine = engine
        self._run_id, self._generation = run_id, generation
        self._step, self._execution_id = step, execution_id

    def take_up(self, search_key: str) -> tuple[Trial, ...]:
        """What an earlier execution of the same search has done; of another search nothing is
        kept."""
        table = tune_trials

        def work(tx: Transaction) -> None:
            self._fence(tx)
            other = table.c.search_key != search_key
            # What was cancelled has another chance when the run is resumed.
            again = table.c.status == TrialStatus.CANCELLED
            tx.execute(table.delete().where(*self._mine(), other | again))

        self._engine.record(work)
        return list_trials(self._engine.session.reader, self._run_id, self._step)

    def forget_failed(self) -> None:
        """A search that had failed is begun again: its failed trials have another chance."""
        failed = tune_trials.c.status == TrialStatus.FAILED

        def work(tx: Transaction) -> None:
            self._fence(tx)
            tx.execute(tune_trials.delete().where(*self._mine(), failed))

        self._engine.record(work)

    def begin(self, number: int, **values: Any) -> None:
        """A trial is about to be executed, perhaps once more."""
        table = tune_trials

        def work(tx: Transaction) -> None:
            self._fence(tx)
            told = {
                **values,
                "params": json.dumps(values["params"]),
                "status": TrialStatus.RUNNING,
                "started_at": tx.now,
            }
            done = tx.execute(
                table.update().where(*self._mine(), table.c.number == number).values(**told)
            )
            if not done.rowcount:
                row = {"run_id": self._run_id, "step": self._step, "number": number, **told}
                tx.execute(table.insert().values(**row))

        self._engine.record(work)

    def end(
        self,
        number: int,
        status: TrialStatus,
        params: Mapping[str, Any],
        *,
        outputs: tuple[OutputRef, ...] = (),
        curve: Mapping[int, float] | None = None,
        message: str = "",
        **values: Any,
    ) -> None:
        """A trial has ended; it is in the journal, with what came of it."""
        table = tune_trials

        def work(tx: Transaction) -> None:
            run = self._fence(tx)
            told = redact_secrets(message)
            tx.execute(
                table.update()
                .where(*self._mine(), table.c.number == number)
                .values(
                    status=status,
                    ended_at=tx.now,
                    outputs=json.dumps([asdict(each) for each in outputs]),
                    curve=json.dumps(dict(curve or {})),
                    message=told,
                    **values,
                )
            )
            if outputs:
                runstate.remember_artifacts(tx, self._run_id, self._step, outputs)
            detail: dict[str, Any] = {"params": dict(params)}
            if told:
                detail["message"] = told
            if values.get("value") is not None:
                detail["value"] = values["value"]
            where = f"run/{run['number']}"
            tx.journal(f"trial.{status}", where, step=self._step, trial=number, **detail)

        self._engine.record(work)

    def abandon(self, message: str) -> None:
        """The search ends by a fault: what is under way comes to nothing."""
        table = tune_trials

        def work(tx: Transaction) -> None:
            self._fence(tx)
            tx.execute(
                table.update()
                .where(*self._mine(), table.c.status == TrialStatus.RUNNING)
                .values(status=TrialStatus.CANCELLED, ended_at=tx.now, message=message)
            )

        self._engine.record(work)

    def _fence(self, tx: Transaction) -> Mapping[str, Any]:
        run = runstate.load_run(tx, self._run_id, self._generation)
        row = runstate.load_step(tx, self._run_id, self._step)
        if row["execution_id"] != self._execution_id:
            raise runstate.Overtaken(f"step {self._step}: another worker has taken it over")
        return run

    def _mine(self) -> tuple[Any, Any]:
        return tune_trials.c.run_id == self._run_id, tune_trials.c.step == self._step
