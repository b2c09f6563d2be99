"""The key of hashed columns: one for a workspace, in a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from core.governance.config import GovernanceConfig
from core.governance.errors import MaskKeyUnusable

_LEAST = 16  # characters


def mask_key(config: GovernanceConfig) -> str:
    """The key; made at first use unless a file is named. Raises `MaskKeyUnusable`.

    With another key every hash is another one: joins with what was kept of them break.
    """
    path = config.key_file
    try:
        return _read(path)
    except FileNotFoundError:
        if config.key_file_named:
            raise MaskKeyUnusable(
                f"lake.mask_key_file: {path}: no such file",
                f"make one: head -c 32 /dev/urandom | base64 > {path}; chmod 600 {path}",
            ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise MaskKeyUnusable(f"{path}: cannot be read: {error}") from error
    return _make(path)


def _read(path: Path) -> str:
    with path.open(encoding="ascii") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise MaskKeyUnusable(f"{path}: others can read it", f"chmod 600 {path}")
        key = file.read(4096).strip()
    if len(key) < _LEAST:
        raise MaskKeyUnusable(f"{path}: shorter than {_LEAST} characters")
    return key


def _make(path: Path) -> str:
    """Write a new key beside and link it into place: of two that do, one wins."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, path)
        except FileExistsError:
            pass  # somebody was quicker: theirs is the key
        finally:
            beside.unlink()
        return _read(path)
    except OSError as error:
        raise MaskKeyUnusable(f"{path}: cannot be written: {error.strerror}") from error
