"""What stands in place of a trigger's templates: looked up when its run is prepared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from core.domain.trigger import Cause, TriggerDefinition
from core.errors import NotFound
from core.reads import datasets as _datasets
from core.session import Session
from core.triggers.checking import as_text
from core.triggers.errors import TriggerRefused
from core.triggers.templates import Template, filled


class Filling:
    """The values of one firing's parameters. Reading a dataset is heavy, and happens in the
    name of `actor`; all the rest are plain rows."""

    def __init__(
        self,
        session: Session,
        *,
        model: str,
        actor: str,
        cause: Cause,
        firing: str = "",
        now: float,
        augmented: Mapping[str, Any] | None = None,
    ) -> None:
        self._session = session
        self._model = model
        self._actor = actor
        self._cause = cause
        self._firing = firing
        self._now = now
        self._augmented = augmented or {}

    def params(self, definition: TriggerDefinition, *, light: bool = False) -> dict[str, str]:
        """The parameters as texts; `light` leaves templates as they are that need a dataset's
        rows or the augmented set. Raises `TriggerRefused`."""
        found = {}
        for name, value in definition.params.items():
            if not isinstance(value, str):
                found[name] = as_text(value)
                continue
            try:
                found[name] = filled(value, self._light if light else self._value)
            except _Left:
                found[name] = value
            except (ValueError, NotFound) as error:
                raise TriggerRefused(
                    f"trigger {definition.name}: params.{name}: {error}",
                    "see: opsdeck triggers check",
                ) from error
        return found

    def _light(self, template: Template) -> Any:
        if template.word in ("newest", "augmented"):
            raise _Left
        return self._value(template)

    def _value(self, template: Template) -> Any:
        path = template.path
        if template.word == "now":
            return datetime.fromtimestamp(self._now - template.before, UTC)
        if template.word == "newest":
            return self._newest(*path)
        if template.word == "version":
            return _datasets.find_dataset(self._session.reader, path[0]).number or 0
        if template.word == "augmented":
            if path[0] not in self._augmented:
                raise ValueError("nothing was labelled yet: there is no augmented set")
            return self._augmented[path[0]]
        if template.word == "champion":
            return self._champion(path)
        if template.word == "firing":
            return self._firing
        return self._cause.kind.value if path[0] == "kind" else self._cause.subject

    def _newest(self, dataset: str, column: str) -> Any:
        """The largest value of a column."""
        import pyarrow.compute as pc

        from core.governance.access import open_access

        _datasets.find_dataset(self._session.reader, dataset)
        access = open_access(self._session)
        best: Any = None
        try:
            rows = access.scan(dataset, columns=[column], actor=self._actor, purpose="trigger")
            for batch in rows:
                most = pc.max(batch.column(0)).as_py()
                if most is not None and (best is None or most > best):
                    best = most
        finally:
            access.close()
        if best is None:
            raise ValueError(f"{dataset}.{column} holds no value")
        return best

    def _champion(self, path: tuple[str, ...]) -> Any:
        rows = self._session.reader.rows(
            "SELECT v.version, r.params FROM model_aliases a JOIN model_versions v"
            " ON v.name = a.name AND v.version = a.version LEFT JOIN runs r ON r.id = v.run_id"
            " WHERE a.name = :model AND a.alias = 'champion'",
            model=self._model,
        )
        if not rows:
            raise ValueError(f"{self._model} has no champion")
        if path[0] == "version":
            return rows[0]["version"]
        params = json.loads(rows[0]["params"] or "{}")
        if path[1] not in params:
            raise ValueError(f"the champion's run has no parameter {path[1]}")
        return as_text(params[path[1]])


class _Left(Exception):
    """A template that is not looked up now."""
