"""Model versions and their aliases."""

from __future__ import annotations

from core.domain.model import Model, ModelVersion
from core.reads import models as _models
from core.session import Session


class ModelsService:
    """The registered models (mirrored to MLflow's registry)."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(self) -> tuple[Model, ...]:
        """Every model, by name."""
        return _models.list_models(self._session.reader)

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        """A model's versions, newest first; raises `NotFound`."""
        return _models.list_versions(self._session.reader, name)

    def get(self, name: str, which: str = "latest") -> ModelVersion:
        """A version by number, alias or `latest`; raises `NotFound`."""
        return _models.find_version(self._session.reader, name, which)
