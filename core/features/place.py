"""Where the online stores are: `.opsdeck/features/`, or `lake: {features: DIR}`."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from core.errors import ConfigInvalid
from core.features.online import file_of
from core.workspace import CONFIG_NAME, Workspace


def folder_of(workspace: Workspace) -> Path:
    """The folder of the online stores; raises `ConfigInvalid`."""
    given = workspace.lake.get("features")
    if given is None:
        return workspace.state_dir / "features"
    if not isinstance(given, str) or not given.strip() or "://" in given:
        raise ConfigInvalid(
            f"{workspace.root / CONFIG_NAME}: lake.features: must be a folder, not {given!r}",
            "or leave the key out",
        )
    return (workspace.root / Path(os.path.expandvars(given)).expanduser()).resolve()


def online_file(workspace: Workspace, view: str, version: int) -> Path:
    """The online store of a version."""
    return file_of(folder_of(workspace), view, version)


def spill_of(workspace: Workspace) -> Path:
    """Where DuckDB puts what does not fit into memory."""
    return workspace.state_dir / "tmp-features"


def secret_of(workspace: Workspace) -> bytes:
    """What makes digests of keys that nobody else can make; created when first asked for."""
    path = folder_of(workspace) / "digest.key"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(handle, "wb") as stream:
        stream.write(secrets.token_bytes(32))
    return path.read_bytes()
