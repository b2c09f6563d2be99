"""A file's bytes: decompressed, as UTF-8, with errors that name the file."""

from __future__ import annotations

import bz2
import codecs
import contextlib
import errno
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from core.errors import BadInput, DiskFull
from core.ingest.errors import BadRows
from core.ingest.sources import Source

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def opened(source: Source, encoding: str = "utf-8") -> Iterator[BinaryIO]:
    """The file's text as UTF-8 bytes without a byte order mark, decompressed."""
    with source.open() as raw:
        plain = io.BufferedReader(_decompressed(raw, source), 1 << 20)
        mark = plain.peek(4)[:4]
        if mark.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and encoding == "utf-8":
            encoding = "utf-16"
        if encoding in ("utf-8", "utf-8-sig"):
            if mark.startswith(codecs.BOM_UTF8):
                plain.read(3)
            yield cast(BinaryIO, plain)
            return
        text = io.TextIOWrapper(cast(BinaryIO, plain), encoding, newline="")
        yield cast(BinaryIO, io.BufferedReader(_Encoded(text), 1 << 20))


def check_encoding(name: str) -> str:
    """An encoding's name in its usual form; raises `BadInput`."""
    try:
        found = codecs.lookup(name)
        "a".encode(found.name)
    except (LookupError, ValueError) as error:
        raise BadInput(
            f"--encoding {name}: no such encoding", "utf-8, latin-1, cp1252, …"
        ) from error
    if not found._is_text_encoding:
        raise BadInput(f"--encoding {name}: not of text", "utf-8, latin-1, cp1252, …")
    return found.name


def _decompressed(raw: BinaryIO, source: Source) -> Any:
    match source.compression:
        case "gzip":
            return gzip.GzipFile(fileobj=raw)
        case "bz2":
            return bz2.BZ2File(raw)
        case "xz":
            return lzma.LZMAFile(raw)
        case None:
            return raw if isinstance(raw, io.RawIOBase) else _Raw(raw)
    import pyarrow as pa

    return _Raw(pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), source.compression))


class _Raw(io.RawIOBase):
    """Anything with `read` as a raw stream."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill what can be filled."""
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Encoded(io.RawIOBase):
    """A text stream as UTF-8 bytes."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._rest = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill what can be filled."""
        if not self._rest:
            self._rest = self._text.read(max(1, len(buffer) // 4)).encode()
        data, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


class Tap:
    """A stream for Arrow that counts quotes as they pass: in a whole file they are even."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.quotes = 0
        self.last = b"\n"

    def read(self, size: int = -1) -> bytes:
        """Some bytes."""
        data = self._stream.read(size)
        self.quotes += data.count(b'"')
        self.last = data[-1:] or self.last
        return data

    def close(self) -> None:
        """Leave the stream to whoever opened it."""

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is not."""
        return False


@contextlib.contextmanager
def reading(source: Source) -> Iterator[None]:
    """What goes wrong in reading a file, as `BadRows` that names it; `DiskFull`."""
    uri = source.uri
    try:
        yield
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        cut = isinstance(error, EOFError)
        what = "is cut off" if cut else f"is damaged ({error})"
        raise BadRows(f"{uri}: the {source.compression} stream {what}", "copy it again") from error
    except UnicodeError as error:
        raise BadRows(f"{uri}: {error}", "give another --encoding") from error
    except OSError as error:
        if error.errno in _FULL or "No space left" in str(error):
            raise DiskFull(
                "no room on the disk: nothing was taken in", "free some space"
            ) from error
        said = error.strerror or " ".join(str(error).split())[:200]
        raise BadRows(f"{uri}: {said}", "is the file whole?") from error
