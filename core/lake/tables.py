"""The catalogue of a session, opened once, and its tables with errors in our words.

Thread-safe. Heavy: imports pyiceberg.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError, ValidationError
from pyiceberg.table import Table

from core.errors import NotFound
from core.lake.catalog import close_catalog, open_catalog, plain_errors
from core.lake.config import LakeConfig, lake_config
from core.lake.errors import LakeCorrupt
from core.lake.names import check_name
from core.session import Session

_LOAD_ATTEMPTS = 5


class Tables:
    """The tables of one workspace's lake."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.config: LakeConfig = lake_config(session.workspace)
        self._lock = threading.Lock()
        self._catalog: Catalog | None = None

    @property
    def catalog(self) -> Catalog:
        """The catalogue; opened at first use. Raises `LakeUnavailable`, `LakeCorrupt`."""
        with self._lock:
            if self._catalog is None:
                self._catalog = open_catalog(self.config)
            return self._catalog

    def identifier(self, name: str) -> tuple[str, str]:
        """Namespace and name."""
        return (self.config.namespace, check_name(name))

    def load(self, name: str) -> Table:
        """A table as it is now; raises `NotFound`, `LakeUnavailable`, `LakeCorrupt`."""
        identifier = self.identifier(name)
        for attempt in range(_LOAD_ATTEMPTS):
            with self.plain():
                try:
                    return self.catalog.load_table(identifier)
                except NoSuchTableError as error:
                    raise NotFound(
                        f"dataset {name}: no such dataset", "see: opsdeck data list"
                    ) from error
                except FileNotFoundError:
                    # Commits by others may have retired the metadata between look and read.
                    if attempt == _LOAD_ATTEMPTS - 1:
                        raise
        raise AssertionError("unreachable")

    @contextmanager
    def plain(self) -> Iterator[None]:
        """What libraries raise, as errors of ours."""
        with plain_errors(self.config):
            try:
                yield
            except (ValidationError, UnicodeDecodeError) as error:
                text = " ".join(str(error).split())[:200]
                raise LakeCorrupt(
                    f"{self.config.warehouse}: a metadata file is damaged: {text}",
                    "restore it from a backup",
                ) from error

    def close(self) -> None:
        """Give back the catalogue's connections."""
        with self._lock:
            if self._catalog is not None:
                close_catalog(self._catalog)
                self._catalog = None
