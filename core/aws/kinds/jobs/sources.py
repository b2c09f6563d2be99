"""A folder with a training script, packed as SageMaker's framework images want it: a .tar.gz on S3.

The same files make the same archive, byte by byte, so that its address can be made from its
content. Hidden files (.env, .git) are never packed.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

MOST_BYTES = 100 * 1024 * 1024
_LEFT_OUT = frozenset({"__pycache__", "node_modules", "venv"})


@dataclass(frozen=True, slots=True)
class Packed:
    """An archive: its bytes, how many files it has, and the program in it that is started."""

    data: bytes
    files: int
    program: str

    @property
    def name(self) -> str:
        """A name that follows from the content."""
        return f"sourcedir-{hashlib.sha256(self.data).hexdigest()[:16]}.tar.gz"


def pack(script: str, folder: str = "") -> Packed:
    """Pack a script alone, or the folder that it stands in (then it is named relative to that).

    Raises `BadInput` where the script is not there, a link leads out of the folder, or the files
    are more than 100 MB.
    """
    if folder:
        root = Path(folder).expanduser()
        if not root.is_dir():
            raise BadInput(f"source={folder}: there is no such folder")
        program = root / script
        files = sorted(_files(root))
    else:
        program = Path(script).expanduser()
        root, files = program.parent, [program]
    if not program.is_file():
        raise BadInput(
            f"script={script}: there is no such file" + (f" in {root}" if folder else "")
        )
    inside = program.resolve().is_relative_to(root.resolve())
    if not inside or (folder and program not in files):
        raise BadInput(f"script={script}: must stand in {root}, and not be hidden")
    total = sum(each.stat().st_size for each in files)
    if total > MOST_BYTES:
        raise BadInput(
            f"{root}: {len(files)} files of {total // 1024**2} MB; at most 100 MB are packed",
            "leave data out: give it as an input channel",
        )
    data = _archive(root, files)
    return Packed(data, len(files), program.relative_to(root).as_posix())


def _files(root: Path) -> list[Path]:
    found = []
    for path in root.rglob("*"):
        parts = path.relative_to(root).parts
        if any(part.startswith(".") or part in _LEFT_OUT for part in parts):
            continue
        if path.is_file():
            if not path.resolve().is_relative_to(root.resolve()):
                raise BadInput(f"{path}: is a link to a file outside {root}", "copy it there")
            found.append(path)
    return found


def _archive(root: Path, files: list[Path]) -> bytes:
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for path in files:
            data = path.read_bytes()
            member = tarfile.TarInfo(path.relative_to(root).as_posix())
            member.size = len(data)
            member.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def upload(account: Account, packed: Packed, output: str) -> str:
    """Put an archive below the job's output; returns its address."""
    bucket, _, prefix = output.removeprefix("s3://").partition("/")
    key = "/".join(part for part in (prefix.strip("/"), "source", packed.name) if part)
    account.call("s3", "put_object", Bucket=bucket, Key=key, Body=packed.data)
    return f"s3://{bucket}/{key}"
