"""Encryption at rest for a lake in a folder: every file of it is an age file.

Data files, manifests and metadata all go through `SealedFileIO`; the plain text is only ever
in memory. The key is an age identity file (`opsdeck data key PATH`, or age-keygen), readable
by its owner alone; the state database and the catalogue know its path at most. The first
identity of the file seals, all of them open: put a new one on top to change keys.
"""

from __future__ import annotations

import functools
import io
import os
import stat
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.io import (
    FileIO,
    InputFile,
    InputStream,
    OutputFile,
    OutputStream,
)
from pyiceberg.typedef import EMPTY_DICT, Properties

from core.errors import BadInput
from core.lake.errors import KeyUnusable

KEY_FILE = "opsdeck.key-file"
IO_IMPL = "core.lake.encryption.SealedFileIO"
MARKER = "SEALED"
_HEADER = b"age-encryption.org/v1"
_SECRET = "AGE-SECRET-KEY-1"


def make_key(path: Path) -> str:
    """Write a new identity file, for its owner's eyes only; returns its public part.

    Raises `BadInput` where the file exists or cannot be written.
    """
    from pyrage import x25519

    identity = x25519.Identity.generate()
    public = str(identity.to_public())
    text = f"# public key: {public}\n{identity}\n"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise BadInput(f"{path}: exists already", "a lake's key is never overwritten") from error
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}", "choose another place") from error
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return public


def identities_of(path: Path) -> tuple[Any, ...]:
    """The identities of a key file; raises `KeyUnusable`. Read again when the file changes."""
    try:
        found = path.stat()
    except OSError as error:
        raise KeyUnusable(
            f"{path}: the lake's key file: {error.strerror}",
            "bring the key back, or name it in lake.encryption.key_file",
        ) from error
    if not stat.S_ISREG(found.st_mode):
        raise KeyUnusable(f"{path}: the lake's key file is no file", "name the file itself")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise KeyUnusable(f"{path}: the lake's key can be read by others", f"chmod 600 {path}")
    return _read(path, found.st_mtime_ns, found.st_ino)


@functools.lru_cache(maxsize=8)
def _read(path: Path, _mtime: int, _inode: int) -> tuple[Any, ...]:
    from pyrage import IdentityError, x25519

    try:
        lines = [line.strip() for line in path.read_text(encoding="ascii").splitlines()]
        found = tuple(x25519.Identity.from_str(line) for line in lines if line.startswith(_SECRET))
    except (OSError, UnicodeDecodeError, IdentityError) as error:
        # Never the error's own words: they may quote the file.
        raise KeyUnusable(
            f"{path}: the lake's key file cannot be used", "it must be an age identity file"
        ) from error
    if not found:
        raise KeyUnusable(f"{path}: holds no key", "make one in a new file: opsdeck data key PATH")
    return found


def check_marker(warehouse: Path, key_file: Path | None) -> None:
    """Compare the warehouse's mark with the key, and make it where it is new.

    The mark holds the public keys that the lake was sealed with. Raises `KeyUnusable` where
    there is a mark and no key, or another one.
    """
    marker = warehouse / MARKER
    known = set(marker.read_text(encoding="ascii").split()) if marker.exists() else set()
    if key_file is None:
        if known:
            raise KeyUnusable(
                f"{warehouse}: the lake is encrypted, and no key is configured",
                "name it in opsdeck.yaml: lake: {encryption: {key_file: PATH}}",
            )
        return
    ours = [str(each.to_public()) for each in identities_of(key_file)]
    if known - set(ours):
        raise KeyUnusable(
            f"{key_file}: not the key that {warehouse} is encrypted with",
            "put the old key's lines below the new ones",
        )
    if ours[0] not in known:
        temporary = warehouse / f".{MARKER}.{os.getpid()}"
        temporary.write_text("\n".join([*sorted(known), ours[0]]) + "\n", encoding="ascii")
        temporary.replace(marker)


class SealedFileIO(FileIO):
    """Files of a folder, each encrypted with age. A file of before is read as it is."""

    def __init__(self, properties: Properties = EMPTY_DICT) -> None:
        super().__init__(properties)
        self._key_file = Path(properties[KEY_FILE])

    def new_input(self, location: str) -> SealedInput:
        """A file to read."""
        return SealedInput(location, self._key_file)

    def new_output(self, location: str) -> SealedOutput:
        """A file to write."""
        return SealedOutput(location, self._key_file)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Delete a file; raises FileNotFoundError, PermissionError."""
        name = location if isinstance(location, str) else location.location
        _path(name).unlink()


def _path(location: str) -> Path:
    return Path(location.removeprefix("file://"))


class SealedInput(InputFile):
    """A file that is opened with the key."""

    def __init__(self, location: str, key_file: Path) -> None:
        super().__init__(location)
        self._key_file = key_file

    def __len__(self) -> int:
        """Bytes of the file as it is stored."""
        return _path(self.location).stat().st_size

    def exists(self) -> bool:
        """Whether it is there."""
        return _path(self.location).exists()

    def open(self, seekable: bool = True) -> InputStream:
        """The plain bytes, in memory. Raises FileNotFoundError, `KeyUnusable`."""
        from pyrage import DecryptError, decrypt

        raw = _path(self.location).read_bytes()
        if raw.startswith(_HEADER):
            try:
                raw = decrypt(raw, list(identities_of(self._key_file)))
            except DecryptError as error:
                raise KeyUnusable(
                    f"{self.location}: cannot be decrypted: another key, or damaged",
                    f"is {self._key_file} the key it was written with?",
                ) from error
        stream: InputStream = pa.BufferReader(raw)
        return stream


class SealedOutput(OutputFile):
    """A file that is sealed when it is closed; until then nothing of it is on the disk."""

    def __init__(self, location: str, key_file: Path) -> None:
        super().__init__(location)
        self._key_file = key_file

    def __len__(self) -> int:
        """Bytes of the file as it is stored."""
        return _path(self.location).stat().st_size

    def exists(self) -> bool:
        """Whether it is there."""
        return _path(self.location).exists()

    def to_input_file(self) -> SealedInput:
        """The same file, to read."""
        return SealedInput(self.location, self._key_file)

    def create(self, overwrite: bool = False) -> OutputStream:
        """A stream into it. Raises FileExistsError, `KeyUnusable`."""
        if not overwrite and self.exists():
            raise FileExistsError(f"Cannot create file, already exists: {self.location}")
        return _Sealing(_path(self.location), identities_of(self._key_file)[0].to_public())


class _Sealing(io.BytesIO):
    """Collects what is written; closing it seals and writes the file."""

    def __init__(self, path: Path, recipient: Any) -> None:
        super().__init__()
        self._path = path
        self._recipient = recipient
        self._failed = False

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._failed = kind is not None
        super().__exit__(kind, error, trace)

    def close(self) -> None:
        """Seal and write, once; raises OSError."""
        if self.closed:
            return
        from pyrage import encrypt

        try:
            if not self._failed:
                self._write(encrypt(self.getvalue(), [self._recipient]))
        finally:
            super().close()

    def _write(self, sealed: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{self._path.name}.tmp")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
