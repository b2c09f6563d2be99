"""The section `lake:` of opsdeck.yaml."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import ConfigInvalid
from core.workspace import CONFIG_NAME, Workspace

_KEYS = (
    "catalog",
    "uri",
    "warehouse",
    "namespace",
    "properties",
    "encryption",
    "keep",
    *("admins", "groups", "masks", "mask_key_file"),  # read by core.governance
    *("query", "features", "openlineage"),  # by their packages
)
_KEEP_KEYS = ("snapshots", "days", "orphan_hours", "dropped_days")
_CATALOGS = ("sql", "glue")


@dataclass(frozen=True, slots=True)
class KeepPolicy:
    """How the lake is kept up.

    `snapshots` is how many versions of a dataset stay readable beside those that something
    refers to; `days`, where given, expires older ones even among these. Files that nothing
    refers to are deleted `orphan_hours` after they were written, and a dropped dataset's after
    `dropped_days`.
    """

    snapshots: int = 100
    days: float | None = None
    orphan_hours: float = 24.0
    dropped_days: float = 7.0


@dataclass(frozen=True, slots=True)
class LakeConfig:
    """Where the lake is. `catalog` is `sql` or `glue`; `uri` the SQL catalogue's database;
    `properties` go to the catalogue and its file access as they are."""

    catalog: str
    uri: str
    warehouse: str
    namespace: str
    properties: Mapping[str, str] = field(default_factory=dict)
    key_file: Path | None = None
    kms_key: str | None = None
    keep: KeepPolicy = KeepPolicy()

    @property
    def local(self) -> bool:
        """Whether the lake's files are on this machine's file system."""
        return self.warehouse.startswith("/")


def lake_config(workspace: Workspace) -> LakeConfig:
    """The lake of a workspace; raises `ConfigInvalid`, naming file and key."""
    return _Parser(workspace).config()


class _Parser:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._path = workspace.root / CONFIG_NAME
        self._raw = workspace.lake

    def config(self) -> LakeConfig:
        self._known(self._raw, _KEYS, "lake.")
        catalog = self._raw.get("catalog", "sql")
        if catalog not in _CATALOGS:
            raise self._wrong("lake.catalog", f"unknown kind {catalog!r}", "use sql or glue")
        warehouse = self._warehouse(catalog)
        key_file = self._key_file()
        kms_key = self._text(
            self._mapping(self._raw, "encryption", "lake."), "kms_key", "lake.encryption."
        )
        if key_file is not None and not warehouse.startswith("/"):
            raise self._wrong(
                "lake.encryption.key_file", "is for a warehouse in a folder", "on S3: kms_key: ARN"
            )
        if kms_key is not None and warehouse.startswith("/"):
            raise self._wrong(
                "lake.encryption.kms_key", "is for a warehouse on S3", "in a folder: key_file: PATH"
            )
        return LakeConfig(
            catalog=catalog,
            uri=self._uri(),
            warehouse=warehouse,
            namespace=self._text(self._raw, "namespace", "lake.") or "opsdeck",
            properties=self._properties(),
            key_file=key_file,
            kms_key=kms_key,
            keep=self._keep(),
        )

    def _warehouse(self, catalog: str) -> str:
        given = self._text(self._raw, "warehouse", "lake.")
        if given is None:
            if catalog == "glue":
                raise self._wrong("lake.warehouse", "missing", "for example: s3://BUCKET/lake")
            return str(self._workspace.state_dir / "lake" / "warehouse")
        if "://" in given:
            if given.split("://")[0] not in ("s3", "s3a", "file"):
                raise self._wrong("lake.warehouse", f"unknown place {given!r}", "a folder or s3://")
            return given.removeprefix("file://").rstrip("/")
        return str((self._workspace.root / Path(given).expanduser()).resolve())

    def _uri(self) -> str:
        given = self._text(self._raw, "uri", "lake.")
        if given is not None:
            if given.startswith("sqlite:///"):
                file = self._workspace.root / given.removeprefix("sqlite:///")
                return f"sqlite:///{file}"
            if given.startswith(("postgresql://", "postgresql+psycopg://")):
                return given
            raise self._wrong(
                "lake.uri", "unknown kind", "use postgresql://USER@HOST/NAME or sqlite:///FILE"
            )
        if self._workspace.embedded:
            return f"sqlite:///{self._workspace.state_dir / 'lake' / 'catalog.db'}"
        return self._workspace.database_url

    def _properties(self) -> dict[str, str]:
        given = self._mapping(self._raw, "properties", "lake.")
        return {
            str(key): os.path.expandvars(
                str(value).lower() if isinstance(value, bool) else str(value)
            )
            for key, value in given.items()
        }

    def _key_file(self) -> Path | None:
        given = self._mapping(self._raw, "encryption", "lake.")
        self._known(given, ("key_file", "kms_key"), "lake.encryption.")
        text = self._text(given, "key_file", "lake.encryption.")
        return self._workspace.root / Path(text).expanduser() if text else None

    def _keep(self) -> KeepPolicy:
        given = self._mapping(self._raw, "keep", "lake.")
        self._known(given, _KEEP_KEYS, "lake.keep.")
        base = KeepPolicy()
        days = self._number(given, "days", 0.04, 36500.0)
        return KeepPolicy(
            snapshots=int(self._number(given, "snapshots", 1, 1000) or base.snapshots),
            days=days,
            orphan_hours=self._number(given, "orphan_hours", 1, 8760) or base.orphan_hours,
            dropped_days=self._number(given, "dropped_days", 0.04, 36500) or base.dropped_days,
        )

    def _number(
        self, given: Mapping[str, Any], key: str, least: float, most: float
    ) -> float | None:
        value = given.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(f"lake.keep.{key}", f"must be a number, not {value!r}", "")
        if not least <= value <= most:
            raise self._wrong(f"lake.keep.{key}", f"must be {least:g} to {most:g}", "")
        return float(value)

    def _mapping(self, given: Mapping[str, Any], key: str, at: str) -> Mapping[str, Any]:
        value = given.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self._wrong(f"{at}{key}", "must be a mapping", "see docs/lake.md")
        return value

    def _text(self, given: Mapping[str, Any], key: str, at: str) -> str | None:
        value = given.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(f"{at}{key}", f"must be text, not {value!r}", "or leave the key out")
        return os.path.expandvars(value)

    def _known(self, given: Mapping[str, Any], known: tuple[str, ...], at: str) -> None:
        for key in given:
            if key not in known:
                close = difflib.get_close_matches(str(key), known, n=1)
                hint = f"did you mean {close[0]}?" if close else "known: " + ", ".join(known)
                raise ConfigInvalid(f"{self._path}: unknown key {at}{key}", hint)

    def _wrong(self, key: str, what: str, hint: str) -> ConfigInvalid:
        return ConfigInvalid(f"{self._path}: {key}: {what}", hint)
