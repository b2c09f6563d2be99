"""Files with which a CI service lints, tests, checks, packages and deploys a workspace."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from console.starter import assets_dir, write_files
from core.errors import WrongState

SERVICES = ("github", "azure", "codebuild")
_PLACES = {
    "github": {".github/workflows/opsdeck.yml": "ci/github/opsdeck.yml"},
    "azure": {"azure-pipelines.yml": "ci/azure/azure-pipelines.yml"},
    "codebuild": {
        "ci/build.yml": "ci/codebuild/build.yml",
        "ci/test.yml": "ci/codebuild/test.yml",
        "ci/staging.yml": "ci/codebuild/staging.yml",
        "infra/endpoint.yaml": "cloudformation/endpoint.yaml",
    },
}
_FOR_ALL = {"ci/contexts.yaml": "ci/common/contexts.yaml"}
_PLAIN = re.compile(r"[^a-z0-9]+")
_BLANK = re.compile(r"@(VERSION|PROJECT|MODEL|PIPELINE|DATA_PIPELINE)@")
_FIRST = {"bike-data": "bike-demand"}
"""Pipelines that make the data, and the one that learns from them."""


def write_ci(root: Path, name: str, service: str, *, force: bool) -> list[Path]:
    """Write the files of a CI service into the workspace `root` called `name`; which were written.

    A file that all services share is left as it is. Raises `WrongState` for another that is
    there already, unless `force`, and what `write_files` raises.
    """
    files = _files(root, name, service)
    for place in list(files):
        if place in _FOR_ALL and (root / place).exists() and not force:
            del files[place]
    taken = [place for place in files if (root / place).exists()]
    if taken and not force:
        raise WrongState(
            f"{root / taken[0]}: exists already; nothing was written", "overwrite it with --force"
        )
    return write_files(root, files, keep=taken)


def _files(root: Path, name: str, service: str) -> dict[str, bytes | Path]:
    blanks = _blanks(root, name)
    found: dict[str, bytes | Path] = {}
    for place, source in {**_PLACES[service], **_FOR_ALL}.items():
        text = (assets_dir() / source).read_text(encoding="utf-8")
        found[place] = _BLANK.sub(lambda match: blanks[match[1]], text).encode()
    return found


def _blanks(root: Path, name: str) -> Mapping[str, str]:
    pipelines = sorted(each.stem for each in (root / "pipelines").glob("*.yaml"))
    data = next((each for each in _FIRST if each in pipelines), "")
    pipeline = _FIRST.get(data) or next(iter(pipelines), "main")
    plain = _PLAIN.sub("-", name.lower()).strip("-")
    named = plain if re.match(r"[a-z].", plain) else "opsdeck"
    return {
        "VERSION": version("opsdeck"),
        "PROJECT": named[:20].strip("-"),
        "MODEL": _PLAIN.sub("-", pipeline.lower())[:20].strip("-") or "model",
        "PIPELINE": pipeline,
        "DATA_PIPELINE": data,
    }
