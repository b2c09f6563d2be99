"""Where baselines are kept: one file each, named by its content, whole or not there.

A file is an .npz: the arrays, and under `__summary__` the kind's JSON as bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import secrets
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import StateCorrupt
from core.monitors.kind import StoredBaseline

FOLDER = "monitors/baselines"
_SUMMARY = "__summary__"


def put(state_dir: Path, kind: str, stored: StoredBaseline) -> tuple[str, str, int]:
    """Keep a baseline: its digest, its path below the state folder, its bytes. The same content
    twice is kept once. Raises OSError."""
    import numpy as np

    text = json.dumps(finite(stored.summary), sort_keys=True, separators=(",", ":")).encode()
    arrays = {name: np.ascontiguousarray(found) for name, found in stored.arrays.items()}
    digest = hashlib.sha256(f"{kind}\n".encode() + text)
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    named = digest.hexdigest()
    path = state_dir / FOLDER / named[:2] / f"{named}.npz"
    if not path.exists():
        held = io.BytesIO()
        parts: dict[str, Any] = {_SUMMARY: np.frombuffer(text, dtype=np.uint8), **arrays}
        np.savez_compressed(held, **parts)
        write_whole(path, held.getvalue())
    return named, path.relative_to(state_dir).as_posix(), path.stat().st_size


def get(path: Path) -> StoredBaseline:
    """A kept baseline; raises `StateCorrupt` where it is gone or broken."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as found:
            summary = json.loads(found[_SUMMARY].tobytes())
            arrays = {name: found[name] for name in found.files if name != _SUMMARY}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise StateCorrupt(
            f"{path.name}: the baseline cannot be read", "make it anew: opsdeck monitors baseline"
        ) from error
    return StoredBaseline(summary, arrays)


def finite(value: Any) -> Any:
    """The same for JSON: what is not finite becomes text, what is NumPy's becomes Python's."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [finite(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else _word(value)
    if isinstance(value, str | int | bool) or value is None:
        return value
    if hasattr(value, "tolist"):
        return finite(value.tolist())
    return str(value)


def _word(value: float) -> str | None:
    if math.isnan(value):
        return None
    return "inf" if value > 0 else "-inf"


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
