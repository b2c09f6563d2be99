"""Making a workspace: a small one to begin with, or a copy of an example."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

import core
from core.errors import BadInput, DiskFull, NotFound, WrongState
from core.workspace import CONFIG_NAME

_IGNORE = """\
.opsdeck/
__pycache__/
"""
_PIPELINE = """\
name: hello
description: Two steps to begin with. Change them.

params:
  count: {type: int, default: 5, description: How many numbers to make.}

steps:
  numbers:
    function: hello:numbers

  total:
    function: hello:total
"""
_STEPS = '''\
"""Steps of the pipeline `hello`: plain functions; an input is the output of that name."""


def numbers(count: int) -> list[int]:
    print(f"making {count} numbers")
    return list(range(1, count + 1))


def total(numbers: list[int]) -> dict[str, int]:
    return {"total": sum(numbers)}
'''


def assets_dir() -> Path:
    """The folder of the files that come with Opsdeck (installed, or in a checkout)."""
    package = Path(core.__file__).parent
    installed = package / "_assets"
    return installed if installed.is_dir() else package.parent / "assets"


def examples() -> list[str]:
    """The names of the example workspaces."""
    folder = assets_dir() / "examples"
    return sorted(each.parent.name for each in folder.glob(f"*/{CONFIG_NAME}"))


def make_workspace(path: Path, example: str | None) -> list[Path]:
    """Write a workspace into the folder `path` and say which files were written.

    Overwrites nothing, and takes back what it wrote when it cannot finish. Raises
    `WrongState` where a workspace is already, `NotFound` for an unknown example,
    `BadInput` and `DiskFull` where the files cannot be written.
    """
    root = path.expanduser().resolve()
    if (root / CONFIG_NAME).exists():
        raise WrongState(f"{root}: is a workspace already", "name another folder")
    files = _example_files(example) if example else _starter_files(root.name or "workspace")
    taken = [name for name in files if (root / name).exists()]
    if taken:
        raise WrongState(f"{root / taken[0]}: exists already", "name an empty folder")
    return write_files(root, files)


def _example_files(example: str) -> Mapping[str, bytes | Path]:
    if example not in examples():
        known = ", ".join(examples()) or "none are installed"
        raise NotFound(f"no example {example}", f"examples: {known}")
    folder = assets_dir() / "examples" / example
    files: dict[str, bytes | Path] = {".gitignore": _IGNORE.encode()}
    for each in sorted(folder.rglob("*")):
        name = each.relative_to(folder)
        if each.is_file() and not {"__pycache__", ".opsdeck"}.intersection(name.parts):
            files[str(name)] = each
    return files


def _starter_files(name: str) -> Mapping[str, bytes | Path]:
    # A JSON string is a YAML string: a folder's name may hold anything.
    import json

    config = f"name: {json.dumps(name, ensure_ascii=False)}\nenvironment: local\n"
    return {
        ".gitignore": _IGNORE.encode(),
        "pipelines/hello.yaml": _PIPELINE.encode(),
        "hello.py": _STEPS.encode(),
        CONFIG_NAME: config.encode(),
    }


def write_files(
    root: Path, files: Mapping[str, bytes | Path], keep: Collection[str] = ()
) -> list[Path]:
    """Write the files, `opsdeck.yaml` last, so that a folder without it is no workspace.

    What was made is taken back when not all can be written, but for `keep`, which were there
    before. Raises `BadInput` and `DiskFull`.
    """
    made: list[Path] = []
    order = sorted(files, key=lambda name: (name == CONFIG_NAME, name))
    try:
        for name in order:
            target = root / name
            _make_folders(target.parent, made)
            if name not in keep:
                made.append(target)
            content = files[name]
            if isinstance(content, bytes):
                target.write_bytes(content)
            else:
                shutil.copyfile(content, target)
    except OSError as error:
        _take_back(made)
        if error.errno == errno.ENOSPC:
            raise DiskFull(f"{root}: no room on the disk", "make room and try again") from error
        where = error.filename or root
        raise BadInput(f"{where}: {error.strerror}", "name a folder that you may write") from error
    return [each for each in (*made, *(root / name for name in keep)) if each.is_file()]


def _make_folders(folder: Path, made: list[Path]) -> None:
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir()
        made.append(each)


def _take_back(made: list[Path]) -> None:
    for each in reversed(made):
        if each.is_dir():
            each.rmdir()
        else:
            each.unlink(missing_ok=True)
