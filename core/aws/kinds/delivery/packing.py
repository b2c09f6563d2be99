"""An image's build context: a folder as one archive in S3, and what builds the image from it.

There may be no container engine where Opsdeck runs, so the building is CodeBuild's, or somebody's
who is told the commands.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.aws.words import size as in_bytes
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

MOST_BYTES = 2 * 1024**3
DOCKERFILE = "Dockerfile"
_LEFT_OUT = frozenset({".git", "__pycache__", ".venv", ".opsdeck", ".mypy_cache", ".ruff_cache"})
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Context:
    """A build context as an archive; the same files give the same `digest`."""

    body: bytes
    digest: str
    files: int

    @property
    def size(self) -> str:
        """How large it is, as people read it."""
        return in_bytes(len(self.body))


def packed(folder: str) -> Context:
    """The folder as a zip archive, which is what CodeBuild takes; raises `BadInput`."""
    root = Path(folder).expanduser()
    if not (root / DOCKERFILE).is_file():
        raise BadInput(f"folder={folder}: has no {DOCKERFILE}", "opsdeck models package makes one")
    files = sorted(_files(root))
    total = sum(each.stat().st_size for each in files)
    if total > MOST_BYTES:
        raise BadInput(f"folder={folder}: holds {in_bytes(total)}, at most {in_bytes(MOST_BYTES)}")
    digest, into = hashlib.sha256(), io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in files:
            name = each.relative_to(root).as_posix()
            content = each.read_bytes()
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if os.access(each, os.X_OK) else 0o644) << 16
            archive.writestr(entry, content)
    return Context(into.getvalue(), digest.hexdigest(), len(files))


def _files(root: Path) -> list[Path]:
    found = []
    for folder, inner, names in os.walk(root):
        inner[:] = [each for each in inner if each not in _LEFT_OUT]
        found += [Path(folder, name) for name in names]
    return [each for each in found if each.is_file() and not each.is_symlink()]


def upload(account: Account, address: str, body: bytes) -> None:
    """Put bytes at an address in S3."""
    bucket, _, key = address.removeprefix("s3://").partition("/")
    account.call("s3", "put_object", Bucket=bucket, Key=key, Body=body)


def commands(address: str, image: str, region: str) -> tuple[str, ...]:
    """What to type where there is a container engine."""
    registry = image.partition("/")[0]
    return (
        f"aws s3 cp {address} context.zip && unzip -q context.zip -d context",
        f"aws ecr get-login-password --region {region} | "
        f"docker login --username AWS --password-stdin {registry}",
        f"docker buildx build --platform linux/amd64 --provenance=false -t {image} --push context",
    )


def buildspec(image: str, region: str) -> str:
    """What CodeBuild does with the context."""
    registry = image.partition("/")[0]
    return f"""version: 0.2
phases:
  pre_build:
    commands:
      - aws ecr get-login-password --region {region} | docker login --username AWS --password-stdin {registry}
  build:
    commands:
      - docker build --platform linux/amd64 -t {image} .
  post_build:
    commands:
      - docker push {image}
"""  # noqa: E501 - a command is a line


def build(account: Account, project: str, address: str, image: str) -> str:
    """Have a CodeBuild project build the image from the context, and push it; the build's id."""
    started = account.call(
        "codebuild", "start_build", projectName=project, sourceTypeOverride="S3",
        sourceLocationOverride=address.removeprefix("s3://"),
        buildspecOverride=buildspec(image, account.region), privilegedModeOverride=True,
    )  # fmt: skip
    return str(started["build"]["id"])
